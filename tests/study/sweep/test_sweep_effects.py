"""Effects of a two-level design are what was put into it, and no more is concluded than the rule allows."""

from __future__ import annotations

import csv
import io
import math

import pytest
from made_sweep import failed, grid_of, rows_of, spec_of

from evolora_mesa.study.sweep.effects import effects_csv, effects_of, is_factorial, rule

FOUR = {name: {"off": {}, "on": {}} for name in "abcd"}
WOBBLE = {1: -0.01, 2: 0.0, 3: 0.01}  # what a seed adds to each effect
SEEDS = tuple(WOBBLE)


def on(levels: dict, *factors: str) -> int:
    """The product of coded levels."""
    return math.prod(1 if levels[factor] == "on" else -1 for factor in factors)


def half(spec) -> list[dict]:
    """The cells whose coded levels of a, b, c and d multiply to +1."""
    return [cell for cell in grid_of(spec) if on(cell, *"abcd") == 1]


def world(levels: dict, seed: int) -> float:
    """a does 0.5, b does 0.2, c and d together 0.1, and a seed 5 to everything."""
    wobble = WOBBLE[seed]
    return 5 * seed + (0.25 + wobble) * on(levels, "a") + (0.1 + wobble) * on(levels, "b") + 0.05 * on(levels, "c", "d")


def found(effects, within: str = "") -> dict[str, float]:
    return {"".join(e.factors): round(e.interval.mean, 9) for e in effects if e.within == within}


# ---------------------------------------------------------------- effects


def test_a_full_design_gives_back_what_was_put_in() -> None:
    spec = spec_of(FOUR)
    effects = effects_of(spec, rows_of(spec, world, SEEDS))
    nothing = dict.fromkeys(("c", "d", "ab", "ac", "ad", "bc", "bd"), 0.0)
    assert found(effects) == {"a": 0.5, "b": 0.2, "cd": 0.1} | nothing
    assert {effect.alias for effect in effects} == {()}
    first = effects[0]
    assert first.interval.n == first.seeds == 3
    assert (first.interval.low, first.interval.high) == pytest.approx((0.5 - 0.0496828, 0.5 + 0.0496828), abs=1e-5)
    assert first.p < first.p_holm < 0.05


def test_a_half_design_names_what_it_cannot_tell_apart() -> None:
    spec = spec_of(FOUR, design={"method": "half"})
    effects = effects_of(spec, rows_of(spec, world, SEEDS, half(spec)))
    assert found(effects) == {"a": 0.5, "b": 0.2, "c": 0.0, "d": 0.0, "ab": 0.1, "ac": 0.0, "ad": 0.0}
    aliases = {"".join(e.factors): "".join(e.alias) for e in effects}
    assert aliases == {"a": "bcd", "b": "acd", "c": "abd", "d": "abc", "ab": "cd", "ac": "bd", "ad": "bc"}


def test_a_crossed_factor_is_told_apart_from_all_pairs() -> None:
    spec = spec_of({**FOUR, "w": [1, 2]}, design={"method": "half", "crossed": ["w"]})
    cells = half(spec)
    effects = effects_of(spec, rows_of(spec, lambda levels, seed: world(levels, seed) + levels["w"], SEEDS, cells))
    assert len(cells) == 16 and found(effects)["w"] == 1.0
    assert {"".join(e.factors): "".join(e.alias) for e in effects}["aw"] == "bcdw"


def test_codes_multiply_to_the_relation_of_the_half() -> None:
    """The alias is real: what b, c and d do together is taken for a's effect, with its sign."""
    spec = spec_of(FOUR, design={"method": "half"})
    effects = effects_of(spec, rows_of(spec, lambda levels, seed: 3.0 * on(levels, "b", "c", "d"), SEEDS, half(spec)))
    assert found(effects)["a"] == 6.0


def test_more_levels_are_averaged_over() -> None:
    spec = spec_of({"a": {"off": {}, "on": {}}, "size": [1, 2, 3]})
    effects = effects_of(spec, rows_of(spec, lambda levels, seed: on(levels, "a") * levels["size"], SEEDS))
    assert found(effects) == {"a": 4.0}


def test_a_seed_with_a_hole_is_left_out_and_counted() -> None:
    spec = spec_of(FOUR)
    rows = rows_of(
        spec, lambda levels, seed: failed() if seed == 2 and on(levels, "a", "b") == 1 else world(levels, seed), SEEDS
    )
    effect = effects_of(spec, rows)[0]
    assert (effect.interval.n, effect.seeds) == (2, 3) and effect.interval.mean == pytest.approx(0.5)


def test_a_design_without_one_of_its_cells_has_no_effects() -> None:
    spec = spec_of(FOUR)
    effects = effects_of(spec, rows_of(spec, world, SEEDS, grid_of(spec)[1:]))
    assert {effect.interval.n for effect in effects} == {0}


def test_drawn_designs_and_many_levels_have_no_effects() -> None:
    drawn = spec_of(FOUR, design={"method": "random"})
    many = spec_of({"size": [1, 2, 3]})
    for spec in (drawn, many):
        assert not is_factorial(spec) and effects_of(spec, rows_of(spec, lambda *_: 1.0)) == []


def test_the_file_has_a_row_an_effect() -> None:
    spec = spec_of(FOUR, design={"method": "half"})
    rows = rows_of(spec, world, SEEDS, half(spec))
    text = effects_csv(effects_of(spec, rows[::-1]))
    assert text == effects_csv(effects_of(spec, rows))
    line = list(csv.DictReader(io.StringIO(text)))[4]
    assert (line["effect"], line["alias"], line["seeds"], line["n"]) == ("a × b", "c × d", "3", "3")
    assert float(line["mean"]) == pytest.approx(0.1)


# ---------------------------------------------------------------- the rule


def decided(effect: float, spread: float, better: str = "higher", smallest: float = 0.1) -> str:
    """The verdict on a factor whose effect is, in three seeds, ``effect`` and ``spread`` to each side of it."""
    spec = spec_of(
        {"a": {"off": {}, "on": {}}},
        {"m": {"figure": "m", "better": better}},
        decision={"question": "?", "metric": "m", "factors": ["a"], "smallest": smallest},
    )
    rows = rows_of(spec, lambda levels, seed: (effect + spread * (seed - 2)) * (levels["a"] == "on"), SEEDS)
    (ruling,) = rule(spec, rows)
    return ruling.verdict


@pytest.mark.parametrize(
    ("effect", "spread", "verdict"),
    [
        (0.2, 0.02, "pays"),
        (-0.2, 0.02, "harms"),
        (0.0, 0.02, "makes no difference of that size"),
        (0.05, 0.01, "makes no difference of that size"),
        (0.2, 0.1, "undecided"),  # the interval reaches below 0
        (0.08, 0.02, "undecided"),  # clear, but perhaps too small to matter
        (0.0, 0.1, "undecided"),
    ],
)
def test_the_rule_says_no_more_than_it_may(effect: float, spread: float, verdict: str) -> None:
    assert decided(effect, spread) == verdict
    other = {"pays": "harms", "harms": "pays"}.get(verdict, verdict)
    assert decided(effect, spread, better="lower") == other


def test_without_a_second_seed_nothing_is_decided() -> None:
    spec = spec_of(FOUR, decision={"question": "?", "metric": "accuracy", "factors": ["a"], "smallest": 0.1})
    assert [ruling.verdict for ruling in rule(spec, rows_of(spec, world, (1,)))] == ["undecided"]
    assert [ruling.verdict for ruling in rule(spec, [])] == ["undecided"]


def test_factors_are_judged_within_each_level() -> None:
    spec = spec_of(
        {**FOUR, "w": {"static": {}, "shifting": {}}},
        design={"method": "half", "crossed": ["w"]},
        decision={"question": "?", "metric": "accuracy", "factors": ["a", "b"], "within": "w", "smallest": 0.1},
    )

    def both(levels: dict, seed: int) -> float:
        return world(levels, seed) * (1 if levels["w"] == "static" else -1)

    rows = rows_of(spec, both, SEEDS, half(spec))
    told = {(ruling.effect.within, *ruling.effect.factors): ruling.verdict for ruling in rule(spec, rows)}
    assert told == {
        ("w static", "a"): "pays",
        ("w static", "b"): "pays",
        ("w shifting", "a"): "harms",
        ("w shifting", "b"): "harms",
    }
    effects = effects_of(spec, rows)
    assert found(effects)["aw"] in (-0.5, 0.5) and found(effects, "w shifting")["a"] == -0.5
    assert "w" not in found(effects, "w static")
    assert {effect.alias for effect in effects if effect.within and effect.factors == ("a",)} == {("b", "c", "d")}


def test_within_a_halved_factor_effects_have_shorter_names() -> None:
    """Where d has one level, a and b together are what c is."""
    decision = {"question": "?", "metric": "accuracy", "factors": ["a"], "within": "d", "smallest": 0.1}
    spec = spec_of(FOUR, design={"method": "half"}, decision=decision)
    effects = effects_of(spec, rows_of(spec, world, SEEDS, half(spec)))
    aliases = {"".join(e.factors): "".join(e.alias) for e in effects if e.within == "d on"}
    assert aliases == {"a": "bc", "b": "ac", "c": "ab"} and found(effects, "d on") == {"a": 0.5, "b": 0.2, "c": 0.1}


def test_rulings_are_adjusted_together() -> None:
    spec = spec_of(FOUR, decision={"question": "?", "metric": "accuracy", "factors": ["a", "b"], "smallest": 0.1})
    first, second = (ruling.effect for ruling in rule(spec, rows_of(spec, world, SEEDS)))
    assert first.p < second.p and first.p_holm == pytest.approx(2 * first.p) and second.p_holm == second.p


def test_no_decision_no_verdict() -> None:
    spec = spec_of(FOUR)
    assert rule(spec, rows_of(spec, world, SEEDS)) == []
