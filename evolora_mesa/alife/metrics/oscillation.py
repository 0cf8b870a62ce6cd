"""Do numbers swing, how long is a swing, and who follows whom?

Box & Jenkins, "Time Series Analysis" (1970): auto- and cross-correlation of series without their mean.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from evolora_mesa.alife.history import History, Reals, Whole, covering

__all__ = ["Oscillation", "counts_by_component", "lag", "oscillation", "population_by_tick"]


class Oscillation(NamedTuple):
    """Of one series.

    Attributes:
        period: steps to the first peak of the autocorrelation after it has been negative; nan without one.
        strength: the autocorrelation there, up to 1.
        variation: standard deviation / mean.
    """

    period: float
    strength: float
    variation: float


def oscillation(series: ArrayLike) -> Oscillation:
    """Period, strength and coefficient of variation of a series of counts."""
    values = np.asarray(series, float)
    mean = values.mean() if len(values) else 0.0
    variation = float(values.std() / mean) if mean > 0 else float("nan")
    echo = _correlation(values, values)
    echo = echo[len(values) - 1 :][: len(values) // 2]
    below = np.flatnonzero(echo < 0)
    if not len(below):
        return Oscillation(float("nan"), float("nan"), variation)
    rise = echo[below[0] :]
    above = np.flatnonzero(rise > 0)
    if not len(above):
        return Oscillation(float("nan"), float("nan"), variation)
    hill = rise[above[0] :]
    ends = np.flatnonzero(hill <= 0)
    top = int(np.argmax(hill[: ends[0]] if len(ends) else hill))
    place = int(below[0] + above[0] + top)
    return Oscillation(float(place), float(echo[place]), variation)


def lag(leader: ArrayLike, follower: ArrayLike, *, most: int) -> float:
    """Steps by which ``follower`` comes after ``leader``, in [-most, most]: where they are most alike; nan without any.

    Args:
        leader, follower: series of equal length.
        most: half a period, since beyond it nobody can say who follows whom.
    """
    first, second = np.asarray(leader, float), np.asarray(follower, float)
    alike = _correlation(second, first)
    if not len(alike) or not np.any(alike):
        return float("nan")
    middle = len(first) - 1
    window = alike[max(middle - most, 0) : middle + most + 1]
    return float(int(np.argmax(window)) - min(middle, most))


def population_by_tick(history: History) -> Whole:
    """``(ticks,)``, agents at the end of every tick from the first to the last, also of those without events."""
    return history.population[_places(history)]


def counts_by_component(history: History) -> tuple[Whole, Whole]:
    """Codes ``(c,)``, and how many agents of each there are at the end of every tick, ``(c, ticks)``."""
    steps = np.arange(len(history.step))
    codes, component = np.unique(history.component, return_inverse=True)
    moment, tenure = covering(history.start, history.stop, steps)
    key = component.ravel()[tenure] * len(steps) + moment
    counts = np.bincount(key, minlength=len(codes) * len(steps)).reshape(len(codes), len(steps))
    return codes, counts[:, _places(history)]


def _places(history: History) -> Whole:
    """Place in the history's steps, which have events, of every tick: the last one until then."""
    if not len(history.step):
        return np.empty(0, int)
    ticks = np.arange(history.step[0], history.step[-1] + 1)
    return np.searchsorted(history.step, ticks, side="right") - 1


def _correlation(later: Reals, earlier: Reals) -> Reals:
    """Cross-correlation at lags -(n - 1) … n - 1, by Fourier transforms, over the same n; zeros for constant series."""
    n = len(later)
    a, b = later - later.mean() if n else later, earlier - earlier.mean() if n else earlier
    scale = float(np.sqrt((a @ a) * (b @ b)))
    if n < 2 or scale <= 1e-12:
        return np.zeros(max(2 * n - 1, 0))
    size = 1 << (2 * n - 1).bit_length()
    found = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    return np.concatenate([found[-(n - 1) :], found[:n]]) / scale
