"""The Runs page: what was recorded, replayed by the drawings of a living world, and runs beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import solara

from evolora_mesa.view.chart import Chart
from evolora_mesa.view.charts.compare import FIGURES, compare_chart
from evolora_mesa.view.charts.frame import short
from evolora_mesa.view.course import Course
from evolora_mesa.view.library import Library, RunEntry
from evolora_mesa.view.panels.card import Card, Empty
from evolora_mesa.view.playback import Recording, read_recording
from evolora_mesa.view.polling import use_polled
from evolora_mesa.view.replay import Replay
from evolora_mesa.view.session import Session
from evolora_mesa.view.table import Column, Row, Table, Tone
from evolora_mesa.view.theme import theme_of

__all__ = ["RunsPage", "changed_at"]

_COLUMNS: Final = (
    Column("run"),
    Column("world"),
    Column("seed", "number"),
    Column("generations", "number"),
    Column("state"),
    Column("organelles", "number"),
    Column("right answers", "number"),
    Column("last written"),
)
_TONES: Final[Mapping[str, Tone]] = {"finished": "good", "unreadable": "bad", "extinct": "bad", "stopped": "soft"}
_ROW: Final = "display: flex; flex-wrap: wrap; gap: 16px; align-items: center;"


@solara.component
def RunsPage(session: Session) -> None:
    """All runs below the folder of runs; one of them opened, several compared."""
    library = solara.use_memo(lambda: Library(session.runs_folder, session.sweeps_folder), [])
    seen = use_polled(lambda before: _unless_same(library.runs(), before), "runs")
    opened, open_run = solara.use_state(session.run)
    words, search = solara.use_state("")
    entries = seen.value or ()
    shown = [entry for entry in entries if all(word in _words(entry) for word in words.lower().split())]
    with solara.Div(classes=["ev-panels"]):
        with solara.Div(classes=["ev-w12"]), Card("Runs", note=f"in {session.runs_folder}/, latest first"):
            if seen.error:
                Empty(seen.error)
            elif seen.value is None:
                Empty("Looking for runs.")
            elif not entries:
                Empty(
                    f"No run in {session.runs_folder}/ yet. Make one with “evolora run ecology”; it appears here while "
                    "it is written."
                )
            else:
                solara.InputText("Find a run, a world or a state", value=words, on_value=search, continuous_update=True)
                rows = [_row(entry, place) for place, entry in enumerate(shown)]
                Table(_COLUMNS, rows, on_click=lambda place: open_run(shown[place].name), label="Runs", height="300px")
                if not rows:
                    Empty(f"None of {len(entries)} runs fits “{words}”.")
        entry = next((entry for entry in entries if entry.name == opened), None)
        if entry is not None:
            with solara.Div(classes=["ev-w12"]):
                Replay(session, session.runs_folder / entry.name, going=entry.state == "running").key(entry.name)
        elif opened and seen.value is not None:
            with solara.Div(classes=["ev-w12"]):
                Empty(f"There is no run {opened} in {session.runs_folder}/. Choose one from the list.")
        readable = [entry.name for entry in entries if entry.state != "unreadable"]
        if len(readable) > 1:
            with solara.Div(classes=["ev-w12"]):
                Comparison(session, readable)


@solara.component
def Comparison(session: Session, names: Sequence[str]) -> None:
    """One figure of several runs, as curves and at their ends."""
    chosen, choose = solara.use_state(list[str]())
    figure, choose_figure = solara.use_state("success_rate")
    wanted = tuple(name for name in chosen if name in names)
    seen = use_polled(lambda before: _recordings(session.runs_folder, wanted, before), wanted)
    by_label = {told.label: name for name, told in FIGURES.items()}
    with Card("Compare runs", note="the same figure of each, over its generations"):
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
        found = seen.value or {}
        option = compare_chart(
            figure, {name: Course.of(run.figures) for name, run in found.items()}, theme_of(session.dark.value)
        )
        if option is None:
            Empty("None of these runs has such a figure." if found else "Reading the runs.")
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


def _recordings(folder: Path, names: Sequence[str], before: Mapping[str, Recording] | None) -> Mapping[str, Recording]:
    """By name; the mapping of before where nothing has changed."""
    known = before or {}
    now = {name: read_recording(folder / name, known.get(name)) for name in names}
    return known if before is not None and all(known.get(name) is run for name, run in now.items()) else now


# ---------------------------------------------------------------- the list


def _unless_same(now: tuple[RunEntry, ...], before: tuple[RunEntry, ...] | None) -> tuple[RunEntry, ...]:
    """The list of before where nothing has changed, so that nothing is drawn anew."""
    return before if before == now else now


def _words(entry: RunEntry) -> str:
    return f"{entry.name} {entry.world} {entry.state}".lower()


def _row(entry: RunEntry, place: int) -> Row:
    if entry.state == "unreadable":
        cells = (entry.name, "", "", "", f"unreadable: {entry.trouble}", "", "", changed_at(entry.changed))
        return Row(cells, tone="bad")
    success = "–" if entry.success is None else short(entry.success)
    far = f"{entry.generation} of {entry.asked}"
    figures = (far, entry.state, str(entry.population), success)
    cells = (entry.name, entry.world, entry.seed, *figures, changed_at(entry.changed))
    return Row(cells, id=place, tone=_TONES.get(entry.state, ""))


def changed_at(when: float) -> str:
    """Seconds since 1970, as a date of here."""
    return f"{datetime.fromtimestamp(when):%Y-%m-%d %H:%M}"
