"""Who of the living at one moment descends from whom at the moment before, and with what share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.history import History, Reals, Whole, covering

__all__ = ["Descent"]


@dataclass(frozen=True)
class Descent:
    """The living at ``J`` moments in one list of ``P`` places, and the credit between neighbouring moments.

    Attributes:
        moment, row: ``(P,)``, of every living agent at every moment, sorted by moment.
        first: ``(J + 1,)``, where the living of a moment begin.
        descendant, ancestor: ``(e,)``, places in the list; the ancestor's moment is the one before.
        credit: ``(e,)``, share of the descendant that goes back to the ancestor: weights multiplied along each path,
            paths added up. A survivor is its own descendant with credit 1. What came from outside has no ancestor, so
            the credits of a descendant sum to 1 or less.
    """

    moment: Whole
    row: Whole
    first: Whole
    descendant: Whole
    ancestor: Whole
    credit: Reals

    @classmethod
    def of(cls, history: History, at: Whole) -> Descent:
        """Descent between the ends of the steps ``at``, which rise."""
        moment, row = covering(history.born, history.died, at)
        first = np.searchsorted(moment, np.arange(len(at) + 1))
        begin, count = history.links_of
        descendant: Whole = np.flatnonzero(moment > 0)
        current: Whole = row[descendant]
        credit: Reals = np.ones(len(descendant))
        done: list[tuple[Whole, Whole, Reals]] = []
        while len(descendant):
            limit = at[moment[descendant] - 1]
            old = history.born[current] <= limit
            there = old & (history.died[current] > limit)
            done.append((descendant[there], current[there], credit[there]))
            descendant, current, credit = descendant[~old], current[~old], credit[~old]
            number = np.where(history.literal[current], 0, count[current])
            link = np.repeat(begin[current] - np.cumsum(number) + number, number) + np.arange(number.sum())
            descendant, credit = np.repeat(descendant, number), np.repeat(credit, number) * history.weight[link]
            current = history.parent[link]
            if number.max(initial=0) > 1:  # paths that meet again go on as one, or their number doubles at every merge
                descendant, current, credit = _joined(descendant, current, credit, len(history.born))
        descendant, ancestor, credit = (np.concatenate(part) for part in zip(*done, strict=True)) if done else _NOTHING
        if count.max(initial=0) > 1:
            descendant, ancestor, credit = _joined(descendant, ancestor, credit, len(history.born))
        else:
            order = np.argsort(descendant)
            descendant, ancestor, credit = descendant[order], ancestor[order], credit[order]
        flat = moment * len(history.born) + row
        place = np.searchsorted(flat, (moment[descendant] - 1) * len(history.born) + ancestor)
        return cls(moment, row, first, descendant, place, credit)

    def surviving(self, lag: int) -> NDArray[np.bool_]:
        """``(P,)``, who has living descendants ``lag`` moments later; false where that is after the end."""
        reached = np.ones(len(self.row), bool)
        for _ in range(lag):
            before = np.zeros(len(self.row), bool)
            before[self.ancestor[reached[self.descendant]]] = True
            reached = before
        return reached


_NOTHING = (np.empty(0, int), np.empty(0, int), np.empty(0))


def _joined(descendant: Whole, current: Whole, credit: Reals, n: int) -> tuple[Whole, Whole, Reals]:
    """The same pairs once each, with the sum of their credits."""
    pairs: Whole
    pairs, place = np.unique(descendant * max(n, 1) + current, return_inverse=True)
    total: Reals = np.zeros(len(pairs))
    np.add.at(total, place.ravel(), credit)
    return pairs // max(n, 1), pairs % max(n, 1), total
