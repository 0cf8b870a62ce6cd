"""The economy of the world: energy is conserved, income is scarce, and every cost can be computed beforehand.

Energy enters from the sun into the pools of the cells, is paid to organelles for good answers, and leaves to
the soil as tickets, token bills and rent for adapters. ``Ledger`` books every move; the other modules only
say how much should move.
"""

from __future__ import annotations

from evolora_mesa.economy.costs import Tariff
from evolora_mesa.economy.ledger import KINDS, QUANTA_PER_ENERGY, Ledger
from evolora_mesa.economy.market import settle_claims
from evolora_mesa.economy.metrics import gini
from evolora_mesa.economy.prices import half_success_price

__all__ = [
    "KINDS",
    "QUANTA_PER_ENERGY",
    "Ledger",
    "Tariff",
    "gini",
    "half_success_price",
    "settle_claims",
]
