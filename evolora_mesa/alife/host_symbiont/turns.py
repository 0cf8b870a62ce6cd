"""Hosts that take their turns one after the other, in random order, computed for all of them at once.

What a cell does depends on those that acted before it: their children may have replaced its tenants, their symbionts
infected its host. So turns are taken on a guess (nobody is disturbed), the arrivals before each cell's own turn are
settled, the cells that they changed take their turns again, and so on until nothing changes. Because influence runs
forward in time only, this ends, and ends at exactly what a loop over the hosts gives. It takes three or four rounds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from evolora_mesa.alife.host_symbiont.arrivals import Arrivals, Settlement, settle
from evolora_mesa.alife.host_symbiont.interaction import (
    GENERATION,
    HOST,
    ID,
    NOBODY,
    SYMBIONT,
    VALUE,
    Outcome,
    Rules,
    take_turn,
)

__all__ = ["Draws", "Turns", "Wave", "draw", "take_turns"]


class Draws(NamedTuple):
    """All chance of one update, drawn before it, by the cell that acts.

    Attributes:
        rank: ``[cells]`` position of each cell in the order of turns.
        targets: ``[2, cells]`` another cell: where the host's child lands, where the symbiont's offspring goes.
        transmits: ``[cells]`` bool: the symbiont goes along with the host's child.
        changes: ``[3, cells]`` mutation of the child host, of the symbiont it takes along, of the infecting one.
    """

    rank: np.ndarray
    targets: np.ndarray
    transmits: np.ndarray
    changes: np.ndarray


def draw(
    rng: np.random.Generator, neighbours: np.ndarray | None, cells: int, *, vertical: float, size: float, rate: float
) -> Draws:
    """The chance of one update.

    Args:
        rng: what draws.
        neighbours: ``[cells, 8]`` where offspring can go; nothing: to every other cell.
        cells: of the world.
        vertical: chance that a symbiont goes along with its host's child.
        size: standard deviation of a mutation.
        rate: chance of a mutation.
    """
    here = np.arange(cells)
    if neighbours is None:
        targets = (here + rng.integers(1, cells, (2, cells))) % cells
    else:
        targets = neighbours[here, rng.integers(0, neighbours.shape[1], (2, cells))]
    changes = rng.normal(0.0, size, (3, cells))
    if rate < 1.0:
        changes *= rng.random((3, cells)) < rate
    return Draws(rng.permutation(cells), targets, rng.random(cells) < vertical, changes)


class Wave(NamedTuple):
    """Arrivals, those who lived there before ``[2, 4, all cells]``, and what became of both."""

    arrivals: Arrivals
    tenants: np.ndarray
    settlement: Settlement


class Turns(NamedTuple):
    """All turns of an update.

    Attributes:
        at_turn: ``[2, 4, cells]`` tenants as their turns found them.
        acts: what they did.
        early, late: who came to a cell before its turn, and after it.
        end: ``[2, 4, cells]`` tenants afterwards.
    """

    at_turn: np.ndarray
    acts: Outcome
    early: Wave
    late: Wave
    end: np.ndarray


def take_turns(tenants: np.ndarray, draws: Draws, rules: Rules, next_id: int) -> Turns:
    """Feed everybody, let everybody reproduce who can.

    Args:
        tenants: ``[2, 4, cells]`` before; not changed.
        draws: the chance of this update.
        rules: of the world.
        next_id: from here on, IDs are moments of birth: ``next_id`` and twice the rank of the turn, or one more.
    """
    at_turn, acts, arrivals, settlement = _rounds(tenants, draws, rules, next_id)
    early = Wave(arrivals, tenants, settlement)
    arrivals = _arrivals(tenants, at_turn, acts, draws, next_id, early=False)
    late = Wave(arrivals, acts.after, settle(arrivals, acts.after))
    end = acts.after.copy()
    end[:, :, late.settlement.cells] = late.settlement.tenants
    return Turns(at_turn, acts, early, late, end)


def _rounds(
    tenants: np.ndarray, draws: Draws, rules: Rules, next_id: int
) -> tuple[np.ndarray, Outcome, Arrivals, Settlement]:
    """Tenants as their turns find them, what the turns come to, and the arrivals that precede the cells' turns."""
    at_turn = tenants.copy()
    acts = take_turn(at_turn, draws.transmits, rules)
    disturbed = np.empty(0, np.intp)
    while True:
        early = _arrivals(tenants, at_turn, acts, draws, next_id, early=True)
        found = settle(early, tenants)
        if np.array_equal(found.cells, disturbed) and np.array_equal(found.tenants, at_turn[:, :, disturbed]):
            return at_turn, acts, early, found
        again = _either(len(draws.rank), disturbed, found.cells)
        at_turn[:, :, disturbed] = tenants[:, :, disturbed]
        at_turn[:, :, found.cells] = found.tenants
        for whole, part in zip(acts, take_turn(at_turn[:, :, again], draws.transmits[again], rules), strict=True):
            whole[..., again] = part
        disturbed = found.cells


def _either(size: int, *places: np.ndarray) -> np.ndarray:
    """Places below ``size`` that any of the arrays names, ascending."""
    marks = np.zeros(size, bool)
    for some in places:
        marks[some] = True
    return np.flatnonzero(marks)


def _arrivals(
    tenants: np.ndarray, at_turn: np.ndarray, acts: Outcome, draws: Draws, next_id: int, *, early: bool
) -> Arrivals:
    """The newcomers that reach a cell before its own turn, or after it, by cell and time; ``tenants`` of the start."""
    families, senders = np.flatnonzero(acts.births), np.flatnonzero(acts.infections)
    births, infections = draws.targets[HOST, families], draws.targets[SYMBIONT, senders]
    open_to = tenants[SYMBIONT, ID] < 0
    open_to[births] = True
    hopeful = open_to[infections]  # in a plague one in twenty: the others' hosts were and remain infected
    actor = np.concatenate([families, senders[hopeful]])
    cell = np.concatenate([births, infections[hopeful]])
    hosts = np.arange(len(actor)) < len(families)
    in_time = (draws.rank[actor] < draws.rank[cell]) == early
    actor, cell, hosts = actor[in_time], cell[in_time], hosts[in_time]
    time = 2 * draws.rank[actor] + ~hosts  # a host's child comes before its symbiont's offspring
    order = np.argsort(cell * (2 * len(draws.rank)) + time)
    actor, cell, hosts, moment = actor[order], cell[order], hosts[order], next_id + 2 * time[order]
    newborn = np.zeros((2, 4, len(actor)))
    newborn[HOST] = _children(at_turn[HOST][:, actor], draws.changes[0, actor], moment)
    changes = np.where(hosts, draws.changes[1, actor], draws.changes[2, actor])
    newborn[SYMBIONT] = _children(at_turn[SYMBIONT][:, actor], changes, moment + hosts)
    alone = hosts & ~acts.carried[actor]
    newborn[SYMBIONT][:, alone] = 0.0
    newborn[SYMBIONT, ID, alone] = NOBODY
    return Arrivals(cell, actor, hosts, newborn)


def _children(parents: np.ndarray, changes: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """``[4, children]``: the parent's value, changed and kept in [-1, 1], no points, one generation on."""
    rows = np.zeros_like(parents)
    rows[VALUE] = np.clip(parents[VALUE] + changes, -1.0, 1.0)
    rows[GENERATION] = parents[GENERATION] + 1.0
    rows[ID] = ids
    return rows
