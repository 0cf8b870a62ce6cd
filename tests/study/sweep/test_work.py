"""One run in a worker: lived, gone on with, measured again, and told of when it fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from jobs import METRICS, odd_job, world_job
from repetitions import repeated

from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.layout import ADAPTERS_FOLDER, CHECKPOINT_FOLDER, LOG_FILE, STORE_FILE
from evolora_mesa.record.runfolder import RunFolder
from evolora_mesa.study.sweep import living_world
from evolora_mesa.study.sweep.job import Job, Result
from evolora_mesa.study.sweep.living_world import config_of
from evolora_mesa.study.sweep.work import run_job

WORTH = {"worth": {"worth": "unrouted", "pool": "select"}}
EVERY_SECOND = (("record.checkpoint_every", 2),)


@pytest.fixture(autouse=True)
def shared_host(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    """One host for all runs of this file, untuned as the settings of these tests find it."""
    monkeypatch.setattr(living_world, "host_of", lambda config: petri)


def outcome(result: Result) -> Result:
    """All of a result but what it took, which must not fail."""
    assert result.failure is None, result.traceback
    return replace(result, wall_seconds=0.0, cpu_seconds=0.0, peak_mib=0.0)


def step_counter(monkeypatch: pytest.MonkeyPatch, killed_in: int | None = None) -> list[int]:
    """The generations that are lived from now on; in one of them the process is interrupted."""
    lived: list[int] = []
    step = EcologyModel.step

    def counted(model: EcologyModel) -> None:
        if model.tick + 1 == killed_in:
            raise KeyboardInterrupt
        step(model)
        lived.append(model.tick)

    monkeypatch.setattr(EcologyModel, "step", counted)
    return lived


def test_a_run_in_a_sweep_is_the_run_alone(tmp_path: Path, petri: HostService) -> None:
    job = world_job()
    result = outcome(run_job(job, tmp_path / "runs" / job.key))
    model = EcologyModel(config_of(job), host=petri)
    with RunFolder(tmp_path / "alone", config_of(job), petri.fingerprint()) as folder:
        folder.attach(model)
        for _ in range(job.generations):
            model.step()
        assert result.digest == folder.store.digest
    assert (result.outcome, result.generations) == ("finished", 4)
    assert result.curves["success_rate"][0] is None and len(result.curves["success_rate"]) == 5
    assert result.metrics["success"] == pytest.approx(sum(result.curves["success_rate"][1:]) / 4)  # type: ignore[arg-type]


def test_a_run_that_was_cut_off_goes_on_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = world_job(overrides=EVERY_SECOND)
    whole = outcome(run_job(job, tmp_path / "whole" / job.key))
    with monkeypatch.context() as patch:
        step_counter(patch, killed_in=4)
        with pytest.raises(KeyboardInterrupt):
            run_job(job, tmp_path / "cut" / job.key)
    lived = step_counter(monkeypatch)
    assert outcome(run_job(job, tmp_path / "cut" / job.key)) == whole
    assert lived == [3, 4]


def test_what_other_code_began_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = world_job(overrides=EVERY_SECOND)
    with monkeypatch.context() as patch:
        step_counter(patch, killed_in=4)
        with pytest.raises(KeyboardInterrupt):
            run_job(job, tmp_path / job.key)
    monkeypatch.setattr(living_world, "code_version", lambda model: "another")
    lived = step_counter(monkeypatch)
    assert outcome(run_job(job, tmp_path / job.key)).code == "another"
    assert lived == [1, 2, 3, 4]


def test_a_finished_run_is_only_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = world_job()
    first = outcome(run_job(job, tmp_path / job.key))
    lived = step_counter(monkeypatch)
    more = replace(job, metrics={**METRICS, "episodes": {"sql": "SELECT count(*) FROM episodes"}})
    second = outcome(run_job(more, tmp_path / more.key))
    assert lived == []
    assert (second.digest, second.metrics["success"]) == (first.digest, first.metrics["success"])
    assert second.metrics["episodes"] and second.metrics["episodes"] > 0


@pytest.mark.parametrize(("keep", "lived_again"), [("all", 0), *repeated(("records", 4))])
def test_survivors_are_measured_again_from_the_checkpoint_or_by_living_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: str, lived_again: int
) -> None:
    at_once = world_job(metrics=WORTH)
    alive = outcome(run_job(at_once, tmp_path / "alive" / at_once.key))
    assert alive.metrics["worth"] is not None and 0 <= alive.metrics["worth"] <= 1
    job = world_job(keep=keep)
    run_job(job, tmp_path / job.key)
    lived = step_counter(monkeypatch)
    assert outcome(run_job(replace(job, metrics=WORTH), tmp_path / job.key)).metrics == alive.metrics
    assert len(lived) == lived_again


@pytest.mark.parametrize(
    ("keep", "left"),
    [("all", {ADAPTERS_FOLDER, CHECKPOINT_FOLDER, STORE_FILE}), ("records", {STORE_FILE}), ("nothing", set())],
)
def test_of_a_run_is_left_what_was_asked_for(tmp_path: Path, keep: str, left: set[str]) -> None:
    job = world_job(generations=1, keep=keep)
    outcome(run_job(job, tmp_path / job.key))
    found = {path.name for path in (tmp_path / job.key).iterdir()}
    assert found & {ADAPTERS_FOLDER, CHECKPOINT_FOLDER, STORE_FILE} == left
    assert LOG_FILE in found and (found == {LOG_FILE}) == (keep == "nothing")


POOR = (("economy.endowment", 0.0), ("economy.ticket", 1000.0), ("economy.grace", 0), ("economy.protected_age", 0))
ALONE = (*POOR, ("reproduction.enabled", False), ("archive.enabled", False), ("population.minimum", 0))


def test_an_extinct_world_ends_unless_it_is_told_to_go_on(tmp_path: Path) -> None:
    job = world_job(overrides=ALONE)
    ended = outcome(run_job(job, tmp_path / job.key))
    assert ended.outcome == "extinct" and ended.generations < 4
    job = replace(job, until={"extinct": False})
    went_on = outcome(run_job(job, tmp_path / job.key))
    assert (went_on.outcome, went_on.generations) == ("finished", 4)


def test_a_run_ends_when_its_figure_stands_still(tmp_path: Path) -> None:
    until = {"plateau": {"figure": "height", "window": 10}}
    level = odd_job("Counter", generations=50, settings={"slope": 0.0}, until=until)
    assert outcome(run_job(level, tmp_path / "level")).generations == 9  # with the founding, ten values
    for slope in (1.0, -1.0):
        job = odd_job("Counter", generations=50, settings={"slope": slope}, until=until)
        assert outcome(run_job(job, tmp_path / job.key)).outcome == "finished"


def test_a_plateau_is_where_it_was_when_the_run_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    until = {"plateau": {"figure": "population", "window": 8}}
    job = world_job(generations=40, overrides=(*EVERY_SECOND, ("reproduction.enabled", False)), until=until)
    whole = outcome(run_job(job, tmp_path / "whole" / job.key))
    assert whole.outcome == "plateau"
    with monkeypatch.context() as patch:
        step_counter(patch, killed_in=6)
        with pytest.raises(KeyboardInterrupt):
            run_job(job, tmp_path / "cut" / job.key)
    assert outcome(run_job(job, tmp_path / "cut" / job.key)) == whole


# ---------------------------------------------------------------------- other people's models


@pytest.mark.parametrize("name", ["Counter", "OldSeed"])
def test_another_model_runs_as_many_steps_as_asked_and_depends_on_its_seed(tmp_path: Path, name: str) -> None:
    first, again, other = (
        outcome(run_job(odd_job(name, seed), tmp_path / place / "run"))
        for seed, place in ((3, "a"), (3, "b"), (4, "c"))
    )
    assert (first.generations, first.metrics["height"]) == (5, 5.0)
    assert first.curves["height"] == [0, 1, 2, 3, 4, 5]
    assert first == again
    assert first.digest != other.digest and first.metrics["luck"] != other.metrics["luck"]


def test_a_model_that_switches_itself_off_has_ended(tmp_path: Path) -> None:
    result = outcome(run_job(odd_job("Quitter"), tmp_path / "run"))
    assert (result.outcome, result.generations) == ("stopped", 3)


def test_a_model_that_takes_no_seed_is_refused(tmp_path: Path) -> None:
    result = run_job(odd_job("Seedless"), tmp_path / "run")
    assert result.failure == "raised" and "takes no seed" in result.error


def test_sql_reads_the_figures_of_another_model(tmp_path: Path) -> None:
    job = odd_job("Counter", metrics={"most": {"sql": "SELECT max(height) FROM figures"}})
    assert outcome(run_job(job, tmp_path / "run")).metrics == {"most": 5.0}


def test_another_model_has_no_survivors_of_ours(tmp_path: Path) -> None:
    result = run_job(odd_job("Counter", metrics=WORTH), tmp_path / "run")
    assert result.failure == "raised" and "only worlds of ours" in result.error


@pytest.mark.parametrize(
    ("grief", "said"),
    [
        ("raise", "ValueError: a bad day and a second line"),
        ("mangle", r"ValueError: half of \ud800 and \x1b[31m"),
        ("exit", "SystemExit: enough"),
        ("interrupt", "KeyboardInterrupt"),
    ],
)
def test_a_run_that_raises_has_failed_with_its_traceback(tmp_path: Path, grief: str, said: str) -> None:
    result = run_job(odd_job("Fragile", settings={"grief": grief}), tmp_path / "run", BaseException)
    assert (result.failure, result.error) == ("raised", said)
    assert "_come_to_grief" in result.traceback and result.as_json().encode("utf-8")
    assert "_come_to_grief" in (tmp_path / "run" / LOG_FILE).read_text(encoding="utf-8")


def test_ctrl_c_is_the_user_s_where_a_run_has_no_process_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run_job(odd_job("Fragile", settings={"grief": "interrupt"}), tmp_path / "run")


def test_a_run_that_closes_its_outputs_ends_well_and_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    job = odd_job("Fragile", settings={"grief": "mute"})
    assert run_job(job, tmp_path / "run").failure is None
    print("outside again")
    assert capfd.readouterr() == ("outside again\n", "")


def test_of_an_endless_error_the_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wordy(job: Job, folder: Path, log: object) -> None:
        raise ValueError("z" * 10**6)

    monkeypatch.setattr("evolora_mesa.study.sweep.living_model.live_model", wordy)
    result = run_job(odd_job("Counter"), tmp_path / "run")
    assert len(result.error) == 300 and len(result.traceback) == 20_000


def test_no_memory_is_told_from_other_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(job: Job, folder: Path, log: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: 12")

    monkeypatch.setattr("evolora_mesa.study.sweep.living_model.live_model", exhausted)
    assert run_job(odd_job("Counter"), tmp_path / "run").failure == "memory"


# ---------------------------------------------------------------------- the log


def test_what_a_run_prints_is_in_its_log_and_nowhere_else(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_job(odd_job("Talker", generations=3), tmp_path / "run")
    print("outside again")
    assert capfd.readouterr().out == "outside again\n"
    lines = (tmp_path / "run" / LOG_FILE).read_text(encoding="utf-8").splitlines()
    assert lines == ["step 1", "from below", "step 2", "from below", "step 3", "from below"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_log_that_grows_without_end_is_cut(tmp_path: Path) -> None:
    run_job(odd_job("Babbler", generations=1), tmp_path / "run")
    log = tmp_path / "run" / LOG_FILE
    assert log.stat().st_size <= 10 * 2**20 and log.read_bytes().endswith(b"the log was cut here\n")


def test_the_log_of_an_attempt_that_was_cut_off_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = world_job(overrides=EVERY_SECOND)
    with monkeypatch.context() as patch:
        step_counter(patch, killed_in=1)
        with pytest.raises(KeyboardInterrupt):
            run_job(job, tmp_path / job.key)
    monkeypatch.setattr(living_world, "code_version", lambda model: "another")  # so that it is begun anew
    run_job(job, tmp_path / job.key)
    assert (tmp_path / job.key / LOG_FILE).read_text(encoding="utf-8").count("a run of 4 generations") == 2
