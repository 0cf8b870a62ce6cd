"""How unequally energy is spread."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from evolora_mesa.errors import LedgerError

__all__ = ["gini"]


def gini(energy: ArrayLike) -> float:
    """Gini coefficient (Gini 1912): 0 when all own the same, ``(n - 1) / n`` when one owns everything.

    Args:
        energy: what each of n owners has, ``(n,)``, finite and >= 0.

    Returns:
        A number in [0, 1). NaN without owners; 0 when nobody has anything, since all then own the same.

    Raises:
        LedgerError: an energy is negative or not finite.
    """
    owned = np.sort(np.asarray(energy, dtype=np.float64).ravel())
    if not (np.isfinite(owned) & (owned >= 0)).all():
        raise LedgerError("a Gini coefficient needs what owners have", expected="finite numbers of at least 0")
    count = len(owned)
    if count == 0:
        return math.nan
    if owned[-1] == 0:
        return 0.0
    rank_weight = 2 * np.arange(1, count + 1) - count - 1  # poorest 1 - n, richest n - 1
    shares = owned / owned[-1]  # the richest has 1: sums of very small or large energies stay in range
    return max(0.0, float(rank_weight @ shares / (count * shares.sum())))
