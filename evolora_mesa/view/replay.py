"""One run on record, with a slider over its generations and the panels of a living world."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, NamedTuple, TypeVar

import reacton.ipyvuetify as v
import solara

from evolora_mesa.view.lineage import family_of_run
from evolora_mesa.view.panels.archive import ArchivePanel
from evolora_mesa.view.panels.card import Card, Empty
from evolora_mesa.view.panels.events import EventsPanel
from evolora_mesa.view.panels.gate import GatePanel
from evolora_mesa.view.panels.grid import GridPanel
from evolora_mesa.view.panels.series import SeriesPanel
from evolora_mesa.view.picture import Picture
from evolora_mesa.view.playback import Recording, read_recording
from evolora_mesa.view.polling import LOOK, use_polled
from evolora_mesa.view.session import Session
from evolora_mesa.view.stage import Status, in_one_line

__all__ = ["Replay"]

_TURN: Final = 0.25  # seconds that a generation is shown for while the record plays
_TURNS: Final = 240  # of a whole replay, at most: a long one skips generations
_PANELS: Final = ((GridPanel, 7), (EventsPanel, 5), (SeriesPanel, 12), (GatePanel, 7), (ArchivePanel, 5))
_LIVE: Final = "This run is being written; its latest generation is shown as it comes."
_HELD: Final = "This run is being written, and an earlier generation is shown: press Follow for the latest."
_BAR: Final = "display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: center;"


Value = TypeVar("Value")


class Still(NamedTuple, Generic[Value]):
    """A value that stays as it is."""

    value: Value


class Moment(NamedTuple):
    """One generation, for panels to draw from."""

    picture: Still[Picture | None]
    status: Still[Status]
    dark: Still[bool]
    chosen: solara.Reactive[int | None]


@solara.component
def Replay(session: Session, folder: Path, *, going: bool = False) -> None:
    """A run that is over, or one that is followed while it is written.

    Args:
        folder: of the run.
        going: somebody writes it now; the latest generation is shown until another one is asked for.
    """
    seen = use_polled(lambda before: read_recording(folder, before), str(folder), seconds=LOOK)
    wanted: solara.Reactive[int | None] = solara.use_reactive(None)  # `None` is the latest
    playing = solara.use_reactive(False)
    chosen: solara.Reactive[int | None] = solara.use_reactive(None)
    recording = seen.value
    solara.use_effect(lambda: _play(recording, wanted, playing), [recording, playing.value])
    if recording is None:
        Empty(seen.error or f"Reading {folder.name}.")
        return
    at = recording.last if wanted.value is None else min(wanted.value, recording.last)
    picture = _picture(recording, at)
    with solara.Div(classes=["ev-panels"]):
        with solara.Div(classes=["ev-w12"]):
            _Bar(recording, at, wanted, playing, going, seen.error)
            if isinstance(picture, str):
                Empty(picture)
                return
        shown = Moment(Still(picture), Still("paused"), Still(session.dark.value), chosen)
        for panel, width in _PANELS:
            with solara.Div(classes=[f"ev-w{width}"]):
                panel(shown)
        with solara.Div(classes=["ev-w12"]):
            _Lineage(session, folder, at, chosen)


@solara.component
def _Bar(
    recording: Recording,
    at: int,
    wanted: solara.Reactive[int | None],
    playing: solara.Reactive[bool],
    going: bool,
    trouble: str,
) -> None:
    """The slider, what moves it by itself, and whether what is shown is the latest there is."""

    def slide(generation: int) -> None:
        wanted.value = None if generation >= recording.last else generation

    def play() -> None:
        if wanted.value is None and not playing.value:
            wanted.value = 0
        playing.value = not playing.value

    with Card(f"Run {recording.folder.name}", note=recording.name):
        if going:
            with v.Html(tag="div", class_="ev-status"):
                v.Html(tag="span", class_="ev-state", children=["live"])
                solara.Text(_LIVE if wanted.value is None else _HELD)
        if trouble:
            solara.Text(f"What is shown may be out of date: {trouble}", classes=["ev-soft"])
        with solara.Div(style=_BAR):
            solara.Button(
                "Pause replay" if playing.value else "Replay",
                icon_name="mdi-pause" if playing.value else "mdi-play",
                on_click=play,
            )
            with solara.Div(style="flex: 1 1 240px;"):
                name = f"Generation {at} of {recording.last}"
                solara.SliderInt(name, value=at, max=max(recording.last, 1), on_value=slide)
            if going and wanted.value is not None:
                solara.Button("Follow", icon_name="mdi-skip-forward", on_click=lambda: wanted.set(None))
        other = "watch" if going else "resume"
        commands = f"evolora report {recording.folder} · evolora {other} {recording.folder}"
        solara.Text(f"On the command line: {commands}", classes=["ev-soft"])


@solara.component
def _Lineage(session: Session, folder: Path, at: int, chosen: solara.Reactive[int | None]) -> None:
    """The family tree as of the generation that is shown."""
    from evolora_mesa.record.layout import STORE_FILE
    from evolora_mesa.view.pages.lineage import FamilyTree

    store = folder / STORE_FILE
    seen = use_polled(lambda before: family_of_run(store, before), str(folder), seconds=LOOK)
    if seen.value is None:
        Empty(seen.error or "Reading the family tree.")
        return
    FamilyTree(seen.value, dark=session.dark.value, chosen=chosen.value, on_choose=chosen.set, given=at)


def _picture(recording: Recording, at: int) -> Picture | str:
    """The generation, or in one line why it cannot be read."""
    try:
        return recording.picture(at)
    except Exception as error:  # a record may hold anything, and the page must not die of it
        return in_one_line(error)


def _play(
    recording: Recording | None, wanted: solara.Reactive[int | None], playing: solara.Reactive[bool]
) -> Callable[[], None] | None:
    """Move the slider on by itself, in a thread that ends with what it plays."""
    if recording is None or not playing.value:
        return None
    over, stride = threading.Event(), max(1, recording.last // _TURNS)

    def turn() -> None:
        while not over.wait(_TURN):
            at = wanted.peek()
            if at is None or at + stride >= recording.last:
                wanted.value, playing.value = None, False
                return
            wanted.value = at + stride

    threading.Thread(target=turn, name="replay", daemon=True).start()
    return over.set
