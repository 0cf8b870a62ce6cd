"""Engine `local`: processes that raise, die, hang and eat, and one that outlives nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from jobs import odd_job, world_job
from processes import PATIENCE, descendants, environment, is_alive, wait_until

from evolora_mesa.record.layout import LOG_FILE
from evolora_mesa.study.sweep import foreman, living_world
from evolora_mesa.study.sweep.engine import Limits
from evolora_mesa.study.sweep.job import Job, Result
from evolora_mesa.study.sweep.local import LocalEngine
from evolora_mesa.study.sweep.work import prepare, run_job


def results_of(engine: LocalEngine, jobs: list[Job], folder: Path) -> dict[str, Result]:
    waiting, found = list(jobs), dict[str, Result]()

    def all_are_over() -> bool:
        while waiting and engine.free:
            job = waiting.pop(0)
            engine.begin(job, folder / job.key)
        found.update({job.key: result for job, result in engine.wait(1.0)})
        return len(found) == len(jobs)

    wait_until(all_are_over, "runs to end")
    return found


def sole(engine: LocalEngine, job: Job, folder: Path) -> Result:
    return results_of(engine, [job], folder)[job.key]


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    """Two workers for the tests whose runs are not limited."""
    with pytest.MonkeyPatch.context() as patch, LocalEngine(2) as engine:
        patch.setenv("OMP_NUM_THREADS", "2")  # as a user may have it
        yield engine


def fragile(grief: str, trace: Path | str = "") -> Job:
    return odd_job("Fragile", settings={"grief": grief, "trace": str(trace)})


def is_noted(path: Path) -> bool:
    return path.exists() and bool(path.read_text(encoding="utf-8"))


def wait_for(path: Path) -> str:
    wait_until(lambda: is_noted(path), f"a note in {path.name}")
    return path.read_text(encoding="utf-8")


def wait_for_death(*processes: int) -> None:
    wait_until(lambda: not any(map(is_alive, processes)), "processes to end")


def test_runs_in_processes_are_those_in_this_one(engine: LocalEngine, tmp_path: Path) -> None:
    jobs = [odd_job("Counter", seed) for seed in range(4)]
    found = results_of(engine, jobs, tmp_path / "there")
    for job in jobs:
        here = run_job(job, tmp_path / "here" / job.key)
        assert (found[job.key].digest, found[job.key].metrics) == (here.digest, here.metrics)
        assert found[job.key].failure is None and found[job.key].peak_mib > 10


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")
def test_workers_find_everything_imported_and_compute_on_one_thread(engine: LocalEngine, tmp_path: Path) -> None:
    metrics = {"heir": {"figure": "heir"}, "threads": {"figure": "threads"}}
    for seed in range(2):
        assert sole(engine, odd_job("Heir", seed, metrics=metrics), tmp_path).metrics == {"heir": 1, "threads": 1}


def test_the_host_is_loaded_before_there_are_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[object] = []
    monkeypatch.setattr(living_world, "_held", {})
    monkeypatch.setattr(living_world, "host_for", lambda config: loaded.append(config) or object())
    prepare(world_job(1))
    for seed in (1, 2):
        living_world.host_of(living_world.config_of(world_job(seed)))
    assert len(loaded) == 1
    torch.set_float32_matmul_precision("medium")  # as tuning for the first one leaves it
    living_world.host_of(living_world.config_of(world_job(1, overrides=(("host.random_weights", True),))))
    assert len(loaded) == 2 and torch.get_float32_matmul_precision() == "highest"


def test_one_run_that_raises_does_not_touch_the_others(engine: LocalEngine, tmp_path: Path) -> None:
    bad, good = fragile("raise"), odd_job("Counter")
    found = results_of(engine, [bad, good], tmp_path)
    assert found[bad.key].failure == "raised" and "ValueError: a bad day" in found[bad.key].error
    assert found[good.key].failure is None


def test_what_only_looks_like_ctrl_c_is_a_mistake_of_the_run_s(engine: LocalEngine, tmp_path: Path) -> None:
    result = sole(engine, fragile("interrupt"), tmp_path)
    assert (result.failure, result.error) == ("raised", "KeyboardInterrupt")


def test_a_killed_worker_is_begun_again(engine: LocalEngine, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    result = sole(engine, fragile("once", trace), tmp_path / "runs")
    assert result.failure is None and result.generations == 5
    assert trace.read_text(encoding="utf-8") == "killed\n"


@pytest.mark.parametrize(("grief", "said"), [("kill", "killed by SIGKILL"), ("leave", "left with exit code 9")])
def test_a_run_whose_worker_dies_every_time_has_failed(
    engine: LocalEngine, tmp_path: Path, grief: str, said: str
) -> None:
    trace = tmp_path / "trace"
    result = sole(engine, fragile(grief, trace), tmp_path / "runs")
    assert (result.failure, result.error) == ("killed", f"{said}, in 3 attempts of 3")
    if grief == "kill":
        assert trace.read_text(encoding="utf-8").count("killed") == 3


def test_a_run_that_hangs_is_ended_in_time(tmp_path: Path) -> None:
    trace, seconds = tmp_path / "trace", 0.5
    while not is_noted(trace):  # a machine with other things to do can need longer until the run hangs
        with LocalEngine(1, Limits(seconds=seconds)) as engine:
            result = sole(engine, fragile("sleep", trace), tmp_path / f"runs {seconds}")
            assert (result.failure, result.error) == ("timeout", f"no end within {seconds:g} s")
        seconds *= 4
    wait_for_death(int(trace.read_text(encoding="utf-8")))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process as a whole")
def test_a_run_that_eats_memory_fails_of_that(tmp_path: Path) -> None:
    with LocalEngine(1, Limits(mebibytes=300)) as engine:
        result = sole(engine, fragile("eat"), tmp_path / "runs")
        assert result.failure == "memory" and "MemoryError" in result.error
        assert sole(engine, odd_job("Counter"), tmp_path / "runs").failure is None


@pytest.mark.slow
def test_leaving_the_engine_ends_what_runs(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with LocalEngine(1) as engine:
        engine.begin(fragile("sleep", trace), tmp_path / "runs" / "run")
        process = int(wait_for(trace))
        assert is_alive(process)
    wait_for_death(process)


@pytest.mark.slow
def test_when_what_started_the_workers_dies_they_die_and_are_begun_again(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with LocalEngine(2, Limits(attempts=2)) as engine:
        job = fragile("sleep", trace)
        engine.begin(job, tmp_path / "runs" / job.key)
        first = int(wait_for(trace))
        trace.unlink()
        assert engine._foreman is not None and engine._foreman.pid is not None
        os.kill(engine._foreman.pid, signal.SIGKILL)

        def is_begun_again() -> bool:
            assert engine.wait(0.1) == []
            return is_noted(trace)

        wait_until(is_begun_again, "the run to begin again")
        wait_for_death(first)
        os.kill(int(wait_for(trace)), signal.SIGKILL)
        (ended,) = engine.wait(PATIENCE)
        assert ended.result.failure == "killed"


ORPHAN = """
import sys
from pathlib import Path
from jobs import odd_job
from evolora_mesa.study.sweep.local import LocalEngine

if __name__ == "__main__":
    with LocalEngine(1) as engine:
        trace = Path(sys.argv[1])
        job = odd_job("Fragile", settings={"grief": "sleep", "trace": str(trace)})
        engine.begin(job, trace.parent / "runs" / job.key)
        engine.wait(60)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")
def test_workers_die_with_their_supervisor(tmp_path: Path) -> None:
    script, trace = tmp_path / "script.py", tmp_path / "trace"
    script.write_text(ORPHAN, encoding="utf-8")
    supervisor = subprocess.Popen([sys.executable, str(script), str(trace)], env=environment(Path(__file__).parent))
    worker, everybody = int(wait_for(trace)), descendants(supervisor.pid)
    assert worker in everybody and len(everybody) >= 2
    supervisor.kill()
    supervisor.wait()
    wait_for_death(*everybody)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is inherited")
def test_nothing_begins_while_workers_of_a_killed_sweep_are_alive(engine: LocalEngine, tmp_path: Path) -> None:
    import fcntl

    assert sole(engine, odd_job("Counter"), tmp_path / "others").failure is None  # so that it could begin at once
    runs, job = tmp_path / "runs", odd_job("Counter", seed=4)
    runs.mkdir()
    with (runs / "workers.lock").open("w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        engine.begin(job, runs / job.key)
        assert engine.wait(1.5) == [] and not (runs / job.key).exists()
        fcntl.flock(held, fcntl.LOCK_UN)
        (ended,) = engine.wait(PATIENCE)
        assert ended.result.failure is None


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_whom_a_sweep_waits_for_is_told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import fcntl

    foreman._wait_for_the_dead(tmp_path / "idle")
    assert capfd.readouterr().err == ""
    with (tmp_path / "workers.lock").open("w", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        waiting = threading.Thread(target=foreman._wait_for_the_dead, args=(tmp_path,))
        waiting.start()
        told: list[str] = []
        wait_until(lambda: told.append(capfd.readouterr().err) or told[-1], "the line")
        assert told[-1] == "waiting for processes of an earlier sweep in this folder to end\n" and waiting.is_alive()
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


def test_a_log_is_cut_while_the_run_goes_on(engine: LocalEngine, tmp_path: Path) -> None:
    """Not only when it is over: one that prints without end would fill the disk before."""
    job = odd_job("Babbler", generations=200)
    engine.begin(job, tmp_path / job.key)
    log = tmp_path / job.key / LOG_FILE
    wait_until(lambda: log.exists() and b"the log was cut here" in log.read_bytes(), "the cut")
    engine.__exit__(None, None, None)
