"""Heritable traits beside the weights: what an organelle spends on its children, and how they come about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from evolora_mesa.evolution.mutation import adapted
from evolora_mesa.refill import refill

__all__ = ["BOUNDS", "TRAITS", "Traits"]

TRAITS: Final = ("budget", "thrift", "sociability", "strength")
# By trait, the range that inheritance keeps it in. `strength` comes from the settings.
BOUNDS: Final = {"budget": (0.02, 0.8), "thrift": (0.5, 4.0), "sociability": (0.02, 1.0)}
_SPREAD: Final = 0.1  # standard deviation of the logarithm of child / parents


class Traits:
    """One row per bank slot.

    Args:
        capacity: bank slots.
        founders: the founders' value of every trait in `TRAITS`.
        strength: range of the mutation strength.

    Attributes:
        budget: share of its energy that a parent gives for the test of a child.
        thrift: multiple of the reproduction floor that a parent wants to own.
        sociability: chance to look for a partner rather than to copy itself.
        strength: of mutation, relative to the norm of the adapter; it adapts itself (Schwefel, 1981).
    """

    def __init__(self, capacity: int, founders: dict[str, float], strength: tuple[float, float]) -> None:
        self._founders = founders
        self._bounds = {**BOUNDS, "strength": strength}
        self.budget, self.thrift = np.zeros(capacity), np.zeros(capacity)
        self.sociability, self.strength = np.zeros(capacity), np.zeros(capacity)
        self._values = {name: getattr(self, name) for name in TRAITS}

    def rows(self, slots: np.ndarray) -> np.ndarray:
        """``[slots, traits]`` in the order of `TRAITS`."""
        return np.stack([self._values[name][slots] for name in TRAITS], 1)

    def write(self, slots: np.ndarray, rows: np.ndarray) -> None:
        """The inverse of `rows`."""
        for place, name in enumerate(TRAITS):
            self._values[name][slots] = rows[:, place]

    def found(self, slots: np.ndarray) -> None:
        """Founders have the traits of the settings."""
        for name in TRAITS:
            low, high = self._bounds[name]
            self._values[name][slots] = min(max(self._founders[name], low), high)

    def inherit(self, parents: np.ndarray, children: np.ndarray, rng: np.random.Generator) -> None:
        """Children have the geometric mean of their ``parents [children, n]``, varied by about a tenth.

        Mutation strength varies by about a fifth.
        """
        for name, values in self._values.items():
            low, high = self._bounds[name]
            middle = np.exp(np.log(values[parents]).mean(1))
            if name == "strength":
                values[children] = adapted(middle, rng, low, high)
            else:
                values[children] = (middle * np.exp(rng.normal(0.0, _SPREAD, len(children)))).clip(low, high)

    def state_dict(self) -> dict[str, Any]:
        """Copies, by trait."""
        return {name: values.copy() for name, values in self._values.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        for name, values in self._values.items():
            refill(values, state[name], f"traits, {name}")
