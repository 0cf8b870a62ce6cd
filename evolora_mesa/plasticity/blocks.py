"""Sums of outer products per owner, without a loop over owners.

Tokens of one owner are laid into blocks of fixed length; a batched product forms each block's sum and the blocks of an
owner are added up. Only the last block of an owner is partly empty, so uneven loads waste little.
"""

from __future__ import annotations

import torch

from evolora_mesa.host.tiles import tile_rows

__all__ = ["OwnerBlocks"]

_BLOCK = 32


class OwnerBlocks:
    """A layout of token rows by owner.

    Args:
        owners: ``[tokens]`` index of each token's owner, 0 to ``count - 1``.
        count: number of owners.
    """

    def __init__(self, owners: torch.Tensor, count: int) -> None:
        self.count = count
        self._places, self.owners, real = tile_rows(owners, _BLOCK)
        self._real = real.unsqueeze(1)

    def lay(self, x: torch.Tensor) -> torch.Tensor:
        """``x [tokens, width] -> [blocks, block, width]``, zero at empty places."""
        return (x[self._places] * self._real).view(len(self.owners), _BLOCK, -1)

    def gather(self, laid: torch.Tensor) -> torch.Tensor:
        """The inverse of `lay`: ``[blocks, block, width] -> [tokens, width]``."""
        real = self._real.squeeze(1)
        out = laid.new_empty(int(real.sum()), laid.shape[-1])
        out[self._places[real]] = laid.flatten(0, 1)[real]
        return out

    def outer_sum(self, left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        """Sum over each owner's tokens of left ⊗ right, for laid ``left [.., m]`` and ``right [.., n]``.

        Returns:
            ``[owners, m, n]``.
        """
        per_block = torch.bmm(left.transpose(1, 2), right)
        total = per_block.new_zeros(self.count, *per_block.shape[1:])
        return total.index_add_(0, self.owners, per_block)
