"""A sitting: two sides answer the same prompts, a colony and the one that it has to beat, at equal tokens.

Answers stand in columns, one asker's answers each, and a side is a choice of columns: what both sides need, as the best
member's own answer, is asked once. A side whose mode is `handoff` takes a second call, in which its deciders read what
the others said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evolora_mesa.config_society import AnswerMode
from evolora_mesa.society.colony import Audition, Colony
from evolora_mesa.society.joint import answer_keys, choose_answers, deciders, prompt_with_message, without_each
from evolora_mesa.society.questions import Questions, Replies
from evolora_mesa.tasks import Task
from evolora_mesa.workload import Grades, grade

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Answered", "Side", "Sitting"]


class Side(NamedTuple):
    """Whose answers count, ``columns [prompts, t]``, and how they are made one."""

    columns: np.ndarray
    mode: AnswerMode


class Answered(NamedTuple):
    """One side's joint answers.

    Attributes:
        grades: ``[prompts]`` of them.
        written: tokens of each.
        tokens: read and written for all of them together.
    """

    grades: Grades
    written: list[list[int]]
    tokens: int


class _Second(NamedTuple):
    """The second round of one side: which prompts, whose column, and where the replies are."""

    prompts: np.ndarray
    columns: np.ndarray
    rows: slice


class Sitting:
    """One colony before n prompts.

    Args:
        colony: whose.
        audition: the trial it is for; `None` for paid work.
        tasks: n of them.
        cells: ``[n]`` flat cell numbers.
        slots: ``[n, columns]`` bank slots that answer.
        beliefs: ``[n, columns]`` chance of each to be right.
        team, rival: the two sides.
        given: of the first so many columns the answers come from elsewhere.

    Attributes:
        read, written: tokens that were asked for here, without those given.
        message_tokens: handed on.
    """

    def __init__(
        self,
        colony: Colony,
        audition: Audition | None,
        tasks: Sequence[Task],
        cells: np.ndarray,
        slots: np.ndarray,
        beliefs: np.ndarray,
        team: Side,
        rival: Side,
        given: int = 0,
    ) -> None:
        self.colony, self.audition, self.tasks, self.cells = colony, audition, list(tasks), cells
        self._slots, self._beliefs, self._sides, self._given = slots, beliefs, (team, rival), given
        self.read = self.written = self.message_tokens = 0
        self._seconds: dict[int, _Second] = {}

    # ------------------------------------------------------------------ asking

    def ask(self, questions: Questions) -> None:
        """First round: all columns that are not given."""
        prompts = [task.prompt for task in self.tasks] * (self._slots.shape[1] - self._given)
        self._rows = questions.ask(self._slots[:, self._given :].T.ravel().tolist(), prompts)

    def hear(self, replies: Replies, given: Replies | None = None) -> None:
        """Take the answers of the first round.

        Args:
            given: of the columns that were not asked here, column after column; `None` where all were.
        """
        asked = replies.take(self._rows)
        self.read, self.written = int(asked.read.sum()), int(asked.written.sum())
        parts = [asked] if given is None else [given, asked]
        self._texts = [text for part in parts for text in part.texts]
        self._tokens = [tokens for part in parts for tokens in part.tokens]
        shape = self._slots.shape[::-1]

        def grid(name: str) -> np.ndarray:
            """``[prompts, columns]``."""
            return np.concatenate([getattr(part, name) for part in parts]).reshape(shape).T

        self._log_probability = grid("log_probability")
        self._used = grid("read") + grid("written")
        prompts = range(len(self.tasks))
        self._keys = answer_keys([self._texts[prompt :: len(prompts)] for prompt in prompts])  # columns lie apart

    def ask_deciders(self, questions: Questions, model: EcologyModel) -> None:
        """Second round: of a side that hands on, those with the last word read what the others said.

        At paid work no more is handed on than the bandwidth allows; prompts beyond it are decided without.
        """
        each = np.arange(len(self.tasks))
        for number, side in enumerate(self._sides):
            if side.mode != "handoff" or side.columns.shape[1] < 2:
                continue
            last = deciders(self._of(self._beliefs, side.columns))  # [prompts], place in the side
            places = np.arange(side.columns.shape[1])
            others = np.array([side.columns[row, places != place] for row, place in enumerate(last.tolist())])
            drafts = others[each, self._chosen(others, "skill")]
            messages = [self._texts[row] for row in self._row(drafts).tolist()]
            lengths = np.array([len(tokens) for tokens in model.host.codec.encode(messages)])
            limit = model.config.society.colonies.bandwidth if self.audition is None else np.inf
            prompts = [
                prompt_with_message(task.prompt, message) for task, message in zip(self.tasks, messages, strict=True)
            ]
            reached = np.flatnonzero((lengths.cumsum() <= limit) & _fit(prompts, model))
            self.message_tokens += int(lengths[reached].sum())
            columns = side.columns[each, last]
            rows = questions.ask(
                self._slots[reached, columns[reached]].tolist(), [prompts[row] for row in reached.tolist()]
            )
            self._seconds[number] = _Second(reached, columns, rows)

    def hear_deciders(self, replies: Replies, model: EcologyModel) -> tuple[Answered, Answered]:
        """Take the answers of the second round, if there was one; what both sides answered."""
        self.team, self.rival = (self._answered(number, replies, model) for number in range(2))
        return self.team, self.rival

    # ------------------------------------------------------------------ deciding

    def _of(self, grid: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return np.take_along_axis(grid, columns, 1)

    def _row(self, columns: np.ndarray) -> np.ndarray:
        """``[prompts]`` places among all answers of one column per prompt."""
        return np.asarray(columns * len(self.tasks) + np.arange(len(self.tasks)))

    def _chosen(self, columns: np.ndarray, mode: AnswerMode) -> np.ndarray:
        """``[prompts]`` places among ``columns [prompts, t]``."""
        return choose_answers(
            self._of(self._keys, columns),
            self._of(self._log_probability, columns),
            self._of(self._beliefs, columns),
            mode,
        )

    def _answered(self, number: int, replies: Replies, model: EcologyModel) -> Answered:
        side = self._sides[number]
        chosen = self._row(side.columns[np.arange(len(self.tasks)), self._chosen(side.columns, side.mode)])
        texts = [self._texts[row] for row in chosen.tolist()]
        written = [self._tokens[row] for row in chosen.tolist()]
        tokens = int(self._of(self._used, side.columns).sum())
        second = self._seconds.get(number)
        if second is not None:
            last = replies.take(second.rows)
            for place, row in enumerate(second.prompts.tolist()):
                texts[row], written[row] = last.texts[place], last.tokens[place]
            read_here, written_here = int(last.read.sum()), int(last.written.sum())
            tokens += read_here + written_here
            self.read, self.written = self.read + read_here, self.written + written_here
        return Answered(grade(self.tasks, texts, model.tasks, model.contracts), written, tokens)

    def success_without(self, model: EcologyModel) -> list[np.ndarray]:
        """For each member of the team ``[prompts]`` success of what the others alone would have answered."""
        side = self._sides[0]
        chosen = without_each(
            self._of(self._keys, side.columns),
            self._of(self._log_probability, side.columns),
            self._of(self._beliefs, side.columns),
            side.mode,
        )
        found = []
        for places in chosen:
            rows = self._row(side.columns[np.arange(len(self.tasks)), places]).tolist()
            texts = [self._texts[row] for row in rows]
            found.append(grade(self.tasks, texts, model.tasks, model.contracts).success)
        return found


def _fit(prompts: Sequence[str], model: EcologyModel) -> np.ndarray:
    """``[prompts]`` whether the host can read a prompt and still answer."""
    longest = model.host.host.longest
    if longest is None:
        return np.ones(len(prompts), dtype=bool)
    room = longest - model.config.host.max_new_tokens
    return np.array([len(tokens) <= room for tokens in model.host.codec.encode(prompts)])
