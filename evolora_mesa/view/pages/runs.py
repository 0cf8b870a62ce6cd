"""The Runs page: what was recorded, replayed by the drawings of a living world, and runs beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import solara

from evolora_mesa.errors import EvoloraError
from evolora_mesa.view.chart import Chart
from evolora_mesa.view.charts.compare import FIGURES, compare_chart
from evolora_mesa.view.charts.frame import short
from evolora_mesa.view.classic_run import ClassicRun
from evolora_mesa.view.course import Course
from evolora_mesa.view.library import Library, RunEntry
from evolora_mesa.view.panels.card import Card, Empty
from evolora_mesa.view.playback import Recording, read_recording
from evolora_mesa.view.polling import LOOK, Seen, unless_same, use_polled
from evolora_mesa.view.replay import Replay
from evolora_mesa.view.session import Session
from evolora_mesa.view.table import Column, Row, Table, Tone
from evolora_mesa.view.theme import theme_of

__all__ = ["RunsPage", "changed_at"]

_COLUMNS: Final = (
    Column("run"),
    Column("world or model"),
    Column("seed", "number"),
    Column("generations or steps", "number"),
    Column("state"),
    Column("organelles", "number"),
    Column("right answers", "number"),
    Column("last written"),
)
_TONES: Final[Mapping[str, Tone]] = {
    "finished": "good",
    "ended": "soft",
    "unreadable": "bad",
    "extinct": "bad",
    "stopped": "soft",
}
_NOT_COMPARED: Final = (
    "Runs of classic models have figures of their own, and are not in this chart: “evolora report RUN RUN” sets them "
    "side by side, and “evolora compare” puts models and worlds on one ruler."
)
_ROW: Final = "display: flex; flex-wrap: wrap; gap: 16px; align-items: center;"


@solara.component
def RunsPage(session: Session) -> None:
    """All runs below the folder of runs; one of them opened, several compared."""
    library = solara.use_memo(lambda: Library(session.runs_folder, session.sweeps_folder), [])
    seen: Seen[tuple[RunEntry, ...]] = use_polled(
        lambda before: unless_same(library.runs(), before), "runs", seconds=LOOK
    )
    opened, open_run = solara.use_state(session.run)
    words, search = solara.use_state("")
    entries = seen.value or ()
    shown = [entry for entry in entries if all(word in _words(entry) for word in words.lower().split())]
    with solara.Div(classes=["ev-panels"]):
        with solara.Div(classes=["ev-w12"]), Card("Runs", note=f"in {session.runs_folder}/, latest first"):
            if seen.error:
                Empty(seen.error)
            if seen.value is None:
                Empty("Looking for runs.")
            elif not entries:
                Empty(
                    f"No run in {session.runs_folder}/ yet. Make one with “evolora run ecology”; it appears here while "
                    "it is written."
                )
            else:
                solara.InputText(
                    "Find a run, a world, a model or a state", value=words, on_value=search, continuous_update=True
                )
                rows = [_row(entry) for entry in shown]
                Table(_COLUMNS, rows, on_click=open_run, label="Runs", height="300px")
                if not rows:
                    Empty(f"None of {len(entries)} runs fits “{words}”.")
        entry = next((entry for entry in entries if entry.name == opened), None)
        if entry is not None:
            with solara.Div(classes=["ev-w12"]):
                show = ClassicRun if entry.classic else Replay
                show(session, session.runs_folder / entry.name, going=entry.state == "running").key(entry.name)
        elif opened and seen.value is not None:
            with solara.Div(classes=["ev-w12"]):
                Empty(f"There is no run {opened} in {session.runs_folder}/. Choose one from the list.")
        readable = [entry for entry in entries if entry.state != "unreadable"]
        if len(readable) > 1:
            with solara.Div(classes=["ev-w12"]):
                worlds = [entry.name for entry in readable if not entry.classic]
                Comparison(session, worlds, has_classics=len(worlds) < len(readable))


@solara.component
def Comparison(session: Session, names: Sequence[str], *, has_classics: bool = False) -> None:
    """One figure of several runs of worlds, as curves and at their ends.

    Args:
        has_classics: there are runs of classic models too, which have none of these figures.
    """
    chosen, choose = solara.use_state(list[str]())
    figure, choose_figure = solara.use_state("success_rate")
    wanted = tuple(name for name in chosen if name in names)
    seen = use_polled(lambda before: _recordings(session.runs_folder, wanted, before), wanted, seconds=LOOK)
    by_label = {told.label: name for name, told in FIGURES.items()}
    with Card("Compare runs", note="the same figure of each, over its generations"):
        if has_classics:
            with solara.Div(style="margin-bottom: 12px;"):
                solara.Text(_NOT_COMPARED, classes=["ev-soft"])
        if not names:
            return
        with solara.Div(style=_ROW):
            solara.SelectMultiple("Runs", values=list(wanted), all_values=list(names), on_value=choose, dense=True)
            solara.Select(
                "Figure",
                value=FIGURES[figure].label,
                values=list(by_label),
                on_value=lambda label: choose_figure(by_label[label]),
                dense=True,
                style="max-width: 320px;",
            )
        if not wanted:
            Empty("Choose two or more runs above.")
            return
        if seen.error:
            Empty(seen.error)
        read = seen.value or {}
        found = {name: run for name, run in read.items() if isinstance(run, Recording)}
        for name, run in read.items():
            if isinstance(run, str):
                Empty(f"{name} cannot be compared: {run}")
        option = compare_chart(
            figure, {name: Course.of(run.figures) for name, run in found.items()}, theme_of(session.dark.value)
        )
        if option is None:
            Empty("None of these runs has such a figure." if read else "Reading the runs.")
            return
        told = FIGURES[figure]
        Chart(option, height="320px", label=f"{told.label} of {len(found)} runs over their generations")
        columns = (Column("run"), Column("world"), Column("generations", "number"), *_ends_columns(told.label))
        Table(columns, [_ends_row(name, run, figure) for name, run in found.items()], label="Ends of the runs")


def _ends_columns(label: str) -> tuple[Column, Column]:
    return Column(f"{label}, first generations", "number"), Column(f"{label}, last generations", "number")


def _ends_row(name: str, run: Recording, figure: str) -> Row:
    from evolora_mesa.record.ends import ends_of

    ends = ends_of(run.figures[figure][1:].tolist()) if figure in run.figures else ends_of(())
    return Row((name, run.name, str(run.last), short(ends.first), short(ends.last)))


def _recordings(
    folder: Path, names: Sequence[str], before: Mapping[str, Recording | str] | None
) -> Mapping[str, Recording | str]:
    """By name, or in one line why a run cannot be read; the mapping of before where nothing has changed."""
    known, now = before or {}, dict[str, Recording | str]()
    for name in names:
        last = known.get(name)
        try:
            now[name] = read_recording(folder / name, last if isinstance(last, Recording) else None)
        except EvoloraError as error:
            now[name] = str(error)
    return unless_same(now, before)


# ---------------------------------------------------------------- the list


def _words(entry: RunEntry) -> str:
    return f"{entry.name} {entry.world} {entry.state}".lower()


def _row(entry: RunEntry) -> Row:
    if entry.state == "unreadable":
        cells = (entry.name, "", "", "", f"unreadable: {entry.trouble}", "", "", changed_at(entry.changed))
        return Row(cells, tone="bad")
    success = "–" if entry.success is None else short(entry.success)
    far = f"{entry.generation} of {entry.asked}"
    alive = "–" if entry.population is None else str(entry.population)
    figures = (far, entry.state, alive, success)
    cells = (entry.name, entry.world, entry.seed, *figures, changed_at(entry.changed))
    return Row(cells, id=entry.name, tone=_TONES.get(entry.state, ""))


def changed_at(when: float) -> str:
    """Seconds since 1970, as a date of here."""
    return f"{datetime.fromtimestamp(when):%Y-%m-%d %H:%M}"
