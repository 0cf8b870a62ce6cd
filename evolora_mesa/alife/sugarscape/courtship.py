"""Rule S, sexual reproduction: neighbours of different sex, of age and well off, share what they were born with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.sugarscape.landscape import TAKEN
from evolora_mesa.alife.sugarscape.people import ENDOWMENT, FEMALE, METABOLISM, SITE, VISION, People

if TYPE_CHECKING:
    from evolora_mesa.alife.sugarscape.turns import Turns

__all__ = ["Child", "Courtship"]


@dataclass(frozen=True)
class Child:
    """A birth.

    Attributes:
        parents: rows of the two.
        sugar: its endowment, half of what each parent was endowed with.
        vision, metabolism: each from either parent.
    """

    parents: tuple[int, int]
    site: int
    sugar: float
    vision: float
    metabolism: float


class Courtship:
    """Who stands where during one tick, and who may have children.

    Args:
        turns: the tick; parents pay from its sugar, children take its free sites.
        of_age: ``(n,)`` who is of childbearing age.
        adjacent: by site, those next to it.
        luck: draws neighbours, sites and genes.
    """

    def __init__(
        self, turns: Turns, people: People, of_age: NDArray[np.bool_], adjacent: list[list[int]], luck: Random
    ) -> None:
        self._turns, self._adjacent, self._luck = turns, adjacent, luck
        self._of_age: list[bool] = of_age.tolist()
        self._endowment: list[float] = people[ENDOWMENT].tolist()
        self._female: list[float] = people[FEMALE].tolist()
        self._vision: list[float] = people[VISION].tolist()
        self._metabolism: list[float] = people[METABOLISM].tolist()
        self._tenant = {site: row for row, site in enumerate(people[SITE].astype(int).tolist())}

    def follow(self, row: int, left: int) -> None:
        """A forager has left a site, for another one or, when it starved, for good."""
        del self._tenant[left]
        if not self._turns.starved[row]:
            self._tenant[self._turns.sites[row]] = row

    def court(self, row: int) -> Iterator[Child]:
        """Children with the neighbours, who are asked in random order."""
        if not self._fertile(row):
            return
        places = self._adjacent[self._turns.sites[row]].copy()
        self._luck.shuffle(places)
        for place in places:
            other = self._tenant.get(place)
            if other is None or self._female[row] == self._female[other]:
                continue
            if self._fertile(row) and self._fertile(other):
                yield from self._bear(row, other)

    def _fertile(self, row: int) -> bool:
        """Of age, and no poorer than at birth."""
        return self._of_age[row] and self._turns.sugar[row] >= self._endowment[row]

    def _bear(self, row: int, other: int) -> Iterator[Child]:
        """A child, if a site next to either parent is free."""
        turns, either = self._turns, (row, other)
        offer = turns.offer
        free = [site for parent in either for site in self._adjacent[turns.sites[parent]] if offer[site] >= 0]
        if not free:
            return
        shares = [self._endowment[parent] // 2 for parent in either]
        for parent, share in zip(either, shares, strict=True):
            turns.sugar[parent] -= share
        site = self._luck.choice(free)
        offer[site] = TAKEN
        vision, metabolism = self._vision[self._luck.choice(either)], self._metabolism[self._luck.choice(either)]
        yield Child(either, site, sum(shares), vision, metabolism)
