"""Choosing the next token, with a random stream per row that no other row can disturb."""

from __future__ import annotations

from typing import NamedTuple

import torch

__all__ = ["Choice", "choose_tokens", "uniforms"]

# SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, 2014): increment and multipliers, as signed 64-bit integers.
_GAMMA = 0x9E3779B97F4A7C15 - (1 << 64)
_FIRST = 0xBF58476D1CE4E5B9 - (1 << 64)
_SECOND = 0x94D049BB133111EB - (1 << 64)
_DOUBLE_BITS = 53


class Choice(NamedTuple):
    """``tokens [rows]``, their log-probabilities ``[rows]``, and the distribution ``[rows, vocab]`` drawn from."""

    tokens: torch.Tensor
    log_probability: torch.Tensor
    probabilities: torch.Tensor


def uniforms(keys: torch.Tensor, step: int) -> torch.Tensor:
    """One number in [0, 1) per row, a pure function of its key and the step; ``keys [rows]`` int64 -> float64."""
    state = keys + _wrapped((step + 1) * _GAMMA)
    state = (state ^ _shift(state, 30)) * _FIRST
    state = (state ^ _shift(state, 27)) * _SECOND
    state = state ^ _shift(state, 31)
    return _shift(state, 64 - _DOUBLE_BITS).double() * 2.0**-_DOUBLE_BITS


def _wrapped(value: int) -> int:
    """The signed 64-bit integer equal to ``value`` modulo 2^64."""
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _shift(x: torch.Tensor, bits: int) -> torch.Tensor:
    """Logical shift to the right of signed integers."""
    return (x >> bits) & ((1 << (64 - bits)) - 1)


def choose_tokens(logits: torch.Tensor, temperature: float, keys: torch.Tensor, step: int) -> Choice:
    """Greedy at temperature 0, else sampled by inverting each row's cumulative distribution at its own number.

    Args:
        logits: ``[rows, vocab]``.
        temperature: at least 0.
        keys: ``[rows]`` int64, the rows' random streams.
        step: number of tokens already chosen.
    """
    probabilities = (logits.float() if temperature in (0.0, 1.0) else logits.float() / temperature).softmax(-1)
    if temperature == 0.0:
        tokens = logits.argmax(-1)
    else:
        cumulative = probabilities.cumsum(-1)
        # The sum ends a rounding error beside 1, so the number is stretched to the sum's own end.
        end = cumulative[:, -1:]
        # In float32 the number can round to 1, and at the very end only what is never drawn is left.
        target = torch.minimum(uniforms(keys, step).float().unsqueeze(1) * end, end.nextafter(torch.zeros_like(end)))
        tokens = torch.searchsorted(cumulative, target, right=True).squeeze(1).clamp_(max=logits.shape[-1] - 1)
    chosen = probabilities.gather(1, tokens.unsqueeze(1)).squeeze(1)
    return Choice(tokens, chosen.clamp(min=1e-30).log(), probabilities)
