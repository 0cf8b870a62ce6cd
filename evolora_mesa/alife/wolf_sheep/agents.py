"""Sheep and wolves as Mesa agents: views of one column of their herd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evolora_mesa.alife.mirror import Reflection
from evolora_mesa.alife.wolf_sheep.herd import BORN, ENERGY, GENERATION, STRIDE, X, Y

if TYPE_CHECKING:
    from evolora_mesa.alife.wolf_sheep.model import WolfSheep

__all__ = ["Sheep", "Wolf"]


class Animal(Reflection):
    """What sheep and wolves have in common."""

    model: WolfSheep
    kind: int

    def _fact(self, row: int) -> float:
        return float(self.model.herds[self.kind][row, self.row])

    @property
    def energy(self) -> float:
        """What it can live on; below 0 it dies."""
        return self._fact(ENERGY)

    @property
    def generation(self) -> float:
        """Births between a founder and this one."""
        return self._fact(GENERATION)

    @property
    def age(self) -> int:
        """Ticks since birth."""
        return self.model.tick - int(self._fact(BORN))

    @property
    def cell(self) -> tuple[int, int]:
        """(x, y) of the cell it stands on."""
        return int(self._fact(X)) % self.model.width, int(self._fact(Y)) % self.model.height

    def genotype_key(self) -> str | tuple[str, float]:
        """Its species; with the stride to a tenth where strides are inherited."""
        return self.model.genotype(self.kind, self._fact(STRIDE))

    def phenotype_key(self) -> str:
        """Its species."""
        return self.model.species[self.kind].name

    def niche(self) -> str:
        """What it eats."""
        return self.model.species[self.kind].food

    def fitness(self) -> None:
        """Nobody measures it here: who reproduces was fit."""

    def trait(self) -> dict[str, float]:
        """What it hands on."""
        return {"stride": self._fact(STRIDE)}


class Sheep(Animal):
    """Walks, eats grass where it is grown, and is eaten."""

    kind = 0


class Wolf(Animal):
    """Walks, and eats sheep."""

    kind = 1
