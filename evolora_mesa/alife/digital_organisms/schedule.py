"""Who executes next: a draw in proportion to merit, from a tree of sums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms.chance import uniform
from evolora_mesa.alife.digital_organisms.jit import kernel

__all__ = ["pick", "weigh"]


@kernel
def weigh(tree: NDArray[np.float64], row: int, merit: float) -> None:
    """Give organism ``row`` its weight in the draw.

    Every sum on the way up is taken anew from its two parts, so that no rounding error grows over a long run.
    """
    node = len(tree) // 2 + row
    tree[node] = merit
    node >>= 1
    while node > 0:
        tree[node] = tree[2 * node] + tree[2 * node + 1]
        node >>= 1


@kernel
def pick(tree: NDArray[np.float64], chance: NDArray[np.int64]) -> int:
    """Draw an organism. The sum of merits, ``tree[1]``, is above 0."""
    leaves = len(tree) // 2
    while True:
        rest, node = uniform(chance) * tree[1], 1
        while node < leaves:
            node *= 2
            if rest >= tree[node]:
                rest -= tree[node]
                node += 1
        if tree[node] > 0.0:  # rounding can lead to an empty cell behind the last organism
            return node - leaves
