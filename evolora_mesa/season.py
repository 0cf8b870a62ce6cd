"""A new season: the sun fills the pools and the grant fund, and prices follow success and need."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evolora_mesa.economy import gini, half_success_price
from evolora_mesa.evolution.guards import tilted_prices

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["set_prices", "shine"]


def shine(model: EcologyModel) -> None:
    """The sun fills every cell's pool and the grant fund, up to their limits."""
    economy, gate, ledger = model.config.economy, model.config.gate, model.ledger
    room = np.clip(economy.pool_limit - ledger.balance(model.cell_accounts), 0.0, economy.inflow)
    ledger.transfer(model.sun, model.cell_accounts, room, "inflow")
    due = min(max(gate.grant_limit - ledger.balance(model.grant), 0.0), gate.grant_inflow)
    ledger.transfer(model.sun, model.grant, due, "grant inflow")


def set_prices(model: EcologyModel) -> None:
    """Cells pay most where half the answers succeed; while energy is too unequal, cells of the poor pay more."""
    economy, guard = model.config.economy, model.config.diversity
    price = half_success_price(model.grid.layer("success"), economy.price_low, economy.price_high)
    organelles = model.organelles()
    if organelles:
        energy = np.array([organelle.energy for organelle in organelles])
        places = np.array([organelle.cell.coordinate for organelle in organelles])
        total, count = np.zeros(price.shape), np.zeros(price.shape)
        np.add.at(total, tuple(places.T), energy)
        np.add.at(count, tuple(places.T), 1)
        wealth = np.divide(total, count, out=np.full(price.shape, np.nan), where=count > 0)
        price = tilted_prices(price, wealth, gini(energy), guard.gini_cap, guard.gini_strength)
    model.grid.layer("price")[:] = price
