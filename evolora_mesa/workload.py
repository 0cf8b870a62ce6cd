"""A generation's work: who answers what, and how it was graded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
import torch

from evolora_mesa.host import Answers
from evolora_mesa.tasks import Contracts, Task, TaskSource

__all__ = ["Grades", "JointRows", "Shift", "Workload", "grade"]


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

    def take(self, rows: np.ndarray) -> Workload:
        """Only some rows, ascending, numbered anew; the trace too."""
        answers = self.answers
        trace = answers.trace
        if trace is not None:
            number = torch.full((len(self.tasks),), -1)
            number[torch.from_numpy(rows)] = torch.arange(len(rows))
            renumbered = number.to(trace.rows.device)[trace.rows]
            kept = (renumbered >= 0).nonzero().squeeze(1)
            trace = replace(trace.take(kept), rows=renumbered[kept])

        def some(values: list[Any]) -> list[Any]:
            return [values[row] for row in rows.tolist()]

        return Workload(
            self.slots[rows],
            self.owners[rows],
            self.cells[rows],
            some(self.tasks),
            self.answered_by[rows],
            Answers(
                some(answers.texts), some(answers.prompts), some(answers.tokens), answers.log_probability[rows], trace
            ),
        )

    def without_trace(self) -> Workload:
        """The same, but for what learning needs of the answers."""
        return replace(self, answers=replace(self.answers, trace=None))


@dataclass(frozen=True)
class Grades:
    """``rewards [rows]`` in [0, 1]; ``success [rows]``: right, and in the style that the cell pays for.

    Attributes:
        swayed: ``[rows]`` rewards in which a judge had a say; `None` where none sat.
    """

    rewards: np.ndarray
    success: np.ndarray
    swayed: np.ndarray | None = None

    @property
    def lessons(self) -> np.ndarray:
        """``[rows]`` what adapters learn from, in [0, 1]."""
        return self.rewards if self.swayed is None else self.swayed

    def take(self, rows: np.ndarray) -> Grades:
        """Only some rows."""
        return Grades(self.rewards[rows], self.success[rows], None if self.swayed is None else self.swayed[rows])


class Shift(NamedTuple):
    """A generation's graded work; ``ids [organelles]`` are those of the owners at work, in the order of `owners`."""

    workload: Workload
    grades: Grades
    ids: np.ndarray


class JointRows(NamedTuple):
    """Work that others than organelles are paid for and pay for.

    Attributes:
        rows: of the workload, which their owners answered for somebody else.
        cells, rewards, accounts: ``[claims]`` flat cell, reward in [0, 1] and ledger account of every joint answer.
    """

    rows: np.ndarray
    cells: np.ndarray
    rewards: np.ndarray
    accounts: np.ndarray

    @classmethod
    def none(cls) -> Self:
        """Everybody works for itself."""
        nothing = np.zeros(0, dtype=np.int64)
        return cls(nothing, nothing, np.zeros(0), nothing)

    def with_claims(self, cells: np.ndarray, rewards: np.ndarray, accounts: np.ndarray) -> JointRows:
        """The same, with claims behind it for answers that are no rows of the workload; all ``[claims]``."""
        more = zip((self.cells, self.rewards, self.accounts), (cells, rewards, accounts), strict=True)
        return JointRows(self.rows, *(np.concatenate(both) for both in more))


def grade(tasks: Sequence[Task], texts: Sequence[str], source: TaskSource, contracts: Contracts) -> Grades:
    """Grade every answer by its own task's family and contract."""
    rewards = [contracts.reward(task, source.grade(task, text)) for task, text in zip(tasks, texts, strict=True)]
    return Grades(
        np.array([reward.value for reward in rewards], dtype=float),
        np.array([reward.success for reward in rewards], dtype=bool),
    )
