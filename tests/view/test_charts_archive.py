"""Every niche has its place."""

from __future__ import annotations

import pytest
from pictures import axes_of, is_finite, made_picture, niches

from evolora_mesa.view.charts.archive import archive_chart, archive_height, cost_names
from evolora_mesa.view.theme import DARK, LIGHT


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_niches_lie_by_family_depth_and_cost(theme) -> None:
    picture = made_picture(archive=niches((0, 0, 0, 0.5, 4), (2, 1, 2, 0.9, 8)))
    option = archive_chart(picture, theme)
    (series,) = option["series"]
    assert [item["value"] for item in series["data"]] == [[0, 0, 0.5], [5, 2, 0.9]]
    assert [item["id"] for item in series["data"]] == [4, 8]
    assert "logic, depth 2, ≥ 12 tokens" in series["data"][1]["name"]
    assert is_finite(option)


def test_columns_have_names_of_their_own_that_read_the_same_in_every_depth() -> None:
    across = axes_of(archive_chart(made_picture(archive=niches((0, 0, 0, 0.5, 4))), LIGHT))[0]
    assert len(set(across["data"])) == 6
    assert [name.strip("\u200b") for name in across["data"]] == ["< 6", "6–12", "≥ 12"] * 2
    assert "tokens" in across["name"]


def test_without_an_archive_or_an_elite_there_is_nothing_to_draw() -> None:
    assert archive_chart(made_picture(), LIGHT) is None
    assert archive_chart(made_picture(archive=niches()), LIGHT) is None


def test_one_cost_bin_is_any_cost() -> None:
    one = niches((0, 0, 0, 0.5, 4))
    assert cost_names(one) == ["< 6", "6–12", "≥ 12"]
    object.__setattr__(one, "cost_edges", one.cost_edges[:0])
    assert cost_names(one) == ["any"]
    assert archive_height(made_picture()).endswith("px")
