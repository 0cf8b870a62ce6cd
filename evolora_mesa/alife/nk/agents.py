"""A genome on a landscape as a Mesa agent: a view of one row of the model's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evolora_mesa.alife.mirror import Reflection

if TYPE_CHECKING:
    import numpy as np

    from evolora_mesa.alife.nk.model import NKWorld

__all__ = ["NKGenome"]


class NKGenome(Reflection):
    """Lives for one generation, and is chosen as a parent or not."""

    model: NKWorld
    energy = None
    age = 0

    @property
    def genome(self) -> np.ndarray:
        """``[sites]`` bits."""
        return self.model.genomes[self.row]

    @property
    def generation(self) -> int:
        """Births since the founders: all who are alive are of the same one."""
        return self.model.tick

    def genotype_key(self) -> str:
        """The bits."""
        return "".join(map(str, self.genome.tolist()))

    def phenotype_key(self) -> str:
        """The skeleton: the bits of the informative sites, a dash for the others."""
        informative = self.model.informative[self.row]
        return "".join(bit if known else "-" for bit, known in zip(self.genotype_key(), informative, strict=True))

    def niche(self) -> None:
        """There is one landscape for all."""

    def fitness(self) -> float:
        """Mean contribution of the sites, in [0, 1]; before it is shared."""
        return float(self.model.fitness[self.row])

    def trait(self) -> dict[str, float]:
        """What it hands on, in one number."""
        return {"ones": float(self.genome.mean()), "fitness": self.fitness()}
