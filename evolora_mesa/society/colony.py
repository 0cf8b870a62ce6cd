"""A colony: two to four organelles with a pot, a way to decide, and the evidence for and against them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple, Self

import numpy as np

from evolora_mesa.config_society import AnswerMode
from evolora_mesa.evolution.eprocess import log_e_value

__all__ = ["Audition", "Colony", "Counts", "Lesson", "Purpose", "Rung"]

Rung = Literal["ensemble", "fused", "distilled"]
Purpose = Literal["founding", "expansion", "fused", "distilled"]


@dataclass
class Counts:
    """Paired results, prompt by prompt: which side was right where the other was not."""

    wins: int = 0
    ties: int = 0
    losses: int = 0

    def add(self, ours: np.ndarray, theirs: np.ndarray) -> None:
        """Take in ``[prompts]`` bool successes of both sides."""
        self.wins += int((ours & ~theirs).sum())
        self.losses += int((theirs & ~ours).sum())
        self.ties += int((ours == theirs).sum())

    @property
    def total(self) -> int:
        """Prompts."""
        return self.wins + self.ties + self.losses

    @property
    def uplift(self) -> float:
        """Mean gain over the other side, in [-1, 1]; nan before the first prompt."""
        return (self.wins - self.losses) / self.total if self.total else math.nan

    def log_better(self, margin: float = 0.0) -> float:
        """Log-evidence against "the gain is at most -margin"."""
        return float(log_e_value(self.wins, self.ties, self.losses, margin))

    def log_worse(self, margin: float = 0.0) -> float:
        """Log-evidence against "the gain is at least margin"."""
        return float(log_e_value(self.losses, self.ties, self.wins, margin))


class Lesson(NamedTuple):
    """An answer worth learning: tokens of the prompt, and of the answer."""

    prompt: list[int]
    answer: list[int]


@dataclass(eq=False)
class Audition:
    """A colony's open trial: its side against the one that it has to beat, on the same fresh gate prompts.

    Attributes:
        purpose: what is at stake.
        born: generation.
        candidate: id of the organelle that may join, for an expansion.
        adapter: bank slot of the rung that is tried.
        counts: of the side on trial.
        right: successes of either side.
        tokens: read and written by either side.
        energy: paid so far.
    """

    purpose: Purpose
    born: int
    candidate: int | None = None
    adapter: int | None = None
    counts: Counts = field(default_factory=Counts)
    right: list[int] = field(default_factory=lambda: [0, 0])
    tokens: list[int] = field(default_factory=lambda: [0, 0])
    energy: float = 0.0


@dataclass(eq=False)  # a colony is itself, whatever it holds
class Colony:
    """One team.

    Attributes:
        number: its unique id; colonies are counted apart from organelles, from 1.
        members: ids of living organelles, in order of joining.
        mode: how it decides.
        cells: flat numbers of the cells it works in.
        pot: ledger account.
        born: generation of the proposal.
        founded: generation of the admission; `None` while it auditions for it.
        rung: who answers: all members, or one adapter for them.
        adapter: bank slot of that one adapter.
        expecting: it has climbed, and its child has not been born yet.
        paid_in: energy by member; what is left of the pot is divided by it.
        audition: the open trial, or `None`.
        rested: generation from which the next trial may begin.
        tried: what the latest trial was about.
        tried_rung: the latest rung that was tried, if it was another.
        against: evidence of the paid work since it last spoke for the colony; losses are to the best member.
        without: by member, how the team does against itself without that member.
        tasks, right, rival_right: joint tasks so far, and how many of them it and its best member had right.
        tokens, rival_tokens: read and written for them by either side.
        lessons, retention: latest joint answers that were paid in full, and members' own in other cells.
    """

    number: int
    members: list[int]
    mode: AnswerMode
    cells: list[int]
    pot: int
    born: int
    founded: int | None = None
    rung: Rung = "ensemble"
    adapter: int | None = None
    expecting: bool = False
    paid_in: dict[int, float] = field(default_factory=dict)
    audition: Audition | None = None
    rested: int = 0
    tried: Purpose = "founding"
    tried_rung: Rung = "ensemble"
    against: Counts = field(default_factory=Counts)
    without: dict[int, Counts] = field(default_factory=dict)
    tasks: int = 0
    right: int = 0
    rival_right: int = 0
    tokens: int = 0
    rival_tokens: int = 0
    lessons: list[Lesson] = field(default_factory=list)
    retention: list[Lesson] = field(default_factory=list)

    def weigh(self, ours: np.ndarray, theirs: np.ndarray) -> None:
        """Take in paid work, ``[tasks]`` bool successes of the colony and of its best member.

        Evidence starts anew whenever it speaks for the colony, so that a good past does not hide that the colony has
        become worse (E. S. Page, "Continuous inspection schemes", 1954; J. Shin, A. Ramdas, A. Rinaldo, "E-detectors",
        2022).
        """
        self.against.add(ours, theirs)
        if self.against.log_worse() <= 0:
            self.against = Counts()

    def leave(self, member: int) -> None:
        """One member less; the others' contributions are to another team from now on."""
        self.members.remove(member)
        self.without.clear()

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        state = {part.name: getattr(self, part.name) for part in fields(self)}
        state |= {
            "members": list(self.members),
            "cells": list(self.cells),
            "paid_in": [[member, energy] for member, energy in self.paid_in.items()],
            "without": [[member, *_counted(counts)] for member, counts in self.without.items()],
            "against": _counted(self.against),
            "lessons": _taught(self.lessons),
            "retention": _taught(self.retention),
        }
        if self.audition is not None:
            audition = self.audition
            state["audition"] = {part.name: getattr(audition, part.name) for part in fields(audition)} | {
                "counts": _counted(audition.counts),
                "right": list(audition.right),
                "tokens": list(audition.tokens),
            }
        return state

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `state_dict`."""
        values = dict(state)
        values["paid_in"] = dict(values["paid_in"])
        values["without"] = {member: Counts(*counts) for member, *counts in values["without"]}
        values["against"] = Counts(*values["against"])
        for name in ("lessons", "retention"):
            values[name] = [Lesson(*lesson) for lesson in values[name]]
        if values["audition"] is not None:
            values["audition"] = Audition(**{**values["audition"], "counts": Counts(*values["audition"]["counts"])})
        return cls(**values)


def _counted(counts: Counts) -> list[int]:
    return [counts.wins, counts.ties, counts.losses]


def _taught(lessons: Sequence[Lesson]) -> list[list[list[int]]]:
    return [[list(lesson.prompt), list(lesson.answer)] for lesson in lessons]
