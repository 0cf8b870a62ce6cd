"""Mutation: how a child's adapter differs from its parent's.

All operators act on ΔW = B·A through its singular value decomposition, so two factorisations of the same ΔW have the
same children. The decomposition is taken from thin QR factors; ΔW itself is never formed.
"""

from __future__ import annotations

import torch

from evolora_mesa.host import AdapterBank

__all__ = ["mutate"]


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
    themselves; with probability ``rank_change`` the rank goes up by a silent component or down by the weakest one.

    Args:
        strength: standard deviation of the noise, relative to the singular values.
        rank_change: probability in [0, 1].
    """
    count = len(parents)
    changed = torch.rand(count, generator=generator) < rank_change
    direction = torch.where(torch.rand(count, generator=generator) < 0.5, -1, 1)
    for place, site in enumerate(bank.sites):
        left, values, right = _decompose(bank.a[site.name][parents], bank.b[site.name][parents])
        noise = torch.randn(values.shape, generator=generator).to(values)
        mixing = torch.randn(*values.shape, values.shape[1], generator=generator).to(values)
        size = values.square().mean(1, keepdim=True).sqrt()
        core = torch.diag_embed(values * (1 + strength * noise)) + strength * size[:, :, None] * mixing * _both(
            values > 0
        )
        inner_left, values, inner_right = torch.linalg.svd(core)
        ranks = (bank.ranks[parents, place] + changed * direction).clamp(1, bank.max_rank)
        used = (torch.arange(bank.max_rank) < ranks[:, None]).to(values)  # [n, max_rank]
        # B carries the singular values and A has unit rows, so that a silent component can still be learned.
        bank.b[site.name][children] = ((left @ inner_left) * (values * used)[:, None, :]).to(bank.b[site.name])
        bank.a[site.name][children] = ((inner_right @ right) * used[:, :, None]).to(bank.a[site.name])
        bank.ranks[children, place] = ranks


def _decompose(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Singular value decomposition of ``b @ a`` for ``a [n, r, d_in]`` and ``b [n, d_out, r]``.

    Returns:
        ``left [n, d_out, r]``, ``values [n, r]`` descending, ``right [n, r, d_in]``.
    """
    q_out, r_out = torch.linalg.qr(b.float())
    q_in, r_in = torch.linalg.qr(a.float().transpose(1, 2))
    u, values, vh = torch.linalg.svd(r_out @ r_in.transpose(1, 2))
    return q_out @ u, values, vh @ q_in.transpose(1, 2)


def _both(mask: torch.Tensor) -> torch.Tensor:
    """``mask [n, r] -> [n, r, r]``, 1 where both components are in use."""
    return (mask[:, :, None] & mask[:, None, :]).float()
