"""Mutation: how a child's adapter differs from its parent's.

All operators act on ΔW = B·A through its singular value decomposition, so two factorisations of the same ΔW
have the same children. The decomposition is taken from thin QR factors; ΔW itself is never formed.
"""

from __future__ import annotations

import math

import torch

from evolora_mesa.host import AdapterBank

__all__ = ["mutate"]

_SILENT = 1e-6  # of the largest singular value: what rounding leaves of a component that is not in use


def mutate(
    bank: AdapterBank,
    parents: torch.Tensor,
    children: torch.Tensor,
    *,
    strength: float,
    rank_change: float,
    generator: torch.Generator,
) -> None:
    """Write mutated copies of ``parents [n]`` into ``children [n]``, allocated slots.

    Each singular value is scaled by a factor near one, and the singular directions are mixed a little among
    themselves; with probability ``rank_change`` the rank grows by a silent component or loses the weakest.

    Args:
        strength: root mean square of ‖child's ΔW - parent's ΔW‖ / ‖parent's ΔW‖ at an unchanged rank,
            whatever that rank is; half of the square comes from the scaling, half from the mixing.
        rank_change: probability in [0, 1].
    """
    count = len(parents)
    changed = torch.rand(count, generator=generator) < rank_change
    direction = torch.where(torch.rand(count, generator=generator) < 0.5, -1, 1)
    for place, site in enumerate(bank.sites):
        left, values, right = _decompose(bank.a[site.name][parents], bank.b[site.name][parents])
        scaling = torch.randn(values.shape, generator=generator).to(values)
        mixing = torch.randn(*values.shape, values.shape[1], generator=generator).to(values)
        in_use = values > _SILENT * values[:, :1]  # [n, max_rank]
        size = values.norm(dim=1) / in_use.sum(1).clamp(min=1)  # [n], ‖ΔW‖ spread evenly over the mixed pairs
        change = torch.diag_embed(values * scaling) + size[:, None, None] * mixing * _both(in_use)
        core = torch.diag_embed(values) + strength / math.sqrt(2) * change
        inner_left, values, inner_right = torch.linalg.svd(core)
        ranks = (bank.ranks[parents, place] + changed * direction).clamp(1, bank.max_rank)
        used = (torch.arange(bank.max_rank) < ranks[:, None]).to(values)  # [n, max_rank]
        # B carries the singular values and A has unit rows, so that a silent component can still be learned.
        a, b = bank.a[site.name], bank.b[site.name]
        b[children] = ((left @ inner_left) * (values * used)[:, None, :]).to(b)
        a[children] = ((inner_right @ right) * used[:, :, None]).to(a)
        bank.ranks[children, place] = ranks


def _decompose(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Singular value decomposition of ``b @ a`` for ``a [n, r, d_in]`` and ``b [n, d_out, r]``.

    Returns:
        ``left [n, d_out, r]`` with the largest number of each column positive, ``values [n, r]`` descending,
        ``right [n, r, d_in]``.
    """
    q_out, r_out = torch.linalg.qr(b.float())
    q_in, r_in = torch.linalg.qr(a.float().transpose(1, 2))
    u, values, vh = torch.linalg.svd(r_out @ r_in.transpose(1, 2))
    left, right = q_out @ u, vh @ q_in.transpose(1, 2)
    # A pair of directions may change its sign together; which sign comes out depends on the factorisation.
    sign = left.gather(1, left.abs().argmax(1, keepdim=True)).sign()  # [n, 1, r]
    return left * sign, values, right * sign.transpose(1, 2)


def _both(mask: torch.Tensor) -> torch.Tensor:
    """``mask [n, r] -> [n, r, r]``, 1 where both components are in use."""
    return (mask[:, :, None] & mask[:, None, :]).float()
