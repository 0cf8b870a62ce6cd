"""Crossover: a child takes whole parts from two parents, sites, layers or singular components.

Parts are taken of the weight changes ΔW = B·A. Exchanging single rows of A, or of B, would pair directions that have
nothing to do with each other and would depend on how ΔW is factored.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import torch

from evolora_mesa.errors import ConfigError
from evolora_mesa.evolution.lowrank import (
    Brood,
    Spectrum,
    check_family,
    decompose,
    shape_groups,
    stack_factors,
    write_together,
)
from evolora_mesa.evolution.merging import write_weighted_sum
from evolora_mesa.host import AdapterBank
from evolora_mesa.host.sites import HEAD_LAYER

__all__ = ["CROSSOVERS", "cross", "isolate_sites", "site_weights_from_uplift"]

CROSSOVERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "uniform": "each adapted layer whole from either parent, by coin",
        "structured": "the lower layers from one parent, the upper from the other, cut at a random place",
        "rank_component": "the k-th singular component from either parent, by coin",
        "task_aware": "each adapted layer mixed by what it is worth alone, as measured in each parent",
    }
)


def cross(
    bank: AdapterBank,
    parents: torch.Tensor,
    children: torch.Tensor,
    *,
    operator: str,
    generator: torch.Generator,
    site_weights: torch.Tensor | None = None,
) -> None:
    """Write crossovers of ``parents [n, 2]`` into ``children [n]``, allocated slots.

    Args:
        operator: of `CROSSOVERS`. A site has the rank of its parent with ``uniform`` and ``structured``, the parents'
            larger one with ``rank_component``, the sum of both with ``task_aware`` as far as there is room.
        generator: on the CPU.
        site_weights: ``[n, 2, sites]`` for ``task_aware``, as from `site_weights_from_uplift`.

    Raises:
        ConfigError: an unknown operator, not two parents, or site weights that do not fit.
        AdapterError: the slots do not fit. Nothing is written.
    """
    if operator not in CROSSOVERS:
        raise ConfigError("unknown crossover", where="operator", expected=", ".join(CROSSOVERS), got=operator)
    if parents.dim() != 2 or parents.shape[1] != 2:
        raise ConfigError("a crossover has two parents", expected="parents [n, 2]", got=tuple(parents.shape))
    check_family(bank, parents, children)
    if operator == "task_aware":
        weights = _checked(site_weights, (len(parents), 2, len(bank.sites)))
        ranks = bank.ranks[parents].sum(1).clamp(max=bank.max_rank)
        write_weighted_sum(bank, parents, children, weights, ranks)
    elif operator == "rank_component":
        _write_mixed_components(bank, parents, children, generator)
    else:
        choose = _coins if operator == "uniform" else _two_blocks
        _write_whole_sites(bank, parents, children, choose(bank, len(parents), generator))


def site_weights_from_uplift(uplift: torch.Tensor) -> torch.Tensor:
    """Weights ``[n, 2, sites]`` in proportion to ``uplift [n, 2, sites]``, what a site alone gains over the bare host.

    They sum to 1 at every site. Losses count as no gain; where neither parent gains, both count half.
    """
    gain = uplift.clamp(min=0)
    total = gain.sum(1, keepdim=True)
    return torch.where(total > 0, gain / total.where(total > 0, torch.ones_like(total)), 0.5)


def isolate_sites(bank: AdapterBank, parents: torch.Tensor, scratch: torch.Tensor) -> None:
    """Write copies of ``parents [n]`` with a single site each, so that sites can be measured one by one.

    Args:
        scratch: ``[n * sites]`` allocated slots; number ``i * sites + s`` gets parent i with site s alone.
    """
    sites = len(bank.sites)
    check_family(bank, parents.repeat_interleave(sites)[:, None], scratch)
    bank.copy(parents.repeat_interleave(sites), scratch)
    by_site = scratch.view(len(parents), sites)
    for place, site in enumerate(bank.sites):
        others = torch.cat([by_site[:, :place], by_site[:, place + 1 :]], 1).flatten()
        bank.b[site.name][others] = 0.0


def _checked(site_weights: torch.Tensor | None, shape: tuple[int, ...]) -> torch.Tensor:
    if site_weights is None or tuple(site_weights.shape) != shape or not bool(site_weights.isfinite().all()):
        raise ConfigError(
            "task_aware needs what every site of both parents is worth",
            where="site_weights",
            expected=f"finite numbers {list(shape)}",
            got=None if site_weights is None else site_weights.tolist(),
        )
    return site_weights


# ---------------------------------------------------------------------- whole sites


def _coins(bank: AdapterBank, count: int, generator: torch.Generator) -> torch.Tensor:
    """``[n, sites]`` 0 or 1, the parent of every site; with several sites both parents have at least one."""
    sites = len(bank.sites)
    chosen = torch.randint(2, (count, sites), generator=generator)
    turned = torch.randint(sites, (count,), generator=generator)
    one_sided = (chosen == chosen[:, :1]).all(1) & (sites > 1)
    rows = torch.arange(count)
    chosen[rows, turned] ^= one_sided.long()
    return chosen


def _two_blocks(bank: AdapterBank, count: int, generator: torch.Generator) -> torch.Tensor:
    """``[n, sites]`` 0 or 1: one parent below a random cut between layers, the other above it.

    An adapter within a single layer is cut between its sites, in order of computation.
    """
    depths = [float("inf") if site.layer == HEAD_LAYER else site.layer for site in bank.sites]
    levels = sorted(set(depths))
    height = [levels.index(depth) for depth in depths] if len(levels) > 1 else list(range(len(depths)))
    cut = torch.randint(1, max(max(height), 1) + 1, (count, 1), generator=generator)
    lower = torch.randint(2, (count, 1), generator=generator)
    return (torch.tensor(height) >= cut).long() ^ lower


def _write_whole_sites(bank: AdapterBank, parents: torch.Tensor, children: torch.Tensor, chosen: torch.Tensor) -> None:
    sources = parents.gather(1, chosen)  # [n, sites]
    for place, site in enumerate(bank.sites):
        bank.a[site.name][children] = bank.a[site.name][sources[:, place]]
        bank.b[site.name][children] = bank.b[site.name][sources[:, place]]
    bank.ranks[children] = bank.ranks[sources, torch.arange(len(bank.sites))]


# ---------------------------------------------------------------------- components


def _write_mixed_components(
    bank: AdapterBank, parents: torch.Tensor, children: torch.Tensor, generator: torch.Generator
) -> None:
    brood = Brood(bank, children)
    for places in shape_groups(bank):
        first, second = (decompose(*stack_factors(bank, parents[:, i : i + 1], places)) for i in (0, 1))
        coin = (torch.rand(first.values.shape, generator=generator) < 0.5).to(first.values.device)  # [n * s, c]
        drawn = Spectrum(
            torch.where(coin[:, None, :], first.left, second.left),
            torch.where(coin, first.values, second.values),
            torch.where(coin[:, :, None], first.right, second.right),
        )
        # Components of different parents are not orthogonal to each other.
        mixed = decompose(drawn.right, drawn.left * drawn.values[:, None, :])
        brood.add(places, mixed, bank.ranks[parents].amax(1)[:, places])
    write_together(brood)
