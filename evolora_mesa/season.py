"""A new season: contracts may shift, the sun fills the pools and the grant fund, and prices follow success and need.

What a season is like follows from the settings, the seed and the generation alone, so there is nothing of it to save.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evolora_mesa.economy import gini, half_success_price
from evolora_mesa.evolution.guards import tilted_prices
from evolora_mesa.ground import contracts_at, shifts_before

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["set_prices", "shift_contracts", "shine"]


def shift_contracts(model: EcologyModel) -> None:
    """When a shift is due, the families exchange the styles they pay for.

    Organelles are told nothing. But the world keeps no measurement of what is paid no more: open trials end, the
    history of these cells is forgotten, and their niches of the archive are empty again.
    """
    families, depths = model.grid.families, model.grid.depths
    shift = shifts_before(model.config, model.tick)
    if shift == shifts_before(model.config, model.tick - 1):
        return
    before, model.contracts = model.contracts, contracts_at(model.config, families, model.tick)
    cells = [(family, depth) for family in families for depth in range(1, depths + 1)]
    changed = [number for number, cell in enumerate(cells) if before.style(*cell) != model.contracts.style(*cell)]
    model.gatehouse.close_season(model)
    model.history.forget(np.array(changed))
    emptied = model.archive.forget(np.array(changed)).tolist() if model.archive is not None else []
    moved = list(dict.fromkeys(cells[number][0] for number in changed))
    model.events.append(("season", None, {"shift": shift, "changed": moved, "emptied": emptied}))


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
