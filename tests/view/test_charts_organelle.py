"""Skills with their intervals, and the spectrum of an adapter."""

from __future__ import annotations

from pictures import FAMILIES, axes_of, is_finite

from evolora_mesa.view.charts.organelle import skills_chart, skills_height, spectrum_chart
from evolora_mesa.view.inspect import Skill, Spectrum
from evolora_mesa.view.theme import LIGHT


def skill(family: int, success: float) -> Skill:
    return Skill(family, 1, 8.0, success, success - 0.1, success + 0.2, "quoted")


def test_every_skill_has_its_interval() -> None:
    option = skills_chart([skill(0, 0.5), skill(2, 0.25)], FAMILIES, LIGHT)
    *intervals, dots = option["series"]
    assert [interval["data"] for interval in intervals] == [[[0.4, 0], [0.7, 0]], [[0.15, 1], [0.45, 1]]]
    assert [dot["value"] for dot in dots["data"]] == [[0.5, 0], [0.25, 1]]
    assert "95 % 0.4 to 0.7" in dots["data"][0]["name"] and "quoted" in dots["data"][0]["name"]
    assert option["yAxis"]["data"] == ["word.count 2", "logic 2"]
    assert axes_of(option)[0]["name"].startswith("success (share")


def test_many_skills_are_the_ones_with_most_work() -> None:
    many = [skill(place % 3, 0.5) for place in range(40)]
    assert len(skills_chart(many, FAMILIES, LIGHT)["yAxis"]["data"]) == 10
    assert skills_height(many) == skills_height(many[:10])


def test_who_has_not_worked_has_no_chart() -> None:
    assert skills_chart([], FAMILIES, LIGHT) is None


def test_every_site_has_a_line_of_singular_values() -> None:
    spectra = [Spectrum("model.layers.3.mlp.down_proj", (2.0, 0.5)), Spectrum("lm_head", (1.0,))]
    option = spectrum_chart(spectra, LIGHT)
    assert [line["data"] for line in option["series"]] == [[2.0, 0.5], [1.0]]
    assert [line["name"] for line in option["series"]] == ["layers.3.mlp.down_proj", "lm_head"]
    assert "singular value" in axes_of(option)[1]["name"] and is_finite(option)


def test_an_adapter_that_changes_nothing_has_no_chart() -> None:
    assert spectrum_chart([Spectrum("lm_head", (0.0, 0.0)), Spectrum("other", ())], LIGHT) is None
