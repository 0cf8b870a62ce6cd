"""The task grid shows every cell and everybody in it."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import FAMILIES, axes_of, is_finite, made_picture, organelles, series_of

from evolora_mesa.view.charts.grid import COLOURS, LAYERS, grid_chart, grid_height
from evolora_mesa.view.picture import Picture
from evolora_mesa.view.theme import DARK, LIGHT


def marks(option: dict) -> dict[int, dict]:
    """Items of organelles, by id."""
    return {item["id"]: item for group in option["series"][1:] for item in group["data"] if "id" in item}


def in_layer(picture: Picture, layer: str, cell: tuple[int, int], value: float) -> Picture:
    picture.layers[layer][cell] = value
    return picture


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("colours", COLOURS)
@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_every_layer_and_colour_is_drawn_in_numbers_that_json_can_hold(layer: str, colours, theme) -> None:
    option = grid_chart(made_picture(), theme, layer=layer, colours=colours)
    assert is_finite(option)
    assert [axis["name"] for axis in axes_of(option)] == ["depth of the task (steps)", "task family"]
    assert LAYERS[layer].unit in option["visualMap"]["text"][0]
    assert len(marks(option)) == 3


@pytest.mark.parametrize("layer", LAYERS)
def test_a_cell_shows_the_value_of_the_chosen_layer(layer: str) -> None:
    picture = in_layer(made_picture(), layer, (1, 1), 0.75)
    cells = series_of(grid_chart(picture, LIGHT, layer=layer), "cells")["data"]
    assert {tuple(cell["value"][:2]) for cell in cells} == {(d, f) for d in range(2) for f in range(3)}
    (cell,) = (cell for cell in cells if cell["value"][:2] == [1, 1])
    assert cell["value"][2] == 0.75 and cell["label"]["formatter"] == "0.75"
    assert "math, depth 2" in cell["name"]


def test_what_is_not_known_of_a_cell_is_left_blank() -> None:
    cells = series_of(grid_chart(made_picture(), LIGHT, layer="frozen"), "cells")["data"]
    assert {cell["value"][2] for cell in cells} == {"-"}


def test_families_that_have_left_are_grey_and_say_so() -> None:
    picture = made_picture()
    picture.layers["open"][2] = False
    cells = series_of(grid_chart(picture, LIGHT), "cells")
    assert [cell["value"][2] == "-" for cell in cells["data"]] == [False] * 4 + [True] * 2
    assert "not asked" in cells["data"][-1]["name"]
    ((begin, end),) = cells["markArea"]["data"]
    assert begin["yAxis"] == end["yAxis"] == 2


def test_colours_stand_for_what_was_chosen() -> None:
    who = organelles((0, 0), (1, 0), (2, 0), lineage=[1, 1, 2], colony=[-1, 5, 5], skill=[2, 0, -1])
    picture = made_picture(organelles=who)
    names = {
        colours: {
            group["name"]: len(group["data"]) for group in grid_chart(picture, LIGHT, colours=colours)["series"][1:]
        }
        for colours in COLOURS
    }
    assert names == {
        "lineage": {"lineage 1": 2, "lineage 2": 1},
        "colony": {"colony 5": 2, "no colony": 1},
        "skill": {"logic": 1, "word.count": 1, "no success yet": 1},
    }


def test_lineages_keep_their_colour_when_others_die_out() -> None:
    both = made_picture(organelles=organelles((0, 0), (1, 0), lineage=[3, 12]))
    left = made_picture(organelles=organelles((1, 0), lineage=[12]))

    def look(picture: Picture) -> tuple[str, str]:
        group = series_of(grid_chart(picture, LIGHT), "lineage 12")
        return group["itemStyle"]["color"], group["symbol"]

    assert look(both) == look(left)


def test_sixteen_lineages_can_be_told_apart() -> None:
    who = organelles(*[(0, 0)] * 16)
    groups = grid_chart(made_picture(organelles=who), LIGHT)["series"][1:]
    assert len({(group["itemStyle"]["color"], group["symbol"]) for group in groups}) == 16


def test_the_chosen_one_stands_out_and_those_on_trial_are_hollow() -> None:
    who = organelles((0, 0), (0, 0), on_trial=[False, True])
    found = marks(grid_chart(made_picture(organelles=who), LIGHT, chosen=1))
    assert found[1]["label"]["formatter"] == "#1" and found[1]["itemStyle"]["borderColor"] == LIGHT.ink
    assert found[2]["itemStyle"]["color"] == LIGHT.card and "label" not in found[2]
    assert "on trial" in found[2]["name"]


def test_a_crowd_is_one_mark_with_its_number() -> None:
    who = organelles(*[(1, 0)] * 60, (2, 1), lineage=[1] * 40 + [2] * 20 + [3])
    option = grid_chart(made_picture(organelles=who), LIGHT)
    assert list(marks(option)) == [61]
    (crowd,) = (item for group in option["series"][1:] for item in group["data"] if "id" not in item)
    assert crowd["label"]["formatter"] == "60" and "40 lineage 1" in crowd["name"] and is_finite(option)


def test_thousands_are_drawn_by_cell() -> None:
    rng = np.random.default_rng(0)
    who = organelles(*zip(rng.integers(3, size=5000).tolist(), rng.integers(2, size=5000).tolist(), strict=True))
    assert sum(len(group["data"]) for group in grid_chart(made_picture(organelles=who), LIGHT)["series"][1:]) == 6


def test_many_in_uncrowded_cells_are_drawn_by_cell_as_well() -> None:
    names = tuple(f"family {number}" for number in range(30))
    layers = {name: np.ones((30, 2), dtype=bool if name == "open" else float) for name in made_picture().layers}
    who = organelles(*[(family, depth) for family in range(30) for depth in range(2)] * 15)
    option = grid_chart(made_picture(families=names, layers=layers, organelles=who), LIGHT)
    assert marks(option) == {} and sum(len(group["data"]) for group in option["series"][1:]) == 60


def test_an_empty_world_has_its_cells() -> None:
    option = grid_chart(made_picture(organelles=organelles()), LIGHT)
    assert len(option["series"]) == 1 and is_finite(option)


def test_the_chart_is_as_high_as_its_families_need() -> None:
    assert int(grid_height(made_picture())[:-2]) > 40 * len(FAMILIES)
