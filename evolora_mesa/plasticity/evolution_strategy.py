"""Antithetic evolution strategies on the adapter factors: no gradient, no trace, only who did better.

T. Salimans et al., "Evolution strategies as a scalable alternative to reinforcement learning" (2017). Each organelle
sends pairs of stand-ins with opposite perturbations to work in its place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from evolora_mesa.host import AdapterBank
from evolora_mesa.plasticity.rule import Experience, Gradients

__all__ = ["EvolutionStrategy"]

_SMALLEST_SPREAD = 0.02  # added to the spread of fitness differences, so that ties are not blown up into a direction


class EvolutionStrategy:
    """Moves each adapter towards the perturbations that earned more.

    Args:
        pairs: antithetic pairs per organelle.
        perturbation: standard deviation of B's noise; A's is that over the square root of its input width.
        generator: source of the noise.
    """

    needs_trace = False
    wants_output = False
    wants_probabilities = False

    def __init__(self, pairs: int, perturbation: float, generator: torch.Generator) -> None:
        self.pairs, self.perturbation = pairs, perturbation
        self._generator = generator
        self._scratch = torch.zeros(0, dtype=torch.long)
        self._present = torch.zeros(0, dtype=torch.long)
        self._noise: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}

    def stand_ins(self, bank: AdapterBank, slots: torch.Tensor) -> torch.Tensor:
        """Perturb copies of every owner and deal its rows out to them in turn."""
        self._present, owners = torch.unique(slots, return_inverse=True)
        count = len(self._present)
        if len(self._scratch):
            bank.free(self._scratch)
        self._scratch = bank.allocate(2 * self.pairs * count, 1, self._generator)
        stand_ins = self._scratch.view(count, self.pairs, 2)
        bank.copy(self._present.repeat_interleave(2 * self.pairs), self._scratch)
        for place, site in enumerate(bank.sites):
            ranks = torch.arange(bank.max_rank) < bank.ranks[self._present, place][:, None]  # [owners, max_rank]
            a = self._draw((count, self.pairs, bank.max_rank, site.d_in)) / math.sqrt(site.d_in)
            b = self._draw((count, self.pairs, site.d_out, bank.max_rank))
            noise = (
                (a * ranks[:, None, :, None]).to(bank.a[site.name]),
                (b * ranks[:, None, None, :]).to(bank.b[site.name]),
            )
            for sign, member in ((1.0, 0), (-1.0, 1)):
                bank.a[site.name][stand_ins[:, :, member]] += sign * noise[0]
                bank.b[site.name][stand_ins[:, :, member]] += sign * noise[1]
            self._noise[site.name] = noise
        turn = _turn_within_owner(owners) % (2 * self.pairs)
        return stand_ins.view(count, 2 * self.pairs)[owners, turn]

    def _draw(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randn(shape, generator=self._generator) * self.perturbation

    def gradients(self, bank: AdapterBank, experience: Experience) -> Gradients:
        place = torch.searchsorted(self._scratch, experience.answered_by)
        total = torch.zeros(len(self._scratch)).index_add_(0, place, experience.advantages)
        rows = torch.zeros(len(self._scratch)).index_add_(0, place, torch.ones_like(experience.advantages))
        fitness = (total / rows.clamp(min=1)).view(len(self._present), self.pairs, 2)
        difference = (fitness[..., 0] - fitness[..., 1]) / 2
        spread = difference.square().mean(1, keepdim=True).sqrt() + _SMALLEST_SPREAD
        weight = (difference / spread / self.pairs).to(bank.device)[:, :, None, None]
        return Gradients(
            self._present,
            {name: (weight * a).sum(1) for name, (a, _) in self._noise.items()},
            {name: (weight * b).sum(1) for name, (_, b) in self._noise.items()},
        )

    def state_dict(self) -> dict[str, Any]:
        """The slots of the stand-ins, which are given back when the next are made. Their noise has done its work."""
        return {"scratch": self._scratch.clone()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`; call it between two generations."""
        self._scratch = state["scratch"].clone()


def _turn_within_owner(owners: torch.Tensor) -> torch.Tensor:
    """``[rows]`` how many earlier rows have the same owner."""
    order = torch.argsort(owners, stable=True)
    counts = torch.bincount(owners)
    starts = (counts.cumsum(0) - counts)[owners[order]]
    turn = torch.empty_like(owners)
    turn[order] = torch.arange(owners.numel()) - starts
    return turn
