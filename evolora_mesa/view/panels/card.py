"""What a panel stands on, and how often it is drawn."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import reacton.ipyvuetify as v
import solara
from reacton.core import Ref

from evolora_mesa.view.picture import Picture
from evolora_mesa.view.stage import Status

__all__ = ["Card", "Empty", "Held", "Shown", "use_picture"]

Value = TypeVar("Value", covariant=True)


class Held(Protocol[Value]):
    """A value that may be another one with the next drawing."""

    @property
    def value(self) -> Value: ...


class Shown(Protocol):
    """What a panel draws from: the session of a world that lives, or one generation of a record."""

    @property
    def picture(self) -> Held[Picture | None]: ...

    @property
    def status(self) -> Held[Status]: ...

    @property
    def dark(self) -> Held[bool]: ...

    @property
    def chosen(self) -> solara.Reactive[int | None]: ...


@solara.component
def Card(title: str, note: str = "", children: Sequence[Any] = ()) -> None:
    """A titled surface.

    Args:
        note: a few words beside the title.
    """
    beside = [v.Html(tag="small", children=[note])] if note else []
    head = v.Html(tag="div", class_="ev-head-of-card", children=[v.Html(tag="h2", children=[title]), *beside])
    v.Html(tag="section", class_="ev-card", attributes={"aria-label": title}, children=[head, *children])


@solara.component
def Empty(text: str) -> None:
    """Why there is nothing to see, and what to do about it."""
    v.Html(tag="div", class_="ev-empty", children=[text])


def use_picture(session: Shown, seconds: float = 0.0) -> Picture | None:
    """The picture to draw: the latest, but while the world plays another one after so many ``seconds`` at the earliest.

    A chart of the whole past changes little from one generation to the next, and costs more than the grid.
    """
    shown: Ref[tuple[float, Picture | None]] = solara.use_ref((0.0, None))
    latest, playing = session.picture.value, session.status.value == "playing"
    when, picture = shown.current
    due = not playing or picture is None or latest is None or latest.tick < picture.tick
    if latest is not picture and (due or time.monotonic() - when >= seconds):
        shown.current = (time.monotonic(), latest)
    return shown.current[1]
