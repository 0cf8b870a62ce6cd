"""Play, step and reset; what the world is doing; what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import reacton.ipyvuetify as v
import solara

from evolora_mesa.view.session import Session
from evolora_mesa.view.stage import Stage
from evolora_mesa.view.stage import Status as StageStatus

__all__ = ["Buttons", "Notices", "Status", "Transport"]

_PACES: Final = ((1.0, "1"), (5.0, "5"), (20.0, "20"), (None, "max"))  # generations per second
_KEYS: Final = "Keys: space plays and pauses, → lives one generation"
_STATES: Final = {
    "loading": "the world is loading …",
    "paused": "paused",
    "playing": "playing",
    "ended": "ended",
    "failed": "failed",
}


@solara.component
def Transport(session: Session) -> None:
    """Buttons in the order of Mesa's own, the pace, and the state of the world."""
    status, coming, pace = session.status.value, session.coming.value, session.pace.value
    with solara.Div(classes=["ev-transport"]):
        Buttons(session.stage.value, status, session.reset, coming=coming, note=_KEYS)
        with v.Html(tag="span", class_="ev-pace", attributes={"title": "most generations per second while playing"}):
            solara.Text("at most", classes=["ev-soft"])
            for value, label in _PACES:
                solara.Button(
                    label,
                    classes=["ev-here"] if value == pace else [],
                    on_click=partial(session.set_pace, value),
                )
            solara.Text("generations / s", classes=["ev-soft"])
        Status(session)


@solara.component
def Buttons(
    stage: Stage[Any, Any], status: StageStatus, again: Callable[[], None], coming: bool = False, note: str = ""
) -> None:
    """Play or Pause, Step, Reset.

    Args:
        status: of the stage, which is the same one whatever it does.
        again: what Reset does.
        coming: the next world is being made.
        note: shown beside the pointer.
    """
    playing, idle = status == "playing", coming or status not in ("playing", "paused")
    with v.Html(tag="span", class_="ev-buttons", attributes={"title": note} if note else {}):
        solara.Button(
            "Pause" if playing else "Play",
            icon_name="mdi-pause" if playing else "mdi-play",
            classes=["ev-main"],
            disabled=idle,
            on_click=stage.pause if playing else stage.play,
        )
        solara.Button("Step", icon_name="mdi-skip-next", disabled=idle or playing, on_click=stage.step)
        solara.Button("Reset", icon_name="mdi-restart", disabled=coming, on_click=again)


@solara.component
def Status(session: Session) -> None:
    """Generation, population, speed, world and host, each with its name."""
    status, picture, config = session.status.value, session.picture.value, session.config.value
    state = "the next world is loading …" if session.coming.value else _STATES[status]
    speed = session.stage.value.speed
    # "status" names it; read aloud with every generation it would drown all else.
    with v.Html(tag="span", class_="ev-status", attributes={"role": "status", "aria-live": "off"}):
        v.Html(
            tag="span", class_=f"ev-state {'ev-bad' if status in ('failed', 'ended') else ''}", children=[f"{state} "]
        )
        if picture is not None:
            _fact("generation", f"{picture.tick}")
            _fact("organelles", f"{len(picture.organelles)}")
        if speed is not None:
            _fact("generations / s", f"{speed:.1f}")
        _fact("world", config.name)
        _fact("seed", f"{config.seed}")
        _fact("host", config.host.path)


def _fact(name: str, value: str) -> None:
    v.Html(tag="span", children=[f"{name} ", v.Html(tag="b", children=[value]), " "])


@solara.component
def Notices(session: Session) -> None:
    """What a person has to know now: a world that ended or failed, a wish that could not be granted."""
    status, message, picture = session.status.value, session.message.value, session.picture.value
    stage = session.stage.value
    if message:
        with _notice("ev-bad"):
            solara.Text(message)
            solara.Button("Dismiss", text=True, small=True, on_click=lambda: session.message.set(""))
    if status == "failed":
        with _notice("ev-bad"):
            solara.Text(f"The world stopped with an error: {stage.message} Change a setting and press Reset.")
            with solara.Details("Details"):
                v.Html(tag="pre", children=[stage.details])
    elif status == "ended" and picture is not None:
        with _notice(""):
            solara.Text(f"This world has ended: {picture.note or 'it asked to stop'}. Press Reset for a new one.")


def _notice(kind: str) -> solara.Element:
    return v.Html(tag="div", class_=f"ev-note {kind}", attributes={"role": "alert"})
