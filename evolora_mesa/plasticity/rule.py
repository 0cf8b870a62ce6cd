"""What every learning rule shares: what it is told, what it returns, and what it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch

from evolora_mesa.host import AdapterBank, Answers

__all__ = ["Experience", "Gradients", "Rule"]


@dataclass(frozen=True)
class Experience:
    """One batch of answered and graded tasks.

    Attributes:
        slots: ``[rows]`` the organelle that owns each row.
        answered_by: ``[rows]`` the slot that really answered; differs from ``slots`` only under a rule that sends
            perturbed stand-ins.
        advantages: ``[rows]`` how much better than expected the answer was.
        answers: with the trace when the rule needs one.
        temperature: at which the answers were sampled.
    """

    slots: torch.Tensor
    answered_by: torch.Tensor
    advantages: torch.Tensor
    answers: Answers
    temperature: float = 1.0


@dataclass(frozen=True)
class Gradients:
    """Directions of growing reward, averaged over each owner's rows.

    Attributes:
        slots: ``[owners]`` ascending.
        a: by site name, ``[owners, rank, d_in]``; a site may be absent.
        b: by site name, ``[owners, d_out, rank]``; a site may be absent.
    """

    slots: torch.Tensor
    a: dict[str, torch.Tensor]
    b: dict[str, torch.Tensor]


class Rule(Protocol):
    """A within-life learning rule, batched over all organelles.

    Attributes:
        needs_trace: answers must carry a trace.
        wants_output: the trace must hold the outputs of the adapted layers too.
        wants_probabilities: the trace must hold the distributions that tokens were drawn from.
    """

    needs_trace: bool
    wants_output: bool
    wants_probabilities: bool

    def stand_ins(self, bank: AdapterBank, slots: torch.Tensor) -> torch.Tensor:
        """Who answers for each row of ``slots [rows]``; the owners themselves unless the rule perturbs weights."""

    def gradients(self, bank: AdapterBank, experience: Experience) -> Gradients:
        """What the experience says about each owner's weights."""
