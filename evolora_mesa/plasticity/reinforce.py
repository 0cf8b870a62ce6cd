"""REINFORCE through the host: the exact policy gradient, at about 1.7 times the cost of the local rule.

R. J. Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning" (1992).
"""

from __future__ import annotations

import torch

from evolora_mesa.host import AdapterBank
from evolora_mesa.host.service import Host
from evolora_mesa.plasticity.rule import Experience, Gradients
from evolora_mesa.plasticity.teacher_forcing import sequence_gradients

__all__ = ["Reinforce"]


class Reinforce:
    """Backpropagates the advantage of sampled answers to the adapters, at any site."""

    needs_trace = False
    wants_output = False
    wants_probabilities = False

    def __init__(self, host: Host) -> None:
        self._host = host

    def stand_ins(self, bank: AdapterBank, slots: torch.Tensor) -> torch.Tensor:
        return slots

    def gradients(self, bank: AdapterBank, experience: Experience) -> Gradients:
        answers = experience.answers
        return sequence_gradients(
            self._host,
            bank,
            experience.slots,
            answers.prompts,
            answers.tokens,
            experience.advantages,
            temperature=experience.temperature,
        )
