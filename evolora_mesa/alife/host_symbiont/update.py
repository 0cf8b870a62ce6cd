"""One update of the world, and the register of who was born in it and who died."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from evolora_mesa.alife.host_symbiont.arrivals import Arrivals, victims
from evolora_mesa.alife.host_symbiont.interaction import HOST, ID, POINTS, SYMBIONT, Rules
from evolora_mesa.alife.host_symbiont.turns import Draws, Turns, take_turns

__all__ = ["Births", "Update", "update"]


class Births(NamedTuple):
    """The newborn of one kind, in the order of birth.

    Attributes:
        rows: ``[4, births]`` as they were born.
        parents: ``[births]`` ids.
        mutated: ``[births]`` bool: the value was changed.
    """

    rows: np.ndarray
    parents: np.ndarray
    mutated: np.ndarray


class Update(NamedTuple):
    """What happened; hosts first, then symbionts.

    Attributes:
        tenants: ``[2, 4, cells]`` afterwards.
        gains: ``[2]`` points earned.
        paid: ``[2]`` points spent on offspring.
        born: by kind.
        dead: by kind, ``[4, deaths]`` as they were when they were replaced.
    """

    tenants: np.ndarray
    gains: np.ndarray
    paid: np.ndarray
    born: tuple[Births, Births]
    dead: tuple[np.ndarray, np.ndarray]


def update(tenants: np.ndarray, draws: Draws, rules: Rules, next_id: int) -> Update:
    """Everybody takes a turn.

    Args:
        tenants: ``[2, 4, cells]`` before; not changed.
        draws: the chance of this update.
        rules: of the world.
        next_id: the newborn are numbered from here, hosts first, in the order of birth.
    """
    turns = take_turns(tenants, draws, rules, next_id)
    born, dead = _births(turns, draws), _deaths(turns)
    first = next_id
    for kind in (HOST, SYMBIONT):
        count = _counter(born[kind].rows[ID].copy(), next_id, first)
        for ids in (born[kind].rows[ID], born[kind].parents, dead[kind][ID], turns.end[kind, ID]):
            count(ids)
        first += len(born[kind].parents)
    gains = turns.acts.gains.sum(axis=1)
    paid = turns.at_turn[:, POINTS].sum(axis=1) + gains - turns.acts.after[:, POINTS].sum(axis=1)
    return Update(turns.end, gains, paid, born, dead)


def _births(turns: Turns, draws: Draws) -> tuple[Births, Births]:
    """Child hosts; symbionts that came with them or entered a host that was free."""
    pairs = zip(turns.early.arrivals, turns.late.arrivals, strict=True)
    everybody = Arrivals(*(np.concatenate(pair, axis=-1) for pair in pairs))
    entered = np.concatenate([turns.early.settlement.enters, turns.late.settlement.enters])
    carried = everybody.hosts & (everybody.newborn[SYMBIONT, ID] >= 0)

    def of(kind: int, come: np.ndarray, change: np.ndarray) -> Births:
        rows, actor = everybody.newborn[kind][:, come], everybody.actor[come]
        order = np.argsort(rows[ID])
        mutated = draws.changes[change[come], actor] != 0
        return Births(rows[:, order], turns.at_turn[kind, ID, actor][order], mutated[order])

    way = np.where(everybody.hosts, 1, 2)  # rows of `Draws.changes`
    return of(HOST, everybody.hosts, np.zeros_like(way)), of(SYMBIONT, carried | entered, way)


def _deaths(turns: Turns) -> tuple[np.ndarray, np.ndarray]:
    """Hosts that were replaced, and their symbionts."""
    waves = (turns.early, turns.late)
    evicted = np.concatenate([victims(wave.arrivals, wave.settlement, wave.tenants) for wave in waves], axis=-1)
    return evicted[HOST], evicted[SYMBIONT][:, evicted[SYMBIONT, ID] >= 0]


def _counter(moments: np.ndarray, next_id: int, first: int) -> Callable[[np.ndarray], None]:
    """What overwrites moments of birth, from ``next_id`` on, by consecutive ids from ``first`` on."""

    def count(ids: np.ndarray) -> None:
        new = ids >= next_id
        ids[new] = first + np.searchsorted(moments, ids[new])

    return count
