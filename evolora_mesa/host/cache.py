"""The key-value cache of a batch that shrinks as answers finish."""

from __future__ import annotations

import torch

from evolora_mesa.host.lean import LeanHost

__all__ = ["KeyValueCache"]


class KeyValueCache:
    """Keys and values of every row; columns ``[0, prompt_columns)`` hold prompts, right padded, the rest answers.

    Which column a token stands in does not matter to attention, because positions are rotated in explicitly; so all
    rows write their next token into the same column.

    Attributes:
        keys: per layer ``[rows, kv_heads, head_dim, columns]``.
        values: per layer ``[rows, kv_heads, columns, head_dim]``.
        bias: ``[rows, kv_heads, 1, columns]``, 0 on columns in use, -inf elsewhere.
        next_column: where the next token goes.
    """

    def __init__(self, host: LeanHost, lengths: torch.Tensor, room: int) -> None:
        """Room for prompts of ``lengths [rows]`` tokens and ``room`` further ones.

        Unused columns must be zero, not empty: an infinite score hides them, but 0 times NaN would not be hidden.
        """
        arch, rows = host.arch, lengths.numel()
        self.prompt_columns = int(lengths.max())
        self.lengths = lengths
        columns = self.prompt_columns + room

        def zeros(*shape: int) -> torch.Tensor:
            return torch.zeros(shape, dtype=host.dtype, device=host.device)

        self.keys = [zeros(rows, arch.kv_heads, arch.head_dim, columns) for _ in range(arch.layers)]
        self.values = [zeros(rows, arch.kv_heads, columns, arch.head_dim) for _ in range(arch.layers)]
        self.bias = zeros(rows, arch.kv_heads, 1, columns)
        unused = torch.arange(columns, device=host.device)[None] >= lengths[:, None]
        self.bias.masked_fill_(unused[:, None, None, :], float("-inf"))
        self.next_column = self.prompt_columns

    @property
    def full(self) -> bool:
        """Whether the next token needs room that is not there."""
        return self.next_column == self.bias.shape[-1]

    def open_column(self) -> int:
        """Make the next column visible to every row and return its number."""
        column = self.next_column
        self.bias[:, :, :, column] = 0.0
        self.next_column += 1
        return column

    def keep(self, rows: torch.Tensor | None, room: int) -> None:
        """Keep some rows (all when `None`), drop columns no row needs any more, and make ``room`` for new tokens."""
        if rows is not None:
            self.lengths = self.lengths[rows]
        prompts = int(self.lengths.max())
        spans = [(0, prompts), (self.prompt_columns, self.next_column)]
        self.keys = [_select(t, rows, spans, 3, room) for t in self.keys]
        self.values = [_select(t, rows, spans, 2, room) for t in self.values]
        self.bias = _select(self.bias, rows, spans, 3, room, fill=float("-inf"))
        self.prompt_columns, self.next_column = prompts, prompts + self.next_column - self.prompt_columns


def _select(
    tensor: torch.Tensor,
    rows: torch.Tensor | None,
    spans: list[tuple[int, int]],
    axis: int,
    room: int,
    fill: float = 0.0,
) -> torch.Tensor:
    """Chosen rows (axis 0) and spans of columns (``axis``), with ``room`` further columns of ``fill``."""
    if rows is not None:
        tensor = tensor.index_select(0, rows)
    shape = list(tensor.shape)
    shape[axis] = room
    kept = [tensor.narrow(axis, begin, end - begin) for begin, end in spans]
    return torch.cat([*kept, tensor.new_full(shape, fill)], axis)
