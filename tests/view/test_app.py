"""The app as one component, as a cell of a notebook has it, and as pages of a server."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import ipyvuetify as vw
import pytest
import solara
import solara.lab
import solara.server.settings
from staged import LONGEST_WAIT, hear_out, still, wait_for

from evolora_mesa.configfile import load_config
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.view import app
from evolora_mesa.view.app import PLACES, EcologyApp
from evolora_mesa.view.session import Session

ROOT = Path(__file__).parents[2]


def click(tree: Any, label: str) -> None:
    with still(tree):
        next(button for button in tree.find(vw.Btn).widgets if label in button.children).click()


def go(tree: Any, label: str) -> None:
    """Turn to a page, and wait until it is drawn."""

    def is_here() -> bool:
        with still(tree):
            here = [button for button in tree.find(vw.Btn).widgets if "aria-current" in (button.attributes or {})]
            return any(label in button.children for button in here)

    click(tree, label)
    wait_for(is_here, f"the page {label}")


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Session]:
    """Sessions that the app made."""
    made: list[Session] = []

    class Seen(Session):
        def __init__(self, *given: Any, **options: Any) -> None:
            super().__init__(*given, **options)
            made.append(self)

    monkeypatch.setattr(app, "Session", Seen)
    return made


def test_a_model_is_shown_stepped_and_given_back(petri: HostService, on_petri: None, seen: list[Session]) -> None:
    model = EcologyModel("smoke", host=petri)
    _, tree = solara.render(EcologyApp(model), handle_error=False)
    (session,) = seen
    wait_for(lambda: session.status.value == "paused")
    click(tree, "Step")
    wait_for(lambda: session.picture.value.tick == 1)
    tree.close()
    assert session.stage.value.join(LONGEST_WAIT), "the world's thread lives on without a page"
    model.step()
    assert model.tick == 2


def test_every_page_can_be_looked_at_and_the_world_stays(opened: Any) -> None:
    session = opened(load_config("smoke"))
    _, tree = solara.render(EcologyApp(session), handle_error=False)
    session.press("right")
    wait_for(lambda: session.picture.value.tick == 1)
    stage = session.stage.value
    for place in PLACES:
        go(tree, place.label)
    go(tree, "World")
    assert (session.stage.value, session.picture.value.tick) == (stage, 1)
    tree.close()
    assert not stage.closed  # the session is its maker's


def test_dark_colours_are_those_of_all_widgets(opened: Any) -> None:
    session = opened(load_config("smoke"))
    _, tree = solara.render(EcologyApp(session), handle_error=False)
    session.dark.value = True
    assert solara.lab.theme.dark is True
    session.dark.value = False
    assert solara.lab.theme.dark is False
    tree.close()


def test_the_file_for_solaras_own_command_has_the_same_pages() -> None:
    spec = importlib.util.spec_from_file_location("ecology_app", ROOT / "apps" / "ecology.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.routes is app.routes
    assert [route.path for route in module.routes] == [place.path for place in PLACES]
    assert solara.server.settings.telemetry.mixpanel_enable is False


def test_buttons_of_the_world_stay_while_its_pages_change(opened: Any) -> None:
    session = opened(load_config("smoke"))
    _, tree = solara.render(EcologyApp(session), handle_error=False)

    def steps() -> list[Any]:
        return [button for button in tree.find(vw.Btn).widgets if "Step" in button.children]

    (step,) = steps()
    for label in ("Talk", "Lineage", "World"):
        go(tree, label)
        assert steps() == [step], f"a click would be lost on the way to {label}"
    go(tree, "Runs")
    assert steps() == []
    tree.close()


def test_a_picture_is_drawn_in_one_pass(opened: Any) -> None:
    session = opened(load_config("smoke"))
    _, tree = solara.render(EcologyApp(session), handle_error=False)
    passes = tree.render_count
    session.press("right")
    wait_for(lambda: session.picture.value.tick == 1)
    hear_out(session)
    assert tree.render_count == passes + 1
    tree.close()
