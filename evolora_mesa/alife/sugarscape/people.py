"""Foragers as the columns of one array, and how new ones are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BORN",
    "ENDOWMENT",
    "FEMALE",
    "FERTILE_FROM",
    "FERTILE_UNTIL",
    "GENERATION",
    "ID",
    "LIFESPAN",
    "METABOLISM",
    "SITE",
    "SUGAR",
    "VISION",
    "Makeup",
    "People",
    "blank",
    "fertile",
]

SITE, SUGAR, VISION, METABOLISM, ENDOWMENT, FEMALE = range(6)
BORN, LIFESPAN, FERTILE_FROM, FERTILE_UNTIL, GENERATION, ID = range(6, 12)
People = NDArray[np.float64]  # (12, n), whole numbers all of them

_LIFESPAN: Final = (60, 100)  # the book's R[60,100], ticks
_FERTILE_FROM: Final = (12, 15)
_FERTILE_UNTIL: Final = ((50, 60), (40, 50))  # men, women


@dataclass(frozen=True)
class Makeup:
    """What foragers without parents are drawn from, uniform and inclusive."""

    vision: tuple[int, int]
    metabolism: tuple[int, int]
    endowment: tuple[int, int]

    def draw(self, sites: NDArray[np.int64], tick: int, first_id: int, rng: np.random.Generator) -> People:
        """Newcomers on ``sites``, with all that they are born with."""
        people = blank(len(sites), tick, first_id, rng)
        for row, bounds in ((VISION, self.vision), (METABOLISM, self.metabolism), (ENDOWMENT, self.endowment)):
            people[row] = rng.integers(*bounds, len(sites), endpoint=True)
        people[SITE], people[SUGAR] = sites, people[ENDOWMENT]
        return people


def blank(n: int, tick: int, first_id: int, rng: np.random.Generator) -> People:
    """``n`` newborns of random sex and lifespan, without genes, sugar or place."""
    people = np.zeros((12, n))
    people[FEMALE] = rng.integers(0, 2, n)
    people[LIFESPAN] = rng.integers(*_LIFESPAN, n, endpoint=True)
    people[BORN], people[ID] = tick, first_id + np.arange(n)
    until = np.array(_FERTILE_UNTIL)[people[FEMALE].astype(int)]  # (n, 2)
    people[FERTILE_FROM] = rng.integers(*_FERTILE_FROM, n, endpoint=True)
    people[FERTILE_UNTIL] = rng.integers(until[:, 0], until[:, 1], endpoint=True)
    return people


def fertile(people: People, tick: int) -> NDArray[np.bool_]:
    """Who is of childbearing age, ``(n,)``."""
    age = tick - people[BORN]
    return (age >= people[FERTILE_FROM]) & (age <= people[FERTILE_UNTIL])
