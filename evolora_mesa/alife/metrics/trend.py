"""Does a series grow without bound? Curves are fitted and weighed; nobody looks at a plot.

Burnham & Anderson, "Model Selection and Multimodel Inference" (2002), for AICc and its weights.
"""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Trend", "trend"]

_FEWEST: Final = 12  # values in the last two thirds; five curves cannot be told apart with less
_SURE: Final = 0.95  # of the Akaike weight
_FEWEST_WORTH: Final = 12.0  # independent values; of 100 random walks over 300 steps, 62 were called bounded without it
_ON_THE_CURVE: Final = 0.01  # of the variance left over: a curve that fits so well needs no independent values
_PACES: Final = np.geomspace(0.05, 2.0, 24)  # of a saturating curve, in lengths of the series
_POWERS: Final = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.25, 1.5, 2.0])


class Trend(NamedTuple):
    """How a series goes on.

    Attributes:
        verdict: unbounded if the curves that grow for ever have 95 % of the weight, bounded if the others have;
            undecided in between, and of a series that wanders.
        curve: the one with the most weight; empty when there are too few values.
        unbounded: weight of the curves that grow for ever, in [0, 1].
    """

    verdict: Literal["bounded", "unbounded", "undecided"]
    curve: str
    unbounded: float


def trend(time: ArrayLike, values: ArrayLike) -> Trend:
    """Fit constant, saturating, logarithmic, power and linear curves to the last two thirds of a series.

    Neighbouring values of a series repeat each other, so the number of values that AICc counts is
    n (1 - r) / (1 + r), with r the correlation of neighbouring residuals of the best curve. Where these wander so
    slowly that they are worth fewer than 12 values, and are more than 1 % of the variance, nothing is decided: a walk
    without any aim looks like growth or like saturation by chance.

    Args:
        time: ``(n,)``, rising; values: ``(n,)``; what is not finite is left out.
    """
    when, what = np.asarray(time, float), np.asarray(values, float)
    kept = np.isfinite(what) & (np.arange(len(what)) >= len(what) / 3)
    when, what = when[kept], what[kept]
    if len(what) < _FEWEST:
        return Trend("undecided", "", math.nan)
    if np.ptp(what) <= 1e-12 * np.abs(what).max(initial=0.0):
        return Trend("bounded", "constant", 0.0)
    fits = _fits((when - when[0]) / (when[-1] - when[0]), when / when[-1], what)
    best = min(fits.values(), key=lambda fit: fit[1] @ fit[1])
    count = _worth(best[1])
    scores = {curve: _aicc(residuals, parameters, count) for curve, (parameters, residuals, _) in fits.items()}
    least = min(scores.values())
    weights = {curve: math.exp(-(score - least) / 2) for curve, score in scores.items()}
    total = sum(weights.values())
    grows = sum(weight for curve, weight in weights.items() if fits[curve][2]) / total
    curve = max(weights, key=weights.__getitem__)
    wanders = count < _FEWEST_WORTH and best[1] @ best[1] > _ON_THE_CURVE * np.var(what) * len(what)
    verdict: Literal["bounded", "unbounded", "undecided"] = "undecided"
    if not wanders and grows >= _SURE:
        verdict = "unbounded"
    elif not wanders and grows <= 1 - _SURE:
        verdict = "bounded"
    return Trend(verdict, curve, grows)


Fit = tuple[int, NDArray[np.float64], bool]  # parameters, the error's among them; residuals; grows for ever


def _fits(unit: NDArray[np.float64], since: NDArray[np.float64], what: NDArray[np.float64]) -> dict[str, Fit]:
    """Each curve's best fit; ``unit`` goes from 0 to 1, ``since`` counts from the beginning of the run."""
    saturating = min((_line(-np.exp(-unit / pace), what) for pace in _PACES), key=lambda fit: fit[0] @ fit[0])
    power = min((_line(since**exponent, what) for exponent in _POWERS), key=lambda fit: fit[0] @ fit[0])
    log, linear = _line(np.log(np.maximum(since, 1e-9)), what), _line(unit, what)
    return {
        "constant": (2, what - what.mean(), False),
        "saturating": (4, saturating[0], False),
        "logarithmic": (3, log[0], log[1] > 0),
        "power": (4, power[0], power[1] > 0),
        "linear": (3, linear[0], linear[1] > 0),
    }


def _line(shape: NDArray[np.float64], what: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Residuals and slope of ``what = level + slope shape``."""
    centred = shape - shape.mean()
    spread = float(centred @ centred)
    slope = float(centred @ what) / spread if spread > 0 else 0.0
    return what - what.mean() - slope * centred, slope


def _worth(residuals: NDArray[np.float64]) -> float:
    """How many independent values the residuals are worth; never less than AICc can take."""
    centred = residuals - residuals.mean()
    spread = float(centred @ centred)
    echo = float(centred[1:] @ centred[:-1]) / spread if spread > 0 else 0.0
    echo = min(max(echo, 0.0), 0.99)
    return max(len(residuals) * (1 - echo) / (1 + echo), 6.0)


def _aicc(residuals: NDArray[np.float64], parameters: int, count: float) -> float:
    error = max(float(residuals @ residuals) / len(residuals), 1e-300)
    return count * math.log(error) + 2 * parameters + 2 * parameters * (parameters + 1) / (count - parameters - 1)
