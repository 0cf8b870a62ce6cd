"""Marks inside a cell never overlap, and stay inside."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.view.charts.packing import CELL_HEIGHT, MOST_IN_CELL, pack


def packed(counts: list[int], depths: int, energy: float = 1.0) -> tuple[np.ndarray, ...]:
    """Marks of one family, so many at each depth; x and y in pixels of a narrow phone, and size."""
    depth = np.repeat(np.arange(len(counts)), counts)
    marks = pack(np.zeros_like(depth), depth, np.full(len(depth), energy), depths=depths)
    return marks.x * 208 / depths, marks.y * CELL_HEIGHT, marks.size


@given(counts=st.lists(st.integers(0, MOST_IN_CELL), min_size=1, max_size=6))
def test_no_two_marks_touch_and_all_are_in_their_cells(counts: list[int]) -> None:
    depths = len(counts)
    x, y, size = packed(counts, depths)
    far = np.maximum(np.abs(x[:, None] - x), np.abs(y[:, None] - y))  # squares, the worst case
    np.fill_diagonal(far, np.inf)
    assert (far >= (size[:, None] + size) / 2).all()
    cell = np.repeat(np.arange(depths), counts)
    assert (x - size / 2 >= cell * 208 / depths).all() and (x + size / 2 <= (cell + 1) * 208 / depths).all()
    assert (y - size / 2 >= 0).all() and (y + size / 2 <= CELL_HEIGHT - 8).all()  # above the number
    assert (size >= 1).all()


def test_the_rich_are_larger_and_everybody_can_be_seen() -> None:
    nowhere = np.zeros(3, dtype=int)
    size = pack(nowhere, nowhere, np.array([0.0, 1.0, 4.0]), depths=4).size
    assert size[0] < size[1] < size[2] and size[0] > 5


def test_the_same_world_is_packed_the_same_and_nobody_is_no_failure() -> None:
    once, again = packed([5, 3], 2), packed([5, 3], 2)
    assert all(np.array_equal(one, other) for one, other in zip(once, again, strict=True))
    assert packed([0], 1)[0].size == 0
