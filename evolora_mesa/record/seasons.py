"""What changes of the world did to a run: how much was lost at once, how fast it was made up for, what was still known.

Forward and backward transfer are those of D. Lopez-Paz, M. Ranzato, "Gradient episodic memory for continual learning"
(2017), read from the answers that were lived by rather than from an examination.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from evolora_mesa.record.store import RunStore

__all__ = ["RECOVERED", "SEASON_KINDS", "WINDOW", "Turn", "turns_of"]

SEASON_KINDS: Final = ("season", "families_left", "families_came", "winter_began", "winter_ended")
WINDOW: Final = 5  # generations that a success is measured over
RECOVERED: Final = 0.9  # share of the success of before that counts as made up for
_MASTERED: Final = 0.5  # success of a cell that counts as covered


class Turn(NamedTuple):
    """A generation in which the world changed, and what came of it; nan is what there is no evidence of.

    Attributes:
        generation: the first under the change.
        changes: what changed in it: kind of the event and its facts.
        before, after: success in the last generations before and the first ones after, in [0, 1].
        generations, episodes: until success over as many generations was nine tenths of what it had been before;
            `None` if that was not reached before the next change or the end.
        forward: success in the families whose contracts are new, at first, minus that of the founders at first there.
        backward: success in families that came back, at first, minus that of the last generations before they left.
        coverage: cells with a running success of at least half: before, after the first generations, and at the end.
    """

    generation: int
    changes: tuple[tuple[str, dict[str, Any]], ...]
    before: float
    after: float
    generations: int | None
    episodes: int | None
    forward: float
    backward: float
    coverage: tuple[int, int, int]


def turns_of(store: RunStore, families: Sequence[str]) -> tuple[Turn, ...]:
    """Every change of a run, in the order of time.

    Args:
        families: names, in the order of the grid.
    """
    told = _changes(store)
    if not told:
        return ()
    answered, right = _by_family(store, len(families))
    overall = np.array(
        [
            (episodes, 0.0 if rate is None else rate * episodes)
            for episodes, rate in store.rows("SELECT episodes, success_rate FROM generations ORDER BY generation")
        ]
    ).T
    coverage = _coverage(store)
    whens = sorted(told)
    last_seen: dict[str, float] = {}  # by family that is away, its success when it left
    turns = []
    for place, at in enumerate(whens):
        end = whens[place + 1] - 1 if place + 1 < len(whens) else store.generation
        forward = backward = math.nan
        for kind, facts in told[at]:
            named = [
                families.index(name) for name in facts.get("families", facts.get("changed", ())) if name in families
            ]
            if kind == "season":
                forward = _mean(answered, right, at, end, named) - _mean(answered, right, 1, store.generation, named)
            elif kind == "families_left":
                for family in named:
                    last_seen[families[family]] = _mean(answered, right, max(at - WINDOW, 1), at - 1, [family])
            elif kind == "families_came":
                gaps = [
                    _mean(answered, right, at, end, [family]) - last_seen.get(families[family], math.nan)
                    for family in named
                ]
                backward = float(np.mean(gaps))
        before, after = _share(overall, max(at - WINDOW, 1), at - 1), _share(overall, at, min(at + WINDOW - 1, end))
        back = _back(overall, at, end, RECOVERED * before)
        turns.append(
            Turn(
                generation=at,
                changes=told[at],
                before=before,
                after=after,
                generations=None if back is None else back - at + 1,
                episodes=None if back is None else int(overall[0, at : back + 1].sum()),
                forward=forward,
                backward=backward,
                coverage=(coverage[at - 1], coverage[min(at + WINDOW - 1, end)], coverage[end]),
            )
        )
    return tuple(turns)


# ---------------------------------------------------------------- what is on record


def _changes(store: RunStore) -> dict[int, tuple[tuple[str, dict[str, Any]], ...]]:
    """By generation, the events of its season."""
    places = ", ".join("?" * len(SEASON_KINDS))
    query = f"SELECT generation, kind, data FROM events WHERE kind IN ({places}) ORDER BY generation, sequence"
    found: dict[int, tuple[tuple[str, dict[str, Any]], ...]] = {}
    for generation, kind, data in store.rows(query, SEASON_KINDS):
        told = json.loads(data)
        facts = told if isinstance(told, dict) else {}
        found[generation] = (*found.get(generation, ()), (kind, facts))
    return found


def _by_family(store: RunStore, families: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers on record and those right in the paid style, ``[generations, families]`` each."""
    answered = np.zeros((store.generation + 1, families))
    right = np.zeros_like(answered)
    query = "SELECT generation, family, COUNT(*), SUM(success) FROM episodes GROUP BY 1, 2"
    for generation, family, count, wins in store.rows(query):
        answered[generation, family], right[generation, family] = count, wins
    return answered, right


def _coverage(store: RunStore) -> dict[int, int]:
    """By generation, the cells that are mastered."""
    query = "SELECT generation, SUM(success >= ?) FROM cells GROUP BY 1"
    return {generation: int(count or 0) for generation, count in store.rows(query, (_MASTERED,))}


# ---------------------------------------------------------------- figures


def _share(overall: np.ndarray, first: int, last: int) -> float:
    """Success over the generations ``first`` to ``last``; nan where nobody answered."""
    episodes, right = overall[:, first : last + 1].sum(1)
    return float(right / episodes) if episodes else math.nan


def _mean(answered: np.ndarray, right: np.ndarray, first: int, end: int, families: Sequence[int]) -> float:
    """Mean over families of the success in the first generations from ``first``, at most to ``end``."""
    rows = slice(first, min(first + WINDOW - 1, end) + 1)
    count, wins = answered[rows, families].sum(0), right[rows, families].sum(0)
    known = count > 0
    return float((wins[known] / count[known]).mean()) if known.any() else math.nan


def _back(overall: np.ndarray, at: int, end: int, wanted: float) -> int | None:
    """The generation that ends the first window after a change whose success is as ``wanted``."""
    if math.isnan(wanted):
        return None
    for last in range(at + WINDOW - 1, end + 1):
        if _share(overall, last - WINDOW + 1, last) >= wanted:
            return last
    return None
