"""A new season: contracts may shift, families leave and come, the sun fills the pools and the grant fund, and prices
follow success and need.

What a season is like follows from the settings, the seed and the generation alone, so there is nothing of it to save.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evolora_mesa.economy import gini, half_success_price
from evolora_mesa.evolution.guards import tilted_prices
from evolora_mesa.ground import contracts_at, open_cells
from evolora_mesa.society.charter import leave_cells

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["move_families", "set_prices", "shift_contracts", "shine"]


def shift_contracts(model: EcologyModel) -> None:
    """When a shift is due, the families exchange the styles they pay for.

    Organelles are told nothing. But the world keeps no measurement of what is paid no more: open trials end, the
    history of these cells is forgotten, and their niches of the archive are empty again.
    """
    families, depths = model.grid.families, model.grid.depths
    seasons = model.config.seasons
    shift = seasons.shifts_until(model.tick)
    if shift == seasons.shifts_until(model.tick - 1):
        return
    before, model.contracts = model.contracts, contracts_at(model.config, families, model.tick)
    cells = [(family, depth) for family in families for depth in range(1, depths + 1)]
    changed = [number for number, cell in enumerate(cells) if before.style(*cell) != model.contracts.style(*cell)]
    model.gatehouse.close_season(model)
    model.history.forget(np.array(changed))
    emptied = model.archive.forget(np.array(changed)).tolist() if model.archive is not None else []
    moved = list(dict.fromkeys(cells[number][0] for number in changed))
    model.events.append(("season", None, {"shift": shift, "changed": moved, "emptied": emptied}))


def move_families(model: EcologyModel) -> None:
    """When it is time, families leave the grid or come back to it.

    Cells of a family that has left take no work, cost and pay nothing, and are in no trial; what is in their pools and
    niches waits. What was done there is forgotten, so that nobody's main cells are among them.
    """
    families, before = model.grid.families, model.open
    model.open = open_cells(model.config, families, model.tick)
    left, came = (before & ~model.open).any(1), (model.open & ~before).any(1)
    if left.any():
        model.gatehouse.close_season(model)
        model.history.forget(np.flatnonzero(before & ~model.open))
        leave_cells(model, np.flatnonzero(model.open))
    for kind, moved in (("families_left", left), ("families_came", came)):
        if moved.any():
            model.events.append((kind, None, {"families": [families[place] for place in np.flatnonzero(moved)]}))


def shine(model: EcologyModel) -> None:
    """The sun fills every open cell's pool and the grant fund, up to their limits; less in winter."""
    economy, gate, ledger = model.config.economy, model.config.gate, model.ledger
    _tell_of_winter(model)
    winter = model.config.seasons.winter_at(model.tick)
    share = 1.0 if winter is None else winter.inflow
    limits = np.where(model.open.ravel(), share * economy.inflow, 0.0)
    room = np.clip(economy.pool_limit - ledger.balance(model.cell_accounts), 0.0, limits)
    ledger.transfer(model.sun, model.cell_accounts, room, "inflow")
    due = min(max(gate.grant_limit - ledger.balance(model.grant), 0.0), share * gate.grant_inflow)
    ledger.transfer(model.sun, model.grant, due, "grant inflow")


def _tell_of_winter(model: EcologyModel) -> None:
    """Put its begin and end on record."""
    before, now = (model.config.seasons.winter_at(generation) for generation in (model.tick - 1, model.tick))
    if now is before:
        return
    if before is not None:
        model.events.append(("winter_ended", None, {}))
    if now is not None:
        model.events.append(("winter_began", None, {"inflow": now.inflow, "until": now.until}))


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
    model.grid.layer("price")[:] = np.where(model.open, price, 0.0)
