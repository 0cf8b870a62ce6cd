"""``evolora tune`` from the outside, on a hill whose top is known."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
from processes import environment, wait_until

from evolora_mesa.cli import main
from evolora_mesa.configfile import load_config
from evolora_mesa.strictyaml import dump_yaml, parse_yaml
from evolora_mesa.study.sweep.engine import Ended
from evolora_mesa.study.sweep.job import Job
from evolora_mesa.study.sweep.ledger import results_in
from evolora_mesa.study.sweep.work import run_job

pytest.importorskip("optuna")

HERE = Path(__file__).parent
MODELS = HERE / "study" / "sweep"
TOP = (1.3, 0.4)

HILL = {
    "name": "hill",
    "model": "hill_models:Hill",
    "generations": 1,
    "set": {"noise": 0.05},
    "factors": {"x": {"low": -3.0, "high": 3.0}, "y": {"low": -3.0, "high": 3.0}},
    "design": {"method": "adaptive", "samples": 24, "batch": 8, "objective": "height"},
    "seeds": 2,
    "metrics": {"height": {"figure": "height"}},
}
WORLD = {
    "name": "tiny",
    "base": "smoke",
    "generations": 1,
    "set": {"population.episodes": 1, "tasks.depths": 1, "host.device": "cpu"},
    "factors": {"economy.ticket": {"low": 0.2, "high": 0.8}},
    "design": {"method": "adaptive", "samples": 2, "batch": 2, "objective": "accuracy"},
    "seeds": 1,
    "metrics": {"accuracy": {"worth": "unrouted", "pool": "select"}},
}


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(MODELS))
    monkeypatch.chdir(tmp_path)


class Here:
    """An engine that lives runs in this process, one at a time, and after ``most`` of them is struck."""

    def __init__(self, most: int, strike: Callable[[], None]) -> None:
        self._left, self._strike = most, strike
        self._order: tuple[Job, Path] | None = None

    @property
    def free(self) -> int:
        return int(self._order is None)

    def begin(self, job: Job, folder: Path) -> None:
        self._order = (job, folder)

    def wait(self, seconds: float) -> Sequence[Ended]:
        assert self._order is not None
        (job, folder), self._order = self._order, None
        if self._left == 0:
            self._strike()
            return []
        self._left -= 1
        return [Ended(job, run_job(job, folder))]

    def __enter__(self) -> Here:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def lightning() -> None:
    raise RuntimeError("lightning")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs are lived in this process; called with a number, only so many before every engine is struck."""

    def most(number: int, strike: Callable[[], None] = lightning) -> None:
        monkeypatch.setattr("evolora_mesa.cli_tune.engine_for", lambda *means: Here(number, strike))

    most(10_000)
    return most


def spec_file(folder: Path, tree: dict[str, Any] = HILL, **changes: Any) -> str:
    path = folder / "spec.yaml"
    path.write_text(dump_yaml({**tree, **changes}), encoding="utf-8")
    return str(path)


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "results.csv").read_text(encoding="utf-8"))))


def found(folder: Path) -> list[object]:
    """All that must come out the same, however often the tuning was cut off; the code may be edited meanwhile."""
    tables = [
        {name: value for name, value in row.items() if name != "code"}
        for part in ("search", "report")
        for row in rows(folder / part)
    ]
    others = [(folder / name).read_bytes() for name in ("best.yaml", "search/summary.csv", "report/summary.csv")]
    return [*tables, *others]


def distance(x: float, y: float) -> float:
    return ((x - TOP[0]) ** 2 + (y - TOP[1]) ** 2) ** 0.5


@pytest.mark.usefixtures("here")
def test_a_known_top_is_come_nearer_to_and_found_better_on_seeds_that_were_never_seen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["tune", spec_file(tmp_path), "--out", str(out), "--fresh", "4", "--quiet"]) == 0
    told = capfd.readouterr().out
    best, _ = parse_yaml((out / "best.yaml").read_text(encoding="utf-8"), "best.yaml")
    assert isinstance(best, dict) and best["model"] == "hill_models:Hill"
    assert distance(best["set"]["x"], best["set"]["y"]) < distance(0.0, 2.0) / 2
    assert "Winner's curse: on 4 seeds that the search never saw" in told
    assert "over 4 pairs: the tuned settings are better." in told
    assert "48 runs" in told and "8 runs" in told
    searched, compared = rows(out / "search"), rows(out / "report")
    assert [row["settings"] for row in compared] == ["untuned"] * 4 + ["tuned"] * 4
    assert len({row["seed"] for row in compared}) == 4
    assert {row["seed"] for row in compared}.isdisjoint(row["seed"] for row in searched)
    page = (out / "tuning.html").read_text(encoding="utf-8")
    assert "On fresh seeds" in page and "best.yaml" in page and "0.001" in page

    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.suffix in (".csv", ".html")}
    before[out / "best.yaml"] = (out / "best.yaml").stat().st_mtime_ns
    assert main(["tune", spec_file(tmp_path), "--out", str(out), "--fresh", "4"]) == 0
    again = capfd.readouterr().out
    assert again.startswith("The tuning is finished: all of its runs are over.")
    assert again.splitlines()[1:] == told.splitlines()
    assert len(before) >= 8 and all(path.stat().st_mtime_ns == then for path, then in before.items())


@pytest.mark.usefixtures("here")
def test_on_a_plain_the_best_was_only_lucky_and_the_fresh_seeds_show_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = spec_file(tmp_path, set={"noise": 1.0, "steep": 0.0}, seeds=1)
    assert main(["tune", plain, "--out", "out", "--quiet"]) == 0
    told = capfd.readouterr().out
    height = max(float(row["height"]) for row in rows(tmp_path / "out" / "search"))
    assert height > 1.0  # of 24 draws around 0
    fresh = [float(row["height"]) for row in rows(tmp_path / "out" / "report") if row["settings"] == "tuned"]
    assert len(fresh) == 10 and sum(fresh) / 10 < height / 2
    assert "short of what the search promised" in told and "no difference is shown" in told


SHORT = {"design": {"method": "adaptive", "samples": 6, "batch": 3, "objective": "height"}}


def test_a_tuning_that_was_cut_off_goes_on_to_the_same_end(tmp_path: Path, here: Callable[..., None]) -> None:
    spec = spec_file(tmp_path, **SHORT)
    command = ["tune", spec, "--fresh", "3", "--quiet", "--out"]
    assert main([*command, "calm"]) == 0
    here(5)
    codes = [main([*command, "cut"]) for _ in range(6)]
    assert codes[0] == 70 and codes[-1] == 0  # the engine was struck by lightning, until nothing was missing
    assert found(tmp_path / "cut") == found(tmp_path / "calm")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_tuning_in_order(
    tmp_path: Path,
    here: Callable[..., None],
    capfd: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    here(5, lambda: os.kill(os.getpid(), number))
    assert main(["tune", spec_file(tmp_path, **SHORT), "--out", "out", "--fresh", "3"]) == code
    last = capfd.readouterr().out.splitlines()[-1]
    assert last.startswith(f"4 of 12 runs in {Path('out/search')} are done; the same command goes on: evolora tune")
    assert last.endswith("--out out --fresh 3")  # one of the five was the pilot


@pytest.mark.slow
def test_runs_are_lived_in_processes_of_their_own(tmp_path: Path) -> None:
    spec = spec_file(tmp_path, **SHORT, seeds=1)
    assert main(["tune", spec, "--out", "out", "--trials", "2", "--fresh", "2", "--workers", "2", "--quiet"]) == 0
    assert [row["status"] for part in ("search", "report") for row in rows(tmp_path / "out" / part)] == ["done"] * 6


@pytest.mark.slow
def test_a_tuning_that_was_killed_goes_on_to_the_same_end(tmp_path: Path) -> None:
    spec = spec_file(tmp_path, **SHORT)
    assert main(["tune", spec, "--out", "calm", "--workers", "2", "--fresh", "3", "--quiet"]) == 0
    command = ["tune", spec, "--out", "cut", "--fresh", "3", "--workers", "1"]
    for part, least in (("search", 4), ("report", 1)):
        folder = tmp_path / "cut" / part
        kill_after(folder, least, command)
        assert len(results_in(folder, {})) == least
    assert main([*command, "--quiet"]) == 0
    assert found(tmp_path / "cut") == found(tmp_path / "calm")


def kill_after(folder: Path, least: int, command: list[str]) -> None:
    """Kill -9 when so many runs of a sweep are over; the next one waits for that."""
    process = subprocess.Popen(
        [sys.executable, "-m", "evolora_mesa.cli", *command],
        env=environment(MODELS, HILL_END=f"{least}:{folder}"),
        start_new_session=True,
    )
    try:
        wait_until(lambda: process.poll() is not None or len(results_in(folder, {})) >= least, "runs to be over")
        assert process.returncode is None, "it ended before it could be killed"
    finally:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("here")
def test_more_trials_go_on_with_the_same_search(tmp_path: Path) -> None:
    spec = spec_file(tmp_path)
    for trials in ("4", "8"):
        assert main(["tune", spec, "--out", "out", "--trials", trials, "--fresh", "2", "--quiet"]) == 0
    searched = rows(tmp_path / "out" / "search")
    assert len(searched) == 16
    assert len(rows(tmp_path / "out" / "report")) == 4


@pytest.mark.usefixtures("here")
def test_settings_that_fail_are_passed_over_and_the_exit_code_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = spec_file(tmp_path, set={"noise": 0.0, "cliff": 0.0})
    assert main(["tune", spec, "--out", "out", "--trials", "8", "--fresh", "2", "--quiet"]) == 1
    told = capfd.readouterr().out
    assert f"evolora sweep {Path('out/search/spec.yaml')} --out {Path('out/search')} --retry" in told
    assert "Best settings: x=-" in told
    spec = spec_file(tmp_path, set={"cliff": -9.0})
    assert main(["tune", spec, "--out", "none", "--trials", "2", "--quiet"]) == 2
    assert "the search has found nothing" in capfd.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("here")
def test_a_world_is_tuned_on_select_and_judged_on_test(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = spec_file(tmp_path, WORLD)
    assert main(["tune", spec, "--out", "out", "--fresh", "2", "--quiet"]) == 0
    told = capfd.readouterr().out
    assert "Fresh seeds: accuracy on test" in told and "episodes" in told
    world = load_config(tmp_path / "out" / "best.yaml")
    assert 0.2 <= world.economy.ticket <= 0.8 and world.generations == 1
    assert "test" not in json.dumps(searched_metrics(tmp_path / "out"))
    assert all(row["accuracy on test"] for row in rows(tmp_path / "out" / "report"))


def searched_metrics(folder: Path) -> object:
    tree, _ = parse_yaml((folder / "search" / "spec.yaml").read_text(encoding="utf-8"), "spec.yaml")
    assert isinstance(tree, dict)
    return {name: metric for name, metric in tree["metrics"].items() if metric["worth"]}


@pytest.mark.usefixtures("here")
def test_a_dry_run_tells_what_it_takes_and_leaves_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = spec_file(tmp_path)
    assert main(["tune", spec, "--dry-run", "--workers", "2"]) == 0
    told = capfd.readouterr().out
    assert "24 cells x 2 seeds = at most 48 runs" in told and "2 cells x 10 seeds = 20 runs" in told
    assert "68 runs x ~" in told
    assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]


@pytest.mark.usefixtures("here")
def test_a_long_tuning_wants_a_yes_before_it_begins(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = spec_file(tmp_path, seeds=8)  # 192 runs of the search, and 20 of the comparison
    assert main(["tune", spec]) == 2
    assert "212 runs are more than 200" in capfd.readouterr().err
    assert not (tmp_path / "tunes" / "hill" / "search" / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "arguments", "said"),
    [
        ({}, ["--engine", "slurm"], "no such engine"),
        ({}, ["--fresh", "1"], "--fresh"),
        ({"design": {"method": "random"}}, [], "tuning is a search"),
        ({"factors": {"z": {"low": 0.0, "high": 1.0}}}, [], "unknown setting 'z'"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], changes: dict[str, Any], arguments: list[str], said: str
) -> None:
    assert main(["tune", spec_file(tmp_path, **changes), *arguments]) == 2
    error = capfd.readouterr().err
    assert said in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]


def test_without_optuna_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main(["tune", spec_file(tmp_path)]) == 2
    error = capfd.readouterr().err
    assert "pip install 'evolora-mesa[opt]'" in error and error.count("\n") == 1


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "best.yaml").write_text("extends: smoke\n", encoding="utf-8")
    assert main(["tune", spec_file(tmp_path), "--out", "mine"]) == 2
    assert "not the folder of a tuning" in capfd.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["best.yaml"]
