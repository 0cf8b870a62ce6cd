"""Merging: one child from the weight changes ΔW = B·A of several parents.

Everything acts on ΔW, so a child does not depend on how its parents' ΔW are factored. The mean of the A's times the
mean of the B's would: it is not the mean of the ΔW's but has cross terms and, for k parents, 1/k of the size.

- ties: P. Yadav et al., "TIES-merging: resolving interference when merging models" (2023).
- dare: L. Yu et al., "Language models are super Mario: absorbing abilities from homologous models" (2024).
- slerp: K. Shoemake, "Animating rotation with quaternion curves" (1985).

TIES and DARE were made for single weights. Elementwise on A and B they depend on the factorisation; elementwise on ΔW
they would need the full matrix. So they act here on the coordinates of every parent's ΔW in a joint orthonormal basis
that the parents' ΔW's determine up to signs, which neither operator sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import torch

from evolora_mesa.errors import AdapterError, ConfigError
from evolora_mesa.evolution.lowrank import (
    Brood,
    check_family,
    checked,
    decompose,
    from_core,
    shape_groups,
    stack_factors,
    write_together,
)
from evolora_mesa.host import AdapterBank

__all__ = ["MERGES", "merge", "write_weighted_sum"]

MERGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sum": "weighted sum of the parents' weight changes, weights 1 by default",
        "average": "weighted mean of the parents' weight changes",
        "svd": "weighted sum (weights 1/k by default), cut to the rank of the larger parent",
        "ties": "keep each parent's largest coordinates, elect a sign, average those that agree",
        "dare": "drop coordinates at random, scale up what is left, average",
        "slerp": "two parents: turn from the direction of one to that of the other",
        "concat": "the exact weighted sum; refused where the parents' ranks do not fit",
    }
)

_TINY: Final = 1e-30
_ROUNDING: Final = 1e-5  # of a parent's largest coordinate
_PARALLEL: Final = 1e-4  # sine of an angle below which rounding decides about its direction


def merge(
    bank: AdapterBank,
    parents: torch.Tensor,
    children: torch.Tensor,
    *,
    operator: str,
    weights: torch.Tensor | None = None,
    rank: int | None = None,
    generator: torch.Generator,
    density: float = 0.5,
) -> None:
    """Write merges of ``parents [n, k]`` into ``children [n]``, allocated slots.

    A child keeps the largest components. Their number is the parents' largest rank with ``svd``, otherwise the sum of
    their ranks, and never more than the bank's ``max_rank``; where the sum fits, nothing is lost.

    Args:
        operator: of `MERGES`.
        weights: ``[n, k]``, any sign; by default 1 for ``sum``, ``concat`` and ``ties``, 1/k for the others.
            ``average`` and ``slerp`` divide them by their sum; the second parent's share is how far ``slerp`` turns.
        rank: most components of a child, 1 to max_rank; not for ``concat``.
        generator: on the CPU; only ``dare`` draws from it.
        density: share in (0, 1] of the coordinates that ``ties`` and ``dare`` keep of every parent.

    Raises:
        ConfigError: an unknown operator, or settings out of range or not for it.
        AdapterError: the slots do not fit, ``concat`` has no room, or a weight is not finite. Nothing is written.
    """
    if operator not in MERGES:
        raise ConfigError("unknown merge operator", where="operator", expected=", ".join(MERGES), got=operator)
    _check_settings(bank, operator, parents, rank, density)
    check_family(bank, parents, children)
    shares = _shares(operator, parents, weights)
    ranks = bank.ranks[parents]  # [n, k, sites]
    if operator == "concat":
        _check_room(bank, ranks)
    kept = ranks.amax(1) if operator == "svd" and rank is None else ranks.sum(1)
    kept = kept.clamp(max=rank or bank.max_rank)  # [n, sites]
    if operator in ("ties", "dare"):
        _write_by_coordinates(bank, parents, children, operator, shares, kept, density, generator)
        return
    by_site = shares[:, :, None].expand(ranks.shape)  # [n, k, sites]
    if operator == "slerp":
        by_site = _along_the_arc(bank, parents, by_site)
    write_weighted_sum(bank, parents, children, by_site, kept)


def write_weighted_sum(
    bank: AdapterBank, parents: torch.Tensor, children: torch.Tensor, weights: torch.Tensor, ranks: torch.Tensor
) -> None:
    """Write ``sum over k of weights [n, k, sites] * ΔW`` of ``parents [n, k]``, cut to ``ranks [n, sites]``.

    The slots must have passed `check_family`.

    Raises:
        AdapterError: a weight is not finite; nothing is written.
    """
    if not bool(weights.isfinite().all()):
        raise AdapterError("a merge weight is not finite", expected="finite numbers", got=weights.flatten().tolist())
    brood = Brood(bank, children)
    for places in shape_groups(bank):
        a, b = stack_factors(bank, parents, places)
        share = weights[:, :, places].transpose(1, 2).flatten(0, 1).to(b)  # [n * s, k]
        per_parent = b.shape[2] // share.shape[1]
        b = b * share.repeat_interleave(per_parent, 1)[:, None, :]
        brood.add(places, decompose(a, b, bank.max_rank), ranks[:, places])
    write_together(brood)


# ---------------------------------------------------------------------- what an operator makes of its settings


def _check_settings(bank: AdapterBank, operator: str, parents: torch.Tensor, rank: int | None, density: float) -> None:
    if rank is not None and (operator == "concat" or not 1 <= rank <= bank.max_rank):
        wanted = "no rank: concat is exact" if operator == "concat" else f"1 to {bank.max_rank}"
        raise ConfigError("no such rank of a merged child", where="rank", expected=wanted, got=rank)
    if not 0 < density <= 1:
        raise ConfigError("no such density", where="density", expected="above 0, at most 1", got=density)
    if operator == "slerp" and parents.shape[-1] != 2:
        raise ConfigError("slerp turns from one parent to another", expected="2 parents", got=parents.shape[-1])


def _shares(operator: str, parents: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    """``[n, k]`` factors on the parents' weight changes."""
    count, k = parents.shape
    if weights is None:
        return torch.full((count, k), 1.0 if operator in ("sum", "concat", "ties") else 1 / k)
    weights = torch.as_tensor(weights, dtype=torch.float32)
    if weights.shape != parents.shape or not bool(weights.isfinite().all()):
        raise ConfigError(
            "merge weights do not fit", where="weights", expected=f"[{count}, {k}] finite numbers", got=weights.tolist()
        )
    if operator not in ("average", "slerp"):
        return weights
    total = weights.sum(1, keepdim=True)
    if bool((total <= 0).any()) or (operator == "slerp" and bool((weights < 0).any())):
        raise ConfigError(
            f"{operator} divides the weights by their sum",
            where="weights",
            expected="a sum above 0, and for slerp no negative weight",
            got=weights.tolist(),
        )
    return weights / total


def _check_room(bank: AdapterBank, ranks: torch.Tensor) -> None:
    """Refuse ``concat`` of ``ranks [n, k, sites]`` where they do not fit."""
    crowded = (ranks.sum(1) > bank.max_rank).nonzero()
    if len(crowded):
        child, place = crowded[0].tolist()
        raise AdapterError(
            "the parents' ranks do not fit into one child",
            where=bank.sites[place].name,
            expected=f"a sum of at most {bank.max_rank}",
            got=ranks[child, :, place].tolist(),
            do="Merge with svd, or raise adapter.max_rank.",
        )


def _along_the_arc(bank: AdapterBank, parents: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """``[n, 2, sites]`` weights of the spherical interpolation with ``shares [n, 2, sites]``.

    The direction turns with constant speed, the norm changes linearly. Where there is no arc, because a parent is
    silent or the two are parallel, the weights are the shares.
    """
    weights = shares.clone()
    for places in shape_groups(bank):
        a, b = stack_factors(bank, parents, places)
        half = a.shape[1] // 2
        products = (b.transpose(1, 2) @ b) * (a @ a.transpose(1, 2))  # [n * s, 2 r, 2 r]
        first, second = products[:, :half, :half].sum((1, 2)), products[:, half:, half:].sum((1, 2))
        norms = torch.stack([first, second], 1).clamp(min=0).sqrt().unflatten(0, (len(parents), -1))  # [n, s, 2]
        inner = products[:, :half, half:].sum((1, 2)).unflatten(0, (len(parents), -1))
        share = shares[:, :, places].transpose(1, 2).to(norms)  # [n, s, 2]
        angle = (inner / norms.prod(2).clamp(min=_TINY)).clamp(-1, 1).arccos()[:, :, None]
        length = (share * norms).sum(2, keepdim=True)
        arc = (share * angle).sin() / angle.sin().clamp(min=_TINY) * length / norms.clamp(min=_TINY)
        straight = (angle.sin() < _PARALLEL) | (norms.amin(2, keepdim=True) <= _TINY)
        weights[:, :, places] = torch.where(straight, share, arc).transpose(1, 2).to(weights)
    return weights


# ---------------------------------------------------------------------- ties and dare


def _write_by_coordinates(
    bank: AdapterBank,
    parents: torch.Tensor,
    children: torch.Tensor,
    operator: str,
    shares: torch.Tensor,
    ranks: torch.Tensor,
    density: float,
    generator: torch.Generator,
) -> None:
    brood = Brood(bank, children)
    for places in shape_groups(bank):
        left, coordinates, right = _coordinates(*stack_factors(bank, parents, places), parents.shape[1])
        share = shares.repeat_interleave(len(places), 0).to(coordinates)  # [n * s, k]
        if operator == "ties":
            dimensions = bank.ranks[parents][:, :, places].sum(1).flatten()  # [n * s] of the joint space, at most
            core = _elected(coordinates, share, density, dimensions)
        else:
            kept = torch.rand(coordinates.shape, generator=generator).to(coordinates) < density
            core = (coordinates * kept / density * share[:, :, None, None]).sum(1)
        brood.add(places, from_core(left, core, right, bank.max_rank), ranks[:, places])
    write_together(brood)


def _coordinates(a: torch.Tensor, b: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Every parent's ΔW in the joint basis: left ``[m, d_out, p]``, numbers ``[m, k, p, q]``, right ``[m, q, d_in]``.

    The left basis are the left singular vectors of all ΔW's side by side, the right basis the right ones of all ΔW's
    on top of each other. They span what any parent uses, whatever the weights. The singular vectors of the weighted
    sum would not do: what cancels in it would be missing, and for two parents all coordinates off the diagonal would
    cancel, so that rounding would elect their signs.
    """
    q_out, r_out = torch.linalg.qr(b)  # [m, d_out, p], [m, p, k r]
    q_in, r_in = torch.linalg.qr(a.transpose(1, 2))
    cores = torch.stack(
        [checked(out @ into.transpose(1, 2)) for out, into in zip(r_out.chunk(k, 2), r_in.chunk(k, 2), strict=True)], 1
    )  # [m, k, p, q]
    side_by_side, stacked = cores.transpose(1, 2).flatten(2), cores.flatten(1, 2)
    left = torch.linalg.svd(side_by_side, full_matrices=False)[0]  # [m, p, p]
    right = torch.linalg.svd(stacked, full_matrices=False)[2]  # [m, q, q]
    coordinates = left.transpose(1, 2)[:, None] @ cores @ right.transpose(1, 2)[:, None]
    return q_out @ left, coordinates, right @ q_in.transpose(1, 2)


def _elected(coordinates: torch.Tensor, shares: torch.Tensor, density: float, dimensions: torch.Tensor) -> torch.Tensor:
    """TIES on ``coordinates [m, k, p, q]``: trim, elect signs, merge those that agree; ``[m, p, q]``.

    What rounding leaves where a parent has nothing, or where parents cancel, has no say.
    """
    m, k = coordinates.shape[:2]
    flat = coordinates.flatten(2)  # [m, k, p q]
    kept = (density * dimensions.clamp(min=1).square()).ceil().long().clamp(max=flat.shape[2])  # [m]
    ordered = flat.abs().sort(2, descending=True)[0]
    threshold = ordered.gather(2, (kept - 1).to(flat.device)[:, None, None].expand(m, k, 1))
    present = (flat.abs() >= threshold) & (flat.abs() > _ROUNDING * ordered[:, :, :1])
    weighted = torch.where(present, flat, 0.0) * shares[:, :, None]
    majority = weighted.sum(1, keepdim=True)
    decided = majority.abs() > _ROUNDING * weighted.abs().amax(1, keepdim=True)
    agree = (weighted * majority > 0) & decided
    merged = (weighted * agree).sum(1) / agree.sum(1).clamp(min=1)
    return merged.unflatten(1, coordinates.shape[2:])
