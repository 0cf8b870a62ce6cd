"""One update, in which the hosts act one after the other in random order, computed for all of them at once.

What a cell does depends on those that acted before it: their children may have replaced its tenants, their symbionts
infected its host. So turns are taken on a guess (nobody is disturbed), the arrivals before each cell's own turn are
settled, the cells that they changed take their turns again, and so on until nothing changes. Because influence runs
forward in time only, this ends, and ends at exactly what a loop over the hosts gives. It takes three or four rounds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from evolora_mesa.alife.host_symbiont.arrivals import Arrivals, settle, victims
from evolora_mesa.alife.host_symbiont.interaction import (
    GENERATION,
    HOST,
    ID,
    NOBODY,
    POINTS,
    SYMBIONT,
    VALUE,
    Outcome,
    Rules,
    take_turn,
)

__all__ = ["Draws", "Update", "draw", "update"]


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


class Update(NamedTuple):
    """What happened.

    Attributes:
        tenants: ``[2, 4, cells]`` afterwards.
        gains: ``[2]`` points earned by all hosts, by all symbionts.
        paid: ``[2]`` points spent on offspring.
        born: by kind, ``[4, births]`` in the order of birth.
        parents: by kind, ``[births]`` ids.
        changed: by kind, ``[births]`` bool: the value was mutated.
        dead: by kind, ``[4, deaths]`` as they were when they were replaced.
    """

    tenants: np.ndarray
    gains: np.ndarray
    paid: np.ndarray
    born: tuple[np.ndarray, np.ndarray]
    parents: tuple[np.ndarray, np.ndarray]
    changed: tuple[np.ndarray, np.ndarray]
    dead: tuple[np.ndarray, np.ndarray]


def update(tenants: np.ndarray, draws: Draws, rules: Rules, next_id: int) -> Update:
    """Feed everybody, let everybody reproduce who can.

    Args:
        tenants: ``[2, 4, cells]`` before; not changed.
        draws: the chance of this update.
        rules: of the world.
        next_id: the newborn are numbered from here, hosts first, in the order of birth.
    """
    at_turn, acts, early = _rounds(tenants, draws, rules, next_id)
    late = _arrivals(tenants, at_turn, acts, draws, next_id, early=False)
    before, after = settle(early, tenants), settle(late, acts.after)
    end = acts.after.copy()
    end[:, :, after.cells] = after.tenants

    both = Arrivals(*(np.concatenate(pair, axis=-1) for pair in zip(early, late, strict=True)))
    enters = np.concatenate([before.enters, after.enters])
    evicted = np.concatenate([victims(early, before, tenants), victims(late, after, acts.after)], axis=-1)
    comes = (both.hosts, enters | (both.hosts & (both.newborn[SYMBIONT, ID] >= 0)))
    born, parents, changed = [], [], []
    for kind in (HOST, SYMBIONT):
        rows, actor = both.newborn[kind][:, comes[kind]], both.actor[comes[kind]]
        which = np.zeros(len(actor), int) if kind == HOST else np.where(both.hosts[comes[kind]], 1, 2)
        order = np.argsort(rows[ID])
        born.append(rows[:, order])
        parents.append(at_turn[kind, ID, actor][order])
        changed.append((draws.changes[which, actor] != 0)[order])
    gone = (evicted[HOST], evicted[SYMBIONT][:, evicted[SYMBIONT, ID] >= 0])

    counts = _numbering(born, next_id)
    for kind in (HOST, SYMBIONT):
        for ids in (born[kind][ID], gone[kind][ID], end[kind][ID], parents[kind]):
            counts[kind](ids)
    paid = (at_turn[:, POINTS] + acts.gains - acts.after[:, POINTS]).sum(axis=1)
    return Update(
        end, acts.gains.sum(axis=1), paid, (born[0], born[1]), (parents[0], parents[1]), (changed[0], changed[1]), gone
    )


def _numbering(born: Sequence[np.ndarray], next_id: int) -> list[Callable[[np.ndarray], None]]:
    """By kind, what writes consecutive ids over moments of birth, which are kept in place of ids during an update."""

    def counter(moments: np.ndarray, first: int) -> Callable[[np.ndarray], None]:
        def count(ids: np.ndarray) -> None:
            new = ids >= next_id
            ids[new] = first + np.searchsorted(moments, ids[new])

        return count

    hosts, symbionts = (rows[ID].copy() for rows in born)
    return [counter(hosts, next_id), counter(symbionts, next_id + len(hosts))]


def _rounds(tenants: np.ndarray, draws: Draws, rules: Rules, next_id: int) -> tuple[np.ndarray, Outcome, Arrivals]:
    """Tenants as their turns find them, what the turns come to, and the arrivals that precede the cells' turns."""
    at_turn = tenants.copy()
    acts = take_turn(at_turn, draws.transmits, rules)
    disturbed = np.empty(0, np.intp)
    while True:
        early = _arrivals(tenants, at_turn, acts, draws, next_id, early=True)
        found = settle(early, tenants)
        if np.array_equal(found.cells, disturbed) and np.array_equal(found.tenants, at_turn[:, :, disturbed]):
            return at_turn, acts, early
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
