"""The sections of a sweep's report. What cannot be said yet is said to be missing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from evolora_mesa.record.report.document import Block, Figures, Folded, Note, Section, Table
from evolora_mesa.record.report.pieces import shown
from evolora_mesa.study.sweep.effects import Effect, is_factorial
from evolora_mesa.study.sweep.findings import Findings
from evolora_mesa.study.sweep.gallery import factor_pictures, learning_pictures, level_pictures, trade_off_pictures
from evolora_mesa.study.sweep.plots import effect_spans, figure_text
from evolora_mesa.study.sweep.spec import SweepSpec
from evolora_mesa.study.sweep.summary import CellRow, main_metric, told_cell

__all__ = ["sections_of", "told_runs"]

_MOST_CELLS: Final = 40  # of a table; `summary.csv` has all
_MOST_FAILED: Final = 20


def sections_of(findings: Findings) -> tuple[Section, ...]:
    """All that there are for such a sweep, the decision first."""
    sections = (_decision(findings), _cells(findings), _effects(findings), *_pictures(findings), _runs(findings))
    return tuple(section for section in sections if section is not None)


def told_runs(findings: Findings) -> str:
    """How many there are, and how far they are."""
    counts = {status: findings.count(status) for status in ("done", "failed", "waiting")}
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return f"{len(findings.rows)} in {len(findings.cells)} cells: {told or 'none placed yet'}"


def _effect_name(effect: Effect) -> str:
    """An effect with the cells it was measured in."""
    return " × ".join(effect.factors) + (f" ({effect.within})" if effect.within else "")


# ---------------------------------------------------------------- what was asked


def _decision(findings: Findings) -> Section | None:
    decision = findings.spec.decision
    if decision is None:
        return None
    smallest = f"{decision.smallest:g}"
    about = (
        f"{decision.question} The rule is part of the sweep's file: a factor pays if the 95 % interval of its effect "
        f"on {decision.metric} lies on the better side of 0 and its mean reaches {smallest}; it harms likewise; it "
        f"makes no difference of that size if the interval lies within ± {smallest}; else it is undecided."
    )
    rows = tuple(
        (_effect_name(ruling.effect), *_measured(ruling.effect), " × ".join(ruling.effect.alias), ruling.verdict)
        for ruling in findings.rulings
    )
    columns = ("factor", "seeds", "effect", "95 % interval", "p", "p, Holm", "not told apart from", "verdict")
    table = _filled(columns, rows, range(1, 6), "Adjusted for all factors of the question.")
    return Section("decision", "The question", about, (table if rows else Note("No effect is known yet.", empty=True),))


# ---------------------------------------------------------------- cells


def _cells(findings: Findings) -> Section:
    main = main_metric(findings.spec)
    others = [metric for metric in findings.spec.metrics if metric != main]
    about = (
        "Means over seeds with 95 % t intervals. Differences to the baseline are taken seed by seed; p is of a paired "
        "t test, adjusted by Holm for all cells of a metric. Failed runs are left out, and n says so."
    )
    folded = (Folded(metric, (_cell_table(findings, metric),)) for metric in others)
    return Section("cells", "Cells", about, (_cell_table(findings, main), *folded))


def _cell_table(findings: Findings, metric: str) -> Table:
    rows, caption = findings.of(metric), ""
    if len(rows) > _MOST_CELLS:
        sign = -1.0 if findings.spec.metrics[metric].better == "higher" else 1.0
        known = sorted((row for row in rows if row.interval.n), key=lambda row: sign * row.interval.mean)
        caption = f"The best {_MOST_CELLS} of {len(rows)} cells; summary.csv has all."
        rows = known[:_MOST_CELLS]
    columns = ("cell", "levels", "n", metric, "95 % interval", "sd", "difference", "95 % interval", "p, Holm")
    lines = tuple(_cell_line(findings.spec, row) for row in rows)
    return Table(columns, lines, frozenset({0, *range(2, 9)}), caption)


def _cell_line(spec: SweepSpec, row: CellRow) -> tuple[str, ...]:
    gap, mean = row.difference, row.interval
    against = ("baseline", "", "")
    if gap is not None:
        against = (figure_text(gap.mean), _bounds(gap.low, gap.high), _chance(row.p_holm))
    counted = str(mean.n) if mean.n == row.runs else f"{mean.n} of {row.runs}"
    measured = (figure_text(mean.mean), _bounds(mean.low, mean.high), figure_text(row.sd))
    return (str(row.cell), told_cell(spec, row.levels), counted, *measured, *against)


# ---------------------------------------------------------------- effects


def _effects(findings: Findings) -> Section | None:
    spec = findings.spec
    if not is_factorial(spec):
        return None
    about = (
        "Of a factor: the mean at its second level less the mean at its first. Of two: half of what the second level "
        "of one changes in the effect of the other. One value a seed; seeds in which a cell is missing are left out."
    )
    blocks: list[Block] = []
    for metric in spec.metrics:
        found = [effect for effect in findings.effects if effect.metric == metric]
        decides = spec.decision is not None and metric == spec.decision.metric
        picture = effect_spans(metric, found, findings.rulings if decides else ())
        if picture is None:
            blocks.append(Note(f"No seed has {metric} in every cell of the design yet.", empty=True))
        else:
            blocks.append(Figures((picture,), wide=True))
            blocks.append(Folded(f"{metric}, as a table", (_effect_table(metric, found),)))
    return Section("effects", "Effects", about, tuple(blocks))


def _effect_table(metric: str, found: list[Effect]) -> Table:
    rows = tuple(
        (" × ".join(effect.factors), effect.within, *_measured(effect), " × ".join(effect.alias)) for effect in found
    )
    change = f"change of {metric}"
    columns = ("effect", "within", "seeds", change, "95 % interval", "p", "p, Holm", "not told apart from")
    return _filled(columns, rows, range(2, 7))


# ---------------------------------------------------------------- pictures and runs


def _pictures(findings: Findings) -> tuple[Section, ...]:
    spec, cells, summary = findings.spec, findings.cells, findings.summary
    levels = tuple(picture for picture in level_pictures(spec, cells) if picture is not None)
    maps = tuple(picture for picture in factor_pictures(spec, cells, summary) if picture is not None)
    factors = [Figures(pictures, wide=wide) for pictures, wide in ((levels, True), (maps, False)) if pictures]
    none = (Note("No run is done yet.", empty=True),)
    learning = shown(learning_pictures(spec, cells, summary), "No run is done yet, or no metric reads a figure.")
    trade_off = shown(trade_off_pictures(spec, summary), "It takes a metric that is better high and one better low.")
    return (
        Section(
            "factors",
            "Factors",
            "What the levels of every factor come to, and those of two together.",
            tuple(factors) or none,
        ),
        Section("learning", "Over generations", "Means of cells in their 95 % bands over seeds.", learning),
        Section("cost", "What it costs", "What cells bring against what they use.", trade_off),
    )


def _runs(findings: Findings) -> Section:
    failed = [(row, row.result) for row in findings.rows if row.result is not None and row.status == "failed"]
    rows = tuple(
        (row.key, told_cell(findings.spec, row.levels), str(row.seed), str(result.failure), result.error)
        for row, result in failed[:_MOST_FAILED]
    )
    caption = f"The first {_MOST_FAILED} of {len(failed)} that failed." if len(failed) > _MOST_FAILED else ""
    table = Table(("run", "cell", "seed", "why", "error"), rows, frozenset({2}), caption)
    none = Note("None has failed.", empty=True)
    about = f"{told_runs(findings)}. results.csv has a row for each that has ended."
    return Section("runs", "Runs", about, (table if rows else none, Folded("What they used", (_use(findings),))))


def _use(findings: Findings) -> Table:
    rows = []
    for cell in findings.cells[:_MOST_CELLS]:
        results = [run.result for run in cell.runs if run.result is not None]
        if results:
            wall = sum(result.wall_seconds for result in results) / len(results)
            cpu = sum(result.cpu_seconds for result in results) / len(results)
            most = max(result.peak_mib for result in results)
            rows.append((told_cell(findings.spec, cell.levels), *map(figure_text, (wall, cpu, most))))
    columns = ("cell", "wall time, s", "processor time, s", "most memory, MiB")
    caption = "Times are means over the runs of a cell; the memory is that of the largest."
    return Table(columns, tuple(rows), frozenset({1, 2, 3}), caption)


# ---------------------------------------------------------------- fields of tables


def _filled(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[int], caption: str = "") -> Table:
    """A table without the columns in which nothing stands."""
    kept = [place for place in range(len(columns)) if any(row[place] for row in rows)]
    return Table(
        tuple(columns[place] for place in kept),
        tuple(tuple(row[place] for place in kept) for row in rows),
        frozenset(kept.index(place) for place in numbers if place in kept),
        caption,
    )


def _measured(effect: Effect) -> tuple[str, ...]:
    """Seeds, mean, interval, p and adjusted p."""
    mean = effect.interval
    seeds = str(mean.n) if mean.n == effect.seeds else f"{mean.n} of {effect.seeds}"
    bounds = _bounds(mean.low, mean.high)
    return (seeds, figure_text(mean.mean), bounds, _chance(effect.p), _chance(effect.p_holm))


def _bounds(low: float, high: float) -> str:
    return f"[{figure_text(low)}, {figure_text(high)}]" if math.isfinite(low) else "n/a"


def _chance(p: float) -> str:
    if math.isnan(p):
        return "n/a"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
