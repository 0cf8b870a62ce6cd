"""Which pictures a sweep is told in: of all that could be drawn, those that a reader would ask for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Final

from evolora_mesa.record.report.document import Picture
from evolora_mesa.study.statistics import Interval
from evolora_mesa.study.sweep.curves import Bundle, Point, along_factor, learning_curves, trade_off
from evolora_mesa.study.sweep.effects import level_names
from evolora_mesa.study.sweep.plots import MOST_LEVELS, heatmap, main_effects
from evolora_mesa.study.sweep.spec import Range, SweepSpec
from evolora_mesa.study.sweep.summary import CellRow, CellRuns, baseline_cell, main_metric, told_cell

__all__ = ["factor_pictures", "learning_pictures", "level_pictures", "trade_off_pictures"]

_MOST_MAPS: Final = 3  # pairs of factors
_MOST_CURVES: Final = 5  # cells in a picture: bands of more hide each other
_NAMED: Final = 2  # factors of cells that are named by their levels, which of more take too much room


def factor_pictures(spec: SweepSpec, cells: Sequence[CellRuns], summary: Sequence[CellRow]) -> Iterator[Picture | None]:
    """The main metric by two factors at a time, and along ranges."""
    main = main_metric(spec)
    leveled = [factor for factor in spec.factors if 2 <= len(level_names(spec, factor)) <= MOST_LEVELS]
    for upright, across in list(combinations(leveled, 2))[:_MOST_MAPS]:
        yield heatmap(spec, cells, main, upright, across)
    for factor, kind in spec.factors.items():
        if isinstance(kind, Range):
            points = [
                Point(str(row.cell), told_cell(spec, row.levels), _exact(float(row.levels[factor])), row.interval)  # type: ignore[arg-type]  # a range has numbers
                for row in summary
                if row.metric == main
            ]
            yield along_factor(main, factor, points, logarithmic=kind.scale == "log")


def level_pictures(spec: SweepSpec, cells: Sequence[CellRuns]) -> Iterator[Picture | None]:
    """Every metric by the levels of all factors, the main one first."""
    main = main_metric(spec)
    for metric in (main, *(metric for metric in spec.metrics if metric != main)):
        yield main_effects(spec, cells, metric)


def learning_pictures(
    spec: SweepSpec, cells: Sequence[CellRuns], summary: Sequence[CellRow]
) -> Iterator[Picture | None]:
    """Every figure that a metric reads, of the baseline and of the cells that end best in that metric."""
    drawn: set[str] = set()
    for metric, kind in spec.metrics.items():
        if kind.figure is None or kind.figure in drawn:
            continue
        drawn.add(kind.figure)
        chosen = _chosen(spec, cells, summary, metric)
        bundles = [
            Bundle(
                told_cell(spec, cell.levels) if len(spec.factors) <= _NAMED else f"cell {cell.number}",
                tuple(
                    run.result.curves[kind.figure]
                    for run in cell.runs
                    if run.result is not None and run.status == "done" and kind.figure in run.result.curves
                ),
            )
            for cell in chosen
        ]
        left_out = len(cells) - len(chosen)
        which = f" The baseline and the {len(chosen) - 1} best of {len(cells)} cells." if left_out else ""
        yield learning_curves(kind.figure, bundles, caption=f"Mean and 95 % band over seeds.{which}")


def trade_off_pictures(spec: SweepSpec, summary: Sequence[CellRow]) -> Iterator[Picture | None]:
    """The main metric, or the first that is better higher, against each that is better lower."""
    main = main_metric(spec)
    gains = [metric for metric in (main, *spec.metrics) if spec.metrics[metric].better == "higher"]
    costs = [metric for metric in spec.metrics if spec.metrics[metric].better == "lower"]
    for cost in costs if gains else ():
        found = {row.cell: row for row in summary if row.metric == cost}
        points = [
            Point(str(row.cell), told_cell(spec, row.levels), found[row.cell].interval, row.interval)
            for row in summary
            if row.metric == gains[0]
        ]
        yield trade_off(gains[0], cost, points)


def _chosen(spec: SweepSpec, cells: Sequence[CellRuns], summary: Sequence[CellRow], metric: str) -> list[CellRuns]:
    """As many cells as can be told apart, the baseline first, in their own order."""
    if len(cells) <= _MOST_CURVES:
        return list(cells)
    sign = -1.0 if spec.metrics[metric].better == "higher" else 1.0
    ranked = sorted(
        (row for row in summary if row.metric == metric and row.interval.n), key=lambda row: sign * row.interval.mean
    )
    baseline = baseline_cell(spec, cells)
    wanted = [*([] if baseline is None else [baseline.number]), *(row.cell for row in ranked)]
    kept = list(dict.fromkeys(wanted))[:_MOST_CURVES]
    return [cell for cell in cells if cell.number in kept]


def _exact(value: float) -> Interval:
    """A number that is known."""
    return Interval(value, float("nan"), float("nan"), 1)
