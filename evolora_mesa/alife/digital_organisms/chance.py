"""Random numbers inside the kernels: xorshift128 of Marsaglia (2003), period 2¹²⁸ − 1.

Kept in whole numbers below 2³², so that the compiled and the plain kernel draw the same.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms.jit import kernel

__all__ = ["below", "draw", "seeded", "uniform"]

_WORD: Final = 0xFFFFFFFF


def seeded(seed: int) -> NDArray[np.int64]:
    """State of the generator, ``(4,)``; never all zero, which would be its end."""
    state = np.random.SeedSequence(seed).generate_state(4).astype(np.int64)
    state[0] |= 1
    return state


@kernel
def draw(chance: NDArray[np.int64]) -> int:
    """The next whole number in [0, 2³²)."""
    old, last = int(chance[0]), int(chance[3])
    old ^= (old << 11) & _WORD
    fresh = last ^ (last >> 19) ^ old ^ (old >> 8)
    chance[0], chance[1], chance[2], chance[3] = chance[1], chance[2], last, fresh
    return fresh


@kernel
def uniform(chance: NDArray[np.int64]) -> float:
    """In [0, 1)."""
    return draw(chance) / 4294967296.0


@kernel
def below(chance: NDArray[np.int64], bound: int) -> int:
    """A whole number in [0, bound), bound < 2²⁰: less uniform by 2⁻¹² at most."""
    return (draw(chance) * bound) >> 32
