"""The loop of a sweep, with an engine that lives runs in no time and in any order."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

import pytest
from small_sweeps import spec_of

from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.conclusion import write_conclusion
from evolora_mesa.study.sweep.engine import Ended
from evolora_mesa.study.sweep.findings import Findings
from evolora_mesa.study.sweep.folder import default_folder, open_folder
from evolora_mesa.study.sweep.job import Job, Result
from evolora_mesa.study.sweep.progress import Progress, View
from evolora_mesa.study.sweep.results import RESULTS_FILE, Row, read_results, write_results
from evolora_mesa.study.sweep.spec import SweepSpec
from evolora_mesa.study.sweep.summary import SUMMARY_FILE
from evolora_mesa.study.sweep.supervisor import rows_of, supervise

Value = Callable[[Mapping[str, Any], int], float]


def ticket(settings: Mapping[str, Any], seed: int) -> float:
    return float(settings["economy"]["ticket"]) + seed / 2**40


class Clockwork:
    """An engine whose runs end one at a time, in an order of its own."""

    def __init__(self, workers: int = 2, order: int = 0, fails: Callable[[Job], bool] = lambda job: False) -> None:
        self._workers, self._draw, self._fails = workers, random.Random(order), fails
        self._jobs: list[Job] = []
        self.begun: list[Job] = []

    @property
    def free(self) -> int:
        return self._workers - len(self._jobs)

    def begin(self, job: Job, folder: Path) -> None:
        assert folder.name == job.key and self.free > 0
        self._jobs.append(job)
        self.begun.append(job)

    def wait(self, seconds: float) -> Sequence[Ended]:
        job = self._jobs.pop(self._draw.randrange(len(self._jobs)))
        if self._fails(job):
            return [Ended(job, Result(failure="raised", error="ValueError: no", code="1"))]
        metrics = {"success": ticket(job.settings, job.seed)}
        return [Ended(job, Result(outcome="finished", generations=3, digest="d", metrics=metrics, code="1"))]

    def __enter__(self) -> Clockwork:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def run(
    spec: SweepSpec, folder: Path, engine: Clockwork, *, most: int = 1000, retry: bool = False
) -> tuple[bytes, bytes]:
    """A sitting, which ends early after ``most`` runs have begun; the tables that it leaves."""
    agenda = Agenda(spec)
    with open_folder(folder, agenda) as ledger:
        if retry:
            ledger.forget([key for key, result in ledger.results.items() if result.failure])
        progress = Progress(spec, agenda.most, 2, View())
        supervise(agenda, engine, ledger, folder, progress=progress, is_wanted=lambda: len(engine.begun) < most)
        write_conclusion(folder, Findings(spec, tuple(rows_of(agenda, ledger))))
    return (folder / RESULTS_FILE).read_bytes(), (folder / SUMMARY_FILE).read_bytes()


def runs_in(folder: Path) -> tuple[Row, ...]:
    return tuple(read_results(folder)[1])


def test_every_cell_is_run_with_every_seed(tmp_path: Path) -> None:
    engine = Clockwork()
    run(spec_of(seeds=3), tmp_path, engine)
    rows = runs_in(tmp_path)
    assert [row.status for row in rows] == ["done"] * 6 and len(engine.begun) == 6
    assert {row.levels["economy.ticket"] for row in rows} == {0.5, 1.0}
    assert len({row.seed for row in rows}) == 3
    assert all(row.metric("success") == row.levels["economy.ticket"] + row.seed / 2**40 for row in rows)


def test_a_sweep_that_has_only_begun_can_be_read(tmp_path: Path) -> None:
    run(spec_of(), tmp_path, Clockwork(), most=0)
    assert [row.status for row in runs_in(tmp_path)] == ["waiting"] * 4


def test_the_tables_do_not_depend_on_the_order_in_which_runs_end_nor_on_interruptions(tmp_path: Path) -> None:
    spec = spec_of(seeds=4)
    tables = run(spec, tmp_path / "calm", Clockwork(workers=1))
    for order in range(3):
        folder = tmp_path / str(order)
        for most in (2, 3):
            run(spec, folder, Clockwork(workers=3, order=order), most=most)
        assert run(spec, folder, Clockwork(workers=2, order=order)) == tables


class OneLasts(Clockwork):
    """Its first run ends at once, and the next one lasts; a clock of its own tells the seconds waited for."""

    seconds = 0.0

    def wait(self, seconds: float) -> Sequence[Ended]:
        self.seconds += seconds
        return super().wait(seconds) if len(self._jobs) == 2 else []


def test_a_table_that_was_not_due_when_a_run_ended_is_written_while_the_next_one_lasts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, agenda = OneLasts(), Agenda(spec_of(seeds=1))

    def write_slowly(*what: Any) -> None:
        engine.seconds += 1.0
        write_results(*what)

    monkeypatch.setattr("evolora_mesa.study.sweep.supervisor.write_results", write_slowly)
    monkeypatch.setattr("evolora_mesa.study.sweep.supervisor.time", SimpleNamespace(monotonic=lambda: engine.seconds))

    def is_wanted() -> bool:
        return engine.seconds < 1000 and b",done," not in (tmp_path / RESULTS_FILE).read_bytes()

    with open_folder(tmp_path, agenda) as ledger:
        write_results(tmp_path, agenda.spec, rows_of(agenda, ledger))
        progress = Progress(agenda.spec, agenda.most, 2, View())
        supervise(agenda, engine, ledger, tmp_path, progress=progress, is_wanted=is_wanted)
    assert len(engine.begun) == 2 and 20 < engine.seconds < 30  # for a write that took a second


def test_what_is_over_is_not_run_again(tmp_path: Path) -> None:
    spec = spec_of(seeds=2)
    run(spec, tmp_path, Clockwork(), most=2)
    over = len([row for row in runs_in(tmp_path) if row.result is not None])
    assert over < 4
    engine = Clockwork()
    run(spec, tmp_path, engine)
    assert len(engine.begun) == 4 - over
    engine = Clockwork()
    run(spec, tmp_path, engine)
    assert engine.begun == []


def test_a_larger_spec_runs_only_what_is_new(tmp_path: Path) -> None:
    run(spec_of(), tmp_path, Clockwork())
    engine = Clockwork()
    run(spec_of(factors={"economy.ticket": [0.5, 1.0, 2.0]}, seeds=3), tmp_path, engine)
    assert len(engine.begun) == 9 - 4
    assert len(runs_in(tmp_path)) == 9


def test_a_new_metric_measures_every_run_again(tmp_path: Path) -> None:
    run(spec_of(), tmp_path, Clockwork())
    engine = Clockwork()
    metrics = {"success": {"figure": "success_rate"}, "mass": {"figure": "population"}}
    run(spec_of(metrics=metrics), tmp_path, engine)
    assert len(engine.begun) == 4


def test_failed_runs_stay_failed_until_they_are_asked_for_again(tmp_path: Path) -> None:
    spec = spec_of()

    def dear(job: Job) -> bool:
        return bool(job.settings["economy"]["ticket"] == 1.0)

    run(spec, tmp_path, Clockwork(fails=dear))
    assert [row.status for row in runs_in(tmp_path)] == ["done", "done", "failed", "failed"]
    assert b"ValueError: no" in (tmp_path / RESULTS_FILE).read_bytes()
    engine = Clockwork()
    run(spec, tmp_path, engine)
    assert engine.begun == []
    run(spec, tmp_path, engine, retry=True)
    assert len(engine.begun) == 2 and all(map(dear, engine.begun))
    assert [row.status for row in runs_in(tmp_path)] == ["done"] * 4


def test_a_cell_that_is_known_well_enough_gets_no_more_seeds(tmp_path: Path) -> None:
    stop = {"half_width": {"metric": "success", "below": 0.5, "at_least": 3}}
    engine = Clockwork()
    run(spec_of(seeds=20, stop=stop), tmp_path, engine)
    assert len(engine.begun) < 12 and len(runs_in(tmp_path)) == 6


def test_a_folder_of_another_sweep_is_left_alone(tmp_path: Path) -> None:
    tables = run(spec_of(), tmp_path, Clockwork())
    with pytest.raises(ConfigError, match="another sweep"):
        run(spec_of(factors={"economy.inflow": [5.0, 6.0]}), tmp_path, Clockwork())
    assert ((tmp_path / RESULTS_FILE).read_bytes(), (tmp_path / SUMMARY_FILE).read_bytes()) == tables


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match="not the folder of a sweep"), open_folder(tmp_path, Agenda(spec_of())):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(("name", "folder"), [("a b/../c", "a-b-..-c"), ("..", "sweep"), ("tickets 2", "tickets-2")])
def test_a_sweep_lies_below_the_working_folder_whatever_it_is_called(name: str, folder: str) -> None:
    assert default_folder(spec_of(name=name)) == Path("sweeps") / folder


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path) -> None:
    agenda = Agenda(spec_of())
    with (
        open_folder(tmp_path, agenda),
        pytest.raises(RunError, match="the sweep is being written"),
        open_folder(tmp_path, agenda),
    ):
        pass


def test_nothing_is_written_when_nothing_is_missing(tmp_path: Path) -> None:
    run(spec_of(), tmp_path, Clockwork())
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.suffix in (".csv", ".html")}
    agenda = Agenda(spec_of())
    with open_folder(tmp_path, agenda) as ledger:
        write_conclusion(tmp_path, Findings(agenda.spec, tuple(rows_of(agenda, ledger))))
    assert len(before) >= 3 and all((tmp_path / name).stat().st_mtime_ns == then for name, then in before.items())
