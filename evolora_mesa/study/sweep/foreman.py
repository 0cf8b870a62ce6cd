"""The process that starts a worker for every run, watches over it, and ends with its supervisor, as workers do with it.

It has imported everything and loaded the host before it forks the first worker, so that a run begins in milliseconds.
Who goes first is told by pipes: a pipe whose other end has died can be read at once, however its holder died. A death
signal from the parent (PR_SET_PDEATHSIG) would not do, for it asks who the parent is, and that is another process.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from evolora_mesa.errors import EvoloraError
from evolora_mesa.record.layout import LOG_FILE
from evolora_mesa.study.sweep.job import Job
from evolora_mesa.study.sweep.runlog import early_log, trim
from evolora_mesa.study.sweep.work import one_thread, prepare, run_job

try:
    import fcntl
    import resource
except ImportError:  # on Windows: no memory limit there, and nothing that a killed sweep leaves behind is waited for
    fcntl = None  # type: ignore[assignment]
    resource = None  # type: ignore[assignment]

__all__ = ["TIMEOUT", "Order", "Report", "ended_by", "oversee"]

TIMEOUT: Final = "timeout"

_BEAT: Final = 0.5  # seconds between looks at logs and clocks
_WORKERS_LOCK: Final = "workers.lock"  # beside the runs' folders
# Forking is safe where libraries keep no threads of the system's own, as macOS's do.
_METHOD: Final = "fork" if sys.platform == "linux" else "spawn"


class Order(NamedTuple):
    """A run to begin: its job as JSON, its folder, and its limits as in `Limits`."""

    job: str
    folder: str
    seconds: float | None
    mebibytes: int | None


class Report(NamedTuple):
    """A run is over.

    Attributes:
        key: of its job.
        result: as JSON; empty when the worker did not answer.
        died: of what: `TIMEOUT`, or what `ended_by` says.
    """

    key: str
    result: str
    died: str


@dataclass
class _Worker:
    """A run that goes on; ``deadline`` on the monotonic clock."""

    key: str
    folder: Path
    process: BaseProcess
    answer: Connection
    deadline: float


def ended_by(code: int | None) -> str:
    """What a process died of, from its exit code."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def oversee(supervisor: Connection) -> None:
    """Carry out orders until the supervisor is gone; then nobody who works for it is left.

    Args:
        supervisor: sends `Order`, gets `Report`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us all; what becomes of it is the supervisor's to say
    one_thread()
    workers: list[_Worker] = []
    hiring: _Hiring | None = None
    try:
        while True:
            for ready in wait([supervisor, *(worker.answer for worker in workers)], _BEAT):
                if ready is supervisor:
                    order = supervisor.recv()
                    hiring = hiring or _Hiring(supervisor, order)
                    workers.append(hiring.begin(order))
            for worker in [*workers]:
                if report := _looked_after(worker):
                    workers.remove(worker)
                    supervisor.send(report)
    except (EOFError, OSError):  # the supervisor is gone
        pass
    finally:
        for worker in workers:
            worker.process.kill()
            worker.process.join()


def _looked_after(worker: _Worker) -> Report | None:
    """What there is to report of a worker; kills one whose time is over."""
    if worker.answer.poll():
        try:
            result = str(worker.answer.recv())
        except (EOFError, OSError):
            result = ""
        worker.process.join()
        worker.answer.close()
        return Report(worker.key, result, "" if result else ended_by(worker.process.exitcode))
    if time.monotonic() > worker.deadline:
        worker.process.kill()
        worker.process.join()
        worker.answer.close()
        return Report(worker.key, "", TIMEOUT)
    for log in (early_log(worker.folder), worker.folder / LOG_FILE):
        trim(log)
    return None


class _Hiring:
    """Starts workers, prepared for what the first order needs.

    Args:
        supervisor: the line to it, which workers must not hold open.
        first: the first order.
    """

    def __init__(self, supervisor: Connection, first: Order) -> None:
        self._places: set[Path] = set()
        with contextlib.suppress(EvoloraError, ValidationError):  # the run itself will tell
            prepare(Job.from_json(first.job))
        self._context: Any = multiprocessing.get_context(_METHOD)  # what all contexts share lacks Process, for mypy
        self._lifeline, end = self._context.Pipe(duplex=False)
        self._ours = (supervisor, end)

    def begin(self, order: Order) -> _Worker:
        """A worker for the order."""
        folder = Path(order.folder)
        if folder.parent not in self._places:
            _wait_for_the_dead(folder.parent)
            self._places.add(folder.parent)
        answer, theirs = self._context.Pipe(duplex=False)
        ours = (*self._ours, answer) if _METHOD == "fork" else ()
        process = self._context.Process(target=_work, args=(order, theirs, self._lifeline, ours))
        process.start()
        theirs.close()
        deadline = time.monotonic() + (float("inf") if order.seconds is None else order.seconds)
        return _Worker(Job.from_json(order.job).key, folder, process, answer, deadline)


def _wait_for_the_dead(runs: Path) -> None:
    """Until nobody is left of a sweep that was killed here: its workers have inherited the lock."""
    runs.mkdir(parents=True, exist_ok=True)
    if fcntl is not None:
        number = os.open(runs / _WORKERS_LOCK, os.O_RDWR | os.O_CREAT, 0o644)  # held until we and our workers are gone
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.write(2, b"waiting for processes of an earlier sweep in this folder to end\n")
            fcntl.flock(number, fcntl.LOCK_EX)


def _work(order: Order, answer: Connection, lifeline: Connection, ours: tuple[Connection, ...]) -> None:
    """A worker's life."""
    for connection in ours:
        connection.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(lifeline,), daemon=True).start()
    with _limited(order.mebibytes):
        result = run_job(Job.from_json(order.job), Path(order.folder), BaseException)
    answer.send(result.as_json())


def _die_with(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()  # nothing is ever sent
    os._exit(1)


@contextlib.contextmanager
def _limited(mebibytes: int | None) -> Iterator[None]:
    """At most so much more memory than now.

    RLIMIT_DATA counts what was really asked for: with torch a limit of 200 MiB ended at 200 MiB of arrays, one by
    RLIMIT_AS at 260 MiB, for there threads reserve 64 MiB each, and libraries are mapped.
    """
    if mebibytes is None or resource is None or not Path("/proc/self/status").exists():
        yield
        return
    status = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    now = next(int(line.split()[1]) for line in status if line.startswith("VmData:")) * 1024
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (now + mebibytes * 2**20, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)  # the answer must get out
