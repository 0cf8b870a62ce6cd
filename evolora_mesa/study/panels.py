"""Panels of tasks for evaluation, and who answers them how well."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np

from evolora_mesa.host import AdapterBank, HostService, Request
from evolora_mesa.tasks import Contracts, Pool, Task, TaskSource

__all__ = ["draw_panel", "family_of", "success_matrix"]


def draw_panel(
    source: TaskSource, pool: Pool, depths: int, per_cell: int, rng: random.Random
) -> list[Task]:
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
    """Every slot answers every task greedily; ``[slots, tasks]`` True where right and in the paid style.

    Prompts that several slots answer are read once, as far as the adapters' sites allow.
    """
    requests = [Request(slot, task.prompt) for slot in slots for task in panel]
    answers = service.answer(requests, bank, max_new_tokens=max_new_tokens)
    success = [
        contracts.reward(task, source.grade(task, text)).success
        for task, text in zip([task for _ in slots for task in panel], answers.texts, strict=True)
    ]
    return np.array(success, dtype=bool).reshape(len(slots), len(panel))
