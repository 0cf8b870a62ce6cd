"""What is to be run: cells x seeds, as far as the results so far call for it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.statistics import t_interval
from evolora_mesa.study.sweep.adaptive import Proposals
from evolora_mesa.study.sweep.design import Cell, cells_of, require_baseline
from evolora_mesa.study.sweep.job import Job, Result
from evolora_mesa.study.sweep.seeds import seeds_of
from evolora_mesa.study.sweep.spec import SweepSpec
from evolora_mesa.study.sweep.subject import Subject, subject_of

__all__ = ["Agenda", "Results", "Run"]

Results = Mapping[str, Result]  # by key of the job, of the runs that are over, failed ones too


class Run(NamedTuple):
    """A cell with one of the seeds. Cells that stand for the same settings share their jobs, and so their results."""

    cell: Cell
    seed: int
    job: Job
    key: str


class Agenda:
    """Which runs a sweep has. All answers depend on the results alone, not on the order in which they came.

    Args:
        spec: of the sweep.
        subject: what is swept, if it is known already.

    Attributes:
        seeds: the same for every cell.
        refused: by number of a cell whose settings cannot be, why; it has no runs.

    Raises:
        ConfigError: a name is unknown, no cell at all can be run, or the baseline is none of them.
    """

    def __init__(self, spec: SweepSpec, subject: Subject | None = None) -> None:
        self.spec = spec
        self.seeds = seeds_of(spec.root_seed, spec.seeds)
        self.refused: dict[int, str] = {}
        self._subject = subject if subject is not None else subject_of(spec)
        self._proposals = Proposals(spec) if spec.design.method == "adaptive" else None
        self._cells = cells_of(spec)
        self._runs: dict[int, list[Run]] = {}
        known = self.cells({})
        able = [cell for cell in known if self._runs_of(cell)]
        if not able:
            raise ConfigError("no cell can be run", where=f"cell 0: {known[0]}", do=self.refused[0])
        if self._proposals is None:
            require_baseline(spec, able)

    @property
    def most(self) -> int:
        """Runs if no cell ends early: all of them, or an upper bound."""
        cells = self.spec.design.samples if self._proposals else len(self._cells) - len(self.refused)
        return cells * len(self.seeds)

    def cells(self, results: Results) -> list[Cell]:
        """Those of the design; of an adaptive one, those proposed so far."""
        if self._proposals is None:
            return self._cells
        self._proposals.advance(
            lambda cell: self._mean(cell, results, self.spec.design.objective),
            lambda cell: self._is_over(cell, results),
        )
        return self._proposals.cells

    def runs(self, results: Results) -> list[Run]:
        """Everything that belongs to the sweep, over or not, sorted by cell, then in the order of the seeds."""
        return [run for cell in self.cells(results) for run in self._wanted(cell, results)]

    def ready(self, results: Results) -> list[Job]:
        """What can be begun now: no result yet, and nothing to wait for. Every cell's first seed comes first."""
        position = {seed: number for number, seed in enumerate(self.seeds)}
        waiting = {run.key: run for run in self.runs(results) if run.key not in results}
        return [run.job for run in sorted(waiting.values(), key=lambda run: (position[run.seed], run.cell.number))]

    def _runs_of(self, cell: Cell) -> list[Run]:
        """All runs that the cell can have; none of one that cannot be."""
        if cell.number not in self._runs:
            try:
                jobs = [self._subject.job(cell.levels, seed) for seed in self.seeds]
            except ConfigError as error:
                self.refused[cell.number] = str(error)
                jobs = []
            self._runs[cell.number] = [Run(cell, job.seed, job, job.key) for job in jobs]
        return self._runs[cell.number]

    def _wanted(self, cell: Cell, results: Results) -> list[Run]:
        """The runs up to the seed at which the cell is known well enough, or at which that is not decided yet.

        The rule looks at one more seed at a time, in their order, so a result that came early, or that an earlier
        spec asked for, cannot end the cell at another seed.
        """
        runs, rule = self._runs_of(cell), self.spec.stop.half_width
        if rule is None:
            return runs
        count = min(rule.at_least, len(runs))
        while count < len(runs) and all(run.key in results for run in runs[:count]):
            interval = t_interval(_values(runs[:count], results, rule.metric))
            if interval.high - interval.mean < rule.below:
                break
            count += 1
        return runs[:count]

    def _is_over(self, cell: Cell, results: Results) -> bool:
        return all(run.key in results for run in self._wanted(cell, results))

    def _mean(self, cell: Cell, results: Results, metric: str) -> float | None:
        values = _values(self._wanted(cell, results), results, metric)
        return math.fsum(values) / len(values) if values else None


def _values(runs: list[Run], results: Results, metric: str) -> list[float]:
    """What was measured; failed runs have no numbers, and a figure may not exist."""
    found = [results[run.key].metrics.get(metric) for run in runs]
    return [value for value in found if value is not None and math.isfinite(value)]
