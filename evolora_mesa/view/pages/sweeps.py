"""The Sweeps page: how far sweeps are, what their runs say so far, and which of them failed and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import reacton.ipyvuetify as v
import solara

from evolora_mesa.errors import one_line
from evolora_mesa.record.live import clock
from evolora_mesa.record.report.document import Table as PlainTable
from evolora_mesa.study.sweep.findings import Findings
from evolora_mesa.study.sweep.report import report_of
from evolora_mesa.study.sweep.summary import main_metric
from evolora_mesa.view.chart import Chart
from evolora_mesa.view.charts.cells import cells_chart, cells_height
from evolora_mesa.view.library import Library, SweepEntry
from evolora_mesa.view.pages.runs import changed_at
from evolora_mesa.view.panels.card import Card, Empty
from evolora_mesa.view.polling import Seen, unless_same, use_polled
from evolora_mesa.view.session import Session
from evolora_mesa.view.table import Column, Row, Table, Tone
from evolora_mesa.view.theme import theme_of

__all__ = ["SweepsPage"]

_COLUMNS: Final = (
    Column("sweep"),
    Column("state"),
    Column("runs done", "number"),
    Column("failed", "number"),
    Column("runs in all", "number"),
    Column("time left", "number"),
    Column("last written"),
)
_TONES: Final[Mapping[str, Tone]] = {"finished": "good", "unreadable": "bad", "stopped": "soft"}
_MOST_FAILED: Final = 20
_METER: Final = "height: 8px; border-radius: 4px; background: var(--faint); overflow: hidden; margin: 8px 0 16px;"


@solara.component
def SweepsPage(session: Session) -> None:
    """All sweeps below the folder of sweeps, and one of them opened."""
    library = solara.use_memo(lambda: Library(session.runs_folder, session.sweeps_folder), [])
    seen: Seen[tuple[SweepEntry, ...]] = use_polled(lambda before: unless_same(library.sweeps(), before), "sweeps")
    opened, open_sweep = solara.use_state("")
    entries = seen.value or ()
    with solara.Div(classes=["ev-panels"]):
        with solara.Div(classes=["ev-w12"]), Card("Sweeps", note=f"in {session.sweeps_folder}/, latest first"):
            if seen.error:
                Empty(seen.error)
            if seen.value is None:
                Empty("Looking for sweeps.")
            elif not entries:
                Empty(
                    f"No sweep in {session.sweeps_folder}/ yet. Make one with “evolora sweep smoke”; it appears here "
                    "when its first run has ended."
                )
            else:
                rows = [_row(entry) for entry in entries]
                Table(_COLUMNS, rows, on_click=open_sweep, label="Sweeps", height="260px")
        entry = next((entry for entry in entries if entry.name == opened), entries[0] if entries else None)
        if entry is not None:
            with solara.Div(classes=["ev-w12"]):
                SweepView(session, entry)


@solara.component
def SweepView(session: Session, entry: SweepEntry) -> None:
    """Progress, outcome, cells and failures of a sweep."""
    findings = entry.findings
    metric, choose = solara.use_state("")
    with Card(f"Sweep {entry.name}", note=_progress(entry)):
        if findings is None:
            Empty(entry.trouble or "No run has ended yet.")
            return
        _meter(entry)
        for line in report_of(findings).told:
            solara.Text(line, style="display: block; padding-bottom: 4px;")
        metrics = list(findings.spec.metrics)
        shown = metric if metric in metrics else main_metric(findings.spec)
        if len(metrics) > 1:
            solara.Select(
                "Metric",
                value=shown,
                values=metrics,
                on_value=choose,
                dense=True,
                style="max-width: 320px; padding-top: 16px;",
            )
        rows = findings.of(shown)
        option = cells_chart(findings.spec, rows, theme_of(session.dark.value))
        if option is None:
            Empty(f"No run that is done has {shown} yet.")
        else:
            Chart(option, height=cells_height(rows), label=f"{shown} in {len(rows)} cells, with intervals of 95 %")
        _Sections(findings)


@solara.component
def _Sections(findings: Findings) -> None:
    """The tables of the report, and the failures."""
    for section in report_of(findings).sections:
        tables = [block for block in section.blocks if isinstance(block, PlainTable)]
        if section.name in ("decision", "cells") and tables:
            _heading(section.title)
            solara.Text(section.about, classes=["ev-soft"])
            for table in tables:
                _plain(table)
    failed = [row for row in findings.rows if row.status == "failed" and row.result is not None]
    if failed:
        _heading("Failures")
        columns = (Column("run"), Column("cell", "number"), Column("seed", "number"), Column("why", "code"))
        rows = [
            Row(
                (row.key, str(row.cell), str(row.seed), one_line(row.result.error or row.result.failure or "unknown")),
                tone="bad",
            )
            for row in failed[:_MOST_FAILED]
            if row.result is not None
        ]
        Table(columns, rows, label="Failed runs", height="240px")
        if len(failed) > _MOST_FAILED:
            solara.Text(f"{len(failed) - _MOST_FAILED} more are in results.csv.", classes=["ev-soft"])


def _plain(table: PlainTable) -> None:
    """A table of a report."""
    columns = [
        Column(title, "number" if place in table.numeric else "text") for place, title in enumerate(table.columns)
    ]
    rows = [Row(tuple(cell if isinstance(cell, str) else cell.text for cell in row)) for row in table.rows]
    Table(columns, rows, label="Cells", height="360px")
    if table.caption:
        solara.Text(table.caption, classes=["ev-soft"])


def _meter(entry: SweepEntry) -> None:
    """Runs that are done, that failed, and that are still to come, as lengths."""
    total = max(entry.total, 1)
    told = {"role": "img", "aria-label": _progress(entry)}
    with v.Html(tag="div", style_=_METER, attributes=told), solara.Div(style="display: flex; height: 100%;"):
        solara.Div(style=f"width: {100 * entry.done / total:.2f}%; background: var(--good);")
        solara.Div(style=f"width: {100 * entry.failed / total:.2f}%; background: var(--bad);")


def _heading(title: str) -> None:
    v.Html(tag="h2", style_="margin: 16px 0 4px;", children=[title])


def _progress(entry: SweepEntry) -> str:
    if entry.findings is None:
        return entry.state
    parts = [f"{entry.done} of {entry.total} runs done"]
    parts += [f"{entry.failed} failed"] if entry.failed else []
    parts += [f"about {clock(entry.seconds_left)} left"] if entry.seconds_left is not None else []
    return ", ".join([*parts, entry.state])


def _row(entry: SweepEntry) -> Row:
    tone = _TONES.get(entry.state, "")
    if entry.findings is None:
        state = f"{entry.state}: {entry.trouble}"
        return Row((entry.name, state, "", "", "", "", changed_at(entry.changed)), id=entry.name, tone=tone)
    left = "–" if entry.seconds_left is None else clock(entry.seconds_left)
    counts = (str(entry.done), str(entry.failed), str(entry.total))
    return Row((entry.name, entry.state, *counts, left, changed_at(entry.changed)), id=entry.name, tone=tone)
