"""The loop of a sweep: begin what is ready, write down what has ended, until nothing is missing."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.engine import Engine
from evolora_mesa.study.sweep.folder import RUNS_FOLDER
from evolora_mesa.study.sweep.ledger import Ledger
from evolora_mesa.study.sweep.progress import Progress
from evolora_mesa.study.sweep.results import Row, write_results
from evolora_mesa.study.sweep.summary import write_summary

__all__ = ["rows_of", "supervise"]

_BEAT: Final = 0.25  # seconds between looks at the clock and at who wants the end
_IDLE_SHARE: Final = 20  # tables are written at most a twentieth of the time: each holds all runs


def supervise(
    agenda: Agenda,
    engine: Engine,
    ledger: Ledger,
    folder: Path,
    *,
    progress: Progress,
    is_wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Run what the agenda asks for and the ledger does not have.

    Args:
        folder: of the sweep.
        progress: is shown where the sweep stands.
        is_wanted: whether to go on; runs in progress are left to the engine, which ends them.

    Raises:
        RunError: the ledger or a table cannot be written.
    """
    running: set[str] = set()
    tables = _Tables(agenda, ledger, folder)
    tables.write()  # whoever looks finds a sweep, if an empty one
    ready = deque(agenda.ready(ledger.results))
    while is_wanted():
        while ready and engine.free > 0:
            job = ready.popleft()
            ledger.begin(job)
            engine.begin(job, folder / RUNS_FOLDER / job.key)
            running.add(job.key)
        progress.show(tables.rows, len(running))
        if not running:
            break
        ended = engine.wait(_BEAT)
        for job, result in ended:
            ledger.end(job, result)
            running.remove(job.key)
        if ended:
            ready = deque(job for job in agenda.ready(ledger.results) if job.key not in running)
            tables.renew()
        tables.write()
    progress.show(tables.rows, len(running))
    tables.write(now=True)


def rows_of(agenda: Agenda, ledger: Ledger) -> list[Row]:
    """All runs that belong to the sweep, as far as is known by now."""
    return [
        Row(run.cell.number, run.cell.levels, run.seed, run.key, ledger.results.get(run.key))
        for run in agenda.runs(ledger.results)
    ]


class _Tables:
    """What others read of a sweep while it runs."""

    def __init__(self, agenda: Agenda, ledger: Ledger, folder: Path) -> None:
        self._agenda, self._ledger, self._folder = agenda, ledger, folder
        self._due = 0.0
        self.renew()

    def renew(self) -> None:
        """Something has ended."""
        self.rows = rows_of(self._agenda, self._ledger)
        self._stale = True

    def write(self, *, now: bool = False) -> None:
        """Bring them up to date, if that is needed and due."""
        began = time.monotonic()
        if now or (self._stale and began >= self._due):
            self._stale = False
            spec = self._agenda.spec
            self._ledger.publish(spec, self.rows)
            write_results(self._folder, spec, self.rows)
            write_summary(self._folder, spec, self.rows)
            self._due = time.monotonic() + _IDLE_SHARE * (time.monotonic() - began)
