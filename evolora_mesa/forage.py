"""Where to work: beliefs about every cell, and a choice that weighs expected profit, curiosity and chance.

Thompson sampling (W. R. Thompson, 1933) over a Beta belief per (organelle, cell); learning progress as the drive to
work where answers are changing (P.-Y. Oudeyer, F. Kaplan, V. V. Hafner, 2007).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evolora_mesa.config import ForageConfig
from evolora_mesa.refill import refill

__all__ = ["Beliefs"]

# A cell nobody has tried is thought a little worse than even, with the weight of two episodes.
_PRIOR = (0.6, 1.4)
_FAST, _SLOW = 0.3, 0.05  # rates of the two averages whose gap is learning progress


class Beliefs:
    """What every organelle thinks of every cell, stacked by bank slot.

    Args:
        settings: how beliefs are kept and used.
        capacity: bank slots.
        shape: ``(families, depths)``.

    Attributes:
        wins, losses: ``[capacity, families, depths]`` discounted evidence, without the prior.
        bias: ``[capacity, families, depths]`` inborn preference, in energy.
        allowed: ``[capacity, families, depths]`` bool: where it may work; everywhere unless it is confined.
        exploration, curiosity: ``[capacity]`` heritable traits: share of random choices, weight of learning progress.
    """

    def __init__(self, settings: ForageConfig, capacity: int, shape: tuple[int, int]) -> None:
        self.settings, self.shape = settings, shape
        full = (capacity, *shape)
        self.wins, self.losses = np.zeros(full), np.zeros(full)
        self.bias = np.zeros(full)
        self.allowed = np.ones(full, dtype=bool)
        self._fast, self._slow = np.full(full, np.nan), np.full(full, np.nan)  # unknown until tried
        self.exploration = np.zeros(capacity)
        self.curiosity = np.zeros(capacity)

    def found(self, slots: np.ndarray, rng: np.random.Generator) -> None:
        """Founders know nothing and have inborn preferences among families."""
        self._forget(slots)
        preference = rng.normal(0.0, self.settings.initial_bias, (len(slots), self.shape[0], 1))
        self.bias[slots] = np.broadcast_to(preference, (len(slots), *self.shape))
        self.exploration[slots] = self.settings.exploration
        self.curiosity[slots] = self.settings.learning_progress

    def inherit(self, parents: np.ndarray, child: int, teacher: np.ndarray, rng: np.random.Generator) -> None:
        """A child believes half as firmly what its parents do; its traits are theirs, varied by about a tenth.

        Args:
            parents: ``[parents]`` slots.
            child: slot.
            teacher: ``[families, depths]`` place among the parents of the one that is believed about a cell.
        """
        families, depths = np.indices(self.shape)
        for array, firmness in (
            (self.wins, 0.5),
            (self.losses, 0.5),
            (self._fast, 1.0),
            (self._slow, 1.0),
            (self.bias, 1.0),
        ):
            array[child] = firmness * array[parents[teacher], families, depths]
        self.allowed[child] = self.allowed[parents].any(0)
        for trait in (self.exploration, self.curiosity):
            trait[child] = trait[parents].mean() * np.exp(rng.normal(0.0, 0.1))
        self.exploration[child] = self.exploration[child].clip(0.0, 1.0)

    def recall(self, slot: int, cell: tuple[int, int], success: float, episodes: float) -> None:
        """What an elite of the archive knows: that it was good in its own cell."""
        self._forget(np.array([slot]))
        self.bias[slot] = 0.0
        self.wins[slot][cell], self.losses[slot][cell] = episodes * success, episodes * (1 - success)
        self.exploration[slot] = self.settings.exploration
        self.curiosity[slot] = self.settings.learning_progress

    def confine(self, slot: int, cells: np.ndarray) -> None:
        """From now on ``slot`` works in these flat ``cells`` only, as far as it was allowed there."""
        inside = np.zeros(self.allowed[slot].size, dtype=bool)
        inside[cells] = True
        self.allowed[slot] &= inside.reshape(self.shape)

    def _forget(self, slots: np.ndarray) -> None:
        for array, nothing in ((self.wins, 0.0), (self.losses, 0.0), (self._fast, np.nan), (self._slow, np.nan)):
            array[slots] = nothing
        self.allowed[slots] = True

    def success(self, slots: np.ndarray) -> np.ndarray:
        """Mean of the belief, ``[slots, families, depths]`` in (0, 1)."""
        wins, losses = self.wins[slots] + _PRIOR[0], self.losses[slots] + _PRIOR[1]
        return wins / (wins + losses)

    def learning_progress(self, slots: np.ndarray) -> np.ndarray:
        """Gap between the recent and the longer average of reward, ``[slots, families, depths]``; 0 where untried."""
        return np.nan_to_num(np.abs(self._fast[slots] - self._slow[slots]))

    def choose(
        self,
        slots: np.ndarray,
        income: np.ndarray,
        cost: np.ndarray,
        episodes: int,
        rng: np.random.Generator,
        eagerness: float = 1.0,
        pull: np.ndarray | float = 0.0,
        open_cells: np.ndarray | bool = True,
    ) -> np.ndarray:
        """Deal each organelle's episodes out to cells.

        One plausible success probability is drawn per cell and held for the generation, so most of an organelle's
        episodes go to one place.

        Args:
            slots: ``[organelles]``.
            income: ``[families, depths]`` what a success is expected to be paid, in energy.
            cost: ``[families, depths]`` what an episode is expected to cost, in energy.
            eagerness: factor on exploration and curiosity.
            pull: ``[organelles, families, depths]`` what a cell is worth beside its profit, in energy.
            open_cells: ``[families, depths]`` bool: where there is work at all. Who is allowed nowhere there may work
                anywhere there.

        Under uniform routing nothing but chance has a say, neither beliefs and traits nor where one is allowed to work.

        Returns:
            ``[organelles, episodes]`` flat cell numbers.
        """
        if self.settings.routing == "uniform":
            dealt = np.flatnonzero(np.broadcast_to(open_cells, self.shape))
            return dealt[rng.integers(dealt.size, size=(len(slots), episodes))]
        plausible = rng.beta(self.wins[slots] + _PRIOR[0], self.losses[slots] + _PRIOR[1])
        curiosity = eagerness * self.curiosity[slots, None, None] * self.learning_progress(slots)
        appeal = (income * plausible - cost + curiosity + self.bias[slots] + pull).reshape(len(slots), -1)
        allowed = self.allowed[slots] & open_cells
        allowed = np.where(allowed.any((1, 2), keepdims=True), allowed, open_cells).reshape(len(slots), -1)
        appeal = np.where(allowed, appeal, -np.inf)
        share = np.exp((appeal - appeal.max(1, keepdims=True)) / self.settings.temperature)
        share /= share.sum(1, keepdims=True)
        explore = (eagerness * self.exploration[slots, None]).clip(0.0, 1.0)
        cumulative = np.cumsum((1 - explore) * share + explore * allowed / allowed.sum(1, keepdims=True), axis=1)
        drawn = rng.random((len(slots), episodes, 1)) * cumulative[:, None, -1:]
        return (drawn >= cumulative[:, None, :]).sum(-1)

    def learn(self, slots: np.ndarray, cells: np.ndarray, rewards: np.ndarray, success: np.ndarray) -> None:
        """Take in a generation's outcomes.

        Args:
            slots: ``[rows]`` owners.
            cells: ``[rows]`` flat cell numbers.
            rewards: ``[rows]`` in [0, 1].
            success: ``[rows]`` bool.
        """
        present, owners = np.unique(slots, return_inverse=True)
        size = self.shape[0] * self.shape[1]
        pair = owners * size + cells
        shape = (len(present), *self.shape)
        rows = np.bincount(pair, minlength=len(present) * size).reshape(shape).astype(float)
        wins = np.bincount(pair, success, minlength=len(present) * size).reshape(shape)
        total = np.bincount(pair, rewards, minlength=len(present) * size).reshape(shape)
        keep, spill = self.settings.memory, self.settings.spill
        self.wins[present] = keep * self.wins[present] + _spilled(wins, spill)
        self.losses[present] = keep * self.losses[present] + _spilled(rows - wins, spill)
        tried = rows > 0
        mean = total / np.maximum(rows, 1)
        for average, rate in ((self._fast, _FAST), (self._slow, _SLOW)):
            known = np.where(np.isnan(average[present]), mean, average[present])
            average[present] = np.where(tried, known + rate * (mean - known), average[present])

    # ------------------------------------------------------------------ state

    def _arrays(self) -> dict[str, np.ndarray]:
        return {
            "wins": self.wins,
            "losses": self.losses,
            "bias": self.bias,
            "allowed": self.allowed,
            "fast": self._fast,
            "slow": self._slow,
            "exploration": self.exploration,
            "curiosity": self.curiosity,
        }

    def state_dict(self) -> dict[str, Any]:
        """Copies of all beliefs, and of the traits."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        for name, array in self._arrays().items():
            refill(array, state[name], f"beliefs, {name}", finite=name not in ("fast", "slow"))


def _spilled(evidence: np.ndarray, share: float) -> np.ndarray:
    """``evidence [organelles, families, depths]`` with a share of it counted at the family's other depths too."""
    return evidence + share * (evidence.sum(2, keepdims=True) - evidence)
