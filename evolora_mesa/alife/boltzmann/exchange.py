"""The two ways in which a unit changes hands."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["meet_anybody", "meet_neighbours"]


def meet_anybody(wealth: NDArray[np.int64], rng: np.random.Generator) -> int:
    """n times: a random owner gives a unit, if it has one, to a random other one. Units that moved.

    One after another, since who has just received a unit may give it away at once. That makes each move as likely as
    its reverse, on which the closed form rests; giving all at once, or each owner once, does not.

    Args:
        wealth: units ``(n,)``, changed in place.
    """
    n = len(wealth)
    givers = rng.integers(0, n, n)
    takers = (givers + rng.integers(1, n, n)) % n
    units, moved = wealth.tolist(), 0
    for giver, taker in zip(givers.tolist(), takers.tolist(), strict=True):
        if units[giver]:
            units[giver] -= 1
            units[taker] += 1
            moved += 1
    wealth[:] = units
    return moved


def meet_neighbours(
    wealth: NDArray[np.int64], cells: NDArray[np.int64], size: tuple[int, int], rng: np.random.Generator
) -> int:
    """Each owner once, in random order: it goes to one of the cells around and gives a unit to somebody there.

    The rule of the example that Mesa ships: eight cells around, fewer at the edges.

    Args:
        wealth: units ``(n,)``, changed in place.
        cells: where each stands, ``(n,)``, changed in place; y · width + x.
    """
    n, moved = len(wealth), 0
    units, places, around = wealth.tolist(), cells.tolist(), _around(*size)
    crowd: dict[int, list[int]] = {}
    for owner, place in enumerate(places):
        crowd.setdefault(place, []).append(owner)
    chances = rng.random((2, n)).tolist()
    for owner, step, meet in zip(rng.permutation(n).tolist(), *chances, strict=True):
        crowd[places[owner]].remove(owner)
        options = around[places[owner]]
        places[owner] = place = options[int(step * len(options))]
        mates = crowd.setdefault(place, [])
        if mates and units[owner]:
            units[owner] -= 1
            units[mates[int(meet * len(mates))]] += 1
            moved += 1
        mates.append(owner)
    wealth[:], cells[:] = units, places
    return moved


@cache
def _around(width: int, height: int) -> list[list[int]]:
    """The cells next to each cell, corners included."""
    return [
        [
            near_y * width + near_x
            for near_y in range(max(y - 1, 0), min(y + 2, height))
            for near_x in range(max(x - 1, 0), min(x + 2, width))
            if (near_x, near_y) != (x, y)
        ]
        for y in range(height)
        for x in range(width)
    ]
