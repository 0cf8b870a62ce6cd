"""Panels of tasks for evaluation, and who answers them how well."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from evolora_mesa.host import AdapterBank, HostService, Request
from evolora_mesa.tasks import Contracts, Pool, Task, TaskSource

__all__ = ["Marks", "answer_panel", "draw_panel", "family_of", "success_matrix"]


class Marks(NamedTuple):
    """A graded batch of answers.

    Attributes:
        success: ``[rows]`` right, and in the style that the cell pays for.
        texts: the answers.
        tokens: read and written, all rows together.
        written: ``[rows]`` tokens of each answer.
    """

    success: np.ndarray
    texts: list[str]
    tokens: int
    written: np.ndarray


def draw_panel(source: TaskSource, pool: Pool, depths: int, per_cell: int, rng: random.Random) -> list[Task]:
    """``per_cell`` tasks of every cell, from one pool."""
    return [
        source.draw(pool, family, depth, rng)
        for family in source.families
        for depth in range(1, depths + 1)
        for _ in range(per_cell)
    ]


def family_of(panel: Sequence[Task], families: Sequence[str]) -> np.ndarray:
    """``[tasks]`` number of each task's family."""
    return np.array([families.index(task.family) for task in panel])


def answer_panel(
    service: HostService,
    bank: AdapterBank | None,
    slots: Sequence[int],
    tasks: Sequence[Task],
    source: TaskSource,
    contracts: Contracts,
    *,
    max_new_tokens: int = 28,
) -> Marks:
    """Row by row, ``slots[row]`` answers ``tasks[row]`` greedily.

    Prompts that several slots answer are read once, as far as the adapters' sites allow.
    """
    requests = [Request(int(slot), task.prompt) for slot, task in zip(slots, tasks, strict=True)]
    answers = service.answer(requests, bank, max_new_tokens=max_new_tokens)
    success = [
        contracts.reward(task, source.grade(task, text)).success
        for task, text in zip(tasks, answers.texts, strict=True)
    ]
    written = np.array([len(tokens) for tokens in answers.tokens], dtype=np.int64)
    tokens = sum(map(len, answers.prompts)) + int(written.sum())
    return Marks(np.array(success, dtype=bool), answers.texts, tokens, written)


def success_matrix(
    service: HostService,
    bank: AdapterBank | None,
    slots: Sequence[int],
    panel: Sequence[Task],
    source: TaskSource,
    contracts: Contracts,
    *,
    max_new_tokens: int = 28,
) -> np.ndarray:
    """Every slot answers every task greedily; ``[slots, tasks]`` True where right and in the paid style."""
    rows = [slot for slot in slots for _ in panel]
    marks = answer_panel(service, bank, rows, [*panel] * len(slots), source, contracts, max_new_tokens=max_new_tokens)
    return marks.success.reshape(len(slots), len(panel))
