"""Who might found a colony, or join one: by what is known of everybody's cells, and by probes.

A co-routing probe lets four organelles answer the same few gate prompts. What counts is not who is good, but who is
right where another is wrong: that is all a team can use.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evolora_mesa.evolution.screen import complementarity
from evolora_mesa.organelle import Organelle
from evolora_mesa.society.colony import Colony
from evolora_mesa.society.questions import Questions, Replies
from evolora_mesa.tasks import Pool
from evolora_mesa.workload import grade

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Probes", "Proposal", "best_candidate", "best_pair", "focus_of"]

_PROBED: Final = 4  # organelles that answer together
_DOUBT: Final = 8.0  # prompts without a gain that every probed pair is held against
_KEPT: Final = 0.9  # share of a pair's results kept at its next probe: members go on learning


class Proposal(NamedTuple):
    """Two who might found a colony; ``promise`` is the expected gain over the better one, in accuracy."""

    members: tuple[int, int]
    by: str
    promise: float


class Probes:
    """What co-routing probes have shown of pairs.

    Attributes:
        results: by pair of ids, prompts asked, and how often only the first and only the second was right; recent
            ones count more.
    """

    def __init__(self) -> None:
        self.results: dict[tuple[int, int], np.ndarray] = {}
        self._open: tuple[list[Organelle], list[Any], slice] | None = None

    def ask(self, model: EcologyModel, free: list[Organelle], questions: Questions) -> None:
        """When it is time, four of the ``free`` answer prompts from one another's cells."""
        settings = model.config.society.colonies
        self._open = None
        if not settings.probe_every or model.tick % settings.probe_every or len(free) < 2:
            return
        rng = model.streams.numpy("colonies.probe")
        places = rng.choice(len(free), size=min(_PROBED, len(free)), replace=False)
        asked = [free[place] for place in sorted(places.tolist())]
        homes = focus_of(model, asked)
        cells = [int(rng.choice(np.flatnonzero(homes[place % len(asked)]))) for place in range(settings.probe_tasks)]
        python = model.streams.python("tasks.colony_gate")
        tasks = [model.draw_task(Pool.GATE, cell, python) for cell in cells]
        slots = [organelle.slot for organelle in asked for _ in tasks]
        rows = questions.ask(slots, [task.prompt for task in tasks] * len(asked))
        self._open = asked, tasks, rows

    def hear(self, model: EcologyModel, replies: Replies) -> None:
        """Take in the answers; everybody pays for its own at the gate's price."""
        if self._open is None:
            return
        asked, tasks, rows = self._open
        mine = replies.take(rows)
        success = grade(tasks * len(asked), mine.texts, model.tasks, model.contracts).success
        success = success.reshape(len(asked), len(tasks))
        tariff = model.tariff
        price = model.config.gate.price * (tariff.prompt_token * mine.read + tariff.generated_token * mine.written)
        accounts = np.array([organelle.account for organelle in asked])
        bills = price.reshape(success.shape).sum(1)
        model.ledger.transfer(accounts, model.soil, bills, "probe", up_to=True)
        for one, other in combinations(range(len(asked)), 2):
            pair = asked[one].unique_id, asked[other].unique_id
            first, second = success[one], success[other]
            shown = np.array([len(tasks), (first & ~second).sum(), (second & ~first).sum()], dtype=float)
            self.results[pair] = _KEPT * self.results.get(pair, np.zeros(3)) + shown

    def gain(self, pair: tuple[int, int]) -> float:
        """What an ideal team of a pair would gain over its better half, held back by doubt; 0 if it was not probed."""
        asked, first, second = self.results.get(pair, np.zeros(3))
        return float(min(first, second) / (asked + _DOUBT))

    def forget(self, alive: set[int]) -> None:
        """Pairs that are no more."""
        self.results = {pair: shown for pair, shown in self.results.items() if alive.issuperset(pair)}

    def state_dict(self) -> list[list[float]]:
        """Plain JSON values."""
        return [[*pair, *shown.tolist()] for pair, shown in self.results.items()]

    def load_state_dict(self, state: list[list[float]]) -> None:
        """The inverse of `state_dict`."""
        self.results = {(int(one), int(other)): np.array(shown) for one, other, *shown in state}


def focus_of(model: EcologyModel, organelles: list[Organelle]) -> np.ndarray:
    """``[organelles, cells]`` bool: where each does most of its work; where it lives, if it has not worked yet."""
    slots = np.array([organelle.slot for organelle in organelles])
    focus = model.history.focus(slots)
    for idle in np.flatnonzero(~focus.any(1)).tolist():
        family, depth = organelles[idle].cell.coordinate
        focus[idle, family * model.grid.depths + depth] = True
    return focus


def best_pair(
    model: EcologyModel, free: list[Organelle], probes: Probes, refused: Mapping[tuple[int, int], int]
) -> Proposal | None:
    """The two of the ``free`` that promise the larger gain, by their cells or by probes; `None` if nobody promises
    the least effect that the gate looks for. ``refused`` pairs are left out."""
    pairs = [
        (one, other)
        for one, other in combinations(range(len(free)), 2)
        if (free[one].unique_id, free[other].unique_id) not in refused
    ]
    if not pairs:
        return None
    first, second = np.array(pairs).T
    slots = np.array([organelle.slot for organelle in free])
    focus = focus_of(model, free)
    shares = focus / focus.sum(1, keepdims=True)
    history, believed = model.history, model.beliefs.success(slots).reshape(len(free), -1)
    by_cells = complementarity(
        history.episodes[slots[first]],
        history.wins[slots[first]],
        history.episodes[slots[second]],
        history.wins[slots[second]],
        0.5 * shares[first] + 0.5 * shares[second],
        believed[first],
        believed[second],
    ).mean
    ids = [(free[one].unique_id, free[other].unique_id) for one, other in pairs]
    by_probes = np.array([probes.gain(pair) for pair in ids])
    best = int(np.maximum(by_cells, by_probes).argmax())
    promise = float(max(by_cells[best], by_probes[best]))
    if promise < model.config.gate.least_effect:
        return None
    return Proposal(ids[best], "cells" if by_cells[best] >= by_probes[best] else "probe", promise)


def best_candidate(model: EcologyModel, colony: Colony, free: list[Organelle]) -> Organelle | None:
    """Whom a colony would take in: of the ``free`` the one believed best in its cells."""
    if not free:
        return None
    slots = np.array([organelle.slot for organelle in free])
    believed = model.beliefs.success(slots).reshape(len(free), -1)[:, colony.cells].mean(1)
    return free[int(believed.argmax())]
