"""What a sweep will take, told before it starts: runs, time, disk, and the cells that cannot be run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Final, NamedTuple

from evolora_mesa.study.sweep.agenda import Agenda, Results
from evolora_mesa.study.sweep.design import Cell
from evolora_mesa.study.sweep.engine import Engine
from evolora_mesa.study.sweep.job import Job, Result

__all__ = ["MOST_RUNS", "MOST_SECONDS", "Pilot", "Plan", "fly", "plan_of"]

MOST_RUNS: Final = 200  # that start without being asked about
MOST_SECONDS: Final = 3600.0
_PILOT: Final = 4  # generations
_SHOWN: Final = 10  # cells that cannot be run
_PATIENCE: Final = 0.2  # seconds between looks at the engine


class Pilot(NamedTuple):
    """What one run is expected to take.

    Attributes:
        seconds: of a worker.
        size: bytes in its folder.
        error: what went wrong in the pilot, if something did; then there are no figures.
    """

    seconds: float | None
    size: int | None
    error: str = ""


@dataclass(frozen=True)
class Plan:
    """What is about to happen.

    Attributes:
        name: of the sweep.
        cells: that can be run; an upper bound in an adaptive design.
        seeds: of each.
        most: runs, at most.
        open_ended: whether fewer may do: cells that are known well enough get no more seeds.
        done: runs that are over.
        generations: least and most of a run.
        workers: at a time.
        refused: cells that cannot be run, and why.
        pilot: of one run; `None` when none was flown.
    """

    name: str
    cells: int
    seeds: int
    most: int
    open_ended: bool
    done: int
    generations: tuple[int, int]
    workers: int
    refused: Sequence[tuple[Cell, str]] = ()
    pilot: Pilot | None = None

    @property
    def runs(self) -> int:
        """Still to be lived, at most."""
        return self.most - self.done

    @property
    def seconds(self) -> float | None:
        """Until the end; workers that have nothing left to do wait for the last one."""
        if self.pilot is None or self.pilot.seconds is None:
            return None
        return math.ceil(self.runs / self.workers) * self.pilot.seconds

    def lines(self) -> list[str]:
        """For people."""
        low, high = self.generations
        length = f"{high} generations" if low == high else f"{low} to {high} generations"
        at_most = "at most " if self.open_ended else ""
        done = f"; {self.done} are done" if self.done else ""
        found = [f"{self.name}: {self.cells} cells x {self.seeds} seeds = {at_most}{self.most} runs of {length}{done}"]
        if self.seconds is not None and self.pilot is not None and self.pilot.seconds is not None:
            size = "" if self.pilot.size is None else f", {_amount(self.runs * self.pilot.size)}"
            one, whole = _duration(self.pilot.seconds), _duration(self.seconds)
            found.append(f"{self.runs} runs x ~{one} / {self.workers} workers = {whole}{size}")
        elif self.pilot is not None and self.pilot.error:
            found.append(f"no estimate, the pilot failed: {self.pilot.error}")
        for cell, reason in self.refused[:_SHOWN]:
            found.append(f"cell {cell.number} ({cell}) cannot be run: {reason}")
        if len(self.refused) > _SHOWN:
            found.append(f"and {len(self.refused) - _SHOWN} more cells cannot be run")
        return found

    def objections(self) -> list[str]:
        """Why somebody has to say yes first; empty when nobody has to."""
        found = []
        if self.runs > MOST_RUNS:
            found.append(f"{self.runs} runs are more than {MOST_RUNS}")
        if self.seconds is not None and self.seconds > MOST_SECONDS:
            found.append(f"{_duration(self.seconds)} are more than {_duration(MOST_SECONDS)}")
        if self.refused:
            found.append(f"{len(self.refused)} cells cannot be run and would be left out")
        return found


def plan_of(agenda: Agenda, results: Results, workers: int, pilot: Pilot | None = None) -> Plan:
    """What is left of a sweep.

    Args:
        results: of the runs that are over.
        workers: at a time.
        pilot: `fly`; without one, runs that are over tell how long a run takes.
    """
    runs = agenda.runs(results)
    lasted = [result.wall_seconds for result in results.values() if result.failure is None]
    lengths = [run.job.generations for run in runs]
    return Plan(
        name=agenda.spec.name,
        cells=agenda.most // len(agenda.seeds),
        seeds=len(agenda.seeds),
        most=agenda.most,
        open_ended=agenda.spec.stop.half_width is not None or agenda.spec.design.method == "adaptive",
        done=sum(run.key in results for run in runs),
        generations=(min(lengths), max(lengths)),
        workers=workers,
        refused=[
            (cell, agenda.refused[cell.number]) for cell in agenda.cells(results) if cell.number in agenda.refused
        ],
        pilot=Pilot(fmean(lasted), None) if pilot is None and lasted else pilot,
    )


def fly(job: Job, engine: Engine, folder: Path) -> Pilot:
    """Live the beginning of a run, and tell how long the whole would take.

    A founding alone and a few generations give a line: what does not grow with the length, as measuring the
    survivors, counts once. Later generations of a growing world take longer.

    Args:
        job: the run.
        engine: with a free worker.
        folder: empty; the pilot's runs lie in it.
    """
    lengths = [0, _PILOT] if job.generations > _PILOT else [job.generations]
    seconds: list[float] = []
    sizes: list[float] = []
    for length in lengths:
        place = folder / str(length)
        result = _lived(replace(job, generations=length), engine, place)
        if result.failure is not None:
            return Pilot(None, None, result.error)
        seconds.append(result.wall_seconds)
        sizes.append(sum(path.stat().st_size for path in place.rglob("*") if path.is_file()))
    return Pilot(_extended(seconds, job.generations), round(_extended(sizes, job.generations)))


def _lived(job: Job, engine: Engine, folder: Path) -> Result:
    engine.begin(job, folder)
    while True:
        for ended in engine.wait(_PATIENCE):
            if ended.job == job:
                return ended.result


def _extended(values: Sequence[float], generations: int) -> float:
    """The line through ``values`` after 0 and after `_PILOT` generations, at ``generations``."""
    return values[0] + max(0.0, values[-1] - values[0]) * generations / _PILOT


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _amount(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
