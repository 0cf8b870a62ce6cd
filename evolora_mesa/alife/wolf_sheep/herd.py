"""A herd: all animals of one species as the columns of one array, so that a birth or a death is one index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BORN",
    "ENERGY",
    "GENERATION",
    "HEADING",
    "ID",
    "MOST_STRIDE",
    "SHEEP",
    "STRIDE",
    "WOLVES",
    "Herd",
    "Species",
    "X",
    "Y",
    "bear",
    "cells_of",
    "found",
    "upkeep",
    "walk",
]

SHEEP, WOLVES = 0, 1  # places of the herds
X, Y, HEADING, ENERGY, STRIDE, GENERATION, ID, BORN = range(8)
Herd = NDArray[np.float64]  # (8, n): place, heading in radians, energy, stride in cells, generation, id, tick of birth

MOST_STRIDE: Final = 3.0  # cells a tick
_TURN: Final = np.radians(50.0)  # each way, before a step


@dataclass(frozen=True)
class Species:
    """What sets sheep and wolves apart in numbers.

    Attributes:
        gain: energy of one meal.
        fertility: chance in [0, 1] of a child per tick.
    """

    name: str
    food: str
    gain: float
    fertility: float


def found(n: int, species: Species, size: tuple[int, int], first_id: int, rng: np.random.Generator) -> Herd:
    """``n`` animals anywhere, heading anywhere, with up to two meals of energy."""
    herd = np.zeros((8, n))
    herd[X], herd[Y] = rng.random(n) * size[0], rng.random(n) * size[1]
    herd[HEADING] = rng.random(n) * 2 * np.pi
    herd[ENERGY] = rng.random(n) * 2 * species.gain
    herd[STRIDE] = 1.0
    herd[ID] = first_id + np.arange(n)
    return herd


def cells_of(herd: Herd, size: tuple[int, int]) -> NDArray[np.int64]:
    """Cell ``(n,)`` that each animal stands on: y · width + x. A torus may round an x up to its own width."""
    width, height = size
    return herd[Y].astype(np.int64) % height * width + herd[X].astype(np.int64) % width


def walk(herd: Herd, size: tuple[int, int], rng: np.random.Generator) -> None:
    """Turn by up to 50° either way, then go one stride ahead."""
    turns = rng.random((2, herd.shape[1]))
    herd[HEADING] += (turns[0] - turns[1]) * _TURN
    _advance(herd, herd[STRIDE], size)


def upkeep(herd: Herd) -> NDArray[np.float64]:
    """Energy ``(n,)`` that a tick costs: 1 at stride 1, half of it for standing."""
    return 0.5 + 0.5 * herd[STRIDE]


def bear(
    parents: Herd, tick: int, first_id: int, drift: float, size: tuple[int, int], rng: np.random.Generator
) -> Herd:
    """Children of ``parents``, whose energy is theirs already: one step away in any direction.

    Args:
        drift: most that a child's stride may differ from its parent's.
    """
    children, n = parents.copy(), parents.shape[1]
    children[HEADING] += rng.random(n) * 2 * np.pi
    _advance(children, 1.0, size)
    if drift:
        children[STRIDE] += (rng.random(n) - rng.random(n)) * drift
        children[STRIDE] = children[STRIDE].clip(0.0, MOST_STRIDE)
    children[GENERATION] += 1
    children[ID] = first_id + np.arange(n)
    children[BORN] = tick
    return children


def _advance(herd: Herd, distance: float | NDArray[np.float64], size: tuple[int, int]) -> None:
    herd[X] = (herd[X] + np.cos(herd[HEADING]) * distance) % size[0]
    herd[Y] = (herd[Y] + np.sin(herd[HEADING]) * distance) % size[1]
