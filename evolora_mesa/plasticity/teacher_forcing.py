"""Exact gradients by backpropagation through the frozen host, for all adapters at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from evolora_mesa.host import AdapterBank
from evolora_mesa.host.factors import fuse
from evolora_mesa.host.service import Host
from evolora_mesa.host.tiles import choose_tile_size, tile_rows
from evolora_mesa.plasticity.rule import Gradients

__all__ = ["sequence_gradients"]

_ROWS_AT_ONCE = 128  # bounds the activations kept for the backward pass


def sequence_gradients(
    host: Host,
    bank: AdapterBank,
    slots: torch.Tensor,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    weights: torch.Tensor,
    *,
    temperature: float = 1.0,
) -> Gradients:
    """Gradient of the weighted log-likelihood of the answers, averaged over each owner's rows.

    With a policy's own samples and their advantages as weights this is REINFORCE; with right answers and weights of
    one it is supervised fine-tuning.

    Args:
        slots: ``[rows]`` owner of each row.
        prompts, answers: token lists.
        weights: ``[rows]``.
    """
    present, owners, counts = torch.unique(slots, return_inverse=True, return_counts=True)
    weights = weights / counts[owners]
    rank = int(bank.ranks[present].max())
    a = {s.name: bank.a[s.name][present, :rank].detach().requires_grad_() for s in bank.sites}
    b = {s.name: bank.b[s.name][present, :, :rank].detach().requires_grad_() for s in bank.sites}
    lengths = torch.tensor([len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True)])
    order = torch.argsort(owners, stable=True)
    for chunk in order.split(_ROWS_AT_ONCE):
        places, tile_owners, real = tile_rows(owners[chunk], choose_tile_size(owners[chunk]))
        rows = chunk[places].tolist()
        ids = torch.zeros(len(rows), int(lengths[chunk].max()), dtype=torch.long)
        row_weights = torch.zeros(len(rows), ids.shape[1] - 1)
        for place, (row, counts_here) in enumerate(zip(rows, real.tolist(), strict=True)):
            tokens = [*prompts[row], *answers[row]]
            ids[place, : len(tokens)] = torch.tensor(tokens)
            if counts_here:
                row_weights[place, len(prompts[row]) - 1 : len(tokens) - 1] = weights[row]
        with torch.enable_grad():
            fused = fuse(bank.sites, {name: (a[name], b[name]) for name in a}, bank.scaling)
            ids = ids.to(bank.device)
            logits = host.forward(ids[:, :-1], fused.bind(tile_owners.to(bank.device))) / temperature
            picked = logits.float().log_softmax(-1).gather(2, ids[:, 1:].unsqueeze(2)).squeeze(2)
            (picked * row_weights.to(bank.device)).sum().backward()
    return Gradients(present, _padded(a, 1, bank.max_rank), _padded(b, 2, bank.max_rank))


def _padded(leaves: dict[str, torch.Tensor], axis: int, width: int) -> dict[str, torch.Tensor]:
    """Gradients of the leaves, zero-padded along the rank axis to ``width``."""
    padded = {}
    for name, leaf in leaves.items():
        assert leaf.grad is not None
        shape = list(leaf.shape)
        shape[axis] = width
        padded[name] = leaf.grad.new_zeros(shape)
        padded[name].narrow(axis, 0, leaf.shape[axis]).copy_(leaf.grad)
    return padded
