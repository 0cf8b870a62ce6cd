"""How many breeders there are in effect.

Crow & Kimura, "An Introduction to Population Genetics Theory" (1970): N_e = (N - 1) / V_k for haploids at constant
size, V_k the variance of the number of descendants after one turnover, survivors counting as their own; V_k = 1 is
Wright-Fisher. A merge credits each parent with its weight. Where the size changes, descendants are counted in units of
their mean.
"""

from __future__ import annotations

import numpy as np

from evolora_mesa.alife.descent import Descent
from evolora_mesa.alife.history import History, Reals, Whole

__all__ = ["effective_population", "turnovers"]


def turnovers(history: History) -> Whole:
    """Steps at whose ends the population has turned over once more: as many were born as live."""
    share = history.births / np.maximum(history.population, 1)
    done = np.floor(np.cumsum(share) * (1 + 1e-12))
    return np.flatnonzero(np.diff(done, prepend=-1.0) > 0)


def effective_population(history: History) -> Reals:
    """``(turnovers,)``, N_e of each turnover; nan where one agent or nobody was left, inf when all had as many."""
    at = turnovers(history)
    if len(at) < 2:
        return np.empty(0)
    descent = Descent.of(history, at)
    places = len(descent.row)
    descendants = np.bincount(descent.ancestor, descent.credit, minlength=places)
    n = np.diff(descent.first)[:-1].astype(float)
    moments, moment = len(n), descent.moment
    known = moment < moments
    total = np.bincount(moment[known], descendants[known], minlength=moments)
    mean = np.divide(total, n, out=np.zeros(moments), where=n > 0)
    relative = np.divide(descendants, mean[np.minimum(moment, moments - 1)], out=np.zeros(places), where=known)
    spread = np.bincount(moment[known], (relative[known] - 1) ** 2, minlength=moments)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = spread / (n - 1)
        return np.where((n > 1) & (total > 0), (n - 1) / variance, np.nan)
