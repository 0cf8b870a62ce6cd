"""Intervals agree with scipy's, and say nothing where there is nothing to say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.statistics import paired_difference, t_interval

numbers = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12)


@settings(max_examples=50, deadline=None)
@given(numbers, st.sampled_from([0.8, 0.95, 0.99]))
def test_the_t_interval_is_the_one_of_scipy(values: list[float], confidence: float) -> None:
    from scipy import stats

    found = t_interval(values, confidence)
    assert found.n == len(values)
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    error = stats.sem(values)
    if error > 1e-9:
        low, high = stats.t.interval(confidence, len(values) - 1, np.mean(values), error)
        assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_the_paired_interval_is_that_of_the_paired_t_test() -> None:
    from scipy import stats

    first, second = [0.8, 0.7, 0.9, 0.75], [0.5, 0.55, 0.6, 0.35]
    found = paired_difference(first, second)
    expected = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert found.above_zero and not found.below_zero


def test_one_value_has_a_mean_and_no_interval() -> None:
    found = t_interval([0.4])
    assert found.mean == 0.4 and found.n == 1
    assert math.isnan(found.low) and math.isnan(found.high)
    assert not found.above_zero and not found.below_zero


def test_no_value_has_nothing() -> None:
    found = t_interval([])
    assert found.n == 0 and math.isnan(found.mean)


def test_pairing_takes_out_what_the_seeds_share() -> None:
    shared = np.array([0.1, 0.5, 0.9, 0.3])
    assert paired_difference(shared + 0.1, shared).low == pytest.approx(0.1)
    assert not paired_difference(shared + 0.1, shared[::-1]).above_zero


def test_equal_values_differ_by_exactly_nothing() -> None:
    found = paired_difference([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    assert found[:3] == (0.0, 0.0, 0.0) and not found.above_zero


def test_what_cannot_be_averaged_is_refused() -> None:
    with pytest.raises(ConfigError, match="pairs"):
        paired_difference([1.0, 2.0], [1.0])
    with pytest.raises(ConfigError, match="finite"):
        t_interval([1.0, math.nan])
    with pytest.raises(ConfigError, match="confidence"):
        t_interval([1.0, 2.0], 1.0)
