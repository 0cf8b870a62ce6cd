"""Foragers as Mesa agents: views of one column of the model's array."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evolora_mesa.alife.mirror import Reflection
from evolora_mesa.alife.sugarscape.landscape import PEAKS, SIDE
from evolora_mesa.alife.sugarscape.people import BORN, FEMALE, GENERATION, METABOLISM, SITE, SUGAR, VISION

if TYPE_CHECKING:
    from evolora_mesa.alife.sugarscape.model import Sugarscape

__all__ = ["Forager"]


class Forager(Reflection):
    """Looks for sugar, gathers it, lives on it."""

    model: Sugarscape

    def _fact(self, row: int) -> int:
        return int(self.model.people[row, self.row])

    @property
    def energy(self) -> int:
        """Sugar it holds; at 0 it starves."""
        return self._fact(SUGAR)

    @property
    def vision(self) -> int:
        """Sites it sees, each way."""
        return self._fact(VISION)

    @property
    def metabolism(self) -> int:
        """Sugar it needs per tick."""
        return self._fact(METABOLISM)

    @property
    def female(self) -> bool:
        """Its sex, which matters under rule S."""
        return bool(self._fact(FEMALE))

    @property
    def generation(self) -> int:
        """Births between a founder or newcomer and this one, by the longer of two lines."""
        return self._fact(GENERATION)

    @property
    def age(self) -> int:
        """Ticks since birth."""
        return self.model.tick - self._fact(BORN)

    @property
    def cell(self) -> tuple[int, int]:
        """(x, y) of its site."""
        y, x = divmod(self._fact(SITE), SIDE)
        return x, y

    def genotype_key(self) -> tuple[int, int]:
        """Vision and metabolism."""
        return self.vision, self.metabolism

    def phenotype_key(self) -> tuple[int, int]:
        """The same: genes are all there is to it."""
        return self.genotype_key()

    def niche(self) -> str:
        """The peak it is nearest to."""
        return PEAKS[self.model.peak_of(self._fact(SITE))]

    def fitness(self) -> None:
        """Nobody measures it here: who reproduces was fit."""

    def trait(self) -> dict[str, float]:
        """What it hands on."""
        return {"vision": float(self.vision), "metabolism": float(self.metabolism)}
