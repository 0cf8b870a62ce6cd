"""What was new and stayed, counted up: an ANNECS for worlds that do not make their own environments.

Wang, Lehman, Clune & Stanley, "Enhanced POET" (2020), count novel environments that were created and solved. Here a
component counts once it has been there for a whole turnover without a gap; tasks count once somebody solves them.
"""

from __future__ import annotations

import numpy as np

from evolora_mesa.alife.history import Clock, History, Whole
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics.census import Census

__all__ = ["accumulated_novelty", "tasks_solved"]


def accumulated_novelty(history: History, clock: Clock, *, hold: float = 1.0, census: Census | None = None) -> Whole:
    """``(shown,)``, components so far that have been there for ``hold`` generations on end, founders' not counted."""
    census = census or Census.of(history, clock)
    if not len(census.component):
        return np.zeros(len(clock.shown), int)
    joined = np.append(False, (census.component[1:] == census.component[:-1]) & (census.first[1:] == census.last[:-1]))
    run = np.cumsum(~joined) - 1  # stretches that follow each other make one stay
    begins = np.flatnonzero(~joined)
    component, first = census.component[begins], census.first[begins]
    last = np.zeros(len(begins), int)
    np.maximum.at(last, run, census.last)
    needed = max(int(np.ceil(hold / clock.unit)), 1)
    stayed = last - first >= needed
    at = np.full(len(census.codes), census.ticks + 1)
    np.minimum.at(at, component[stayed], first[stayed] + needed - 1)
    founders = np.isin(census.codes, history.component[: len(history.born)][history.born == 0])
    return np.searchsorted(np.sort(at[~founders]), clock.shown, side="right")


def tasks_solved(log: EventLog, *, least: float = 0.5) -> int | None:
    """Different tasks that somebody has done with a success of at least ``least``; None when nothing was tried."""
    evals = log.stream("evals")
    if not len(evals):
        return None
    return len(np.unique(evals["task"][evals["success"] >= least]))
