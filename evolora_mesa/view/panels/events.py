"""The latest news of the world."""

from __future__ import annotations

from typing import Final

import solara

from evolora_mesa.view.chronicle import Happening
from evolora_mesa.view.panels.card import Card, Empty, Shown, use_picture
from evolora_mesa.view.table import Column, Row, Table, Tone

__all__ = ["EventsPanel"]

_PAUSE: Final = 0.25  # seconds between two drawings while the world plays
_MOST_ROWS: Final = 40
_COLUMNS: Final = (Column("generation", "number"), Column("what happened"))
_GOOD: Final = ("accepted", "confined", "colony_founded", "families_came", "winter_ended")
_BAD: Final = ("death", "quarantined", "colony_dissolved", "families_left", "winter_began")


@solara.component
def EventsPanel(session: Shown) -> None:
    """Births, merges, deaths and what befell everybody, latest first; a click chooses the organelle."""
    picture = use_picture(session, _PAUSE)

    def choose(id: int) -> None:
        session.chosen.value = id

    with Card("News"):
        if picture is None or not picture.events:
            Empty("No news yet: births, merges and deaths are told here as the world plays.")
            return
        latest = reversed(picture.events[-_MOST_ROWS:])
        Table(_COLUMNS, [_row(event) for event in latest], on_click=choose, label="Latest events", height="320px")


def _row(event: Happening) -> Row:
    tone: Tone = "good" if event.kind in _GOOD else "bad" if event.kind in _BAD else ""
    return Row((str(event.generation), event.text), id=event.id, tone=tone)
