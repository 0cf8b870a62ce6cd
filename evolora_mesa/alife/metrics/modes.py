"""MODES: change, novelty, complexity and ecology of what persists.

Dolson, Vostinar, Wiser & Ofria, "The MODES Toolbox: Measurements of Open-Ended Dynamics in Evolving Systems" (2019).
Never read without a shadow beside it: on NK landscapes random selection scores change 2.13 and novelty 2.13, adaptation
0.07 and 0.00. Only complexity puts them in the right order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evolora_mesa.alife.descent import Descent
from evolora_mesa.alife.history import History, Reals, Whole, covering
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.log_schema import NONE

__all__ = ["Modes", "complexity", "modes"]


@dataclass(frozen=True)
class Modes:
    """What persisted, at moments A of a run; ``F(A)`` are the components of agents with descendants at A + t.

    Attributes:
        filter, resolution: t and r, generations.
        time: ``(moments,)``, generations since the beginning.
        change: ``(moments,)``, #{c in F(A), not in F(A - r)}; the first has no predecessor and is nan.
        novelty: ``(moments,)``, #{c in F(A), in no earlier F}; the first is nan.
        ecology: ``(moments,)``, -sum over F(A) of P log2 P, bits, P from the numbers of agents at A; nan when F is
            empty.
        place, component: ``(p,)``, the moment and the code of every member of every F.
    """

    filter: float
    resolution: float
    time: Reals
    change: Reals
    novelty: Reals
    ecology: Reals
    place: Whole
    component: Whole


def modes(
    history: History,
    *,
    filter: float | None = None,
    resolution: float | None = None,
    reduce: Callable[[Whole], Whole] | None = None,
) -> Modes | None:
    """Change, novelty and ecology of a history.

    Args:
        filter: t in generations; the mean population, when not given.
        resolution: r in generations, of which t is a multiple; t / 20 when not given.
        reduce: from codes of components to those of their informative sites, when components are whole genotypes.

    Returns:
        Nothing when the run is too short for two moments, for it lasts less than t + r; or when nobody ever had a
        component of this kind.
    """
    if not len(history.time) or (history.component == NONE).all():
        return None
    span = float(history.time[-1] - history.time[0])
    t = float(max(history.population.mean(), 1.0)) if filter is None else float(filter)
    r = t / 20 if resolution is None else float(resolution)
    lag = max(round(t / r), 1)
    moments = int(span / r * (1 + 1e-12)) + 1
    if moments - lag < 2:
        return None
    at = np.searchsorted(history.time, history.time[0] + np.arange(moments) * r * (1 + 1e-12), side="right") - 1
    descent = Descent.of(history, at)
    surviving = descent.surviving(lag)
    moment, tenure = covering(history.start, history.stop, at)
    code = history.component[tenure]
    if reduce is not None:
        code = reduce(code)
    n = len(history.born)
    rank = np.searchsorted(descent.moment * n + descent.row, moment * n + history.owner[tenure])
    known = (moment < moments - lag) & (code != NONE)
    codes, component = np.unique(code, return_inverse=True)
    key = moment * len(codes) + component.ravel()
    persistent = np.unique(key[known & surviving[rank]])
    count = np.bincount(np.searchsorted(persistent, key[known & np.isin(key, persistent)]), minlength=len(persistent))
    place, member = persistent // len(codes), persistent % len(codes)
    looked = moments - lag
    fresh = ~np.isin(persistent - len(codes), persistent)  # not in F a moment before
    _, first_seen = np.unique(member, return_index=True)  # sorted by moment, so this is its first one
    novel = np.zeros(len(member), bool)
    novel[first_seen] = True
    total = np.bincount(place, count, minlength=looked)
    share = count / total[place]
    return Modes(
        filter=lag * r,
        resolution=r,
        time=np.arange(looked) * r,
        change=_but_first(np.bincount(place[fresh], minlength=looked)),
        novelty=_but_first(np.bincount(place[novel], minlength=looked)),
        ecology=np.where(total > 0, np.bincount(place, -share * np.log2(share), minlength=looked) + 0.0, np.nan),
        place=place,
        component=codes[member],
    )


def complexity(log: EventLog, found: Modes) -> Reals | None:
    """``(moments,)``: the largest number of informative sites in F(A), as the model has told of genotypes.

    No shadow can be replayed of it, for shadows have no genomes: its null is a run with random selection.

    Args:
        found: of a history of genotypes, not reduced.

    Returns:
        Nothing when the model has told of none; nan where no persistent genotype's is known.
    """
    told = log.stream("complexities")
    if not len(told):
        return None
    order = np.argsort(told["geno"], kind="stable")
    codes, values = told["geno"][order], told["value"][order]
    place = np.minimum(np.searchsorted(codes, found.component), len(codes) - 1)
    known = codes[place] == found.component
    most = np.full(len(found.time), -np.inf)
    np.maximum.at(most, found.place[known], values[place[known]])
    return np.where(np.isfinite(most), most, np.nan)


def _but_first(counts: Whole) -> Reals:
    series = counts.astype(float)
    series[:1] = np.nan
    return series
