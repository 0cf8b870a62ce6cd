"""What a host and its symbiont make of one meal (Vostinar & Ofria 2018, Artificial Life 24:229; Symbulation)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["GENERATION", "HOST", "ID", "NOBODY", "POINTS", "SYMBIONT", "VALUE", "Outcome", "Rules", "take_turn"]

# Tenants are one float array ``[2, 4, cells]``: who lives there, and what is known of them.
HOST, SYMBIONT = 0, 1
VALUE, POINTS, GENERATION, ID = 0, 1, 2, 3
NOBODY = -1.0  # the ID of a symbiont that is not there


class Rules(NamedTuple):
    """What does not change during a run.

    Attributes:
        meal: points that every host is given in an update.
        synergy: by how much a symbiont's return grows on its way to the host.
        host_price: points at which a host has a child, and which it then loses.
        symbiont_price: the same for a symbiont's infectious offspring.
    """

    meal: float = 100.0
    synergy: float = 5.0
    host_price: float = 1000.0
    symbiont_price: float = 100.0


class Outcome(NamedTuple):
    """What the turns of some cells came to.

    Attributes:
        after: tenants ``[2, 4, cells]`` after their own turns.
        gains: ``[2, cells]`` points earned by host and symbiont.
        births: ``[cells]`` bool: the host has a child.
        carried: ``[cells]`` bool: the child takes a copy of the symbiont along.
        infections: ``[cells]`` bool: the symbiont sends out offspring.
    """

    after: np.ndarray
    gains: np.ndarray
    births: np.ndarray
    carried: np.ndarray
    infections: np.ndarray


def _gains(host: np.ndarray, symbiont: np.ndarray, infected: np.ndarray, rules: Rules) -> np.ndarray:
    """``[2, cells]`` points for interaction values in [-1, 1]; what a lone host would donate or defend with is lost."""
    donated = rules.meal * np.maximum(host, 0.0) * infected
    kept = rules.meal * (1.0 - np.abs(host))
    stolen = np.maximum(np.minimum(host, 0.0) - symbiont, 0.0) * kept * infected
    returned = donated * np.maximum(symbiont, 0.0)
    return np.stack([kept - stolen + rules.synergy * returned, donated - returned + stolen])


def take_turn(tenants: np.ndarray, transmits: np.ndarray, rules: Rules) -> Outcome:
    """Every cell eats; then its host has a child if it can pay, then its symbiont.

    Args:
        tenants: ``[2, 4, cells]`` as their turns find them.
        transmits: ``[cells]`` bool: a symbiont that is there goes along with the child.
        rules: of the world.
    """
    infected = tenants[SYMBIONT, ID] >= 0
    gains = _gains(tenants[HOST, VALUE], tenants[SYMBIONT, VALUE], infected, rules)
    after = tenants.copy()
    after[:, POINTS] += gains
    births = after[HOST, POINTS] >= rules.host_price
    infections = infected & (after[SYMBIONT, POINTS] >= rules.symbiont_price)
    after[HOST, POINTS, births] = 0.0
    after[SYMBIONT, POINTS, infections] = 0.0
    return Outcome(after, gains, births, births & infected & transmits, infections)
