"""Designs: the cells that a method promises, each once, and the same ones whenever they are asked for."""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any

import numpy as np
import pytest
from small_sweeps import spec_of

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.sweep.design import cells_of, level_at, require_baseline
from evolora_mesa.study.sweep.spec import Range

TICKET = {"low": 0.1, "high": 10.0, "scale": "log"}
INFLOW = {"low": 1.0, "high": 3.0}
BIRTHS = {"low": 1, "high": 4, "whole": True}


def levels(**given: Any) -> list[dict[str, Any]]:
    cells = cells_of(spec_of(**given))
    assert [cell.number for cell in cells] == list(range(len(cells)))
    return [dict(cell.levels) for cell in cells]


def drawn(method: str, samples: int, seed: int = 0, **factors: Any) -> list[dict[str, Any]]:
    return levels(factors=factors, design={"method": method, "samples": samples, "seed": seed})


def test_a_grid_has_every_combination_and_the_last_factor_is_the_fastest() -> None:
    found = levels(factors={"a": [1, 2], "b": ["x", "y", "z"], "c": {"on": {}, "off": {"economy.ticket": 0}}})
    expected = itertools.product([1, 2], ["x", "y", "z"], ["on", "off"])
    assert found == [dict(zip("abc", chosen, strict=True)) for chosen in expected]


@pytest.mark.parametrize("count", [3, 4, 5])
def test_a_half_fraction_has_the_cells_whose_coded_levels_multiply_to_one(count: int) -> None:
    found = levels(factors={f"f{n}": [-1, 1] for n in range(count)}, design={"method": "half"})
    assert len(found) == 2 ** (count - 1)
    assert {math.prod(cell.values()) for cell in found} == {1}


def test_main_effects_of_a_half_fraction_are_orthogonal() -> None:
    table = np.array(
        [
            list(cell.values())
            for cell in levels(factors={f"f{n}": [-1, 1] for n in range(4)}, design={"method": "half"})
        ]
    )
    assert np.array_equal(table.T @ table, 8 * np.eye(4))


def test_crossed_factors_are_run_in_full_with_each_cell_of_the_half() -> None:
    factors = {"w": ["still", "moving", "wild"], "a": [-1, 1], "b": [-1, 1], "c": [-1, 1]}
    found = levels(factors=factors, design={"method": "half", "crossed": ["w"]})
    assert len(found) == 12
    for world in factors["w"]:
        inside = [cell for cell in found if cell["w"] == world]
        assert len(inside) == 4
        assert all(cell["a"] * cell["b"] * cell["c"] == 1 for cell in inside)


@pytest.mark.parametrize("method", ["random", "latin_hypercube", "sobol"])
def test_drawn_cells_lie_inside_the_bounds_and_are_the_same_again(method: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = drawn(method, 21, a=TICKET, b=BIRTHS, c=[5, 6])
    assert found == drawn(method, 21, a=TICKET, b=BIRTHS, c=[5, 6])
    assert found != drawn(method, 21, seed=1, a=TICKET, b=BIRTHS, c=[5, 6])
    assert len(found) == 21
    for cell in found:
        assert 0.1 <= cell["a"] <= 10
        assert type(cell["b"]) is int and 1 <= cell["b"] <= 4
        assert cell["c"] in (5, 6)


@pytest.mark.parametrize("method", ["random", "sobol"])
def test_more_samples_begin_with_the_same_cells(method: str) -> None:
    assert drawn(method, 40, a=TICKET, b=INFLOW)[:9] == drawn(method, 9, a=TICKET, b=INFLOW)


def test_a_latin_hypercube_meets_every_slice_of_every_factor_once() -> None:
    found = drawn("latin_hypercube", 8, a=INFLOW, b=TICKET)
    assert sorted(int((cell["a"] - 1) / 2 * 8) for cell in found) == list(range(8))
    assert sorted(int((math.log10(cell["b"]) + 1) / 2 * 8) for cell in found) == list(range(8))


def test_sobol_samples_are_spread_evenly_over_levels_too() -> None:
    found = drawn("sobol", 64, a=INFLOW, b=["x", "y", "z", "w"])
    assert all(sum(cell["b"] == level for cell in found) == 16 for level in "xyzw")


def test_a_combination_that_is_drawn_again_is_left_out() -> None:
    found = drawn("random", 50, a=[1, 2], b=["x", "y"])
    assert len(found) == 4


def test_whole_numbers_are_equally_likely_and_the_bounds_too() -> None:
    factor = Range(low=1, high=4, whole=True)
    found = [level_at(factor, (n + 0.5) / 400) for n in range(400)]
    assert [found.count(number) for number in (1, 2, 3, 4)] == [100] * 4


def test_a_logarithmic_scale_is_even_in_the_exponent() -> None:
    factor = Range(low=0.01, high=100.0, scale="log")
    assert [level_at(factor, share) for share in (0.0, 0.25, 0.5, 0.75)] == [0.01, 0.1, 1.0, 10.0]


def test_an_adaptive_design_has_no_cells_beforehand() -> None:
    assert levels(factors={"a": INFLOW}, design={"method": "adaptive", "objective": "success"}) == []


def test_the_baseline_has_to_be_a_cell() -> None:
    factors = {name: [-1, 1] for name in "abc"}
    for level, fits in ((1, True), (-1, False)):
        spec = spec_of(factors=factors, design={"method": "half"}, baseline={"a": 1, "b": 1, "c": level})
        if fits:
            require_baseline(spec, cells_of(spec))
        else:
            with pytest.raises(ConfigError, match=r"no cell that can be run .*got 'a=1, b=1, c=-1'"):
                require_baseline(spec, cells_of(spec))
