"""Evolutionary activity: what keeps being there longer than drift would keep it.

Bedau & Packard, "Measurement of evolutionary activity, teleology, and life" (1992); Bedau, Snyder, Brown & Packard
(1997); Bedau, Snyder & Packard, "A classification of long-term evolutionary dynamics" (1998). The classes as merged by
Dolson, Vostinar, Wiser & Ofria (2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evolora_mesa.alife.history import Clock, History, Reals, Whole
from evolora_mesa.alife.metrics.census import Census
from evolora_mesa.alife.metrics.trend import Trend

__all__ = ["Waves", "classify", "new_activity", "threshold"]


@dataclass(frozen=True)
class Waves:
    """Activity a_i(t) = sum over ticks s <= t of 1 if component i is there at s; frozen while it is extinct.

    Attributes:
        time: ``(shown,)``, generations.
        diversity: ``(shown,)``, components that are there, D.
        place, component, activity: ``(p,)``, place in ``time``, code and activity of every component that is there,
            sorted by place, then by activity; generations, or agent-generations with ``usage``.
    """

    time: Reals
    diversity: Whole
    place: Whole
    component: Whole
    activity: Reals

    @classmethod
    def of(cls, history: History, clock: Clock, *, usage: bool = False, census: Census | None = None) -> Waves:
        """Activity of a history.

        Args:
            usage: a component's activity grows by its number of agents at each tick, not by 1.
        """
        census = census or Census.of(history, clock)
        rate = census.count if usage else np.ones(len(census.count), int)
        grown = np.cumsum(rate * (census.last - census.first))
        before = grown - rate * (census.last - census.first)
        begins = np.flatnonzero(np.diff(census.component, prepend=-1))
        before = before - before[begins][np.searchsorted(begins, np.arange(len(before)), side="right") - 1]
        place, stretch = census.pairs(clock.shown)
        ticks = before[stretch] + rate[stretch] * (clock.shown[place] - census.first[stretch] + 1)
        order = np.lexsort((ticks, place))
        return cls(
            clock.time,
            np.bincount(place, minlength=len(clock.shown)),
            place[order],
            census.codes[census.component[stretch]][order],
            ticks[order] * clock.unit,
        )

    @property
    def mean(self) -> Reals:
        """``(shown,)``, mean cumulative activity A_cum / D; nan where nothing lives."""
        total = np.bincount(self.place, self.activity, minlength=len(self.time))
        return np.divide(total, self.diversity, out=np.full(len(self.time), np.nan), where=self.diversity > 0)

    @property
    def median(self) -> Reals:
        """``(shown,)``: one component that is never lost lets the mean grow for ever (Channon), but not the median."""
        return self.quantile(0.5)

    def quantile(self, share: float) -> Reals:
        """``(shown,)``, linear between neighbours; nan where nothing lives."""
        found = np.full(len(self.time), np.nan)
        there = np.flatnonzero(self.diversity)
        first = np.searchsorted(self.place, there)
        exact = first + share * (self.diversity[there] - 1)
        low = np.floor(exact).astype(int)
        high = np.minimum(low + 1, first + self.diversity[there] - 1)
        part = exact - low
        found[there] = self.activity[low] * (1 - part) + self.activity[high] * part
        return found


def threshold(shadows: Sequence[Waves], share: float = 0.95) -> Reals:
    """``(shown,)``, a0(t): the activity that ``share`` of the shadows' living components do not exceed."""
    place = np.concatenate([waves.place for waves in shadows])
    activity = np.concatenate([waves.activity for waves in shadows])
    order = np.lexsort((activity, place))
    diversity = np.sum([waves.diversity for waves in shadows], axis=0)
    first = shadows[0]
    return Waves(first.time, diversity, place[order], place[order], activity[order]).quantile(share)


def new_activity(waves: Waves, least: Reals) -> tuple[Reals, Whole]:
    """New activity A_new(t) = (1/D) sum of a_i over a0 < a_i <= a1, and how many components exceed a0 at all.

    The strip is as wide as the time between two looks at the waves, so that a component that outlives drift is counted
    once, when it crosses.

    Args:
        least: ``(shown,)``, a0 of `threshold`.

    Returns:
        Both ``(shown,)``; new activity is nan where nothing lives.
    """
    shown = len(waves.time)
    width = float(np.diff(waves.time).max(initial=0.0)) if shown > 1 else np.inf
    a0 = least[waves.place]
    above = waves.activity > a0
    strip = above & (waves.activity <= a0 + width)
    total = np.bincount(waves.place[strip], waves.activity[strip], minlength=shown)
    new = np.divide(total, waves.diversity, out=np.full(shown, np.nan), where=waves.diversity > 0)
    return new, np.bincount(waves.place[above], minlength=shown)


def classify(median: Trend, diversity: Trend, *, new: bool) -> str:
    """Class of long-term dynamics: 1 none, 2 uncreative, 3 bounded, 4a 4b 4c unbounded, or undecided.

    Args:
        median: trend of the median cumulative activity.
        new: new activity exceeds that of the shadows.
    """
    words = (median.verdict, diversity.verdict)
    if "undecided" in words:
        return "undecided"
    if not new:
        return {("bounded", "bounded"): "1", ("unbounded", "bounded"): "2"}.get(words, "undecided")
    return {
        ("bounded", "bounded"): "3",
        ("bounded", "unbounded"): "4a",
        ("unbounded", "bounded"): "4b",
        ("unbounded", "unbounded"): "4c",
    }[words]
