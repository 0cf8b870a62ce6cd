"""Mutation: how a child's adapter differs from its parent's.

All kinds act on ΔW = B·A through its singular value decomposition, so two factorisations of the same ΔW have the same
children. How strongly a line mutates is inherited and mutates too: H.-P. Schwefel, "Numerical optimization of computer
models" (1981).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
import torch

from evolora_mesa.errors import ConfigError
from evolora_mesa.evolution.lowrank import (
    Brood,
    Spectrum,
    aligned,
    check_family,
    decompose,
    from_core,
    shape_groups,
    stack_factors,
    write_together,
)
from evolora_mesa.host import AdapterBank

__all__ = ["LEAST_NORM", "MUTATIONS", "adapted", "mutate"]

# ‖ΔW‖ that strength refers to at a weaker site, so that zero can mutate: on petri a first update by reward makes one of
# 0.2, a specialist has 2 to 9.
LEAST_NORM: Final = 1.0
_TAU: Final = 0.2  # standard deviation of the logarithm of a strength, per birth


def mutate(
    bank: AdapterBank,
    parents: torch.Tensor,
    children: torch.Tensor,
    *,
    kinds: Sequence[str],
    strength: torch.Tensor,
    seeds: Sequence[int],
) -> None:
    """Write mutated copies of ``parents [n]`` into ``children [n]``, allocated slots.

    A child is a pure function of its parent's weights, kind, strength and seed: on a CPU, to the last bit, whoever is
    born beside it; with a wide host's products (`host.cpu.tune_cpu`) the last bits depend on how many are.

    Args:
        kinds: n of `MUTATIONS`.
        strength: ``[n]``, from 0, relative to the parent's ‖ΔW‖ at a site. ``svd``: root mean square of the change,
            half of the square from the scaling, half from the mixing. ``rotation``: the change, to first order;
            a site of rank 1 has nothing to turn.
            ``gaussian``: the noise before the child is cut to its parent's rank, which takes most of what lies
            outside the parent's directions. ``toggle``: norm of a restarted site. ``rank``: without meaning.
        seeds: n integers from 0 to 2**63 - 1, of which torch uses the last 32 bits.

    Raises:
        ConfigError: an unknown kind, a strength that is negative or not finite, or lists of different lengths.
        AdapterError: the slots do not fit. Nothing is written.
    """
    strength = torch.as_tensor(strength, dtype=torch.float32)
    _check_settings(len(parents), kinds, strength, seeds)
    check_family(bank, parents[:, None], children)
    broods = []
    for kind in dict.fromkeys(kinds):
        rows = torch.tensor([row for row, own in enumerate(kinds) if own == kind])
        generators = [torch.Generator().manual_seed(int(seeds[row])) for row in rows.tolist()]
        broods.append(Brood(bank, children[rows]))
        _KINDS[kind](bank, parents[rows], broods[-1], strength[rows], generators)
    write_together(*broods)


def adapted(strength: np.ndarray, rng: np.random.Generator, low: float, high: float) -> np.ndarray:
    """Children's strengths: the parents' ``strength [n]`` times a log-normal factor, reflected into ``[low, high]``.

    Reflected in the logarithm, a strength drifts neither to a bound nor away from it.

    Raises:
        ConfigError: not 0 < low <= high.
    """
    if not 0 < low <= high < math.inf:
        raise ConfigError("no such bounds of a mutation strength", expected="0 < low <= high", got=(low, high))
    strength = np.clip(np.asarray(strength, dtype=float), low, high)
    width = math.log(high / low)
    if width == 0:
        return np.full_like(strength, low)
    moved = np.log(strength / low) + _TAU * rng.standard_normal(strength.shape)
    reflected = width - np.abs(moved % (2 * width) - width)
    return np.clip(low * np.exp(reflected), low, high)


def _check_settings(count: int, kinds: Sequence[str], strength: torch.Tensor, seeds: Sequence[int]) -> None:
    unknown = [kind for kind in kinds if kind not in MUTATIONS]
    if unknown:
        raise ConfigError("unknown mutation", where="kinds", expected=", ".join(MUTATIONS), got=unknown[0])
    if not len(kinds) == len(strength) == len(seeds) == count:
        raise ConfigError(
            "every child has a kind, a strength and a seed",
            expected=f"{count} of each",
            got=(len(kinds), len(strength), len(seeds)),
        )
    if not bool((strength.isfinite() & (strength >= 0)).all()):
        raise ConfigError("no such mutation strength", where="strength", expected="0 or more", got=strength.tolist())


# ---------------------------------------------------------------------- what is drawn for a child


class _Litter(NamedTuple):
    """The parents of n children at s sites of equal shape.

    Attributes:
        spectrum: of n * s weight changes.
        ranks: ``[n, s]``.
        norms: ``[n * s]`` ‖B·A‖.
        floor: least norm that a strength refers to.
    """

    spectrum: Spectrum
    ranks: torch.Tensor
    norms: torch.Tensor
    floor: float


def _litter(bank: AdapterBank, parents: torch.Tensor, places: Sequence[int]) -> _Litter:
    spectrum = decompose(*stack_factors(bank, parents[:, None], places))
    floor = LEAST_NORM / abs(bank.scaling)
    return _Litter(spectrum, bank.ranks[parents][:, places], spectrum.values.norm(dim=1), floor)


def _normal(shape: Sequence[int], generators: Sequence[torch.Generator], like: torch.Tensor) -> torch.Tensor:
    """``[n * s, ...]`` for ``shape (s, ...)``, each child's numbers from its own generator."""
    return torch.stack([torch.randn(*shape, generator=generator) for generator in generators]).flatten(0, 1).to(like)


def _uniform(count: int, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """``[n, count]`` in [0, 1)."""
    return torch.stack([torch.rand(count, generator=generator) for generator in generators])


def _noise(
    bank: AdapterBank, places: Sequence[int], ranks: torch.Tensor, generators: Sequence[torch.Generator]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random ``A [n * s, c, d_in]`` and ``B [n * s, d_out, c]`` of ``ranks [n, s]``, with ‖B·A‖ = 1."""
    site, used = bank.sites[places[0]], torch.arange(bank.max_rank) < ranks.flatten()[:, None]
    like = bank.a[site.name].new_empty(0, dtype=torch.float32)
    a = _normal((len(places), bank.max_rank, site.d_in), generators, like) * used[:, :, None].to(like)
    b = _normal((len(places), site.d_out, bank.max_rank), generators, like)
    a, b = aligned(a, -1, -2), aligned(b, -2, -1)
    square = ((b.transpose(1, 2) @ b) * (a @ a.transpose(1, 2))).flatten(1).sum(1)  # tr(BᵀB · AAᵀ) = ‖BA‖²
    return a, b / square.sqrt()[:, None, None]


# ---------------------------------------------------------------------- the kinds

Kind = Callable[[AdapterBank, torch.Tensor, Brood, torch.Tensor, Sequence[torch.Generator]], None]


def _svd(
    bank: AdapterBank,
    parents: torch.Tensor,
    brood: Brood,
    strength: torch.Tensor,
    generators: Sequence[torch.Generator],
) -> None:
    for places in shape_groups(bank):
        spectrum, ranks, norms, _ = _litter(bank, parents, places)
        left, values, right = spectrum
        width, in_use = values.shape[1], spectrum.in_use()  # [n * s, c]
        scaling = _normal((len(places), width), generators, values)
        mixing = _normal((len(places), width, width), generators, values) * _both(in_use)
        size = norms / in_use.sum(1).clamp(min=1)  # ‖ΔW‖ spread evenly over the mixed pairs
        change = torch.diag_embed(values * scaling) + size[:, None, None] * mixing
        share = strength.repeat_interleave(len(places)).to(values)[:, None, None] / math.sqrt(2)
        brood.add(places, from_core(left, torch.diag_embed(values) + share * change, right), ranks)


def _gaussian(
    bank: AdapterBank,
    parents: torch.Tensor,
    brood: Brood,
    strength: torch.Tensor,
    generators: Sequence[torch.Generator],
) -> None:
    for places in shape_groups(bank):
        (left, values, right), ranks, norms, floor = _litter(bank, parents, places)
        noise_ranks = 1 + (_uniform(len(places), generators) * ranks.clamp(min=1)).long()  # 1 to the rank
        a, b = _noise(bank, places, noise_ranks, generators)
        size = strength.repeat_interleave(len(places)).to(norms) * norms.clamp(min=floor)
        stacked_b = torch.cat([left * values[:, None, :], b * size[:, None, None]], 2)
        brood.add(places, decompose(torch.cat([right, a], 1), stacked_b, bank.max_rank), ranks)


def _rank(
    bank: AdapterBank,
    parents: torch.Tensor,
    brood: Brood,
    strength: torch.Tensor,
    generators: Sequence[torch.Generator],
) -> None:
    step = torch.where(_uniform(1, generators) < 0.5, -1, 1)  # [n, 1]
    for places in shape_groups(bank):
        spectrum, ranks, _, _ = _litter(bank, parents, places)
        ahead = ranks + step
        inside = (ahead >= 1) & (ahead <= bank.max_rank)
        wanted = torch.where(inside, ahead, ranks - step).clamp(1, bank.max_rank)  # turns back at a bound
        fresh = _fresh_direction(bank, places, spectrum, generators)
        added = (torch.arange(spectrum.values.shape[1]) == ranks.flatten()[:, None]).to(fresh.device)  # [n * s, c]
        values = torch.where(added, 0.0, spectrum.values)
        right = torch.where(added[:, :, None], fresh, spectrum.right)
        brood.add(places, Spectrum(spectrum.left, values, right), wanted)


def _fresh_direction(
    bank: AdapterBank, places: Sequence[int], spectrum: Spectrum, generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """``[n * s, 1, d_in]`` random unit rows, orthogonal to the directions in use.

    What QR leaves beyond those is no random direction: it looks at next to one input.
    """
    site = bank.sites[places[0]]
    drawn = aligned(_normal((len(places), 1, site.d_in), generators, spectrum.right), -1, -2)[:, :1]
    used = spectrum.right * spectrum.in_use()[:, :, None]
    across = drawn - (drawn @ used.transpose(1, 2)) @ used
    return across / across.norm(dim=2, keepdim=True)


def _toggle(
    bank: AdapterBank,
    parents: torch.Tensor,
    brood: Brood,
    strength: torch.Tensor,
    generators: Sequence[torch.Generator],
) -> None:
    drawn = _uniform(len(bank.sites), generators)  # [n, sites]
    is_on = bank.norms(parents).cpu() > 0
    last_on = is_on & (is_on.sum(1, keepdim=True) == 1)
    chosen = torch.where(last_on, -1.0, drawn).argmax(1, keepdim=True)  # the last one only where there is no other
    toggled = torch.zeros_like(is_on).scatter_(1, chosen, True)
    restarted = toggled & (~is_on | last_on)
    for places in shape_groups(bank):
        (left, values, right), ranks, norms, floor = _litter(bank, parents, places)
        new_ranks = torch.where(restarted[:, places], ranks.clamp(min=1), ranks)
        a, b = _noise(bank, places, new_ranks.clamp(min=1), generators)
        size = strength.repeat_interleave(len(places)).to(norms) * norms.clamp(min=floor)
        restart = decompose(a, b * size[:, None, None])
        off, fresh = (mask[:, places].flatten().to(values.device)[:, None] for mask in (toggled, restarted))
        brood.add(
            places,
            Spectrum(
                torch.where(fresh[:, :, None], restart.left, left),
                torch.where(fresh, restart.values, torch.where(off, 0.0, values)),
                torch.where(fresh[:, :, None], restart.right, right),
            ),
            new_ranks,
        )


def _rotation(
    bank: AdapterBank,
    parents: torch.Tensor,
    brood: Brood,
    strength: torch.Tensor,
    generators: Sequence[torch.Generator],
) -> None:
    for places in shape_groups(bank):
        spectrum, ranks, norms, _ = _litter(bank, parents, places)
        left, values, right = spectrum
        width = values.shape[1]
        drawn = _normal((2 * len(places), width, width), generators, values).unflatten(0, (-1, 2))
        skew = (drawn - drawn.transpose(2, 3)) * _both(spectrum.in_use())[:, None]  # [n * s, 2, c, c]
        # To first order ΔW changes by K₁S + SK₂ᵀ; the angles are such that this has the size that is asked for.
        first_order = skew[:, 0] * values[:, None, :] - skew[:, 1] * values[:, :, None]
        size = first_order.flatten(1).norm(dim=1)  # 0 where there is one direction or none, which cannot turn
        wanted = strength.repeat_interleave(len(places)).to(values) * norms
        angle = torch.where(size > 0, wanted / size.where(size > 0, 1.0), 0.0)
        half = skew * (angle / 2)[:, None, None, None]
        one = torch.eye(width).to(values)
        turned = torch.linalg.solve(one - half, one + half)  # Cayley: orthogonal for every skew matrix
        core = turned[:, 0] @ torch.diag_embed(values) @ turned[:, 1].transpose(1, 2)
        brood.add(places, from_core(left, core, right), ranks)


def _both(mask: torch.Tensor) -> torch.Tensor:
    """``mask [m, c] -> [m, c, c]``, 1 where both components are in use."""
    return (mask[:, :, None] & mask[:, None, :]).float()


_KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {"svd": _svd, "gaussian": _gaussian, "rank": _rank, "toggle": _toggle, "rotation": _rotation}
)

MUTATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "svd": "singular values scaled, singular directions mixed among themselves",
        "gaussian": "low-rank Gaussian noise added, cut to the rank again",
        "rank": "one silent component more, or the weakest one less",
        "toggle": "one adapted layer switched off, or a silent one started at random",
        "rotation": "singular directions turned within the space in use, singular values kept",
    }
)
