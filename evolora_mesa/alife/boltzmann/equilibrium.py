"""Where the exchange of single units ends up, in closed form (Dragulescu & Yakovenko 2000, Eur. Phys. J. B 17:723).

A unit goes from a random owner to a random other one, so each move is as likely as its reverse, and in the long run all
ways to share M units among n owners are equally likely. For many owners with mean wealth m the share of one is
geometric, P(k) = (1 - q) q^k with q = m / (1 + m), and the Gini coefficient is 1 / (1 + q): 2/3 at m = 1. The often
quoted 1/2 is its limit for m to infinity, where wealth is continuous and exponential.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb

from evolora_mesa.economy.metrics import gini

__all__ = ["expected_gini", "expected_gini_by_counting", "limit_gini"]


def limit_gini(mean: float) -> float:
    """Gini coefficient of many owners, 1 / (1 + q)."""
    return (1 + mean) / (1 + 2 * mean)


def expected_gini(owners: int, units: int) -> Fraction:
    """Mean Gini coefficient of n owners of M units, exactly.

    G = sum_ij |w_i - w_j| / (2 n M), so only the wealth of two owners matters. Together they have s units in one of
    C(M - s + n - 3, n - 3) of the C(M + n - 1, n - 1) ways for each of their s + 1 divisions, over which |w_1 - w_2|
    sums to floor((s + 1)^2 / 2). So

        E[G] = (n - 1) / (2 M) · sum_s floor((s + 1)^2 / 2) · C(M - s + n - 3, n - 3) / C(M + n - 1, n - 1).

    Args:
        owners: at least 2.
        units: at least 1.
    """
    if owners == 2:  # the other two have everything
        apart = (units + 1) ** 2 // 2
    else:
        apart, ways = 0, 1  # of the rest to own nothing, when the two have all M units
        for together in range(units, -1, -1):
            apart += (together + 1) ** 2 // 2 * ways
            rest = units - together + 1
            ways = ways * (rest + owners - 3) // rest
    return Fraction((owners - 1) * apart, 2 * units * comb(units + owners - 1, owners - 1))


def expected_gini_by_counting(owners: int, units: int) -> float:
    """The same by listing every way to share, for small numbers: what the closed form is held against."""
    ways = [way for way in product(range(units + 1), repeat=owners) if sum(way) == units]
    return sum(gini(way) for way in ways) / len(ways)
