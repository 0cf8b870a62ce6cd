"""Where organelles stand inside their cell, so that no two marks overlap and the same world is drawn the same."""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np

__all__ = ["CELL_HEIGHT", "MOST_IN_CELL", "Packed", "pack"]

CELL_HEIGHT: Final = 40  # pixels: rows are as high as the chart makes them
_HEIGHT: Final = 28.0  # of it for marks; at the bottom stands a number
_ALL_DEPTHS: Final = 208.0  # pixels that the cells of a row have together on a phone of 390 pixels
_LARGEST: Final = 22.0  # pixels across
_SMALLEST_SHARE: Final = 0.45  # of the room, for who owns nothing
MOST_IN_CELL: Final = 40  # marks of their own; more would be dust


class Packed(NamedTuple):
    """``x`` and ``y`` ``[organelles]`` in cells, from the left and from the top; ``size`` in pixels across."""

    x: np.ndarray
    y: np.ndarray
    size: np.ndarray


def pack(family: np.ndarray, depth: np.ndarray, energy: np.ndarray, *, depths: int) -> Packed:
    """Rows of marks in every cell, in the given order; area grows with energy.

    Args:
        family, depth: ``[organelles]`` coordinates, from 0.
        energy: ``[organelles]``, at least 0.
        depths: cells in a row.
    """
    width = _ALL_DEPTHS / depths
    _, cell = np.unique(np.stack([family, depth]), axis=1, return_inverse=True)
    cell = cell.ravel()
    count = np.bincount(cell)[cell] if len(cell) else np.zeros(0, dtype=np.int64)
    order = np.argsort(cell, kind="stable")
    first = np.searchsorted(cell[order], cell, side="left")
    place = np.empty(len(cell), dtype=np.int64)
    place[order] = np.arange(len(cell))
    place -= first  # within the cell
    columns = np.array([_columns(number, width) for number in count.tolist()], dtype=np.int64)
    rows = -(-count // columns)
    room = np.minimum(np.minimum(width / columns, _HEIGHT / rows), _LARGEST + 2)
    wealth = np.sqrt(np.clip(energy, 0.0, None) / max(float(energy.max(initial=0.0)), 1e-9))
    in_row = np.minimum(count - place // columns * columns, columns)  # the last row may be shorter
    across = place % columns - (in_row - 1) / 2
    down = place // columns - (rows - 1) / 2
    return Packed(
        depth + 0.5 + across * room / width,
        family + 0.40 + down * room / CELL_HEIGHT,
        (room - 2) * (_SMALLEST_SHARE + (1 - _SMALLEST_SHARE) * wealth),
    )


@cache
def _columns(count: int, width: float) -> int:
    """The number of columns that leaves a mark the most room."""
    return max(range(1, count + 1), key=lambda columns: min(width / columns, _HEIGHT / -(-count // columns)))
