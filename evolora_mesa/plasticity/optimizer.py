"""Steps along the gradients: stacked Adam or clipped gradient ascent, one state per slot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

from evolora_mesa.host import AdapterBank
from evolora_mesa.plasticity.rule import Gradients
from evolora_mesa.refill import refill, refill_rows, rows_of

__all__ = ["SlotOptimizer"]

_EPSILON = 1e-8
_LEAST_SHARE = 0.1  # of the first learning rate: a world that lives long enough to change must still be learned


class SlotOptimizer:
    """Moves adapters uphill; every slot counts its own updates and its rate falls as ``1 / (1 + n / half_life)``, to a
    tenth of the first at least. A child goes on from its parent's count.

    Adam: D. P. Kingma and J. Ba (2015).

    Args:
        bank: whose weights are moved.
        kind: ``"adam"``, or ``"sgd"``: plain ascent with each factor's gradient clipped to norm ``clip``.
        learning_rate: of the first update.
        half_life: updates after which the rate has halved; 0 keeps it constant.
    """

    def __init__(
        self,
        bank: AdapterBank,
        *,
        kind: Literal["adam", "sgd"] = "adam",
        learning_rate: float = 0.01,
        half_life: float = 60.0,
        beta1: float = 0.9,
        beta2: float = 0.98,
        clip: float = 1.0,
    ) -> None:
        self._bank, self.kind, self.learning_rate, self.half_life = bank, kind, learning_rate, half_life
        self._beta1, self._beta2, self._clip = beta1, beta2, clip
        self.updates = torch.zeros(bank.capacity)
        self._moments = (
            {
                # In float32 whatever the weights are in: squares of small numbers fade in bfloat16.
                (factor, name): (_zeros(tensor), _zeros(tensor))
                for factor, stack in (("a", bank.a), ("b", bank.b))
                for name, tensor in stack.items()
            }
            if kind == "adam"
            else {}
        )

    def reset(self, slots: torch.Tensor) -> None:
        """Forget the past of ``slots``."""
        self.updates[slots] = 0
        for first, second in self._moments.values():
            first[slots] = 0.0
            second[slots] = 0.0

    def inherit(self, sources: torch.Tensor, targets: torch.Tensor) -> None:
        """Let ``targets`` go on at the learning rate that ``sources`` have reached, with no momentum of their own."""
        self.reset(targets)
        self.updates[targets] = self.updates[sources]

    def step(self, gradients: Gradients) -> None:
        """One ascent step for the owners of ``gradients``."""
        slots = gradients.slots
        self.updates[slots] += 1
        count = self.updates[slots]
        cooling = 1 / (1 + (count - 1) / self.half_life) if self.half_life else torch.ones(len(slots))
        rate = self.learning_rate * cooling.clamp(min=_LEAST_SHARE)
        rate = rate.to(self._bank.device)[:, None, None]
        count = count.to(self._bank.device)[:, None, None]
        for factor, stack, found in (("a", self._bank.a, gradients.a), ("b", self._bank.b, gradients.b)):
            for name, gradient in found.items():
                wide = gradient.float()
                if self.kind == "adam":
                    direction = self._adam((factor, name), slots, wide, count)
                else:
                    direction = self._clipped(wide)
                stack[name][slots] += (rate * direction).to(stack[name])

    def _adam(
        self, key: tuple[str, str], slots: torch.Tensor, gradient: torch.Tensor, count: torch.Tensor
    ) -> torch.Tensor:
        first, second = self._moments[key]
        first[slots] = self._beta1 * first[slots] + (1 - self._beta1) * gradient
        second[slots] = self._beta2 * second[slots] + (1 - self._beta2) * gradient.square()
        mean = first[slots] / (1 - self._beta1**count)
        spread = (second[slots] / (1 - self._beta2**count)).sqrt()
        return mean / (spread + _EPSILON)

    def _clipped(self, gradient: torch.Tensor) -> torch.Tensor:
        norm = gradient.flatten(1).norm(dim=1).clamp(min=_EPSILON)[:, None, None]
        return gradient * (self._clip / norm).clamp(max=1.0)

    def state_dict(self) -> dict[str, Any]:
        """Counts of updates, and the moments of slots with a count; those of others are zero."""
        slots = self.updates.nonzero().flatten()
        return {
            "updates": self.updates.clone(),
            "moments": {
                f"{factor}.{name}": {"first": rows_of(first, slots), "second": rows_of(second, slots)}
                for (factor, name), (first, second) in self._moments.items()
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        refill(self.updates, state["updates"], "updates of adapters")
        slots = self.updates.nonzero().flatten()
        for (factor, name), (first, second) in self._moments.items():
            saved, where = state["moments"][f"{factor}.{name}"], f"moments of {factor}, {name}"
            refill_rows(first, slots, saved["first"], where)
            refill_rows(second, slots, saved["second"], where)


def _zeros(like: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(like, dtype=torch.float32)
