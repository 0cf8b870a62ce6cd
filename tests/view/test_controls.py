"""Buttons, notices and the form of the world page, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipyvuetify as vw
import pytest
import solara
from staged import LONGEST_WAIT, still, wait_for

from evolora_mesa.configfile import load_config
from evolora_mesa.view.controls import Notices, Transport
from evolora_mesa.view.controls_form import Settings
from evolora_mesa.view.session import Session


class Drawn:
    """A component that is drawn, and its buttons."""

    def __init__(self, element: solara.Element) -> None:
        _, self.tree = solara.render(element, handle_error=False)

    def button(self, label: str) -> vw.Btn:
        return next(button for button in self.tree.find(vw.Btn).widgets if label in button.children)

    def click(self, label: str) -> None:
        with still(self.tree):
            button = self.button(label)
            assert not button.disabled, label
            button.click()

    def labelled(self, kind: type, label: str) -> Any:
        return next(widget for widget in self.tree.find(kind).widgets if widget.label == label)

    def text(self) -> str:
        """All that is to be read, in order."""
        return " ".join(" ".join(_texts(self.tree.container)).split())


def _texts(widget: Any) -> Iterator[str]:
    for child in getattr(widget, "children", ()):
        if isinstance(child, str):
            yield child
        else:
            yield from _texts(child)


@pytest.fixture
def draw() -> Iterator[Any]:
    drawn: list[Drawn] = []

    def draw_one(element: solara.Element) -> Drawn:
        drawn.append(Drawn(element))
        return drawn[-1]

    yield draw_one
    for one in drawn:
        one.tree.close()


def test_step_play_and_pause(opened: Any, draw: Any) -> None:
    session: Session = opened()
    bar = draw(Transport(session))
    bar.click("Step")
    wait_for(lambda: "generation 1" in bar.text())
    bar.click("Play")
    wait_for(lambda: session.picture.value.tick > 2)
    wait_for(lambda: bar.button("Step").disabled)
    bar.click("Pause")
    wait_for(lambda: session.status.value == "paused")
    wait_for(lambda: not bar.button("Step").disabled)


def test_every_fact_has_its_name(opened: Any, draw: Any) -> None:
    text = draw(Transport(opened())).text()
    assert text.endswith("paused generation 0 organelles 4 world smoke seed 0 host petri")


def test_a_pace_is_chosen(opened: Any, draw: Any) -> None:
    session = opened()
    bar = draw(Transport(session))
    bar.click("5")
    assert (session.pace.value, session.stage.value.pace) == (5.0, 5.0)
    bar.click("max")
    assert session.stage.value.pace is None


def test_buttons_without_a_use_are_off(opened: Any, draw: Any) -> None:
    session = opened()
    bar = draw(Transport(session))
    session.coming.value = True
    assert all(bar.button(label).disabled for label in ("Play", "Step", "Reset"))
    session.coming.value, session.status.value = False, "ended"
    assert (bar.button("Play").disabled, bar.button("Reset").disabled) == (True, False)


def test_an_extinct_world_says_so(opened: Any, draw: Any) -> None:
    doomed = {"economy.ticket": 1000.0, "economy.grace": 0, "economy.protected_age": 0, "reproduction.enabled": False}
    session = opened(load_config("smoke", {**doomed, "population.minimum": 1, "archive.enabled": False}))
    notices = draw(Notices(session))
    assert notices.text() == ""
    session.stage.value.play()
    wait_for(lambda: session.status.value == "ended")
    wait_for(lambda: "extinct" in notices.text())
    assert "Press Reset" in notices.text()


def test_an_error_in_a_generation_is_a_message_and_reset_helps(opened: Any, draw: Any) -> None:
    session = opened()
    notices = draw(Notices(session))
    session.stage.value.ask(lambda model: setattr(model, "settle", lambda work: 1 / 0)).result(LONGEST_WAIT)
    session.stage.value.step()
    wait_for(lambda: "ZeroDivisionError: division by zero" in notices.text())
    session.reset()
    wait_for(lambda: session.status.value == "paused" and notices.text() == "")


def test_a_wish_that_cannot_be_granted_is_told_and_dismissed(opened: Any, draw: Any) -> None:
    session = opened()
    notices = draw(Notices(session))
    session.change("population.initial", 30, 4)
    session.reset()
    assert "population.initial" in notices.text()
    notices.click("Dismiss")
    assert session.message.value == ""


# ---------------------------------------------------------------------- the form


def test_a_slider_changes_the_next_world_and_not_this_one(opened: Any, draw: Any) -> None:
    session = opened()
    form = draw(Settings(session))
    form.click("often changed")
    slider = next(s for s in form.tree.find(vw.Slider).widgets if s.attributes["aria-label"] == "population.initial")
    slider.v_model += 1
    assert session.changes.value["population.initial"] > 4
    assert form.labelled(vw.TextField, "population.initial").v_model == str(session.changes.value["population.initial"])
    assert session.stage.value.ask(lambda model: len(model.agents)).result(LONGEST_WAIT) == 4
    form.click("Back to 4")
    assert session.changes.value == {}


def test_switches_and_choices_change_it_too(opened: Any, draw: Any) -> None:
    session = opened()
    form = draw(Settings(session))
    form.click("plasticity")
    form.labelled(vw.Select, "rule").v_model = "hebbian"
    form.click("reproduction")
    form.labelled(vw.Switch, "merging").v_model = False
    assert session.changes.value == {"plasticity.rule": "hebbian", "reproduction.merging": False}
    assert form.button("plasticity (1 changed)")
    form.click("Undo 2 changes")
    assert session.changes.value == {}


def test_only_the_open_section_is_drawn(opened: Any, draw: Any) -> None:
    """All of them at once are more than a browser draws in a second."""
    form = draw(Settings(opened()))
    assert len(form.tree.find(vw.Slider).widgets) == 0
    form.click("economy")
    economy = len(form.tree.find(vw.Slider).widgets)
    assert economy > 5
    form.click("forage")
    assert 0 < len(form.tree.find(vw.Slider).widgets) != economy


def test_a_setting_is_found_by_its_help(opened: Any, draw: Any) -> None:
    form = draw(Settings(opened()))
    search = form.labelled(vw.TextField, "Find a setting")
    search.v_model = "progress beside"
    assert [field.label for field in form.tree.find(vw.TextField).widgets[2:]] == ["forage.learning_progress"]
    search.v_model = "no such words anywhere"
    assert len(form.tree.find(vw.TextField).widgets) == 2


def test_another_preset_and_another_seed(opened: Any, draw: Any) -> None:
    session = opened()
    form = draw(Settings(session))
    form.click("Another")
    assert session.changes.value["seed"] == int(form.labelled(vw.TextField, "Seed").v_model)
    preset = form.labelled(vw.Select, "Preset")
    assert preset.items[0] == "smoke" and len(preset.items) == len(set(preset.items)) > 10
    preset.v_model = "single"
    assert (session.base.value, session.changes.value) == ("single", {})
