"""Wilensky's animals walk without looking. So where one goes does not depend on the others, and all may go at once.

Only meals are contended for. Who comes first at a cell is drawn at random, which is what acting one after another in
random order comes to: the result is the same distribution, not an approximation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.wolf_sheep.herd import Herd, cells_of, walk

__all__ = ["graze", "hunt", "queue"]


def graze(sheep: Herd, grown: NDArray[np.bool_], size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Sheep walk; the first on a cell with grown grass eats it.

    Args:
        grown: ``(cells,)`` where grass is grown; what is eaten becomes False.

    Returns:
        Who ate, ``(n,)``.
    """
    walk(sheep, size, rng)
    cells = cells_of(sheep, size)
    fed = grown[cells] & (queue(cells, rng) == 0)
    grown[cells[fed]] = False
    return fed


def hunt(wolves: Herd, sheep: Herd, size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Wolves walk; on each cell the first takes a random sheep, the second another one.

    Returns:
        Column of the sheep that each wolf ate, ``(wolves,)``; -1 for none.
    """
    walk(wolves, size, rng)
    prey = np.full(wolves.shape[1], -1)
    if not sheep.shape[1]:
        return prey
    longest = sheep.shape[1] + wolves.shape[1]  # no queue is longer
    lairs, folds = cells_of(wolves, size), cells_of(sheep, size)
    tickets = folds * longest + queue(folds, rng)
    order = np.argsort(tickets)
    wanted = lairs * longest + queue(lairs, rng)
    place = order[np.searchsorted(tickets, wanted, sorter=order) % len(order)]
    met = tickets[place] == wanted
    prey[met] = place[met]
    return prey


def queue(cells: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Place ``(n,)`` from 0 of each animal in a random order of those on its cell."""
    order = np.lexsort((rng.random(len(cells)), cells))
    sorted_cells = cells[order]
    places = np.empty(len(cells), np.int64)
    places[order] = np.arange(len(cells)) - np.searchsorted(sorted_cells, sorted_cells)
    return places
