"""Learning within a life: rules behind one protocol, all batched over the population."""

from __future__ import annotations

from evolora_mesa.plasticity.learner import Learner, Work, make_rule
from evolora_mesa.plasticity.rule import Experience, Gradients, Rule
from evolora_mesa.plasticity.teacher_forcing import sequence_gradients

__all__ = ["Experience", "Gradients", "Learner", "Rule", "Work", "make_rule", "sequence_gradients"]
