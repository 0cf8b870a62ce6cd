"""Engine `ray` against two real nodes on this machine: the figures of `local`, whatever dies on the way."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from processes import is_alive, wait_until

# Ray reads these once, when it is imported.
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32), RAY_USAGE_STATS_ENABLED="0")

from evolora_mesa.configfile import load_config
from evolora_mesa.errors import RunError
from evolora_mesa.study.sweep.engine import Engine, Limits
from evolora_mesa.study.sweep.job import OURS, Job, Result
from evolora_mesa.study.sweep.local import LocalEngine
from evolora_mesa.study.sweep.ray_cluster import join, ray_module
from evolora_mesa.study.sweep.ray_engine import RayEngine

HERE = Path(__file__).resolve().parent
SECONDS = 120  # in which a node starts, or a run ends, on a machine that has other things to do


def rider(seed: int, accident: str = "", trace: Path = Path()) -> Job:
    settings = {"accident": accident, "trace": str(trace)} if accident else {}
    return Job("ray_models:Rider", settings, seed, generations=6, metrics={"drawn": {"figure": "drawn"}})


def smoke(seed: int) -> Job:
    settings = load_config("smoke").model_dump(mode="json", exclude={"name", "seed", "generations"})
    settings["host"] |= {"threads": 1, "device": "cpu"}
    return Job(OURS, settings, seed, generations=3, metrics={"success": {"figure": "success_rate"}})


def lived(engine: Engine, jobs: Sequence[Job], runs: Path) -> dict[str, Result]:
    """All jobs at once; the results by key."""
    results: dict[str, Result] = {}
    for job in jobs:
        engine.begin(job, runs / job.key)
    patience = time.monotonic() + SECONDS
    while len(results) < len(jobs) and time.monotonic() < patience:
        results |= {job.key: result for job, result in engine.wait(1.0)}
    return results


def figures(results: dict[str, Result]) -> dict[str, tuple[object, ...]]:
    """What must not depend on where a run was lived."""
    return {
        key: (result.failure, result.error, result.outcome, result.generations, result.digest, result.metrics)
        for key, result in results.items()
    }


# --- without a cluster


def test_without_ray_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RunError, match=r'Ray is not installed .*pip install "evolora-mesa\[ray\]"'):
        RayEngine()


ray = pytest.importorskip("ray", reason="the extra `ray`")


def test_ray_is_told_to_report_its_use_to_nobody(monkeypatch):
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    ray_module()
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize("address", ["nonsense", "ray://10.0.0.5:10001", "10.0.0.5", ":6379", "10.0.0.5:port"])
def test_what_is_no_address_is_refused_at_once(address):
    with pytest.raises(RunError, match=r"no address of a Ray cluster .*expected HOST:PORT or auto"), join(address, 1):
        pass


def test_an_address_where_nobody_answers_is_one_line():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(RunError, match=r"no Ray cluster answers .*ray start --head"), RayEngine(address=address):
            pass


def test_the_address_may_stand_in_the_environment(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "nonsense")
    with pytest.raises(RunError, match="no address of a Ray cluster"), RayEngine():
        pass


# --- with one


class Cluster:
    """Nodes of one processor each on 127.0.0.1.

    Attributes:
        address: for `RayEngine`.
    """

    def __init__(self, aside: Path) -> None:
        self._aside = aside
        self._nodes: list[subprocess.Popen[bytes]] = []
        for attempt in range(3):  # somebody else can take the port before the node does
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            self.address = f"127.0.0.1:{port}"
            place = f"--temp-dir={aside}{attempt}"
            try:
                return self._start("--head", f"--port={port}", "--include-dashboard=false", place)
            except ChildProcessError:
                self.stop()
        raise ChildProcessError("no node starts, whatever the port")

    def add_node(self) -> None:
        self._start(f"--address={self.address}")

    def kill_node(self) -> None:
        """Like pulling the plug of the machine that was added last."""
        self._end(self._nodes.pop())

    def stop(self) -> None:
        while self._nodes:
            self._end(self._nodes.pop())

    def _start(self, *arguments: str) -> None:
        command = [
            *(sys.executable, "-c", "from ray.scripts.scripts import main; main()", "start", "--block"),
            *("--node-ip-address=127.0.0.1", "--num-cpus=1", "--object-store-memory=80000000", *arguments),
        ]
        log = self._aside.with_name(f"{self._aside.name}.{len(self._nodes)}.log")
        environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[2]}"}
        with log.open("wb") as file:
            node = subprocess.Popen(command, stdout=file, stderr=file, env=environment, start_new_session=True)
        self._nodes.append(node)
        wait_until(lambda: node.poll() is not None or b"Ray runtime started" in log.read_bytes(), "a node to start")
        if node.returncode is not None:
            raise ChildProcessError(f"a node has not started: {log.read_bytes()[-2000:]!r}")

    def _end(self, node: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)  # the session of this node, and of nobody else
        node.wait()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # Not pytest's folders: the path of a socket has at most 107 bytes.
    with tempfile.TemporaryDirectory(prefix="ray-") as aside, pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        patch.setenv("PYTHONPATH", f"{HERE}{os.pathsep}{HERE.parents[2]}")
        cluster = Cluster(Path(aside) / "n")
        try:
            cluster.add_node()
            yield cluster
        finally:
            cluster.stop()


@pytest.mark.slow
def test_results_and_folders_are_those_of_the_local_engine(cluster, tmp_path):
    jobs = [smoke(1), smoke(2), rider(1), rider(2)]
    with LocalEngine(2) as local:
        here = lived(local, jobs, tmp_path / "local")
    with RayEngine(address=cluster.address) as there:
        assert there.free == 2
        away = lived(there, jobs, tmp_path / "ray")
    assert figures(away) == figures(here)
    assert all(result.failure is None and result.digest for result in away.values())
    for job in jobs:
        assert _names(tmp_path / "ray" / job.key) == _names(tmp_path / "local" / job.key)


def _names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(cluster, tmp_path):
    jobs = [rider(7, "worker", tmp_path / "trace"), rider(7)]
    with RayEngine(address=cluster.address) as engine:
        results = lived(engine, jobs, tmp_path / "runs")
    assert (tmp_path / "trace").exists()
    disturbed, undisturbed = (results[job.key] for job in jobs)
    assert (disturbed.failure, disturbed.metrics) == (None, undisturbed.metrics)


@pytest.mark.slow
def test_one_that_dies_every_time_has_failed_and_its_log_says_why(cluster, tmp_path):
    job = rider(7, "worker", tmp_path / "trace")
    with RayEngine(address=cluster.address, limits=Limits(attempts=1)) as engine:
        result = lived(engine, [job], tmp_path / "runs")[job.key]
    assert (result.failure, result.error) == ("killed", "its worker or machine died, in 1 attempts")
    assert "worker or machine died" in (tmp_path / "runs" / job.key / "log.txt").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_run_that_takes_too_long_is_ended_on_its_machine(cluster, tmp_path):
    job = rider(7, "wait", tmp_path / "trace")
    with RayEngine(address=cluster.address, limits=Limits(seconds=1.0)) as engine:
        result = lived(engine, [job], tmp_path / "runs")[job.key]
    assert (result.failure, result.error) == ("timeout", "no end within 1 s")


@pytest.mark.slow
def test_leaving_the_engine_ends_what_runs(cluster, tmp_path):
    trace = tmp_path / "trace"
    with RayEngine(address=cluster.address) as engine:
        engine.begin(rider(7, "wait", trace), tmp_path / "run")
        wait_until(lambda: _worker(trace), "the run")
    wait_until(lambda: not is_alive(_worker(trace)), "the worker to end")


@pytest.mark.slow
def test_a_wrong_token_is_one_line(cluster, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    with pytest.raises(RunError, match=r"the Ray cluster refuses .*RAY_AUTH_TOKEN"), RayEngine(address=cluster.address):
        pass


@pytest.mark.slow
def test_a_machine_that_dies_costs_nothing(cluster, tmp_path):
    traces = [tmp_path / "first", tmp_path / "second"]
    jobs = [rider(seed, "wait", trace) for seed, trace in zip((7, 8), traces, strict=True)]
    with RayEngine(address=cluster.address) as engine:
        for job in jobs:
            engine.begin(job, tmp_path / "runs" / job.key)
        wait_until(lambda: all(map(_worker, traces)), "a run on each machine")
        cluster.kill_node()
        survivor = _survivor(traces)
        os.kill(survivor, signal.SIGKILL)  # its run waits too; now both are begun again on the machine that is left
        results: dict[str, Result] = {}
        patience = time.monotonic() + SECONDS
        while len(results) < 2 and time.monotonic() < patience:
            results |= {job.key: result for job, result in engine.wait(1.0)}
    with LocalEngine(2) as local:
        alone = lived(local, [rider(7), rider(8)], tmp_path / "local")
    assert [results[job.key].failure for job in jobs] == [None, None]
    assert [results[job.key].metrics for job in jobs] == [result.metrics for result in _by_seed(alone)]


def _survivor(traces: Sequence[Path]) -> int:
    workers = [_worker(trace) for trace in traces]
    wait_until(lambda: sum(map(is_alive, workers)) == 1, "one machine to be gone")
    return next(filter(is_alive, workers))


def _worker(trace: Path) -> int:
    """The process that has noted itself; 0 before it has."""
    return int(trace.read_text(encoding="utf-8") or 0) if trace.exists() else 0


def _by_seed(results: dict[str, Result]) -> list[Result]:
    return [results[rider(seed).key] for seed in (7, 8)]


@pytest.mark.slow
def test_without_an_address_a_cluster_of_our_own_comes_and_goes(tmp_path):
    handler = signal.getsignal(signal.SIGTERM)
    with RayEngine(workers=1) as engine:
        assert engine.free == 1
        (result,) = lived(engine, [rider(3)], tmp_path / "runs").values()
        assert signal.getsignal(signal.SIGTERM) is handler
    assert result.failure is None
    assert not ray.is_initialized()
