"""Animals that look around, as in the example that Mesa ships: sheep flee wolves and prefer grass, wolves prefer sheep.

What is left to choose depends on who came before, so they move one after another, over plain lists: an animal has four
cells to look at, too few for an array. Births, deaths and energy do not depend on the order and stay in arrays.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.wolf_sheep.herd import Herd, X, Y, cells_of

__all__ = ["graze", "hunt"]


def graze(
    sheep: Herd, wolves: Herd, grown: NDArray[np.bool_], size: tuple[int, int], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Each sheep goes to a random one of four cells: without wolves, and with grass if there is such a one.

    Args:
        grown: ``(cells,)`` where grass is grown; what is eaten becomes False.

    Returns:
        Who ate, ``(n,)``.
    """
    around, grass = _around(*size), grown.tolist()
    danger = set(cells_of(wolves, size).tolist())
    cells, fed = cells_of(sheep, size).tolist(), [False] * sheep.shape[1]
    for row, chance in zip(rng.permutation(len(cells)).tolist(), rng.random(len(cells)).tolist(), strict=True):
        options = around[cells[row]]
        if danger:
            options = [cell for cell in options if cell not in danger]
        options = [cell for cell in options if grass[cell]] or options
        if options:
            cells[row] = options[int(chance * len(options))]
        if grass[cells[row]]:
            grass[cells[row]], fed[row] = False, True
    _settle(sheep, cells, size)
    grown[:] = grass
    return np.array(fed, bool)


def hunt(wolves: Herd, sheep: Herd, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Each wolf goes to a random one of four cells, with sheep if there is such a one, and eats a random one there.

    Returns:
        Column of the sheep that each wolf ate, ``(wolves,)``; -1 for none.
    """
    around = _around(*size)
    flocks: dict[int, list[int]] = {}
    # Shuffled once, so that the last of a flock is a random one.
    folds = cells_of(sheep, size)
    for row in rng.permutation(sheep.shape[1]).tolist():
        flocks.setdefault(int(folds[row]), []).append(row)
    cells, prey = cells_of(wolves, size).tolist(), [-1] * wolves.shape[1]
    for row, chance in zip(rng.permutation(len(cells)).tolist(), rng.random(len(cells)).tolist(), strict=True):
        options = around[cells[row]]
        options = [cell for cell in options if flocks.get(cell)] or options
        cells[row] = options[int(chance * len(options))]
        flock = flocks.get(cells[row])
        if flock:
            prey[row] = flock.pop()
    _settle(wolves, cells, size)
    return np.array(prey, np.int64)


@cache
def _around(width: int, height: int) -> list[list[int]]:
    """The four neighbours of each cell on the torus."""
    y, x = np.divmod(np.arange(width * height), width)
    steps = ((0, -1), (-1, 0), (1, 0), (0, 1))
    near = [(y + dy) % height * width + (x + dx) % width for dx, dy in steps]
    return np.stack(near, axis=1).tolist()


def _settle(herd: Herd, cells: list[int], size: tuple[int, int]) -> None:
    """Put the animals into the middle of their cells."""
    herd[Y], herd[X] = np.divmod(np.array(cells, np.int64), size[0])
    herd[X] += 0.5
    herd[Y] += 0.5
