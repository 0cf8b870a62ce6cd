"""What metrics see of a closed log: who lived from when to when, of whom, and what they were.

States are those at the ends of steps: an agent is there at the end of step ``s`` if ``born <= s < died``. A neutral
shadow (`evolora_mesa.alife.shadow`) is a history too, so that one function measures both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.invariants import place_of
from evolora_mesa.alife.log_schema import CHANGED, NONE, OPS
from evolora_mesa.errors import LogError

if TYPE_CHECKING:
    from evolora_mesa.alife.log import EventLog

__all__ = ["KINDS", "Clock", "History", "Reals", "Whole", "covering", "next_moment", "roots"]

KINDS: Final = ("geno", "pheno", "niche", "clade")  # of components
_LITERAL: Final = [OPS.index(op) for op in ("init", "inject", "migrate")]  # come from outside, not by reproduction
_FEWEST_TICKS: Final = 100

Whole = NDArray[np.integer]
Reals = NDArray[np.floating]


@dataclass(frozen=True)
class History:
    """Lives, descent and components of a run; ``n`` agents, ``m`` links to parents, ``q`` tenures, ``S`` steps.

    A tenure is a time during which an agent has one component: every birth begins one, every change another.

    Attributes:
        kind: what the components are, one of `KINDS`; clade is the founder in the line of major parents.
        step, time: ``(S,)``, ticks with events and their times in generations, which never fall.
        born, died: ``(n,)``, places in ``step``, agents in the order of their births; ``died`` is S for the living.
        literal: ``(n,)``, came from outside.
        sort: ``(n,)``, 0 and up; where the log's ``run["apart"]`` is "niche", agents of different niches never descend
            from each other, as hosts and symbionts do not, and a shadow keeps them apart too.
        child, parent: ``(m,)``, rows of agents; weight: shares of the parents.
        component, owner, start, stop: ``(q,)``; the first n are those of the births. -1 is no component.
        source: ``(n,)``, the link from which the component was copied, -1 when it is the child's own.
    """

    kind: str
    step: Whole
    time: Reals
    born: Whole
    died: Whole
    literal: NDArray[np.bool_]
    sort: Whole
    child: Whole
    parent: Whole
    weight: Reals
    component: Whole
    owner: Whole
    start: Whole
    stop: Whole
    source: Whole

    @classmethod
    def of(cls, log: EventLog, kind: str = "pheno") -> History:
        """The history that a log tells.

        Raises:
            LogError: the log is not closed, or there is no such kind of component.
        """
        if not log.closed:
            raise LogError("metrics take closed logs", do="Call close() or so_far() first.")
        if kind not in KINDS:
            raise LogError("no such kind of component", expected=f"one of {', '.join(KINDS)}", got=kind)
        births, deaths, changes, marks = (log.stream(name) for name in ("births", "deaths", "changes", "marks"))
        order = np.argsort(births["seq"], kind="stable")
        ids, seq = births["id"][order], births["seq"][order]
        step = np.unique(np.concatenate([stream["step"] for stream in (births, deaths, changes, marks)]))
        died = np.full(len(ids), len(step))
        died[place_of(ids, deaths["id"])] = np.searchsorted(step, deaths["step"])
        child, parent = (place_of(ids, log.stream("links")[end]) for end in ("child", "parent"))
        by_child = np.argsort(child, kind="stable")
        child, parent, weight = child[by_child], parent[by_child], log.stream("links")["weight"][by_child]
        born = np.searchsorted(step, births["step"][order])
        if kind == "clade":
            own = roots(_major(len(ids), child, parent, weight))
        else:
            own = births[kind][order]
        moved = changes["what"] == CHANGED.index(kind) if kind in CHANGED else np.zeros(len(changes), bool)
        place = np.argsort(changes["seq"][moved], kind="stable")
        owner = np.concatenate([np.arange(len(ids)), place_of(ids, changes["id"][moved][place])])
        component = np.concatenate([own, changes["code"][moved][place]])
        start = np.concatenate([born, np.searchsorted(step, changes["step"][moved][place])])
        begun = np.concatenate([seq, changes["seq"][moved][place]])
        stop = _stops(owner, begun, start, died)
        return cls(
            kind=kind,
            step=step,
            time=_times(step, (births, deaths, marks)),
            born=born,
            died=died,
            literal=np.isin(births["op"][order], _LITERAL),
            sort=_sorts(births["niche"][order]) if log.run.get("apart") == "niche" else np.zeros(len(ids), int),
            child=child,
            parent=parent,
            weight=weight,
            component=component,
            owner=owner,
            start=start,
            stop=stop,
            source=_sources(child, parent, seq, owner, begun, component),
        )

    @cached_property
    def major(self) -> Whole:
        """``(n,)``, the parent with the largest share, -1 without parents; the first one of several."""
        return _major(len(self.born), self.child, self.parent, self.weight)

    @cached_property
    def links_of(self) -> tuple[Whole, Whole]:
        """Where the links of each agent begin and how many there are, each ``(n,)``."""
        count = np.bincount(self.child, minlength=len(self.born))
        return np.cumsum(count) - count, count

    @cached_property
    def population(self) -> Whole:
        """``(S,)``, agents at the end of each step."""
        return _running(self.born, self.died, len(self.step))

    @cached_property
    def births(self) -> Whole:
        """``(S,)``, births in each step, founders not among them."""
        return np.bincount(self.born[~self.literal], minlength=len(self.step))

    def living(self, at: int) -> Whole:
        """Rows of the agents at the end of step ``at``."""
        return np.flatnonzero((self.born <= at) & (self.died > at))

    def components_at(self, at: int) -> tuple[Whole, Whole]:
        """Owner and component of everybody who has one at the end of step ``at``."""
        here = np.flatnonzero((self.start <= at) & (self.stop > at) & (self.component != NONE))
        return self.owner[here], self.component[here]


@dataclass(frozen=True)
class Clock:
    """Evenly spaced moments of a history.

    Attributes:
        at: ``(ticks,)``, places in the history's steps.
        unit: generations between two ticks.
        shown: ``(shown,)``, the ticks at which distributions are looked at; the last one is among them.
    """

    at: Whole
    unit: float
    shown: Whole

    @classmethod
    def of(cls, history: History, *, unit: float | None = None, shown: int = 200) -> Clock:
        """A tick per generation; more often in a run of less than 100 generations."""
        if not len(history.time):
            return cls(np.empty(0, int), 1.0, np.empty(0, int))
        span = float(history.time[-1] - history.time[0])
        if unit is None:
            unit = min(1.0, span / _FEWEST_TICKS) or 1.0
        ticks = np.arange(int(span / unit * (1 + 1e-12)) + 1)
        at = np.searchsorted(history.time, history.time[0] + ticks * unit * (1 + 1e-12), side="right") - 1
        return cls(at, unit, np.unique(np.linspace(0, len(at) - 1, min(shown, len(at))).round().astype(int)))

    @property
    def time(self) -> Reals:
        """``(shown,)``, generations since the beginning."""
        return self.shown * self.unit


# ---------------------------------------------------------------- derived columns


def _sorts(niches: Whole) -> Whole:
    return np.unique(niches, return_inverse=True)[1].ravel()


def _times(step: Whole, streams: tuple) -> Reals:
    """Time of each step: the latest that is told of it or of one before."""
    time = np.full(len(step), -np.inf)
    for stream in streams:
        np.maximum.at(time, np.searchsorted(step, stream["step"]), stream["time_gen"])
    time = np.maximum.accumulate(time)
    return np.where(np.isfinite(time), time, 0.0)


def _major(n: int, child: Whole, parent: Whole, weight: Reals) -> Whole:
    order = np.lexsort((np.arange(len(child)), -weight, child))
    first = np.flatnonzero(np.diff(child[order], prepend=-1))
    major = np.full(n, NONE)
    major[child[order][first]] = parent[order][first]
    return major


def roots(major: Whole) -> Whole:
    """The first ancestor of each; pointers are doubled, so a thousand generations take ten rounds."""
    above = np.where(major < 0, np.arange(len(major)), major)
    while (above != (further := above[above])).any():
        above = further
    return above


def _stops(owner: Whole, begun: Whole, start: Whole, died: Whole) -> Whole:
    """A tenure ends where the owner's next one starts, the last one at its death."""
    order = np.lexsort((begun, owner))
    last = np.append(owner[order][1:] != owner[order][:-1], True) if len(order) else np.empty(0, bool)
    following = np.append(start[order][1:], 0) if len(order) else start
    stop = np.empty_like(start)
    stop[order] = np.where(last, died[owner[order]], following)
    return stop


def _sources(child: Whole, parent: Whole, seq: Whole, owner: Whole, begun: Whole, component: Whole) -> Whole:
    """The first link of each child whose parent had the child's component when it was born."""
    source = np.full(len(seq), NONE)
    if not len(child):
        return source
    if len(owner) == len(seq):
        had = component[parent]
    else:
        order = np.lexsort((begun, owner))
        events = int(begun.max()) + 1
        keys = owner[order] * events + begun[order]
        had = component[order[np.searchsorted(keys, parent * events + seq[child]) - 1]]
    same = np.flatnonzero(had == component[child])[::-1]
    source[child[same]] = same  # the last one written is the first link
    return source


def _running(begin: Whole, end: Whole, length: int) -> Whole:
    """How many intervals [begin, end) cover each of ``length`` places."""
    change = np.bincount(begin, minlength=length + 1) - np.bincount(end, minlength=length + 1)
    return np.cumsum(change)[:length]


def covering(begin: Whole, end: Whole, at: Whole) -> tuple[Whole, Whole]:
    """Which intervals [begin, end) of steps hold at which of the moments ``at``, which are sorted.

    Returns:
        Moment and interval of every pair, sorted by moment, then by interval.
    """
    first, last = next_moment(at, begin), next_moment(at, end)
    count = np.maximum(last - first, 0)
    interval = np.repeat(np.arange(len(begin)), count)
    moment = np.arange(len(interval)) - np.repeat(np.cumsum(count) - count - first, count)
    pairs = np.sort(moment * max(len(begin), 1) + interval)  # sorting the pairs themselves is quicker than argsort
    return pairs // max(len(begin), 1), pairs % max(len(begin), 1)


def next_moment(at: Whole, steps: Whole) -> Whole:
    """Place of the first of the moments ``at`` that is not before each of ``steps``; by a table, for steps are few."""
    return np.searchsorted(at, np.arange(int(steps.max(initial=-1)) + 1))[steps]
