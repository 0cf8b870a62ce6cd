"""How many agents have each component, at every tick of a clock: the table under activity and diversity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evolora_mesa.alife.history import Clock, History, Whole, covering, next_moment
from evolora_mesa.alife.log_schema import NONE

__all__ = ["Census"]


@dataclass(frozen=True)
class Census:
    """Stretches of ticks during which a component's count stays the same, and is above 0.

    Attributes:
        codes: ``(c,)``, the components; below they are places in this list.
        component, first, last, count: ``(s,)``; ticks from ``first`` up to and without ``last``. Sorted by component,
            then by tick.
        ticks: of the clock.
    """

    codes: Whole
    component: Whole
    first: Whole
    last: Whole
    count: Whole
    ticks: int

    @classmethod
    def of(cls, history: History, clock: Clock) -> Census:
        """Count a history at every tick."""
        ticks = len(clock.at)
        first, last = next_moment(clock.at, history.start), next_moment(clock.at, history.stop)
        seen = (last > first) & (history.component != NONE)
        codes, component = np.unique(history.component[seen], return_inverse=True)
        base = component.ravel() * (ticks + 1)
        # The sign rides in the lowest bit, for sorting numbers is quicker than argsort; every component ends at 0, so
        # one running sum does for all.
        marked = np.sort(np.concatenate([2 * (base + first[seen]), 2 * (base + last[seen]) + 1]))
        keys, running = marked // 2, np.cumsum(1 - 2 * (marked % 2))
        final = np.flatnonzero(np.append(keys[1:] != keys[:-1], True)) if len(keys) else np.empty(0, int)
        keys, running = keys[final], running[final]
        there = np.flatnonzero(running > 0)  # what follows a count above 0 is the same component's next change
        return cls(
            codes,
            keys[there] // (ticks + 1),
            keys[there] % (ticks + 1),
            keys[there + 1] % (ticks + 1),
            running[there],
            ticks,
        )

    def diversity(self) -> Whole:
        """``(ticks,)``, components with a living agent."""
        change = np.bincount(self.first, minlength=self.ticks + 1) - np.bincount(self.last, minlength=self.ticks + 1)
        return np.cumsum(change)[: self.ticks]

    def pairs(self, shown: Whole) -> tuple[Whole, Whole]:
        """Places in ``shown`` and stretches of every component that is there at those ticks, sorted by place."""
        return covering(self.first, self.last, shown)

    def counts(self, shown: Whole) -> tuple[Whole, Whole, Whole]:
        """Place in ``shown``, component and count of everything that is there at those ticks."""
        place, stretch = self.pairs(shown)
        return place, self.component[stretch], self.count[stretch]
