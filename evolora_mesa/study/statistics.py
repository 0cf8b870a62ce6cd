"""Means with their uncertainty: Student's t over seeds, and differences paired by seed.

Student, "The probable error of a mean" (1908). The seed is the unit of replication: tasks of one seed share
its training, so they are averaged before anything is computed here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from evolora_mesa.errors import ConfigError

__all__ = ["Interval", "chance_of_no_mean", "holm", "paired_difference", "standard_deviation", "t_interval"]


class Interval(NamedTuple):
    """A mean with its confidence bounds.

    Attributes:
        mean: nan without values.
        low, high: nan with fewer than two values, because one value says nothing about the spread.
        n: number of values.
    """

    mean: float
    low: float
    high: float
    n: int

    @property
    def above_zero(self) -> bool:
        """The whole interval lies above 0; False when there is no interval."""
        return self.low > 0

    @property
    def below_zero(self) -> bool:
        """The whole interval lies below 0; False when there is no interval."""
        return self.high < 0


def t_interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Mean and two-sided t interval.

    Args:
        values: independent measurements, one per seed; all finite.
        confidence: in (0, 1).

    Raises:
        ConfigError: a value that is not finite, or a confidence outside (0, 1).
    """
    if not 0 < confidence < 1:
        raise ConfigError("no such confidence", expected="above 0 and below 1", got=confidence)
    numbers = np.asarray(values, dtype=float)
    if not np.isfinite(numbers).all():
        raise ConfigError("an interval needs finite values", got=list(values), do="Leave out what was not measured.")
    n = numbers.size
    if n < 2:
        return Interval(float(numbers[0]) if n else math.nan, math.nan, math.nan, n)
    from scipy.special import stdtrit  # not scipy.stats: that takes over a second to import

    mean = float(numbers.mean())
    half = float(stdtrit(n - 1, (1 + confidence) / 2) * numbers.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half, n)


def paired_difference(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Interval:
    """Interval of the mean of ``first - second``, value by value.

    Args:
        first, second: measurements of the same seeds in the same order.

    Raises:
        ConfigError: the lists differ in length, or as for `t_interval`.
    """
    if len(first) != len(second):
        raise ConfigError("paired values come in pairs", expected=f"{len(first)} values", got=f"{len(second)} values")
    return t_interval([a - b for a, b in zip(first, second, strict=True)], confidence)


def standard_deviation(values: Sequence[float]) -> float:
    """Of a sample, with n - 1; nan with fewer than two values."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def chance_of_no_mean(values: Sequence[float]) -> float:
    """Two-sided p of a t test of mean 0; of differences by seed it is the paired test.

    Returns:
        In [0, 1]; nan with fewer than two values. Values that are all the same have no spread to test against: 1 if
        they are 0, else 0, as their interval has no width either.
    """
    if len(values) < 2:
        return math.nan
    mean, error = float(np.mean(values)), standard_deviation(values) / math.sqrt(len(values))
    if error == 0.0:
        return 1.0 if mean == 0.0 else 0.0
    from scipy.special import stdtr

    return min(2 * float(stdtr(len(values) - 1, -abs(mean) / error)), 1.0)


def holm(chances: Sequence[float]) -> list[float]:
    """p values of a family of tests, adjusted so that the chance of any false finding stays what it was for one.

    Holm, "A simple sequentially rejective multiple test procedure" (1979).

    Args:
        chances: each in [0, 1]; nan of a test that could not be made, which does not count.

    Returns:
        In the same order, never below what was given; nan stays nan.
    """
    adjusted = [math.nan] * len(chances)
    made = sorted((place for place, chance in enumerate(chances) if not math.isnan(chance)), key=chances.__getitem__)
    least = 0.0  # an adjusted p is at least that of every smaller one
    for rank, place in enumerate(made):
        least = max(least, min((len(made) - rank) * chances[place], 1.0))
        adjusted[place] = least
    return adjusted
