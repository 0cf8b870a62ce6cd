"""Growth is told from saturation by curves, and not told when nobody can."""

import numpy as np
import pytest

from evolora_mesa.alife.metrics.trend import trend

_TIME = np.arange(1, 301.0)
_NOISE = np.random.default_rng(0).normal(0, 1, 300)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (10 + _NOISE, "bounded"),
        (100 * (1 - np.exp(-_TIME / 60)) + _NOISE, "bounded"),
        (np.full(300, 3.0), "bounded"),
        (100 - 0.2 * _TIME + _NOISE, "bounded"),
        (0.3 * _TIME + _NOISE, "unbounded"),
        (_TIME**1.5 + _NOISE, "unbounded"),
    ],
)
def test_curves_are_told_apart(values, verdict):
    assert trend(_TIME, values).verdict == verdict


def test_few_values_decide_nothing():
    assert trend(_TIME[:15], 5 * _TIME[:15]).verdict == "undecided"


def test_a_random_walk_is_rarely_taken_for_growth():
    rng = np.random.default_rng(1)
    verdicts = [trend(_TIME, np.cumsum(rng.normal(0, 1, 300))).verdict for _ in range(100)]
    assert verdicts.count("unbounded") <= 7, "15 if neighbouring values counted as independent"
    assert verdicts.count("undecided") >= 85, "35 if a series may wander"
