"""What colonies are tested on: who sits against whom on paid work and in auditions, and when that is decided.

Tests are sequential, on fresh prompts, and paired (`evolution.eprocess`); level, margin, least effect and futility are
those of the gate for children. A colony of k answers k prompts' worth of tokens, so its rival may do so too: the best
member answers k times and votes with itself. Who is best is settled by beliefs before a prompt is asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from evolora_mesa.config_evolution import GateConfig
from evolora_mesa.config_society import ColoniesConfig
from evolora_mesa.evolution.eprocess import e_bh
from evolora_mesa.society.colony import Audition, Colony
from evolora_mesa.society.sitting import Side, Sitting
from evolora_mesa.tasks import Task

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Verdict", "answers_per_task", "at_work", "best_members", "decide", "in_audition", "slots_of"]

Reason = Literal[
    "accepted",  # better; or, of one adapter, no worse with fewer tokens
    "futile",  # shown to gain less than the least effect
    "worse",  # shown to lose more than the margin
    "probation_over",  # neither shown nor refuted in time
    "low_power",  # not enough prompts yet
]


class Verdict(NamedTuple):
    """``passed`` is `None` while the audition goes on."""

    passed: bool | None
    reason: Reason


def slots_of(model: EcologyModel, members: Sequence[int]) -> list[int]:
    """Bank slots of living organelles by id."""
    slot = {organelle.unique_id: organelle.slot for organelle in model.agents}
    return [slot[member] for member in members]


def answers_per_task(colony: Colony) -> int:
    """Answers that one joint answer takes: its members', and with `handoff` one more; or that of its one adapter."""
    if colony.rung != "ensemble":
        return 1
    return len(colony.members) + (colony.mode == "handoff")


def best_members(model: EcologyModel, colony: Colony, cells: np.ndarray) -> np.ndarray:
    """``[prompts]`` places among the members of the rival's best one: over all the colony's cells, or cell by cell."""
    believed = _beliefs(model, slots_of(model, colony.members))  # [members, all cells]
    if model.config.society.colonies.rival == "cell":
        return believed[:, cells].argmax(0)
    return np.full(len(cells), believed[:, colony.cells].mean(1).argmax())


def _beliefs(model: EcologyModel, slots: Sequence[int]) -> np.ndarray:
    """``[slots, cells]`` chance to be right; of a colony's own adapter nothing is believed."""
    return model.beliefs.success(np.array(slots)).reshape(len(slots), -1)


class _Bench:
    """Columns of slots with their beliefs, added one by one."""

    def __init__(self, model: EcologyModel, cells: np.ndarray) -> None:
        self._model, self._cells = model, cells
        self._slots: list[np.ndarray] = []

    def seat(self, slots: np.ndarray | int) -> int:
        """One more column, of one slot or of ``[prompts]`` slots; its number."""
        self._slots.append(np.broadcast_to(slots, self._cells.shape))
        return len(self._slots) - 1

    def every(self, columns: Sequence[int]) -> np.ndarray:
        """``[prompts, columns]``: the same columns for all prompts."""
        return np.broadcast_to(np.array(columns), (len(self._cells), len(columns)))

    def slots(self) -> np.ndarray:
        """``[prompts, columns]``."""
        return np.stack(self._slots, 1)

    def beliefs(self) -> np.ndarray:
        """``[prompts, columns]``."""
        slots = self.slots()
        return (
            self._model.beliefs.success(slots.ravel())
            .reshape(slots.size, -1)[np.arange(slots.size), self._cells.repeat(slots.shape[1])]
            .reshape(slots.shape)
        )


def at_work(model: EcologyModel, colony: Colony, tasks: Sequence[Task], cells: np.ndarray) -> Sitting:
    """Paid work, against its control: the best member with as many answers.

    All members, or the colony's one adapter, answer in rows of the workload; these answers are given to the sitting.
    """
    bench, slots = _Bench(model, cells), np.array(slots_of(model, colony.members))
    best = best_members(model, colony, cells)
    if colony.rung == "ensemble":
        team = [bench.seat(slot) for slot in slots.tolist()]
        more = [bench.seat(slots[best]) for _ in range(answers_per_task(colony) - 1)]
        rival = np.column_stack([best, bench.every(more)])
    else:
        assert colony.adapter is not None
        team, rival = [bench.seat(colony.adapter)], bench.every([bench.seat(slots[best])])
    sides = Side(bench.every(team), colony.mode), Side(rival, "vote")
    return Sitting(colony, None, tasks, cells, bench.slots(), bench.beliefs(), *sides, given=len(team))


def in_audition(model: EcologyModel, colony: Colony, tasks: Sequence[Task], cells: np.ndarray) -> Sitting:
    """Gate prompts for a colony's open trial.

    - founding: the team against its best member with as many answers;
    - expansion: the team with the candidate against the team with one more answer of its best member;
    - fused, distilled: the one adapter against the colony as it answers now.
    """
    audition = colony.audition
    assert audition is not None
    bench, slots = _Bench(model, cells), np.array(slots_of(model, colony.members))
    best = best_members(model, colony, cells)
    if colony.rung == "ensemble":
        present = bench.every([bench.seat(slot) for slot in slots.tolist()])
    else:
        assert colony.adapter is not None
        present = bench.every([bench.seat(colony.adapter)])
    match audition.purpose:
        case "founding":
            more = [bench.seat(slots[best]) for _ in range(answers_per_task(colony) - 1)]
            team, rival = Side(present, colony.mode), Side(np.column_stack([best, bench.every(more)]), "vote")
        case "expansion":
            assert audition.candidate is not None
            joined = bench.every([bench.seat(slots_of(model, [audition.candidate])[0])])
            again = bench.every([bench.seat(slots[best])])
            team = Side(np.column_stack([present, joined]), colony.mode)
            rival = Side(np.column_stack([present, again]), colony.mode)
        case "fused" | "distilled":
            assert audition.adapter is not None
            team = Side(bench.every([bench.seat(audition.adapter)]), "vote")
            rival = Side(present, colony.mode)
    return Sitting(colony, audition, tasks, cells, bench.slots(), bench.beliefs(), team, rival)


def decide(auditions: Sequence[Audition], generation: int, gate: GateConfig, settings: ColoniesConfig) -> list[Verdict]:
    """One verdict per open audition; false discoveries are controlled over all of them together (e-BH)."""
    if not auditions:
        return []
    better = e_bh([audition.counts.log_better() for audition in auditions], gate.alpha).tolist()
    return [
        _decided(audition, shown, generation, gate, settings) for audition, shown in zip(auditions, better, strict=True)
    ]


def _decided(audition: Audition, better: bool, generation: int, gate: GateConfig, settings: ColoniesConfig) -> Verdict:
    counts = audition.counts
    if better:
        return Verdict(True, "accepted")
    if audition.adapter is None:
        if counts.log_worse(gate.least_effect) >= math.log(1 / gate.futility):
            return Verdict(False, "futile")
    else:
        cheaper = audition.tokens[0] < audition.tokens[1]
        if cheaper and counts.log_better(gate.margin) >= math.log(1 / gate.alpha):
            return Verdict(True, "accepted")
        if counts.log_worse(-gate.margin) >= math.log(1 / gate.alpha):
            return Verdict(False, "worse")
    over = counts.total >= settings.most_pairs or generation - audition.born >= settings.probation
    return Verdict(False, "probation_over") if over else Verdict(None, "low_power")
