"""Tests of a mean and of many at once agree with what others compute, and say nothing where nothing can be said."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from evolora_mesa.study.statistics import chance_of_no_mean, holm, standard_deviation


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", [2, 3, 10])
def test_p_is_that_of_the_paired_t_test(seed: int, n: int) -> None:
    first, second = np.random.default_rng(seed).normal(0.3, 1.0, (2, n))
    expected = stats.ttest_rel(first, second).pvalue
    assert chance_of_no_mean((first - second).tolist()) == pytest.approx(expected, rel=1e-9)


def test_values_without_spread_are_certain() -> None:
    assert chance_of_no_mean([0.25, 0.25, 0.25]) == 0.0
    assert chance_of_no_mean([0.0, 0.0]) == 1.0


@pytest.mark.parametrize("values", [[], [1.0]])
def test_one_value_says_nothing(values: list[float]) -> None:
    assert math.isnan(chance_of_no_mean(values)) and math.isnan(standard_deviation(values))


def test_the_standard_deviation_is_of_a_sample() -> None:
    assert standard_deviation([1.0, 3.0]) == math.sqrt(2)


def test_holm_multiplies_the_smallest_most_and_keeps_the_order() -> None:
    # Worked by hand: 4 x 0.005, 3 x 0.01, then 2 x 0.03 and 1 x 0.04, which may not fall below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_test_that_could_not_be_made_does_not_count() -> None:
    adjusted = holm([0.02, math.nan, 0.04])
    assert adjusted[0] == 0.04 and math.isnan(adjusted[1]) and adjusted[2] == 0.04
