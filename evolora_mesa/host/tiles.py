"""Tiles: rows grouped into equal runs of one owner, so that adapters apply as batched products."""

from __future__ import annotations

from typing import NamedTuple

import torch

__all__ = ["Tiles", "choose_tile_size", "tile_rows"]

# Fillers are computed and thrown away; more than this share of them costs more than smaller tiles do.
_MOST_FILLERS = 0.15


class Tiles(NamedTuple):
    """A layout of ``tiles`` runs of equal length.

    Attributes:
        places: ``[tiles * size]`` which input row stands at each place; fillers repeat a row of their tile.
        owners: ``[tiles]`` owner of each tile.
        real: ``[tiles * size]`` False at fillers.
    """

    places: torch.Tensor
    owners: torch.Tensor
    real: torch.Tensor


def tile_rows(owners: torch.Tensor, size: int, order: torch.Tensor | None = None) -> Tiles:
    """Pack rows of arbitrary ``owners [rows]`` into tiles of ``size``.

    Rows of one owner keep the sequence in which ``order [rows]`` (a permutation; default: as given) lists them.
    """
    if order is None:
        order = torch.arange(owners.numel(), device=owners.device)
    rows = order[torch.argsort(owners[order], stable=True)]
    present, counts = torch.unique_consecutive(owners[rows], return_counts=True)
    tiles_each = (counts + size - 1) // size
    group = torch.repeat_interleave(torch.arange(present.numel(), device=owners.device), tiles_each)
    first_row = (counts.cumsum(0) - counts)[group]
    tile_of_group = torch.arange(group.numel(), device=owners.device) - (tiles_each.cumsum(0) - tiles_each)[group]
    rank = tile_of_group[:, None] * size + torch.arange(size, device=owners.device)
    real = rank < counts[group][:, None]
    rank = torch.where(real, rank, tile_of_group[:, None] * size)
    return Tiles(rows[(first_row[:, None] + rank).flatten()], present[group], real.flatten())


def choose_tile_size(owners: torch.Tensor) -> int:
    """The largest of 8, 4, 2 and 1 that needs few fillers for ``owners [rows]``."""
    counts = torch.unique(owners, return_counts=True)[1]
    rows = owners.numel()
    for size in (8, 4, 2):
        padded = int(((counts + size - 1) // size).sum()) * size
        if padded - rows <= _MOST_FILLERS * rows:
            return size
    return 1
