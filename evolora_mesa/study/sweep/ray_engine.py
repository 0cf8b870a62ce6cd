"""Engine ``ray``: the same runs as tasks of a Ray cluster, whose machines need not share a disk."""

from __future__ import annotations

import atexit
import contextlib
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from evolora_mesa.record.layout import LOG_FILE
from evolora_mesa.study.sweep.engine import Ended, Limits
from evolora_mesa.study.sweep.job import Failure, Job, Result
from evolora_mesa.study.sweep.local import LocalEngine
from evolora_mesa.study.sweep.parcel import pack, unpack
from evolora_mesa.study.sweep.ray_cluster import join, ray_module

__all__ = ["RayEngine"]

_NO_LIMITS: Final = Limits()


class RayEngine:
    """Runs jobs on the machines of a cluster.

    A worker or a machine that dies costs the runs on it, which Ray begins again elsewhere. In the worker a run has its
    own process with its limits, as under `LocalEngine`, of which every worker has one; the run's folder comes back as
    bytes.

    Args:
        workers: runs at a time; by default one for each processor of the cluster.
        limits: of each.
        address: of a cluster, as "10.0.0.5:6379", or "auto" for the one on this machine. By default what RAY_ADDRESS
            names, else one on this machine that is gone when the engine is left.

    Raises:
        RunError: Ray is not installed; when entered, the cluster does not answer.
    """

    def __init__(self, workers: int | None = None, limits: Limits = _NO_LIMITS, address: str | None = None) -> None:
        self._ray = ray_module()
        self._workers, self._limits, self._address = workers, limits, address
        self._charges: dict[Any, tuple[Job, Path]] = {}  # by the reference to what the run will answer
        self._cluster = contextlib.ExitStack()

    @property
    def free(self) -> int:
        """Workers without a job; none before the engine is entered."""
        return (self._workers or 0) - len(self._charges)

    def begin(self, job: Job, folder: Path) -> None:
        """Have ``job`` run into ``folder``; what a run that was cut off has left there goes along."""
        task = self._ray.remote(_live).options(num_cpus=1, max_retries=self._limits.attempts - 1, name=job.key)
        self._charges[task.remote(job.as_json(), self._limits, pack(folder))] = (job, folder)

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Runs that have ended since the last call; waits for one for so long at most."""
        if not self._charges:
            return []
        self._ray.wait([*self._charges], timeout=seconds)
        ready, _ = self._ray.wait([*self._charges], num_returns=len(self._charges), timeout=0)
        return [self._ended(reference) for reference in ready]

    def __enter__(self) -> RayEngine:
        processors = self._cluster.enter_context(join(self._address, self._workers))
        self._workers = self._workers or processors
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for reference in self._charges:
            self._ray.cancel(reference, force=True)
        self._charges.clear()
        self._cluster.close()

    def _ended(self, reference: Any) -> Ended:
        job, folder = self._charges.pop(reference)
        try:
            answer, parcel = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            return Ended(job, _lost(error, self._limits.attempts, folder))
        unpack(parcel, folder)
        return Ended(job, Result.from_json(answer))


def _lost(error: Exception, attempts: int, folder: Path) -> Result:
    """The result of a run that did not answer; its log says why."""
    text = [line.strip() for line in str(error).splitlines() if line.strip()]
    died = type(error).__name__ in ("WorkerCrashedError", "NodeDiedError", "LocalRayletDiedError")
    failure: Failure = "killed" if died else "memory" if type(error).__name__ == "OutOfMemoryError" else "raised"
    told = f"its worker or machine died, in {attempts} attempts" if died else text[-1] if text else repr(error)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOG_FILE).open("a", encoding="utf-8") as log:
        log.write("\n".join([told, *text]) + "\n")
    return Result(failure=failure, error=told, traceback=str(error))


# ---------------------------------------------------------------------- in a worker of the cluster


def _live(job: str, limits: Limits, parcel: bytes) -> tuple[str, bytes]:
    """Have a run lived on the machine where this is called.

    Args:
        job: as JSON.
        parcel: the run's folder, if it was begun before.

    Returns:
        Its result as JSON, and its folder.
    """
    with tempfile.TemporaryDirectory(prefix="evolora-") as aside:
        asked = Job.from_json(job)
        folder = Path(aside) / asked.key
        unpack(parcel, folder)
        bench = _bench(limits)
        bench.begin(asked, folder)
        ended: Sequence[Ended] = []
        while not ended:
            ended = bench.wait(60.0)
        return ended[0].result.as_json(), pack(folder)


@lru_cache(maxsize=1)
def _bench(limits: Limits) -> LocalEngine:
    """One for all runs of this worker, so that the host is loaded once."""
    bench = LocalEngine(1, limits)
    atexit.register(bench.__exit__, None, None, None)
    return bench
