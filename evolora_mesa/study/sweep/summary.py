"""What the runs of a sweep say about its cells: means, their uncertainty, and what sets them apart.

A seed is the unit: the mean of a cell is over its runs, and cells are compared seed by seed, for the same seeds were
run in all of them. Intervals are Student's t. No bootstrap: on samples this small its percentiles miss about three
times as often as they say.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from evolora_mesa.study.statistics import Interval, chance_of_no_mean, holm, standard_deviation, t_interval
from evolora_mesa.study.sweep.results import Row, as_csv, write_text, written
from evolora_mesa.study.sweep.spec import SweepSpec, Value

__all__ = [
    "SUMMARY_FILE",
    "CellRow",
    "CellRuns",
    "baseline_cell",
    "best_cell",
    "by_cell",
    "main_metric",
    "shown_number",
    "summarize",
    "summary_csv",
    "told_cell",
    "write_summary",
]

SUMMARY_FILE: Final = "summary.csv"
_BEFORE: Final = ("metric", "runs", "n", "mean", "sd", "low", "high")
_AFTER: Final = ("pairs", "difference", "difference_low", "difference_high", "p", "p_holm")


class CellRuns(NamedTuple):
    """A cell and its runs, in the order of seeds."""

    number: int
    levels: Mapping[str, Value]
    runs: tuple[Row, ...]

    def values(self, metric: str) -> dict[int, float]:
        """By seed, of the runs that are done and have the number."""
        found = {run.seed: run.metric(metric) for run in self.runs}
        return {seed: value for seed, value in found.items() if value is not None}


class CellRow(NamedTuple):
    """A metric in a cell.

    Attributes:
        runs: that have ended, the failed ones too.
        interval: over the seeds; its ``n`` is of runs that are done and have the number.
        sd: of the sample; nan with fewer than two.
        difference: to the baseline, over the seeds that both have; `None` in the baseline itself.
        p: of that difference being 0, by a paired t test.
        p_holm: adjusted for all cells that the metric is compared in.
    """

    cell: int
    levels: Mapping[str, Value]
    metric: str
    runs: int
    interval: Interval
    sd: float
    difference: Interval | None
    p: float
    p_holm: float


def by_cell(rows: Iterable[Row]) -> list[CellRuns]:
    """Runs in their cells, all in order."""
    cells: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.cell, row.seed)):
        cells.setdefault(row.cell, []).append(row)
    return [CellRuns(number, runs[0].levels, tuple(runs)) for number, runs in cells.items()]


def baseline_cell(spec: SweepSpec, cells: Sequence[CellRuns]) -> CellRuns | None:
    """The first cell with the baseline's levels; the first of all if none are given, `None` if no cell has them."""
    wanted = {factor: written(level) for factor, level in (spec.baseline or {}).items()}
    for cell in cells:
        if all(written(cell.levels[factor]) == level for factor, level in wanted.items()):
            return cell
    return None


def summarize(spec: SweepSpec, rows: Iterable[Row], metrics: Iterable[str] | None = None) -> list[CellRow]:
    """A row for every cell and metric, by default all metrics, one after the other in the order of cells."""
    cells = by_cell(rows)
    baseline = baseline_cell(spec, cells)
    summary = []
    for metric in spec.metrics if metrics is None else metrics:
        anchor = baseline.values(metric) if baseline is not None else {}
        gaps = [
            None if baseline is None or cell is baseline else _paired(cell.values(metric), anchor) for cell in cells
        ]
        chances = [math.nan if gap is None else chance_of_no_mean(gap) for gap in gaps]
        for cell, gap, p, p_holm in zip(cells, gaps, chances, holm(chances), strict=True):
            values = list(cell.values(metric).values())
            difference = None if gap is None else t_interval(gap)
            ended = sum(run.result is not None for run in cell.runs)
            spread = standard_deviation(values)
            interval = t_interval(values)
            summary.append(CellRow(cell.number, cell.levels, metric, ended, interval, spread, difference, p, p_holm))
    return summary


def summary_csv(spec: SweepSpec, summary: Iterable[CellRow]) -> str:
    """A row a cell and metric; an empty field is a number that does not exist."""
    others = {"cell", *_BEFORE, *_AFTER}
    factors = [f"factor:{factor}" if factor in others else factor for factor in spec.factors]
    lines = []
    for row in sorted(summary, key=lambda row: row.cell):
        gap = row.difference or Interval(math.nan, math.nan, math.nan, 0)
        pairs = "" if row.difference is None else gap.n
        bounds = (row.interval.mean, row.sd, row.interval.low, row.interval.high)
        levels = (written(row.levels[factor]) for factor in spec.factors)
        lines.append(
            [row.cell, *levels, row.metric, row.runs, row.interval.n]
            + [shown_number(value) for value in bounds]
            + [pairs, *(shown_number(value) for value in (gap.mean, gap.low, gap.high, row.p, row.p_holm))]
        )
    return as_csv(("cell", *factors, *_BEFORE, *_AFTER), lines)


def write_summary(folder: Path, spec: SweepSpec, rows: Iterable[Row]) -> None:
    """Write ``summary.csv`` whole.

    Raises:
        RunError: it cannot be written.
    """
    write_text(folder / SUMMARY_FILE, summary_csv(spec, summarize(spec, rows)))


def main_metric(spec: SweepSpec) -> str:
    """The one that decides; else the one that is improved; else the first."""
    decided = "" if spec.decision is None else spec.decision.metric
    return decided or spec.design.objective or next(iter(spec.metrics))


def best_cell(spec: SweepSpec, summary: Iterable[CellRow], metric: str = "") -> CellRow | None:
    """The cell with the best mean of a metric, by default the main one; of equals the first. None without values.

    A single seed can be lucky: a cell with one is passed over once another has more.
    """
    name = metric or main_metric(spec)
    sign = 1.0 if spec.metrics[name].better == "higher" else -1.0
    known = [row for row in summary if row.metric == name and row.interval.n]
    return max(known, key=lambda row: (row.interval.n > 1, sign * row.interval.mean), default=None)


def told_cell(spec: SweepSpec, levels: Mapping[str, Value]) -> str:
    """A cell by its levels, as ``economy.ticket=0.5, world=static``."""
    return ", ".join(f"{factor}={written(levels[factor])}" for factor in spec.factors) or "the only cell"


def shown_number(value: float) -> str:
    """A number in a file, with all its digits; empty where there is none."""
    return repr(float(value)) if math.isfinite(value) else ""


def _paired(values: Mapping[int, float], anchor: Mapping[int, float]) -> list[float]:
    """Differences of the seeds that both have."""
    return [value - anchor[seed] for seed, value in values.items() if seed in anchor]
