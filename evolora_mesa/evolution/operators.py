"""All ways to make one child of two parents, behind one door."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import torch

from evolora_mesa.errors import ConfigError
from evolora_mesa.evolution.crossover import CROSSOVERS, cross
from evolora_mesa.evolution.merging import MERGES, merge
from evolora_mesa.host import AdapterBank

__all__ = ["OPERATORS", "breed"]

OPERATORS: Final[Mapping[str, str]] = MappingProxyType({**MERGES, **CROSSOVERS})


def breed(
    bank: AdapterBank,
    parents: torch.Tensor,
    children: torch.Tensor,
    *,
    operator: str,
    weights: torch.Tensor | None = None,
    rank: int | None = None,
    generator: torch.Generator,
    site_weights: torch.Tensor | None = None,
) -> None:
    """Write children of ``parents [n, 2]`` into ``children [n]``, allocated slots.

    Args:
        operator: of `OPERATORS`.
        weights: ``[n, 2]`` and
        rank: are for `merge`,
        site_weights: ``[n, 2, sites]`` for ``task_aware``; other operators take no notice.
        generator: on the CPU.

    Raises:
        ConfigError: an unknown operator, or settings out of range or not for it.
        AdapterError: the slots do not fit, or a child has no room. Nothing is written.
    """
    if operator in MERGES:
        rank = None if operator == "concat" else rank
        merge(bank, parents, children, operator=operator, weights=weights, rank=rank, generator=generator)
    elif operator in CROSSOVERS:
        cross(bank, parents, children, operator=operator, generator=generator, site_weights=site_weights)
    else:
        raise ConfigError("unknown breeding operator", where="operator", expected=", ".join(OPERATORS), got=operator)
