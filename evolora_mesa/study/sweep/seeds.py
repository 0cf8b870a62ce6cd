"""The seeds of a sweep: the same for all cells, so that cells can be compared pair by pair."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

import numpy as np

__all__ = ["seeds_of"]


def seeds_of(root_seed: int, number: int) -> tuple[int, ...]:
    """Distinct seeds in [0, 2**32); more of them begin with the same ones.

    They are the first words of the children that ``SeedSequence(root_seed).spawn`` has: 32 bits, because that is
    what every random generator accepts.
    """
    return tuple(islice(_distinct(root_seed), number))


def _distinct(root_seed: int) -> Iterator[int]:
    seen: set[int] = set()
    for child in count():
        seed = int(np.random.SeedSequence(root_seed, spawn_key=(child,)).generate_state(1)[0])
        if seed not in seen:  # of 10,000 draws from 2**32, two are equal once in a hundred times
            seen.add(seed)
            yield seed
