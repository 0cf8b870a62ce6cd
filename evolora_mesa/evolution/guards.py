"""Guards of diversity. They act through prices only: nobody is forbidden anything, and nothing is taken away."""

from __future__ import annotations

from typing import Final

import numpy as np

__all__ = ["birth_prices", "tilted_prices"]

_MOST_TILT: Final = 0.5  # of a price, up or down


def tilted_prices(
    price: np.ndarray, wealth_of_cell: np.ndarray, gini: float, cap: float, strength: float
) -> np.ndarray:
    """Prices while energy is too unequal: cells of the poor pay more, cells of the rich less.

    A cell's price changes by ``strength * (gini - cap) / (1 - cap)`` times how far its wealth is from the mean of all
    worked cells, relative to that mean; by half at most. Whichever side, the rises or the cuts, weighs more is scaled
    down until both weigh the same, so that the world pays no more and no less than before.

    Args:
        price: ``[families, depths]`` energy for a full reward, from 0.
        wealth_of_cell: ``[families, depths]`` mean energy of the organelles that work there; nan where nobody does.
        gini: of the energy of all, in [0, 1); nan without owners.
        cap: inequality up to which prices stay exactly as they are, in [0, 1].
        strength: from 0.

    Returns:
        New prices ``[families, depths]``: those of worked cells between a half and three halves of the old and with the
        same mean, those of other cells unchanged.
    """
    worked = ~np.isnan(wealth_of_cell)
    tilted = np.array(price, dtype=np.float64)
    if not gini > cap or not worked.any():  # nan is not above the cap
        return tilted
    wealth, old = wealth_of_cell[worked], tilted[worked]
    mean = wealth.mean()
    if mean <= 0:
        return tilted
    tilt = strength * (gini - cap) / (1 - cap) * (1 - wealth / mean)  # above 0 for the poor
    change = old * tilt.clip(-_MOST_TILT, _MOST_TILT)
    rises, cuts = change.clip(min=0), change.clip(max=0)
    raised, cut = rises.sum(), -cuts.sum()
    balanced = min(raised, cut)
    if balanced > 0:
        tilted[worked] = old + rises * (balanced / raised) + cuts * (balanced / cut)
    return tilted


def birth_prices(base: float, lineage: np.ndarray, cap: float, strength: float) -> np.ndarray:
    """What a birth costs each of n organelles: more for those whose lineage holds too much of the population.

    Args:
        base: price in energy up to the cap.
        lineage: ``[n]`` of the whole population.
        cap: share of the population above which a lineage pays more, in [0, 1].
        strength: from 0; an only lineage pays ``base * (1 + strength)``.

    Returns:
        ``[n]`` ``base * (1 + strength * (share - cap) / (1 - cap))`` above the cap, exactly ``base`` elsewhere.
    """
    prices = np.full(len(lineage), float(base))
    _, place, sizes = np.unique(lineage, return_inverse=True, return_counts=True)
    share = sizes[place] / max(len(lineage), 1)
    above = share > cap
    prices[above] *= 1 + strength * (share[above] - cap) / (1 - cap)
    return prices
