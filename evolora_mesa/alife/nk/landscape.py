"""NK landscapes: a site's worth depends on itself and on its K neighbours (Kauffman & Levin 1987; Kauffman 1993)."""

from __future__ import annotations

import numpy as np

__all__ = ["Landscape", "every_genome"]


class Landscape:
    """A random table of contributions for each of N sites, uniform in [0, 1].

    Args:
        sites: N.
        epistasis: K < N; site i depends on i and the K sites after it, on a ring.
        rng: draws the table.

    Attributes:
        table: ``[sites, 2 ** (epistasis + 1)]`` contributions, by the window's bits; site i itself is the lowest bit.
    """

    def __init__(self, sites: int, epistasis: int, rng: np.random.Generator) -> None:
        self.sites, self.epistasis = sites, epistasis
        self.table = rng.random((sites, 2 ** (epistasis + 1)))
        self._rows = np.arange(sites) << (epistasis + 1)

    def _windows(self, genomes: np.ndarray) -> np.ndarray:
        """``[n, sites]`` place of each site's window in the flat table."""
        ring = np.concatenate([genomes, genomes[:, : self.epistasis]], axis=1).astype(np.intp)
        places = np.broadcast_to(self._rows, genomes.shape).copy()
        for step in range(self.epistasis + 1):
            places += ring[:, step : step + self.sites] << step
        return places

    def fitness(self, genomes: np.ndarray) -> np.ndarray:
        """``[n]`` mean contribution of genomes ``[n, sites]`` of 0 and 1; in [0, 1]."""
        return self.table.ravel()[self._windows(genomes)].mean(axis=1)

    def informative(self, genomes: np.ndarray) -> np.ndarray:
        """``[n, sites]`` bool: sites whose flip alone would lower fitness. What is left of a genome is its skeleton."""
        flat, places = self.table.ravel(), self._windows(genomes)
        here, loss = flat[places], np.zeros(places.shape)
        for step in range(self.epistasis + 1):
            loss += np.roll(
                flat[places ^ (1 << step)] - here, step, axis=1
            )  # windows that hold a site as their step-th
        return loss < 0.0

    def optima(self) -> np.ndarray:
        """Genomes ``[n, sites]`` that no single flip improves, found by looking at all 2 ** sites of them."""
        genomes = every_genome(self.sites)
        fitness, numbers = self.fitness(genomes), np.arange(len(genomes))
        best = np.ones(len(genomes), bool)
        for site in range(self.sites):
            best &= fitness > fitness[numbers ^ (1 << site)]
        return genomes[best]


def every_genome(sites: int) -> np.ndarray:
    """``[2 ** sites, sites]``; genome n holds the bits of n, the lowest first."""
    return ((np.arange(2**sites)[:, None] >> np.arange(sites)) & 1).astype(np.uint8)
