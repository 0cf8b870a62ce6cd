"""A generation's work: who answers what, and how it was graded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from evolora_mesa.host import Answers
from evolora_mesa.tasks import Contracts, Task, TaskSource

__all__ = ["Grades", "Shift", "Workload", "grade"]


@dataclass(frozen=True)
class Workload:
    """Rows of one generation, an organelle's rows beside one another.

    Attributes:
        slots: ``[rows]`` bank slots of the owners.
        owners: ``[rows]`` place of each owner in the list of organelles at work.
        cells: ``[rows]`` flat cell numbers.
        tasks: one per row.
        answered_by: ``[rows]`` bank slots that answered.
        answers: the host's.
    """

    slots: torch.Tensor
    owners: np.ndarray
    cells: np.ndarray
    tasks: list[Task]
    answered_by: torch.Tensor
    answers: Answers

    @property
    def prompt_tokens(self) -> np.ndarray:
        """``[rows]`` tokens read."""
        return np.array([len(tokens) for tokens in self.answers.prompts], dtype=np.int64)

    @property
    def generated_tokens(self) -> np.ndarray:
        """``[rows]`` tokens written."""
        return np.array([len(tokens) for tokens in self.answers.tokens], dtype=np.int64)

    def without_trace(self) -> Workload:
        """The same, but for what learning needs of the answers."""
        return replace(self, answers=replace(self.answers, trace=None))


@dataclass(frozen=True)
class Grades:
    """``rewards [rows]`` in [0, 1]; ``success [rows]``: right, and in the style that the cell pays for."""

    rewards: np.ndarray
    success: np.ndarray


class Shift(NamedTuple):
    """A generation's graded work; ``ids [organelles]`` are those of the owners at work, in the order of `owners`."""

    workload: Workload
    grades: Grades
    ids: np.ndarray


def grade(tasks: Sequence[Task], texts: Sequence[str], source: TaskSource, contracts: Contracts) -> Grades:
    """Grade every answer by its own task's family and contract."""
    rewards = [contracts.reward(task, source.grade(task, text)) for task, text in zip(tasks, texts, strict=True)]
    return Grades(
        np.array([reward.value for reward in rewards], dtype=float),
        np.array([reward.success for reward in rewards], dtype=bool),
    )
