"""Engine ``local``: every run in a process of its own on this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Final

from evolora_mesa.study.sweep.engine import Ended, Limits
from evolora_mesa.study.sweep.foreman import TIMEOUT, Order, Report, ended_by, oversee
from evolora_mesa.study.sweep.job import Failure, Job, Result

__all__ = ["LocalEngine"]

_GRACE: Final = 10.0  # seconds in which a foreman that has lost its supervisor ends
_NO_LIMITS: Final = Limits()


@dataclass
class _Charge:
    """A run in progress."""

    job: Job
    folder: Path
    began: float
    attempts: int = 0


class LocalEngine:
    """Runs jobs on this machine.

    A run whose process is killed, by whomever, is begun again, and goes on from where its folder is. One that raises
    an exception, or takes too long or too much memory, has failed at once: it would again.

    Workers are forked off a foreman of the engine's own. `multiprocessing` has a forkserver for that, but one only for
    the whole life of a process, that can import modules and load no host.

    Args:
        workers: runs at a time.
        limits: of each.
    """

    def __init__(self, workers: int, limits: Limits = _NO_LIMITS) -> None:
        self._workers, self._limits = workers, limits
        self._charges: dict[str, _Charge] = {}
        self._foreman: BaseProcess | None = None
        self._line: Connection

    @property
    def free(self) -> int:
        """Workers without a job."""
        return self._workers - len(self._charges)

    def begin(self, job: Job, folder: Path) -> None:
        """Have ``job`` run into ``folder``."""
        charge = self._charges[job.key] = _Charge(job, folder.absolute(), time.monotonic())
        self._order(charge)

    def wait(self, seconds: float) -> Sequence[Ended]:
        """Runs that have ended since the last call; waits for one for so long at most."""
        ended: list[Ended] = []
        end = time.monotonic() + seconds
        while self._charges and self._line.poll(0 if ended else max(end - time.monotonic(), 0)):
            try:
                ended += self._heard(self._line.recv())
            except (EOFError, OSError):
                ended += self._bereft()
        return ended

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._charges.clear()
        self._dismiss()

    def _heard(self, report: Report) -> list[Ended]:
        charge = self._charges[report.key]
        if report.result:
            return [self._end(charge, Result.from_json(report.result))]
        return self._lost(charge, report.died)

    def _bereft(self) -> list[Ended]:
        """The foreman has died, and with it all workers."""
        died = f"{self._dismiss()} of what had started it"
        return [ended for charge in [*self._charges.values()] for ended in self._lost(charge, died)]

    def _lost(self, charge: _Charge, died: str) -> list[Ended]:
        """A worker has died without an answer: again, or for good."""
        failure: Failure = "killed"
        if died == TIMEOUT:
            failure, error = "timeout", f"no end within {self._limits.seconds:g} s"
        elif charge.attempts < self._limits.attempts:
            self._order(charge)
            return []
        else:
            how = "killed by" if died.startswith("SIG") else "left with"
            error = f"{how} {died}, in {charge.attempts} attempts of {self._limits.attempts}"
        seconds = time.monotonic() - charge.began
        return [self._end(charge, Result(failure=failure, error=error, wall_seconds=seconds))]

    def _end(self, charge: _Charge, result: Result) -> Ended:
        del self._charges[charge.job.key]
        return Ended(charge.job, result)

    # ------------------------------------------------------------------ the foreman

    def _order(self, charge: _Charge) -> None:
        charge.attempts += 1
        if self._foreman is None:
            self._hire()
        order = Order(charge.job.as_json(), str(charge.folder), self._limits.seconds, self._limits.mebibytes)
        with contextlib.suppress(OSError):  # the foreman has died: `wait` will hear of it
            self._line.send(order)

    def _hire(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._foreman = context.Process(target=oversee, args=(theirs,))
        self._foreman.start()
        theirs.close()

    def _dismiss(self) -> str:
        """Have the foreman end, with all workers; what it died of."""
        if self._foreman is None:
            return ""
        foreman, self._foreman = self._foreman, None
        self._line.close()
        foreman.join(_GRACE)
        if foreman.is_alive():
            foreman.kill()
            foreman.join()
        return ended_by(foreman.exitcode)
