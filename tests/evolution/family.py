"""A small bank of parents for the tests of merges, crossovers and mutations."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from evolora_mesa.host import AdapterBank
from evolora_mesa.host.sites import Site

# Two sites of one shape, which are worked on together, one of another, and odd widths.
SITES = (
    Site("model.layers.0.low", 0, "down", 0, 33, 35, 33),
    Site("model.layers.1.high", 1, "down", 0, 33, 35, 33),
    Site("lm_head", -1, "head", 0, 50, 24, 50),
)
NAMES = [site.name for site in SITES]


def made_bank(
    ranks: Sequence[int],
    *,
    seed: int = 0,
    children: int = 0,
    max_rank: int = 8,
    scaling: float = 1.0,
    sites: Sequence[Site] = SITES,
) -> AdapterBank:
    """Parents of the given ranks in slots 1, 2, ..., with random factors, and room for children."""
    bank = AdapterBank(sites, capacity=1 + len(ranks) + children, max_rank=max_rank, scaling=scaling)
    generator = torch.Generator().manual_seed(seed)
    for rank in ranks:
        [slot] = bank.allocate(1, rank, generator).tolist()
        for site in sites:
            bank.b[site.name][slot, :, :rank] = torch.randn(site.d_out, rank, generator=generator)
    return bank


def regauge(bank: AdapterBank, slot: int, seed: int) -> None:
    """Write the same ΔW as other factors: GA and BG⁻¹."""
    generator = torch.Generator().manual_seed(seed)
    for place, site in enumerate(bank.sites):
        rank = int(bank.ranks[slot, place])
        gauge = torch.randn(rank, rank, generator=generator) + 2 * torch.eye(rank)
        a, b = bank.a[site.name][slot, :rank].clone(), bank.b[site.name][slot, :, :rank].clone()
        bank.a[site.name][slot, :rank] = gauge @ a
        bank.b[site.name][slot, :, :rank] = b @ torch.linalg.inv(gauge)


def slots_for(bank: AdapterBank, count: int) -> torch.Tensor:
    """Fresh slots for children; what lies in them is to be overwritten."""
    return bank.allocate(count, bank.max_rank, torch.Generator().manual_seed(99))


def change(bank: AdapterBank, slot: int | torch.Tensor, name: str) -> torch.Tensor:
    """ΔW, as B·A."""
    return bank.b[name][slot] @ bank.a[name][slot]


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative Frobenius distance."""
    return float((found - expected).norm() / expected.norm().clamp(min=1e-12))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def padding_is_zero(bank: AdapterBank, slot: int) -> bool:
    return all(
        not bank.a[site.name][slot, rank:].any() and not bank.b[site.name][slot, :, rank:].any()
        for site, rank in zip(bank.sites, bank.ranks[slot].tolist(), strict=True)
    )
