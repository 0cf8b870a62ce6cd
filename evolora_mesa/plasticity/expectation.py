"""What an organelle expects to be rewarded, per kind of work: the baseline that turns rewards into advantages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evolora_mesa.refill import refill

__all__ = ["Expectation"]

# A reward is counted in units of this plus its own spread, so that a nearly constant reward is not blown up.
_SMALLEST_SPREAD = 0.2
_FIRST_VARIANCE = 0.1
_ROWS_PER_UNIT = 8  # `memory` is the share kept per this many rows


class Expectation:
    """Running mean and variance of the reward for every (slot, niche).

    Args:
        capacity: slots.
        niches: kinds of work that are told apart, e.g. task families.
        memory: share of the old mean that is kept per 8 rows, in [0, 1).
    """

    def __init__(self, capacity: int, niches: int, memory: float) -> None:
        self.memory = memory
        self.mean = np.zeros((capacity, niches))
        self.variance = np.full((capacity, niches), _FIRST_VARIANCE)
        self.known = np.zeros((capacity, niches), dtype=bool)

    def reset(self, slots: np.ndarray) -> None:
        """Forget everything about ``slots``."""
        self.known[slots] = False
        self.variance[slots] = _FIRST_VARIANCE

    def inherit(self, parents: np.ndarray, child: int, teacher: np.ndarray) -> None:
        """A newborn expects in every niche what the parent ``parents[teacher[niche]]`` does."""
        sources, niches = parents[teacher], np.arange(self.mean.shape[1])
        for array in (self.mean, self.variance, self.known):
            array[child] = array[sources, niches]

    def advantages(self, slots: np.ndarray, niches: np.ndarray, rewards: np.ndarray) -> np.ndarray:
        """``[rows]`` rewards in units of surprise, then remember them.

        The first rewards of a pair are compared with their own mean.
        """
        shape = self.mean.shape
        pair = slots * shape[1] + niches
        rows = np.bincount(pair, minlength=self.mean.size)
        mean = np.bincount(pair, rewards, minlength=self.mean.size) / np.maximum(rows, 1)
        fresh = (rows > 0) & ~self.known.ravel()
        flat_mean, flat_variance = self.mean.ravel(), self.variance.ravel()
        flat_mean[fresh] = mean[fresh]
        self.known.ravel()[fresh] = True
        deviation = rewards - flat_mean[pair]
        advantages = deviation / (np.sqrt(flat_variance[pair]) + _SMALLEST_SPREAD)
        squares = np.bincount(pair, deviation**2, minlength=self.mean.size) / np.maximum(rows, 1)
        keep = np.where(rows > 0, self.memory ** (rows / _ROWS_PER_UNIT), 1.0)
        flat_mean[:] = keep * flat_mean + (1 - keep) * mean
        flat_variance[:] = keep * flat_variance + (1 - keep) * squares
        return advantages

    def state_dict(self) -> dict[str, Any]:
        """Copies."""
        return {"mean": self.mean.copy(), "variance": self.variance.copy(), "known": self.known.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        for name in ("mean", "variance", "known"):
            refill(getattr(self, name), state[name], f"expectation, {name}")
