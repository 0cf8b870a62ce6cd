"""The report of a sweep: what was asked, what came out, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evolora_mesa.record.report.document import Document, Tile
from evolora_mesa.study.sweep.findings import Findings
from evolora_mesa.study.sweep.plots import figure_text, told_interval
from evolora_mesa.study.sweep.report_sections import sections_of, told_runs
from evolora_mesa.study.sweep.summary import CellRow, main_metric, told_cell

__all__ = ["REPORT_FILE", "report_of"]

REPORT_FILE: Final = "report.html"
_UNITS: Final = (("hours", 3600), ("minutes", 60), ("seconds", 1))
_CLEAR: Final = 0.05  # adjusted p below which a difference is told as one


def report_of(findings: Findings) -> Document:
    """For `record.report.page.to_html` and `record.report.markdown.to_markdown`."""
    spec = findings.spec
    codes = sorted({row.result.code for row in findings.rows if row.result is not None and row.result.code})
    mixed = " Runs of different code are mixed." if len(codes) > 1 else ""
    ended = findings.count("done") + findings.count("failed")
    return Document(
        title=f"Sweep {spec.name}",
        subtitle=f"{ended} of {len(findings.rows)} runs of {spec.model}",
        told=_told(findings),
        tiles=_tiles(findings),
        sections=sections_of(findings),
        footer=(f"Code: {', '.join(codes) or 'unknown'}.{mixed}", f"Seeds spawned from {spec.root_seed}."),
    )


def _told(findings: Findings) -> tuple[str, ...]:
    """The outcome: the runs, the question, the best cell, the differences."""
    spec, best = findings.spec, findings.best
    lines = [f"Runs: {told_runs(findings)}."]
    if spec.decision is not None:
        lines.append(f"Question: {spec.decision.question} {_told_verdicts(findings) or 'Nothing can be said yet'}.")
    if best is None:
        return tuple(lines)
    lines.append(
        f"Best cell: {told_cell(spec, best.levels)} with {best.metric} {told_interval(best.interval)}. Chosen as the "
        f"best of {len(findings.cells)} by these very runs, it looks better than it is."
    )
    compared = [row for row in findings.of(best.metric) if row.p_holm >= 0]
    if findings.baseline is not None and compared:
        clear = [row for row in compared if row.p_holm < _CLEAR]
        lines.append(
            f"Baseline: against {told_cell(spec, findings.baseline.levels)}, {len(clear)} of {len(compared)} cells "
            f"differ in {best.metric} after Holm's correction{_told_largest(findings, clear)}."
        )
    return tuple(lines)


def _told_verdicts(findings: Findings) -> str:
    """Which factors pay, which harm, and so on, within each part."""
    parts: dict[str, dict[str, list[str]]] = {}
    for effect, verdict in findings.rulings:
        parts.setdefault(effect.within, {}).setdefault(verdict, []).extend(effect.factors)
    told = []
    for within, by_verdict in parts.items():
        verdicts = "; ".join(f"{verdict}: {', '.join(factors)}" for verdict, factors in by_verdict.items())
        told.append(f"In {within}, {verdicts}" if within else verdicts)
    return ". ".join(told)


def _told_largest(findings: Findings, clear: Sequence[CellRow]) -> str:
    differences = [(abs(row.difference.mean), row.difference, row) for row in clear if row.difference is not None]
    if not differences:
        return ""
    _, difference, row = max(differences, key=lambda found: found[0])
    return f", most of all {told_cell(findings.spec, row.levels)} by {told_interval(difference)}"


def _tiles(findings: Findings) -> tuple[Tile, ...]:
    best, failed = findings.best, findings.count("failed")
    value = "n/a" if best is None else figure_text(best.interval.mean)
    seconds = sum(row.result.cpu_seconds for row in findings.rows if row.result is not None)
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= size), _UNITS[-1])
    return (
        Tile("runs done", str(findings.count("done")), f"of {len(findings.rows)}{f', {failed} failed' * bool(failed)}"),
        Tile("cells", str(len(findings.cells)), findings.spec.design.method.replace("_", " ")),
        Tile(f"best {main_metric(findings.spec)}", value, "mean over seeds"),
        Tile("processor time", figure_text(seconds / size), f"{unit}, all runs together"),
    )
