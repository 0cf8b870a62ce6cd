"""A table that grows by blocks of rows: one numpy array a column, no object per row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["Columns"]

_FIRST_ROOM: Final = 256  # rows


class Columns:
    """Named columns of equal length.

    Args:
        kinds: numpy type by column.
        open: a value for a column that is not there yet makes it, as float64 with nan in the rows before.
    """

    def __init__(self, kinds: Mapping[str, DTypeLike], *, open: bool = False) -> None:
        self.size = 0
        self._open = open
        self._buffers: dict[str, NDArray] = {name: np.empty(_FIRST_ROOM, kind) for name, kind in kinds.items()}

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[str]:
        return iter(self._buffers)

    def __contains__(self, name: object) -> bool:
        return name in self._buffers

    def __getitem__(self, name: str) -> NDArray:
        """The column's rows so far, ``(size,)``: a view, which later rows do not change."""
        return self._buffers[name][: self.size]

    def append(self, rows: int, values: Mapping[str, ArrayLike]) -> None:
        """Add ``rows`` rows; a value is one for all of them or ``(rows,)``. What an open column lacks is nan."""
        end = self.size + rows
        self._make_room(end)
        for name in values:
            if name not in self._buffers:
                if not self._open:
                    raise KeyError(name)
                self._buffers[name] = np.full(self._room(), np.nan)
        for name, buffer in self._buffers.items():
            buffer[self.size : end] = values.get(name, np.nan)
        self.size = end

    def frozen(self) -> Columns:
        """The rows so far as a table of their own, without a copy."""
        other = Columns({}, open=self._open)
        other._buffers, other.size = {name: self[name] for name in self}, self.size
        return other

    def arrays(self) -> dict[str, NDArray]:
        """Copies of all columns."""
        return {name: self[name].copy() for name in self}

    def replace(self, arrays: Mapping[str, NDArray]) -> None:
        """Hold ``arrays``, of equal length, and nothing else."""
        self._buffers = {name: np.array(array) for name, array in arrays.items()}
        self.size = self._room()

    def _room(self) -> int:
        return len(next(iter(self._buffers.values()))) if self._buffers else 0

    def _make_room(self, rows: int) -> None:
        if rows <= self._room():
            return
        room = max(rows, 2 * self._room(), _FIRST_ROOM)
        for name, buffer in self._buffers.items():
            grown = np.empty(room, buffer.dtype)
            grown[: self.size] = buffer[: self.size]
            self._buffers[name] = grown
