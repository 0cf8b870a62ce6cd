"""Learning within a life: from rewards to advantages, gradients, steps, and weights that stay healthy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from evolora_mesa.config import PlasticityConfig
from evolora_mesa.host import AdapterBank, Answers, HostService, TokenTrace
from evolora_mesa.plasticity.evolution_strategy import EvolutionStrategy
from evolora_mesa.plasticity.expectation import Expectation
from evolora_mesa.plasticity.health import Health, HealthReport
from evolora_mesa.plasticity.hebbian import Hebbian
from evolora_mesa.plasticity.optimizer import SlotOptimizer
from evolora_mesa.plasticity.reinforce import Reinforce
from evolora_mesa.plasticity.rule import Experience, Gradients, Rule
from evolora_mesa.plasticity.three_factor import ThreeFactor

__all__ = ["Learner", "Work", "make_rule"]


class Work(NamedTuple):
    """A generation's graded work.

    Attributes:
        slots: ``[rows]`` owners.
        answered_by: ``[rows]`` from `Learner.stand_ins`.
        niches: ``[rows]`` kind of work.
        rewards: ``[rows]`` in [0, 1].
        answers: with `Learner.trace` filled in.
        temperature: of sampling.
    """

    slots: torch.Tensor
    answered_by: torch.Tensor
    niches: np.ndarray
    rewards: np.ndarray
    answers: Answers
    temperature: float


def make_rule(
    settings: PlasticityConfig, service: HostService, bank: AdapterBank, generator: torch.Generator
) -> Rule | None:
    """The rule named in the settings; `None` for ``"none"``."""
    match settings.rule:
        case "three_factor":
            return ThreeFactor(service.host, bank)
        case "reinforce":
            return Reinforce(service.host)
        case "hebbian":
            return Hebbian()
        case "evolution_strategy":
            return EvolutionStrategy(settings.pairs, settings.perturbation, generator)
    return None


class Learner:
    """All learning state of a population, one row per bank slot.

    Args:
        settings: rule, optimiser and health settings.
        rule: from `make_rule`; `None` switches learning off.
        bank: the adapters that learn.
        niches: kinds of work.
    """

    def __init__(self, settings: PlasticityConfig, rule: Rule | None, bank: AdapterBank, niches: int) -> None:
        self.rule, self._bank, self._niches = rule, bank, niches
        self._expectation = Expectation(bank.capacity, niches, settings.baseline_memory)
        self._optimizer = SlotOptimizer(
            bank,
            kind=settings.optimizer,
            learning_rate=settings.learning_rate,
            half_life=settings.half_life,
            beta1=settings.beta1,
            beta2=settings.beta2,
            clip=settings.clip,
        )
        self._health = Health(
            bank,
            niches,
            norm_bound=settings.norm_bound,
            decay=settings.decay,
            window=settings.rollback_window,
            drop=settings.rollback_drop,
        )

    def trace(self) -> TokenTrace | None:
        """A fresh trace to answer with, when the rule needs one."""
        if self.rule is None or not self.rule.needs_trace:
            return None
        return TokenTrace(self.rule.wants_output, self.rule.wants_probabilities)

    def stand_ins(self, slots: torch.Tensor) -> torch.Tensor:
        """``[rows]`` who answers for ``slots [rows]``."""
        return slots if self.rule is None else self.rule.stand_ins(self._bank, slots)

    def learn(self, work: Work, told: Callable[[Gradients], None] | None = None) -> HealthReport:
        """One update of everyone who worked.

        Args:
            told: called with the gradients before they are followed; it may change the adapters.
        """
        if self.rule is None:
            return HealthReport(self._health.quarantine(torch.unique(work.slots)), [])
        rows = work.slots.numpy()
        advantages = self._expectation.advantages(rows, work.niches, work.rewards)
        experience = Experience(
            work.slots,
            work.answered_by,
            torch.from_numpy(advantages).float(),
            work.answers,
            work.temperature,
        )
        gradients = self.rule.gradients(self._bank, experience)
        if told is not None:
            told(gradients)
        self._optimizer.step(gradients)
        niches, rewards = self._main_niche(gradients.slots.numpy(), rows, work)
        report = self._health.check(gradients.slots, niches, rewards)
        treated = torch.tensor(report.quarantined + report.rolled_back, dtype=torch.long)
        self._optimizer.reset(treated)
        return report

    def _main_niche(self, owners: np.ndarray, rows: np.ndarray, work: Work) -> tuple[np.ndarray, np.ndarray]:
        """The niche that each of ``owners`` did most of its work in, and its mean reward there."""
        shape = (self._bank.capacity, self._niches)
        pair = rows * self._niches + work.niches
        count = np.bincount(pair, minlength=shape[0] * shape[1]).reshape(shape)[owners]
        total = np.bincount(pair, work.rewards, minlength=shape[0] * shape[1]).reshape(shape)[owners]
        main = count.argmax(1)
        each = np.arange(len(owners))
        return main, total[each, main] / count[each, main]

    def reset(self, slots: torch.Tensor) -> None:
        """Forget what is known about ``slots``: they are founders."""
        self._expectation.reset(slots.numpy())
        self._optimizer.reset(slots)
        self._health.reset(slots)

    def inherit(self, parents: np.ndarray, child: int, teacher: np.ndarray) -> None:
        """A newborn expects what its parents do and learns at the rate of the first.

        Args:
            parents: ``[parents]`` slots.
            child: slot.
            teacher: ``[niches]`` place among the parents of the one that knows a niche best.
        """
        self._health.reset(torch.tensor([child]))
        self._expectation.inherit(parents, child, teacher)
        self._optimizer.inherit(torch.from_numpy(parents[:1]), torch.tensor([child]))

    def state_dict(self) -> dict[str, Any]:
        """What is known of every slot. Of the rules only evolution strategies have a memory."""
        return {
            "expectation": self._expectation.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "health": self._health.state_dict(),
            "rule": self.rule.state_dict() if isinstance(self.rule, EvolutionStrategy) else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        self._expectation.load_state_dict(state["expectation"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._health.load_state_dict(state["health"])
        if isinstance(self.rule, EvolutionStrategy):
            self.rule.load_state_dict(state["rule"])
