"""Keeping adapters sane: bounded norms, roll-back after a collapse, quarantine of numbers that are not finite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch

from evolora_mesa.host import AdapterBank
from evolora_mesa.refill import refill, refill_rows, rows_of

__all__ = ["Health", "HealthReport"]


class HealthReport(NamedTuple):
    """Slots that were treated in one update."""

    quarantined: list[int]
    rolled_back: list[int]


class Health:
    """Watches the weights and the rolling score of every slot.

    Args:
        bank: whose slots are watched.
        niches: kinds of work whose scores are kept apart, because a new niche pays less at first and is no
            collapse. The weights kept are those of the last best in any niche.
        norm_bound: largest Frobenius norm of ΔW per site.
        decay: share of B that is lost per update.
        window: updates that the rolling score remembers.
        drop: fall of the rolling score below its best that counts as a collapse.
    """

    def __init__(
        self, bank: AdapterBank, niches: int, *, norm_bound: float, decay: float, window: int, drop: float
    ) -> None:
        self._bank, self.norm_bound, self.decay, self.window, self.drop = bank, norm_bound, decay, window, drop
        self.score = np.zeros((bank.capacity, niches))
        self.best = np.full((bank.capacity, niches), -np.inf)
        self.seen = np.zeros((bank.capacity, niches), dtype=np.int64)
        self._good = {name: (bank.a[name].clone(), bank.b[name].clone()) for name in bank.a}
        self._has_good = torch.zeros(bank.capacity, dtype=torch.bool)

    def reset(self, slots: torch.Tensor) -> None:
        """Start anew for ``slots``."""
        self.score[slots], self.best[slots], self.seen[slots] = 0.0, -np.inf, 0
        self._has_good[slots] = False

    def check(self, slots: torch.Tensor, niches: np.ndarray, rewards: np.ndarray) -> HealthReport:
        """Treat ``slots [owners]`` after an update.

        Args:
            niches: ``[owners]`` where each did most of its work.
            rewards: ``[owners]`` mean reward of that work, in [0, 1].
        """
        quarantined = self.quarantine(slots)
        if self.decay:
            for stack in self._bank.b.values():
                stack[slots] *= 1 - self.decay
        self._bound_norms(slots)
        return HealthReport(quarantined, self._roll_back(slots, niches, rewards))

    def quarantine(self, slots: torch.Tensor) -> list[int]:
        """Replace weights that are not finite; the slots among ``slots`` that had any."""
        sick = slots[~self._bank.finite(slots)]
        self._restore(sick)
        return sick.tolist()

    def _bound_norms(self, slots: torch.Tensor) -> None:
        factor = (self.norm_bound / self._bank.norms(slots).clamp(min=1e-12)).clamp(max=1.0)  # [owners, sites]
        for place, site in enumerate(self._bank.sites):
            over = factor[:, place] < 1
            self._bank.b[site.name][slots[over.cpu()]] *= factor[over, place, None, None]

    def _roll_back(self, slots: torch.Tensor, niches: np.ndarray, rewards: np.ndarray) -> list[int]:
        """Follow the rolling scores; keep the weights of a new best, put them back after a collapse."""
        rows = slots.numpy()
        seen = self.seen[rows, niches] + 1
        rate = 1 / np.minimum(seen, self.window)
        score = self.score[rows, niches] + rate * (rewards - self.score[rows, niches])
        ripe = seen >= self.window
        better = ripe & (score > self.best[rows, niches])
        fallen = ripe & (score < self.best[rows, niches] - self.drop) & self._has_good[slots].numpy()
        best = np.where(better, score, self.best[rows, niches])
        # After a collapse the niche is judged anew: were the old best kept, a world that has changed for good would
        # undo all learning for ever.
        self.seen[rows, niches] = np.where(fallen, 0, seen)
        self.score[rows, niches] = np.where(fallen, 0.0, score)
        self.best[rows, niches] = np.where(fallen, -np.inf, best)
        self._remember(slots[torch.from_numpy(better)])
        collapsed = slots[torch.from_numpy(fallen)]
        self._restore(collapsed)
        return collapsed.tolist()

    def _remember(self, slots: torch.Tensor) -> None:
        for name, (a, b) in self._good.items():
            a[slots], b[slots] = self._bank.a[name][slots], self._bank.b[name][slots]
        self._has_good[slots] = True

    def _restore(self, slots: torch.Tensor) -> None:
        """Weights of the best time; a slot that never had one becomes the bare host, with an A it can learn through."""
        known, unknown = slots[self._has_good[slots]], slots[~self._has_good[slots]]
        for place, (name, (a, b)) in enumerate(self._good.items()):
            self._bank.a[name][known], self._bank.b[name][known] = a[known], b[known]
            used = torch.arange(a.shape[1]) < self._bank.ranks[unknown, place][:, None]  # [slots, max_rank]
            self._bank.a[name][unknown] = torch.eye(a.shape[1], a.shape[2]).to(a) * used.to(a)[:, :, None]
            self._bank.b[name][unknown] = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Scores of every slot, and the weights of the best time of those that had one."""
        slots = self._has_good.nonzero().flatten()
        return {
            "score": self.score.copy(),
            "best": self.best.copy(),
            "seen": self.seen.copy(),
            "has_good": self._has_good.clone(),
            "good": {name: {"a": rows_of(a, slots), "b": rows_of(b, slots)} for name, (a, b) in self._good.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        refill(self.score, state["score"], "health, score")
        refill(self.best, state["best"], "health, best", finite=False)  # -inf before the first
        refill(self.seen, state["seen"], "health, seen")
        refill(self._has_good, state["has_good"], "health, has_good")
        slots = self._has_good.nonzero().flatten()
        for name, (a, b) in self._good.items():
            refill_rows(a, slots, state["good"][name]["a"], f"best weights, a of {name}")
            refill_rows(b, slots, state["good"][name]["b"], f"best weights, b of {name}")
