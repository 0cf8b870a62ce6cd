"""How energy is spread, earned and conserved.

Gini (1912): G = sum_i (2 i - n - 1) x_i / (n sum x) over sorted x >= 0. Balances below zero have no Gini coefficient;
their share is told instead of hiding them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evolora_mesa.alife.invariants import energy_changes
from evolora_mesa.alife.log import EventLog
from evolora_mesa.economy.metrics import gini

__all__ = ["EnergySpread", "closure_error", "energy_return", "energy_spread"]


class EnergySpread(NamedTuple):
    """Of the living at one snapshot.

    Attributes:
        gini: of those whose balance is not negative, in [0, 1); nan without any.
        negative: share of the living with a negative balance.
    """

    gini: float
    negative: float


def energy_spread(log: EventLog, mark: int = -1) -> EnergySpread | None:
    """Gini coefficient of energy at a snapshot, by default the last one; None when energies are not known."""
    marks = log.stream("marks")
    if not len(marks):
        return None
    first, size = int(marks["first"][mark]), int(marks["size"][mark])
    energy = log.stream("snapshots")["energy"][first : first + size]
    if not size or not np.isfinite(energy).all():
        return None
    return EnergySpread(gini(energy[energy >= 0]), float((energy < 0).mean()))


def energy_return(log: EventLog) -> float | None:
    """Sum of rewards / sum of costs of all evaluations; None when nothing was tried or nothing paid for."""
    evals = log.stream("evals")
    cost = float(evals["cost"].sum()) if len(evals) else 0.0
    return float(evals["reward"].sum()) / cost if cost > 0 else None


def closure_error(log: EventLog) -> float | None:
    """Largest difference between what the living hold and what the accounts say, as a share of all energy moved."""
    moved = log.stream("energy")["amount"]
    if not len(moved) or not len(log.stream("marks")):
        return None
    gained, booked = energy_changes(log)
    return float(np.abs(gained - booked).max() / max(np.abs(moved).sum(), 1e-300))
