"""Figures over the generations, with what happened as marks."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import axes_of, course, is_finite, series_of

from evolora_mesa.view.charts.series import CHARTS, energy_chart, population_chart, roi_chart, success_chart
from evolora_mesa.view.theme import DARK, LIGHT


@pytest.mark.parametrize("title", CHARTS)
@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_every_axis_has_a_name_and_a_unit(title: str, theme) -> None:
    option = CHARTS[title](course(20), theme)
    across, upright = axes_of(option)
    assert across["name"] == "generation" and "(" in upright["name"]
    assert is_finite(option)


@pytest.mark.parametrize("title", CHARTS)
@pytest.mark.parametrize("generations", [0, 1])
def test_nothing_is_drawn_before_the_first_generation(title: str, generations: int) -> None:
    assert CHARTS[title](course(generations), LIGHT) is None


def test_the_frozen_hosts_line_is_there_once_it_is_known() -> None:
    unknown, known = course(5), course(5, frozen_host=np.array([np.nan, np.nan, 0.2, 0.2, 0.2]))
    names = [[line["id"] for line in success_chart(series, LIGHT)["series"]] for series in (unknown, known)]
    assert names == [["success_rate", "accuracy"], ["success_rate", "accuracy", "frozen_host"]]
    line = series_of(success_chart(known, LIGHT), "frozen_host")
    assert line["data"] == [[0, None], [1, None], [2, 0.2], [3, 0.2], [4, 0.2]]
    assert line["lineStyle"]["type"] == "dashed"


def test_return_on_investment_is_held_against_break_even_and_begins_with_the_first_work() -> None:
    line = series_of(roi_chart(course(4), LIGHT), "mean_roi")
    assert line["markLine"]["data"] == [{"yAxis": 1}]
    assert line["markLine"]["label"]["position"] == "end"  # beside the curves, so it touches none
    assert line["data"] == [[0, None], [1, 0.1], [2, 0.2], [3, 0.3]]


def test_births_and_merges_are_marked_where_they_happened() -> None:
    option = population_chart(course(4, births=[0, 2, 0, 1], merges=[0, 0, 1, 0]), LIGHT)
    assert series_of(option, "births")["data"] == [[1, 2], [3, 1]]
    (merge,) = series_of(option, "merges")["data"]
    assert merge["value"] == [2, 6]  # on the line of the population
    assert {"deaths", "promotions"}.isdisjoint(line["id"] for line in option["series"])


def test_accounts_that_never_held_any_energy_are_left_out() -> None:
    option = energy_chart(course(4, energy_trials=[0, 0, 1, 1], energy_colonies=[0, 0, 0, 0]), LIGHT)
    assert [line["name"] for line in option["series"]] == ["organelles", "pools of the cells", "set apart for trials"]


def test_a_long_life_is_drawn_in_few_points() -> None:
    assert all(len(line["data"]) <= 500 for line in success_chart(course(40_000), LIGHT)["series"])
