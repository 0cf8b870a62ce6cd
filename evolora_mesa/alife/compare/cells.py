"""Cells of the table: what several seeds say together, beside their own shadows.

Cliff, "Dominance statistics" (1993), for delta: the chance that a value lies above a shadow's less the chance that it
lies below. Intervals are percentile bootstraps over seeds (Efron 1979), for the seed is the unit of replication.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from evolora_mesa.alife.compare.outcome import Outcome
from evolora_mesa.alife.metrics import METRICS, Finding

__all__ = ["ADAPTIVE", "Cell", "Span", "cell_of", "class_of", "dominance", "median_of"]

ADAPTIVE: Final = "activity_new"  # without it above drift, no class that means adaptation is printed
_RESAMPLES: Final = 2000
_FEWEST: Final = 3  # seeds; with less nothing is said to differ from drift


class Span(NamedTuple):
    """A figure with its 95 % interval over seeds; nan where there is none."""

    middle: float
    low: float
    high: float


class Cell(NamedTuple):
    """One metric of one column.

    Attributes:
        value: median over seeds; nothing when no seed has it.
        n: seeds that have it.
        shadow: median over seeds of the mean of the seed's shadows; nan without shadows.
        delta: Cliff's delta of each seed against its own shadows, mean over seeds, in [-1, 1].
        verdict: "above" or "below" drift, "like drift", "undecided" with too few seeds; empty without shadows.
        why: what is missing when there is no value.
    """

    value: Span | None
    n: int
    shadow: float
    delta: Span
    verdict: str
    why: str


_NO_SPAN: Final = Span(math.nan, math.nan, math.nan)


def cell_of(runs: Sequence[Outcome], metric: str) -> Cell:
    """What the runs of a column say of a metric."""
    found = [run.findings[metric] for run in runs if metric in run.findings]
    known = [(value, shadows) for value, shadows, _ in found if value is not None]
    if not known:
        reasons = Counter(why for *_, why in found if why)
        return Cell(None, 0, math.nan, _NO_SPAN, "", reasons.most_common(1)[0][0] if reasons else "no run")
    values = [value for value, _ in known]
    shaded = [(value, shadows) for value, shadows in known if shadows]
    if not shaded:
        return Cell(median_of(values), len(values), math.nan, _NO_SPAN, "", "")
    deltas = [float(np.mean(np.sign(value - np.array(shadows)))) for value, shadows in shaded]
    delta = _bootstrap(deltas, np.mean)
    middle = median_of(values)
    pooled = Finding(middle.middle, METRICS[metric].unit, tuple(shadow for _, shadows in shaded for shadow in shadows))
    clear = delta.low > 0 or delta.high < 0
    if len(shaded) < _FEWEST:
        verdict = "undecided"
    elif clear and pooled.beyond and (pooled.excess > 0) == (delta.middle > 0):
        verdict = "above" if delta.middle > 0 else "below"
    else:
        verdict = "like drift"
    shadow = float(np.median([np.mean(shadows) for _, shadows in shaded]))
    return Cell(middle, len(values), shadow, delta, verdict, "")


def median_of(values: Sequence[float]) -> Span:
    """Median with its interval; nan bounds with fewer than two values."""
    return _bootstrap(values, np.median)


def dominance(first: Sequence[float], second: Sequence[float]) -> Span:
    """Cliff's delta of two sets of seeds, above 0 where the first is larger; the interval resamples both."""
    if not first or not second:
        return _NO_SPAN
    above = np.sign(np.subtract.outer(np.array(first), np.array(second)))
    if min(above.shape) < 2:
        return Span(float(above.mean()), math.nan, math.nan)
    rng = np.random.default_rng(0)
    rows = rng.integers(above.shape[0], size=(_RESAMPLES, above.shape[0], 1))
    columns = rng.integers(above.shape[1], size=(_RESAMPLES, 1, above.shape[1]))
    low, high = np.quantile(above[rows, columns].mean(axis=(1, 2)), [0.025, 0.975])
    return Span(float(above.mean()), float(low), float(high))


def class_of(runs: Sequence[Outcome]) -> str:
    """Class of dynamics that more than half of the seeds agree on, with their number; else undecided.

    Classes 3 and 4 claim adaptive novelty. A single seed can seem to have it by chance, so they need new activity above
    drift over all seeds.
    """
    well = [run for run in runs if not run.error]
    if not well:
        return "no run"
    if not any("heredity" in run.capabilities for run in well):
        return "none (no heredity)"
    said = Counter(run.dynamics for run in well)
    name, count = said.most_common(1)[0]
    total = sum(said.values())
    adaptive = name[:1] in ("3", "4") and cell_of(runs, ADAPTIVE).verdict != "above"
    if name == "undecided" or 2 * count <= total or adaptive:
        return "undecided"
    return f"{name} ({count} of {total})"


def _bootstrap(values: Sequence[float], figure: Callable[..., Any]) -> Span:
    numbers = np.asarray(values, float)
    middle = float(figure(numbers))
    if len(numbers) < 2:
        return Span(middle, math.nan, math.nan)
    draws = np.random.default_rng(0).integers(len(numbers), size=(_RESAMPLES, len(numbers)))
    low, high = np.quantile(figure(numbers[draws], axis=1), [0.025, 0.975])
    return Span(middle, float(low), float(high))
