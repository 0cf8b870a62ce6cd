"""What a task is, and what a family of tasks has to provide."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, NamedTuple

from evolora_mesa.errors import TaskError
from evolora_mesa.tasks.styles import read_answer

__all__ = ["ANSWER_CUE", "Family", "Grade", "Problem", "Task"]

ANSWER_CUE: Final = "\nAnswer:"

# An honest answer is the target plus at most a sentence or a line of work around it.
_ROOM_AROUND_THE_TARGET = 64


class Problem(NamedTuple):
    """The bare content of a task, before a template turns it into a prompt.

    Attributes:
        question: what the prompt asks about.
        answer: the one right answer, without any style.
        near_miss: a plausible wrong answer; only the training of the embedded host uses it.
        scratch: the work leading to the answer, shown by the style `work`; may be empty.
    """

    question: str
    answer: str
    near_miss: str
    scratch: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One question put to an organelle. ``depth`` counts from 1; ``template`` numbers the wording of the prompt."""

    family: str
    depth: int
    template: int
    prompt: str
    target: str
    near_miss: str
    scratch: str


class Grade(NamedTuple):
    """What an answer is worth before any contract.

    Attributes:
        style: how the answer was written, one of `STYLES`; `None` for none of them, which no contract pays in full.
        correct: whether its content is exactly the target.
        closeness: share in [0, 1] of the target's beginning that is right, for families that give partial credit;
            1 when correct.
    """

    style: str | None
    correct: bool
    closeness: float


class Family(ABC):
    """A kind of task that can be generated at any depth and graded exactly.

    A new family is a subclass in any importable module: set ``name`` and ``templates``, write `problem`, and name
    the class in ``tasks.user_families`` as ``"package.module:Class"``. The same state of ``rng`` has to give the same
    problem, so that a run can be repeated.
    """

    name: str
    templates: tuple[str, ...]
    partial_credit: bool = False
    deepest: int = 6

    @abstractmethod
    def problem(self, rng: random.Random, depth: int) -> Problem:
        """A fresh problem of the given depth, 1 (easiest) to ``deepest``, drawn from ``rng`` alone."""

    def generate(self, rng: random.Random, depth: int) -> Task:
        """A task of this family: a fresh problem in one of the templates.

        Raises:
            TaskError: ``depth`` is outside 1..``deepest``.
        """
        if not 1 <= depth <= self.deepest:
            raise TaskError(
                "no such depth", where=self.name, expected=f"1 to {self.deepest}", got=depth, do="Lower tasks.depths."
            )
        template = rng.randrange(len(self.templates))
        question, answer, near_miss, scratch = self.problem(rng, depth)
        prompt = f"{self.templates[template]} {question}{ANSWER_CUE}"
        return Task(self.name, depth, template, prompt, answer, near_miss, scratch)

    def grade(self, task: Task, answer: str) -> Grade:
        """How right ``answer`` is: its content has to equal the target character by character.

        Nothing is searched for inside the answer, no number is parsed and no case is folded, so lists of guesses,
        substrings, restated operands, spelled numbers and foreign digits are all simply wrong.
        """
        if len(answer) > len(task.target) + _ROOM_AROUND_THE_TARGET:
            return Grade("terse", False, 0.0)
        style, content = read_answer(answer)
        if content == task.target:
            return Grade(style, True, 1.0)
        return Grade(style, False, _common_prefix(content, task.target) if self.partial_credit else 0.0)


def _common_prefix(content: str, target: str) -> float:
    """Length of the common beginning over the longer of the two, in [0, 1)."""
    longest = max(len(content), len(target))
    same = 0
    for ours, theirs in zip(content, target, strict=False):
        if ours != theirs:
            break
        same += 1
    return same / longest
