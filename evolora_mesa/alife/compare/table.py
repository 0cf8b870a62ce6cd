"""The comparison as rows: every metric of every column, for CSV and for the report."""

from __future__ import annotations

import csv
import io
import math
from statistics import median
from typing import Final

from evolora_mesa.alife.compare.cells import Cell, Span, cell_of, class_of, dominance
from evolora_mesa.alife.compare.columns import EVOLORA, INTERVENTIONS, Column
from evolora_mesa.alife.compare.crew import Comparison
from evolora_mesa.alife.metrics import METRICS
from evolora_mesa.record.report.document import Table
from evolora_mesa.study.sweep.plots import figure_text

__all__ = ["MAIN", "as_csv", "cost_table", "intervention_table", "metric_table"]

# What a reader looks for first; everything else is below it, and in the CSV file.
MAIN: Final = (
    "activity_diversity",
    "activity_mean",
    "activity_median",
    "activity_new",
    "change",
    "novelty",
    "complexity",
    "ecology",
    "hill_1",
    "turnover",
    "effective_population",
    "mean_pairwise_distance",
    "merge_rate",
    "tasks_solved",
    "energy_gini",
    "energy_return",
    "closure_error",
)
_FIELDS: Final = (
    *("size", "column", "model", "metric", "unit", "median", "low", "high", "n"),
    *("shadow", "delta", "delta_low", "delta_high", "verdict", "why"),
)


def metric_table(found: Comparison, size: str, names: tuple[str, ...], caption: str) -> Table:
    """Metrics by columns; first the class of dynamics."""
    columns = [column for column in shown(found) if found.runs(column, size)]
    rows: list[tuple[str, ...]] = []
    if names == MAIN:
        rows.append(("class of dynamics", *(class_of(found.runs(column, size)) for column in columns)))
    for name in names:
        cells = (cell_of(found.runs(column, size), name) for column in columns)
        unit = METRICS[name].unit
        rows.append((f"{name} ({unit})" if unit else name, *map(cell_text, cells)))
    return Table(("metric", *(column.name for column in columns)), tuple(rows), caption=caption)


def shown(found: Comparison) -> list[Column]:
    """Columns whose models' targets hold."""
    return [column for column in found.columns if found.valid(column)]


def cell_text(cell: Cell) -> str:
    """``median [interval]; shadow; n; delta, verdict``."""
    if cell.value is None:
        return f"n/a ({cell.why})"
    parts = [span_text(cell.value)]
    if math.isfinite(cell.shadow):
        parts.append(f"shadow {figure_text(cell.shadow)}")
    parts.append(f"n {cell.n}")
    if cell.verdict:
        parts.append(f"δ {_signed(cell.delta.middle)}, {cell.verdict}")
    return "; ".join(parts)


def span_text(span: Span) -> str:
    """A figure with its interval."""
    if not math.isfinite(span.low):
        return figure_text(span.middle)
    return f"{figure_text(span.middle)} [{figure_text(span.low)}, {figure_text(span.high)}]"


def cost_table(found: Comparison) -> Table:
    """What each column consisted of and took; failed and extinct runs count."""
    heads = ("column", "size", "runs", "failed", "extinct", "agents", "births", "generations", "evaluations")
    more = ("fitness", "CPU s a run", "explicit selection outside the energy economy")
    rows = []
    for size in ("matched", "full"):
        for column in shown(found):
            runs = found.runs(column, size)
            well = [run for run in runs if not run.error]
            if not runs or (column.model == EVOLORA and size == "full"):
                continue
            counts = (len(runs), len(runs) - len(well), sum(run.extinct for run in well))
            figures = [
                figure_text(median(getattr(run, name) for run in well)) if well else "n/a"
                for name in ("population", "births", "generations", "evaluations")
            ]
            fitness = [run.fitness for run in well if run.fitness is not None]
            told = figure_text(median(fitness)) if fitness else "n/a"
            spent = figure_text(median(run.cpu_seconds for run in runs))
            rows.append((column.name, size, *map(str, counts), *figures, told, spent, column.selection or "no"))
    caption = (
        "Medians over seeds. Fitness is by each model's own measure and never compared between models; of Evolora "
    )
    caption += "it is the share of tasks solved in the paid style, and the frozen host's is its zero."
    return Table((*heads, *more), tuple(rows), frozenset(range(2, 11)), caption)


def intervention_table(found: Comparison) -> Table | None:
    """Cliff's delta of a column against the same model with one thing changed; none without such a pair."""
    by_name = {column.name: column for column in shown(found)}
    pairs = [pair for pair in INTERVENTIONS if pair[0] in by_name and pair[1] in by_name]
    rows = []
    for name in MAIN:
        told = []
        for first, second, _ in pairs:
            sides = [
                [run.findings[name][0] for run in found.runs(by_name[one], "full") if name in run.findings]
                for one in (first, second)
            ]
            values = [[value for value in side if value is not None] for side in sides]
            delta = dominance(values[0], values[1])
            told.append(_delta_text(delta) if all(values) else "n/a")
        rows.append((name, *told))
    heads = tuple(f"{first} against {second} ({change})" for first, second, change in pairs)
    caption = "Cliff's delta over seeds with its 95 % interval: 1, all seeds of the first lie above all of the second."
    return Table(("metric", *heads), tuple(rows), caption=caption) if pairs else None


def as_csv(found: Comparison) -> str:
    """A line for every size, valid column and metric; empty where there is nothing."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(_FIELDS)
    for size in ("matched", "full"):
        for column in shown(found):
            runs = found.runs(column, size)
            for name, metric in METRICS.items() if runs else ():
                cell = cell_of(runs, name)
                value = cell.value or (math.nan,) * 3
                figures = [_plain(number) for number in (*value, cell.n, cell.shadow, *cell.delta)]
                lines.writerow([size, column.name, column.model, name, metric.unit, *figures, cell.verdict, cell.why])
    return text.getvalue()


def _plain(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else ""


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _delta_text(delta: Span) -> str:
    if not math.isfinite(delta.low):
        return _signed(delta.middle)
    return f"{_signed(delta.middle)} [{_signed(delta.low)}, {_signed(delta.high)}]"
