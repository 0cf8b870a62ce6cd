"""The whole app: the frame around the pages, and the tab's session that they share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pandas  # noqa: F401 - reacton compares values with its tables, and finds half a module while a world loads it
import reacton.core
import reacton.ipyvuetify as v
import solara
import solara.lab

from evolora_mesa.config import WorldConfig
from evolora_mesa.view.controls import Notices, Transport
from evolora_mesa.view.opening import Opening
from evolora_mesa.view.session import Session
from evolora_mesa.view.theme import theme_of
from evolora_mesa.view.together import use_together

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["EcologyApp", "Layout", "opening", "routes", "stay_quiet"]

opening = Opening()  # set by the server before the first tab comes

_STYLE: Final = Path(__file__).with_name("app.css").read_text(encoding="utf-8")


class Place(NamedTuple):
    """A page of the app: its path, its name, and the component ``<name>Page`` of ``view/pages/<name>.py``."""

    path: str
    label: str
    alive: bool = True  # the world that lives is on it, so are its buttons, and keys are its keys

    def draw(self, session: Session) -> reacton.core.Element:
        """The page. It is imported when it is first looked at: the world should not wait for the others."""
        name = self.label.lower()
        return getattr(import_module(f"evolora_mesa.view.pages.{name}"), f"{self.label}Page")(session)


PLACES: Final = (
    Place("/", "World"),
    Place("talk", "Talk"),
    Place("lineage", "Lineage"),
    Place("runs", "Runs", alive=False),
    Place("sweeps", "Sweeps", alive=False),
    Place("classics", "Classics", alive=False),
)


def stay_quiet() -> None:
    """Switch Solara's telemetry off."""
    os.environ["SOLARA_TELEMETRY_MIXPANEL_ENABLE"] = "false"
    settings = sys.modules.get("solara.server.settings")
    if settings is not None:
        settings.telemetry.mixpanel_enable = False


# ---------------------------------------------------------------------- a tab of the server

_session: Any = solara.create_context(None)


def _page_of(place: Place) -> Callable[[], reacton.core.Element]:
    @solara.component
    def Page() -> None:
        place.draw(solara.use_context(_session))

    return Page


@solara.component
def Layout(children: list[reacton.core.Element]) -> None:
    """The frame around whichever page the address leads to. It stays when the page changes, and so does the world."""
    session = use_session(opening.config, opening=opening)
    _session.provide(session)
    router = solara.use_router()
    here = router.parts[0] if router.parts[0] else "/"
    Frame(session, here, lambda path: router.push("/" + path.strip("/")), children)


routes = [
    solara.Route(place.path, component=_page_of(place), label=place.label, layout=Layout if place.path == "/" else None)
    for place in PLACES
]


# ---------------------------------------------------------------------- a cell of a notebook


@solara.component
def EcologyApp(world: EcologyModel | Session | str | WorldConfig = "ecology") -> None:
    """The whole app as one component.

    Args:
        world: a model to show, which stays the caller's; a config to found one from; or a session.
    """
    session = world if isinstance(world, Session) else use_session(world)
    here, go = solara.use_state("/")
    place = next(place for place in PLACES if place.path == here)
    Frame(session, here, go, [place.draw(session)])


def use_session(world: EcologyModel | str | WorldConfig, *, opening: Opening | None = None) -> Session:
    """A session that lives as long as the component that uses it."""

    def make() -> Session:
        stay_quiet()
        folders = opening or Opening()
        given = {"config": world} if isinstance(world, str | WorldConfig) else {"model": world}
        return Session(
            **given, runs_folder=folders.runs_folder, sweeps_folder=folders.sweeps_folder, run=folders.run or None
        )

    session = solara.use_memo(make, [])
    solara.use_effect(lambda: session.close, [])
    return session


# ---------------------------------------------------------------------- around every page


@solara.component_vue("browser.vue")
def Browser(
    dark: bool,
    alive: bool,
    shown: int,
    event_press: Callable[[str], None],
    event_prefer: Callable[[bool], None],
    event_see: Callable[[int], None],
) -> None:
    """Keys, whether the person likes it dark, and how many pictures are drawn."""


@solara.component
def Senses(session: Session, alive: bool) -> None:
    """What comes from the browser; apart from the frame, which is not drawn with every picture."""
    session.picture.get()  # with each of them, the browser hears its number
    Browser(
        dark=session.dark.value,
        alive=alive,
        shown=session.shown,
        event_press=session.press,
        event_prefer=session.dark.set,
        event_see=session.saw,
    )


@solara.component
def Frame(session: Session, here: str, go: Callable[[str], None], children: list[reacton.core.Element]) -> None:
    """Name, navigation, colours and keys around a page, and what every page of the living world has.

    Its buttons are here and not on the pages: a click on one that goes with its page would be lost.

    Args:
        here: path of the page that is shown.
        go: called with the path of another one.
    """
    use_together(session.together)
    dark, alive = session.dark.value, any(place.alive and place.path == here for place in PLACES)

    def colour_widgets() -> None:
        solara.lab.theme.dark = dark

    solara.use_effect(colour_widgets, [dark])
    solara.Style(_STYLE)
    solara.Style(f".ev, .v-application {{ {theme_of(dark).variables()} }}")
    with solara.Div(classes=["ev"]):
        Senses(session, alive)
        with v.Html(tag="header", class_="ev-head"):
            v.Html(tag="span", children=["Evolora-Mesa"], class_="ev-brand")
            for place in PLACES:
                solara.Button(
                    place.label,
                    text=True,
                    classes=["ev-here"] if place.path == here else [],
                    attributes={"aria-current": "page"} if place.path == here else {},
                    on_click=partial(go, place.path),
                )
            v.Html(tag="span", class_="ev-gap")
            solara.Button(
                icon_name="mdi-weather-sunny" if dark else "mdi-weather-night",
                icon=True,
                attributes={"aria-label": "light colours" if dark else "dark colours"},
                on_click=lambda: session.dark.set(not dark),
            )
        with v.Html(tag="main", class_="ev-body"):
            if alive:
                Transport(session)
                Notices(session)
            solara.Div(children=children).key("page")
