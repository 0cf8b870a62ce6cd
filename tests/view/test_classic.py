"""Classic models on a stage: what they look like, and charts of what they have."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import ipyvuetify as vw
import pytest
import solara
from staged import still, wait_for

from evolora_mesa.alife import MODELS
from evolora_mesa.view.classic import ClassicStage, classic_picture, ground_chart, series_charts, stage_of
from evolora_mesa.view.pages import classics
from evolora_mesa.view.theme import LIGHT

SLOW = pytest.param("DigitalOrganisms", marks=pytest.mark.slow)  # its processor is compiled first


@pytest.mark.parametrize("name", [*(name for name in MODELS if name != "DigitalOrganisms"), SLOW])
def test_every_classic_can_be_stepped_and_drawn(name: str) -> None:
    stage = stage_of(name)
    wait_for(lambda: stage.status == "paused", f"{name}, {stage.message}")
    stage.step()
    wait_for(lambda: stage.picture is not None and stage.picture.tick == 1)
    picture = stage.picture
    stage.close()
    assert picture is not None and picture.model == name
    charts = series_charts(picture, LIGHT)
    assert charts
    for layer in ("agents", *picture.layers):
        ground = ground_chart(picture, LIGHT, layer)
        assert (ground is None) == (picture.drawn == "series")
        json.dumps([ground, charts], allow_nan=False)


def test_a_model_with_space_has_its_layer_and_its_agents_on_the_ground() -> None:
    stage = stage_of("WolfSheep")
    wait_for(lambda: stage.status == "paused")
    picture = stage.picture
    stage.close()
    assert picture is not None
    ground = ground_chart(picture, LIGHT, "grass")
    assert ground is not None
    assert [series["id"] for series in ground["series"]] == ["ground", "agents"]
    assert len(ground["series"][0]["data"]) == 51 * 51 and len(ground["series"][1]["data"]) == 150


def test_a_picture_stays_when_the_model_goes_on() -> None:
    from evolora_mesa.alife import model_class

    model = model_class("NKWorld")(rng=1, record=False, population=10)
    picture = classic_picture(model)
    bits = picture.layers["bits"].copy()
    model.step()
    assert (picture.layers["bits"] == bits).all() and picture.tick == 0


def test_the_page_steps_a_model_begins_again_and_gives_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[ClassicStage] = []

    def kept(name: str, seed: int = 0) -> ClassicStage:
        made.append(stage_of(name, seed))
        return made[-1]

    monkeypatch.setattr(classics, "stage_of", kept)
    session = SimpleNamespace(dark=solara.reactive(False))
    _, tree = solara.render(classics.ClassicsPage(session), handle_error=False)
    wait_for(lambda: _is_on(tree, "Step"))
    _click(tree, "Step")
    wait_for(lambda: made[0].picture is not None and made[0].picture.tick == 1)
    _click(tree, "Reset")
    wait_for(lambda: len(made) == 2 and made[0].closed)
    assert not made[1].closed
    tree.close()
    wait_for(lambda: made[1].join(0.1), "a stage lives on without its page")


def _buttons(tree: Any, label: str) -> list[Any]:
    return [button for button in tree.find(vw.Btn).widgets if label in button.children]


def _is_on(tree: Any, label: str) -> bool:
    return any(not button.disabled for button in _buttons(tree, label))


def _click(tree: Any, label: str) -> None:
    with still(tree):
        _buttons(tree, label)[0].click()
