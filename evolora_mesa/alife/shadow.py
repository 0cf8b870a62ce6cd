"""Neutral shadows, replayed from a log: the same births and deaths at the same times, but of agents drawn by lot.

Bedau, Snyder & Packard (1998); Rechtsteiner & Bedau (1999). In every step of the log, a shadow has as many births,
deaths and changes as the log. A parent is drawn among those alive at the beginning of the step, a victim among the
living: newborns of the step if the real victim was one, else the older ones, so that generations that replace each
other at once still do. A child that had its parent's component copies the drawn parent's; one that had a component of
its own has the same one here, for mutations are the same and only selection is gone. Founders and those who come from
outside are taken over as they are. Sorts of agents that never descend from each other, such as hosts and symbionts, are
replayed one by one, or a shadow would breed symbionts from hosts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.history import History, Whole
from evolora_mesa.alife.log_schema import NONE

__all__ = ["shadows"]

_MOST_CELLS: Final = 60_000_000  # of 4 bytes, in the arrays of the shadows that are replayed together


def shadows(history: History, count: int = 20, *, seed: int = 0) -> Iterator[History]:
    """Shadows of ``history``, one after the other; the same for the same seed.

    Args:
        count: how many; they are replayed together as far as memory allows.
        seed: the draws of parents and victims depend on it alone, not on the kind of component.
    """
    cells = len(history.born) + len(history.child) + 3 * len(history.component)
    together = max(1, min(count, _MOST_CELLS // max(cells, 1)))
    parts = [_Part.of(history, sort) for sort in range(int(history.sort.max(initial=0)) + 1)]
    for first in range(0, count, together):
        number = min(together, count - first)
        replays = []
        for sort, part in enumerate(parts):
            key = (first, sort) if sort else (first,)
            replays.append(_Replay(part.history, number, np.random.SeedSequence(seed, spawn_key=key)))
            for step in range(len(history.step)):
                replays[-1].play(step)
        for k in range(number):
            yield _whole(history, parts, replays, k)


@dataclass(frozen=True)
class _Part:
    """What a history tells of one sort, as a history of its own.

    Attributes:
        agents, links, tenures: their rows in the whole history.
    """

    agents: Whole
    links: Whole
    tenures: Whole
    history: History

    @classmethod
    def of(cls, whole: History, sort: int) -> _Part:
        mine = whole.sort == sort
        agents, links, tenures = map(np.flatnonzero, (mine, mine[whole.child], mine[whole.owner]))
        row, link = np.full(len(whole.born), NONE), np.full(len(whole.child) + 1, NONE)  # the last: no link
        row[agents], link[links] = np.arange(len(agents)), np.arange(len(links))
        part = replace(
            whole,
            **{name: getattr(whole, name)[agents] for name in ("born", "died", "literal", "sort")},
            **{name: row[getattr(whole, name)[links]] for name in ("child", "parent")},
            **{name: getattr(whole, name)[tenures] for name in ("component", "start", "stop")},
            weight=whole.weight[links],
            owner=row[whole.owner[tenures]],
            source=link[whole.source[agents]],
        )
        return cls(agents, links, tenures, part)


def _whole(real: History, parts: list[_Part], replays: list[_Replay], k: int) -> History:
    """The ``k``-th shadow of all sorts together."""
    parent, died, component, owner, stop = (
        np.empty_like(column) for column in (real.parent, real.died, real.component, real.owner, real.stop)
    )
    for part, replay in zip(parts, replays, strict=True):
        parent[part.links], died[part.agents] = part.agents[replay.parent[k]], replay.died[k]
        component[part.tenures], stop[part.tenures] = replay.component[k], replay.stop[k]
        owner[part.tenures] = part.agents[replay.owner[k]]
    # What a shadow copied is read off its components; nobody replays a shadow of a shadow.
    source = np.full(len(real.born), NONE)
    return replace(real, parent=parent, died=died, component=component, owner=owner, stop=stop, source=source)


class _Replay:
    """Shadows side by side: ``k`` of them, as rows of all arrays."""

    def __init__(self, history: History, k: int, seed: np.random.SeedSequence) -> None:
        self.real, self.k = history, k
        descent, plastic = seed.spawn(2)
        self.lots, self.change_lots = np.random.default_rng(descent), np.random.default_rng(plastic)
        self.each = np.arange(k)[:, None]
        n, end = len(history.born), len(history.step)
        self.parent = np.tile(history.parent.astype(np.int32), (k, 1))  # (k, m)
        self.died = np.full((k, n), end, np.int32)  # (k, n)
        self.component = np.tile(history.component.astype(np.int64), (k, 1))  # (k, q)
        self.owner = np.tile(history.owner.astype(np.int32), (k, 1))  # (k, q)
        self.stop = np.full((k, len(history.component)), end, np.int32)  # (k, q)
        self.living = np.empty((k, 0), np.int32)  # rows of the living
        self.tenure = np.empty((k, 0), np.int32)  # and what each of them has
        steps = np.arange(end + 1)
        self.births = np.searchsorted(history.born, steps)
        self.links = np.searchsorted(history.child, self.births)
        self.changes = n + np.searchsorted(history.start[n:], steps)
        self.old_deaths = np.bincount(history.died[history.died > history.born], minlength=end + 1)
        self.new_deaths = np.bincount(history.died[history.died == history.born], minlength=end + 1)
        gone = history.died[history.parent] < history.born[history.child]  # out of an archive
        self.drawn = ~(history.literal[history.child] | gone)  # (m,)
        self.nth = np.arange(len(history.child)) - history.links_of[0][history.child]  # of the child's parents

    def play(self, step: int) -> None:
        """The births, changes and deaths of one step."""
        before = self.living.shape[1]
        newborns = np.arange(self.births[step], self.births[step + 1], dtype=np.int32)
        if len(newborns) and before:
            self._draw_parents(slice(self.links[step], self.links[step + 1]))
        if len(newborns):
            joined = np.broadcast_to(newborns, (self.k, len(newborns)))
            self.living = np.concatenate([self.living, joined], axis=1)
            self.tenure = np.concatenate([self.tenure, joined], axis=1)  # a birth's tenure has the number of its row
        for change in range(self.changes[step], self.changes[step + 1]):
            self._change(change, step)
        old, new = self.old_deaths[step], self.new_deaths[step]
        if old or new:
            self._kill(step, before, int(old), int(new))

    def _draw_parents(self, links: slice) -> None:
        numbers = np.flatnonzero(self.drawn[links]) + links.start
        if not len(numbers):
            return
        living = self.living.shape[1]
        lot = self.lots.integers(living, size=(self.k, len(numbers)))
        nth = self.nth[numbers]
        if nth.any() and living > 1:  # further parents are others than the first
            place = np.maximum.accumulate(np.where(nth == 0, np.arange(len(numbers)), 0))
            other = self.lots.integers(1, living, size=lot.shape)
            lot = np.where(nth > 0, (lot[:, place] + other) % living, lot)
        self.parent[:, numbers] = np.take_along_axis(self.living, lot, axis=1)
        copied = self.real.source[self.real.child[numbers]] == numbers
        if copied.any():
            children = self.real.child[numbers[copied]]
            tenures = np.take_along_axis(self.tenure, lot[:, copied], axis=1)
            self.component[:, children] = self.component[self.each, tenures]

    def _change(self, change: int, step: int) -> None:
        if not self.living.shape[1]:
            return
        lot = self.change_lots.integers(self.living.shape[1], size=self.k)
        each = self.each[:, 0]
        self.stop[each, self.tenure[each, lot]] = step
        self.tenure[each, lot] = change
        self.owner[:, change] = self.living[each, lot]

    def _kill(self, step: int, before: int, old: int, new: int) -> None:
        everybody = self.living.shape[1]
        dead = np.zeros((self.k, everybody), bool)
        _mark(self.lots, dead[:, :before], old)
        _mark(self.lots, dead[:, before:], new)
        each = np.broadcast_to(self.each, dead.shape)[dead]
        self.died[each, self.living[dead]] = step
        self.stop[each, self.tenure[dead]] = step
        left = everybody - old - new
        self.living = self.living[~dead].reshape(self.k, left)
        self.tenure = self.tenure[~dead].reshape(self.k, left)


def _mark(lots: np.random.Generator, dead: NDArray[np.bool_], number: int) -> None:
    """Mark ``number`` places of every row, drawn by lot."""
    size = dead.shape[1]
    if number >= size:
        dead[:] = True
    elif number == 1:
        dead[np.arange(len(dead)), lots.integers(size, size=len(dead))] = True
    elif number:
        chosen: Whole = np.argpartition(lots.random(dead.shape, dtype=np.float32), number, axis=1)[:, :number]
        np.put_along_axis(dead, chosen, True, axis=1)
