"""Hosts and symbionts as Mesa agents: views of one cell of the model's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evolora_mesa.alife.host_symbiont.interaction import GENERATION, HOST, POINTS, SYMBIONT, VALUE
from evolora_mesa.alife.mirror import Reflection

if TYPE_CHECKING:
    from evolora_mesa.alife.host_symbiont.model import HostSymbiont

__all__ = ["BINS", "EDGE", "KINDS", "PHENOTYPES", "Host", "Symbiont", "bin_names", "genotypes", "phenotypes"]

KINDS = ("host", "symbiont")
BINS = 20  # genotypes of a kind: interaction values by 0.1, as in the histograms of Symbulation
EDGE = 0.4  # from here a value is called by its sign
PHENOTYPES = (("defensive", "neutral", "generous"), ("parasite", "neutral symbiont", "mutualist"))


def genotypes(values: np.ndarray) -> np.ndarray:
    """Bins ``(n,)`` in [0, 20) of interaction values in [-1, 1]."""
    return np.minimum(((values + 1.0) * (BINS / 2)).astype(int), BINS - 1)


def phenotypes(values: np.ndarray) -> np.ndarray:
    """Places ``(n,)`` in a row of `PHENOTYPES`."""
    return 1 + (values >= EDGE).astype(int) - (values < -EDGE)


def bin_names(kind: str) -> list[str]:
    """Genotype keys of a kind: the lower end of each bin."""
    return [f"{kind} {place * 2 / BINS - 1:+.1f}" for place in range(BINS)]


class _Partner(Reflection):
    """What hosts and symbionts have in common."""

    model: HostSymbiont
    kind: int

    def _fact(self, row: int) -> float:
        return float(self.model.tenants[self.kind, row, self.row])

    @property
    def value(self) -> float:
        """Interaction value in [-1, 1]: below 0 it takes or defends, above it gives."""
        return self._fact(VALUE)

    @property
    def energy(self) -> float:
        """Points towards the next offspring."""
        return self._fact(POINTS)

    @property
    def generation(self) -> float:
        """Births between a founder and this one."""
        return self._fact(GENERATION)

    @property
    def age(self) -> int:
        """Updates since birth."""
        return self.model.tick - int(self.model.born[self.kind, self.row])

    @property
    def cell(self) -> tuple[int, int]:
        """(x, y) of the host."""
        y, x = divmod(self.row, self.model.width)
        return x, y

    def genotype_key(self) -> str:
        """Kind and lower end of the value's bin."""
        return bin_names(KINDS[self.kind])[genotypes(np.array([self.value]))[0]]

    def phenotype_key(self) -> str:
        """What it does to its partner."""
        return PHENOTYPES[self.kind][phenotypes(np.array([self.value]))[0]]

    def niche(self) -> str:
        """Host or symbiont."""
        return KINDS[self.kind]

    def fitness(self) -> None:
        """Nobody measures it here: who reproduces was fit."""

    def trait(self) -> dict[str, float]:
        """What it hands on."""
        return {"value": self.value}


class Host(_Partner):
    """Lives in a cell, is fed by the world, and donates, keeps or defends what it is given."""

    kind = HOST


class Symbiont(_Partner):
    """Lives in a host, and steals from it or gives back."""

    kind = SYMBIONT
