"""Pictures of a sweep show the numbers that they are told by, and are left out where there are none."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest
from made_sweep import done, failed, rows_of, spec_of

from evolora_mesa.record.report.document import Picture
from evolora_mesa.study.statistics import Interval, t_interval
from evolora_mesa.study.sweep.curves import Bundle, Point, along_factor, front_of, learning_curves, trade_off
from evolora_mesa.study.sweep.effects import effects_of, rule
from evolora_mesa.study.sweep.gallery import (
    factor_pictures,
    learning_pictures,
    level_pictures,
    trade_off_pictures,
)
from evolora_mesa.study.sweep.plots import effect_spans, figure_text, heatmap, level_intervals, told_interval
from evolora_mesa.study.sweep.summary import by_cell, summarize

SURE = math.nan


def drawn(picture: Picture | None) -> ElementTree.Element:
    """The picture as a tree, which it has to be."""
    assert picture is not None
    return ElementTree.fromstring(picture.svg)


def titles(picture: Picture | None) -> list[str]:
    """What is told where the pointer rests."""
    return [element.text or "" for element in drawn(picture).iter("title")]


def known(value: float) -> Interval:
    return Interval(value, SURE, SURE, 1)


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.123456, "0.123"), (-0.5, "−0.500"), (12345.6, "12\u202f346"), (3.0, "3"), (0.0, "0"), (math.nan, "n/a")],
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert figure_text(value) == text


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(0.438, 0.3916, 0.4844, 5), "0.438 ± 0.046"),
        (Interval(-2.0, -32.0, 28.0, 5), "−2 ± 30"),
        (Interval(0.5, SURE, SURE, 1), "0.500 (one seed)"),
        (Interval(1.0, 1.0, 1.0, 3), "1 ± 0"),
        (Interval(SURE, SURE, SURE, 0), "no values"),
    ],
)
def test_a_mean_is_told_as_exactly_as_it_is_known(interval: Interval, text: str) -> None:
    assert told_interval(interval) == text


# ---------------------------------------------------------------- factors


def test_the_mean_of_a_level_is_over_its_cells_seed_by_seed() -> None:
    spec = spec_of()
    rows = rows_of(spec, lambda levels, seed: levels["ticket"] + seed + 10 * (levels["world"] == "shifting"))
    found = level_intervals(by_cell(rows), "ticket", ("0.5", "1.0"), "accuracy")
    assert found["0.5"] == t_interval([16.5, 27.5, 38.5]) and found["1.0"].mean == 28.0


def test_a_seed_without_one_of_the_cells_does_not_count_in_a_level() -> None:
    spec = spec_of()
    rows = rows_of(
        spec, lambda levels, seed: failed() if levels == {"ticket": 0.5, "world": "static"} and seed == 33 else 1.0
    )
    found = level_intervals(by_cell(rows), "ticket", ("0.5", "1.0"), "accuracy")
    assert (found["0.5"].n, found["1.0"].n) == (2, 3)


def test_every_metric_has_its_main_effects_the_main_one_first() -> None:
    spec = spec_of(metrics={"a": {"figure": "a"}, "b": {"figure": "b"}}, design={"objective": "b"})
    rows = rows_of(spec, lambda levels, seed: {"a": levels["ticket"], "b": 2.0})
    pictures = list(level_pictures(spec, by_cell(rows)))
    assert [picture.title for picture in pictures if picture] == ["b by level", "a by level"]
    assert titles(pictures[1])[:2] == ["0.5: 0.500 ± 0, 3 seeds", "1.0: 1 ± 0, 3 seeds"]


def test_a_map_has_the_means_of_two_factors() -> None:
    spec = spec_of()
    rows = rows_of(
        spec, lambda levels, seed: failed() if levels["ticket"] == 1.0 and levels["world"] == "static" else 0.25
    )
    picture = heatmap(spec, by_cell(rows), "accuracy", "ticket", "world")
    assert titles(picture) == [
        "ticket 0.5, world static: 0.250",
        "ticket 0.5, world shifting: 0.250",
        "ticket 1.0, world static: no values",
        "ticket 1.0, world shifting: 0.250",
    ]
    assert heatmap(spec, by_cell(rows_of(spec, lambda *_: failed())), "accuracy", "ticket", "world") is None


def test_a_range_is_drawn_along_its_scale() -> None:
    spec = spec_of({"rate": {"low": 0.001, "high": 1.0, "scale": "log"}}, design={"method": "random"})
    cells = [{"rate": 0.001}, {"rate": 0.1}]
    rows = rows_of(spec, lambda levels, seed: levels["rate"] + seed / 1000, cells=cells)
    (picture,) = factor_pictures(spec, by_cell(rows), summarize(spec, rows))
    assert picture is not None and picture.title == "accuracy by log₁₀ rate"
    assert "highest 0.122 ± 0.027 at −1" in picture.told and "at −3" in picture.told
    assert along_factor("accuracy", "rate", []) is None


def test_effects_are_filled_where_their_interval_leaves_out_nothing() -> None:
    spec = spec_of(decision={"question": "?", "metric": "accuracy", "factors": ["ticket"], "smallest": 0.1})
    rows = rows_of(
        spec, lambda levels, seed: (2 + seed / 100) * levels["ticket"] + seed % 3 * (levels["world"] == "static")
    )
    picture = effect_spans("accuracy", effects_of(spec, rows), rule(spec, rows))
    circles = [element.get("class") for element in drawn(picture).iter("circle")]
    assert circles == ["dot s2", "ring s0", "ring s0"]
    assert effect_spans("accuracy", effects_of(spec, [])) is None


# ---------------------------------------------------------------- curves


def test_a_band_is_the_t_interval_over_seeds() -> None:
    picture = learning_curves("rate", [Bundle("a", ([None, 0.0, 1.0], [None, 1.0, 2.0])), Bundle("b", ())])
    interval = t_interval([1.0, 2.0])
    assert picture is not None
    assert picture.told == f"rate over generations, at last: a {told_interval(interval)}."
    assert titles(picture) == ["generation 0", "generation 1\na: 0.500", "generation 2\na: 1.50"]
    bands = [element.get("d") for element in drawn(picture).iter("path") if element.get("class") == "band s0"]
    assert len(bands) == 1 and bands[0] is not None and bands[0].count("L") == 3 and bands[0].endswith("Z")


def test_long_curves_are_drawn_as_means_of_neighbours() -> None:
    picture = learning_curves("rate", [Bundle("a", ([float(n) for n in range(1000)],))])
    line = next(element for element in drawn(picture).iter("path") if element.get("class") == "line s0")
    assert len(re.findall("[ML]", line.get("d") or "")) == math.ceil(1000 / 9)
    assert titles(picture)[0] == "generation 4\na: 4"


def test_no_values_no_curves() -> None:
    assert learning_curves("rate", [Bundle("a", ([None, None],)), Bundle("b", ())]) is None


def test_of_many_cells_the_baseline_and_the_best_are_drawn() -> None:
    spec = spec_of({"x": list(range(9))}, baseline={"x": 2})
    rows = rows_of(
        spec, lambda levels, seed: done({"accuracy": -levels["x"]}, curves={"accuracy": [None, float(levels["x"])]})
    )
    (picture,) = learning_pictures(spec, by_cell(rows), summarize(spec, rows))
    assert picture is not None and [key.label for key in picture.key] == ["x=0", "x=1", "x=2", "x=3", "x=4"]
    spec = spec_of({"x": list(range(9))}, baseline={"x": 7})
    (picture,) = learning_pictures(spec, by_cell(rows), summarize(spec, rows))
    assert picture is not None and [key.label for key in picture.key] == ["x=0", "x=1", "x=2", "x=3", "x=7"]


# ---------------------------------------------------------------- cost


def test_the_front_has_what_nothing_beats_in_both() -> None:
    points = [
        Point(name, name, known(cost), known(gain))
        for name, cost, gain in (("d", 3.0, 0.5), ("a", 1.0, 0.2), ("c", 2.0, 0.6), ("e", 4.0, 0.6), ("b", 1.0, 0.3))
    ]
    assert [point.name for point in front_of(points)] == ["b", "c"]
    assert [point.name for point in front_of(points, better="lower")] == ["a"]
    picture = trade_off("accuracy", "tokens", points)
    assert (
        sorted(element.get("class") or "" for element in drawn(picture).iter("circle"))
        == ["dot s0"] * 2 + ["ring s6"] * 3
    )


def test_cells_are_drawn_against_every_metric_that_should_be_low() -> None:
    metrics = {"accuracy": {"figure": "a"}, "tokens": {"figure": "t", "better": "lower"}}
    spec = spec_of(metrics=metrics)
    rows = rows_of(spec, lambda levels, seed: {"accuracy": levels["ticket"], "tokens": 100.0 * seed})
    (picture,) = trade_off_pictures(spec, summarize(spec, rows))
    assert picture is not None and picture.title == "accuracy against tokens" and len(titles(picture)) == 4
    alone = spec_of()
    assert list(trade_off_pictures(alone, summarize(alone, rows_of(alone, lambda *_: 1.0)))) == []
