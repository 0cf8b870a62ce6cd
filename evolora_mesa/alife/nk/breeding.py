"""Who has children on a landscape, and how they differ from their parents (Dolson et al. 2019, the MODES paper)."""

from __future__ import annotations

import numpy as np

__all__ = ["mutated", "shared", "tournament"]


def tournament(fitness: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """``[n]`` parents: for every child the fittest of ``size`` that are drawn with replacement; size 1 is chance."""
    rivals = rng.integers(0, len(fitness), (len(fitness), size))
    return rivals[np.arange(len(fitness)), fitness[rivals].argmax(axis=1)]


def shared(fitness: np.ndarray, genomes: np.ndarray, threshold: float, alpha: float) -> np.ndarray:
    """``[n]`` fitness divided by how crowded it is around a genome (Goldberg & Richardson 1987).

    The crowd is the sum over everybody, oneself included, of ``1 - (distance / threshold) ** alpha`` where that is
    positive; distances are Hamming's.
    """
    signs = 1.0 - 2.0 * genomes
    distance = (genomes.shape[1] - signs @ signs.T) / 2.0
    return fitness / np.maximum(1.0 - (distance / threshold) ** alpha, 0.0).sum(axis=1)


def mutated(genomes: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Copies of ``genomes`` with each site set to a random bit by chance ``rate``: half of those do not change."""
    lots = rng.random(genomes.shape)
    return np.where(lots < rate, lots < rate / 2.0, genomes).astype(np.uint8)
