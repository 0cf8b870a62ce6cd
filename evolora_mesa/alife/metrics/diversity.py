"""How many kinds there are, counted as if all were equally common, and how quickly they are replaced.

Hill, "Diversity and evenness: a unifying notation and its consequences" (1973): D_q = (sum p_i^q)^(1 / (1 - q)); q = 0
counts kinds, q = 1 is exp of Shannon's entropy, q = 2 is one over Simpson's index. Bray & Curtis (1957).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evolora_mesa.alife.history import Clock, History, Reals
from evolora_mesa.alife.metrics.census import Census

__all__ = ["hill", "hill_series", "turnover_series"]


def hill(counts: ArrayLike, q: int = 1) -> float:
    """Hill number of order ``q`` of counts ``(n,)``; nan when nobody is counted."""
    share = np.asarray(counts, float)
    share = share[share > 0]
    if not len(share):
        return float("nan")
    share = share / share.sum()
    if q == 1:
        return float(np.exp(-(share * np.log(share)).sum()))
    return float((share**q).sum() ** (1 / (1 - q)))


def hill_series(history: History, clock: Clock, q: int = 1, *, census: Census | None = None) -> Reals:
    """``(shown,)``, Hill number of the history's components; nan where nobody lives."""
    place, _, count = (census or Census.of(history, clock)).counts(clock.shown)
    shown = len(clock.shown)
    total = np.bincount(place, count, minlength=shown)
    share = count / total[place]
    if q == 1:
        found = np.exp(-np.bincount(place, share * np.log(share), minlength=shown))
    else:
        sums = np.bincount(place, share**q, minlength=shown)
        found = np.divide(1.0, sums, out=np.zeros(shown), where=sums > 0) if q == 2 else sums ** (1 / (1 - q))
    return np.where(total > 0, found, np.nan)


def turnover_series(history: History, clock: Clock, *, census: Census | None = None) -> Reals:
    """``(shown - 1,)``, Bray-Curtis distance of neighbouring looks: 1 - sum of min(p, p'), 0 the same, 1 all others."""
    place, component, count = (census or Census.of(history, clock)).counts(clock.shown)
    shown = len(clock.shown)
    if shown < 2:
        return np.empty(0)
    total = np.bincount(place, count, minlength=shown)
    share = count / total[place]
    kinds = int(component.max(initial=0)) + 1
    key = place * kinds + component
    order = np.argsort(key)
    key, share, place = key[order], share[order], place[order]
    later = np.minimum(np.searchsorted(key, key + kinds), len(key) - 1)
    same = key[later] == key + kinds
    both = np.bincount(place[same], np.minimum(share[same], share[later[same]]), minlength=shown)
    return np.where((total[1:] > 0) & (total[:-1] > 0), 1 - both[: shown - 1], np.nan)
