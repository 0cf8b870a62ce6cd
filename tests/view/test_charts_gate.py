"""Evidence climbs to the line at which a child passes."""

from __future__ import annotations

import math

import pytest
from pictures import axes_of, is_finite, made_picture, series_of, trial

from evolora_mesa.view.charts.gate import gate_chart, told_verdict
from evolora_mesa.view.theme import DARK, LIGHT

TEN = math.log(10)


def test_there_is_nothing_to_draw_before_the_first_trial() -> None:
    assert gate_chart(made_picture(), LIGHT) is None


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_a_trial_climbs_in_powers_of_ten(theme) -> None:
    option = gate_chart(made_picture(trials=(trial(7, 0.0, TEN, 2 * TEN, begun=4),)), theme)
    (line,) = option["series"]
    assert [point["value"] for point in line["data"]] == [[4, 0], [5, 1], [6, 2]]
    assert {point["id"] for point in line["data"]} == {7}
    across, upright = axes_of(option)
    assert across["name"] == "generation" and "e-value" in upright["name"]


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_line_stands_at_one_over_alpha(alpha: float) -> None:
    option = gate_chart(made_picture(trials=(trial(7, 0.0),), alpha=alpha), LIGHT)
    mark = option["series"][0]["markLine"]
    assert mark["data"] == [{"yAxis": pytest.approx(-math.log10(alpha))}]
    assert f"{1 / alpha:.0f}" in mark["label"]["formatter"]


def test_the_line_is_inside_the_chart_however_little_is_known() -> None:
    option = gate_chart(made_picture(trials=(trial(7, 0.0),)), LIGHT)
    assert option["yAxis"]["min"] < 0 and option["yAxis"]["max"] >= math.log10(20)


def test_trials_that_ended_step_back_and_say_why() -> None:
    ended = trial(3, 0.0, 5.0, verdict="rejected", reason="probation_over")
    option = gate_chart(made_picture(trials=(trial(7, 0.0),), verdicts=(ended,)), LIGHT)
    faded, bright = series_of(option, "trial 3"), series_of(option, "trial 7")
    assert faded["lineStyle"]["width"] < bright["lineStyle"]["width"]
    assert "rejected: probation over" in faded["data"][0]["name"]


def test_extreme_and_missing_evidence_can_be_drawn() -> None:
    shown = (trial(1, 1e6), trial(2, -1e6), trial(3, math.nan, prompts=0, uplift=math.nan))
    assert is_finite(gate_chart(made_picture(verdicts=shown), LIGHT))


def test_a_trial_is_told_in_one_sentence() -> None:
    told = told_verdict(trial(7, 1.0, uplift=0.25, low=-0.1, high=0.5))
    assert told == "#7, merge by svd of #1 and #2, after 10 prompts, gain 0.25 (−0.1 to 0.5)"
    assert "gain" not in told_verdict(trial(7, prompts=0))
