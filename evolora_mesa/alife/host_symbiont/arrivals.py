"""Children and infections that reach a cell, settled in the order in which they arrive."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evolora_mesa.alife.host_symbiont.interaction import HOST, ID, SYMBIONT

__all__ = ["Arrivals", "Settlement", "settle", "victims"]


class Arrivals(NamedTuple):
    """Newcomers, sorted by cell and then by time.

    Attributes:
        cell: ``[arrivals]`` where they land.
        actor: ``[arrivals]`` cell of the parents.
        hosts: ``[arrivals]`` bool: a child host, which replaces whoever lives there; otherwise an infection.
        newborn: ``[2, 4, arrivals]``; an infection's host is meaningless.
    """

    cell: np.ndarray
    actor: np.ndarray
    hosts: np.ndarray
    newborn: np.ndarray


class Settlement(NamedTuple):
    """What became of the arrivals.

    Attributes:
        enters: ``[arrivals]`` bool: an infection that found a host without a symbiont.
        lord: ``[arrivals]`` the arrival that is the cell's host after this one; -1: the one from before.
        guest: ``[arrivals]`` the arrival that decided on the cell's symbiont; -1: the one from before is there.
        cells: ``[cells]`` that somebody reached, ascending.
        tenants: ``[2, 4, cells]`` who lives there in the end.
    """

    enters: np.ndarray
    lord: np.ndarray
    guest: np.ndarray
    cells: np.ndarray
    tenants: np.ndarray


def settle(arrivals: Arrivals, tenants: np.ndarray) -> Settlement:
    """Let the arrivals in, one after the other at each cell, all cells at once.

    A child host takes the cell with the symbiont it brings, or without any. An infection enters if the host of that
    moment is free: so it is only ever the first after a child host, or after the tenants from before, that can.

    Args:
        arrivals: sorted by cell and time.
        tenants: ``[2, 4, all cells]`` who lived there before.
    """
    cell, _, hosts, newborn = arrivals
    positions = np.arange(len(cell))
    first, last, follows = np.ones((3, len(cell)), bool)  # at their cell; just after a child host
    first[1:] = last[:-1] = cell[1:] != cell[:-1]
    follows[1:] = hosts[:-1]
    taken = tenants[SYMBIONT, ID, cell] >= 0
    brought = np.zeros(len(cell), bool)
    brought[1:] = newborn[SYMBIONT, ID, :-1] >= 0
    enters = ~hosts & np.where(first, ~taken, follows & ~brought)

    start = np.maximum.accumulate(np.where(first, positions, 0))
    lord, guest = (np.maximum.accumulate(np.where(marked, positions, -1)) for marked in (hosts, hosts | enters))
    lord[lord < start] = -1
    guest[guest < start] = -1
    ends = positions[last]
    here = cell[ends]
    return Settlement(enters, lord, guest, here, _tenants(newborn, lord[ends], guest[ends], tenants[:, :, here]))


def victims(arrivals: Arrivals, settlement: Settlement, tenants: np.ndarray) -> np.ndarray:
    """``[2, 4, child hosts]`` whom each child host replaced: the tenants from before, or who came just before it."""
    hosts = np.flatnonzero(arrivals.hosts)
    cell = arrivals.cell
    second = (hosts > 0) & (cell[hosts] == cell[hosts - 1])
    lord, guest = (np.where(second, of[hosts - 1], -1) for of in (settlement.lord, settlement.guest))
    return _tenants(arrivals.newborn, lord, guest, tenants[:, :, cell[hosts]])


def _tenants(newborn: np.ndarray, lord: np.ndarray, guest: np.ndarray, residents: np.ndarray) -> np.ndarray:
    """``residents [2, 4, cells]``, a copy that is overwritten, with the arrivals that took their places."""
    for kind, places in ((HOST, lord), (SYMBIONT, guest)):
        come = np.flatnonzero(places >= 0)
        residents[kind][:, come] = newborn[kind][:, places[come]]
    return residents
