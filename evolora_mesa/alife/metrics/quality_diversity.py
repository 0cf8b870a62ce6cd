"""The archive of the best of every kind, made anew from the log, so that no model's own archive is privileged.

Pugh, Soros & Stanley, "Quality Diversity" (2016); the figures are those of pyribs' ``ArchiveStats``.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.alife.log import EventLog

__all__ = ["QualityDiversity", "quality_diversity"]

_BINS: Final = 10  # per dimension


class QualityDiversity(NamedTuple):
    """A grid archive at the end of a run.

    Attributes:
        coverage: share of the grid's cells with an elite, in [0, 1].
        qd_score: sum over elites of fitness - offset.
        norm_qd_score: qd_score / cells of the grid.
        best, mean: of the elites' fitness.
        living_coverage: share of cells in which somebody of the last snapshot lives: an archive never forgets.
    """

    coverage: float
    qd_score: float
    norm_qd_score: float
    best: float
    mean: float
    living_coverage: float


def quality_diversity(
    log: EventLog, *, bins: int | tuple[int, ...] | None = None, offset: float = 0.0
) -> QualityDiversity | None:
    """Fill a grid with everybody of all snapshots who has a descriptor and a fitness.

    Args:
        bins: per dimension of the descriptor, which is in [0, 1]; what the run says, else 10.
        offset: the least fitness that there can be.

    Returns:
        Nothing when the snapshots have no descriptors or no fitness.
    """
    snapshots, marks = log.stream("snapshots"), log.stream("marks")
    names = [name for name in snapshots if name.startswith("descriptor.")]
    if not names or not len(marks):
        return None
    behaviour = np.stack([snapshots[name] for name in names], axis=1)
    fitness = snapshots["fitness"]
    known = np.isfinite(behaviour).all(axis=1) & np.isfinite(fitness)
    if not known.any():
        return None
    bins = bins or log.run.get("bins", _BINS)
    sizes = (bins,) * len(names) if isinstance(bins, int) else tuple(bins)
    place = np.clip((behaviour[known] * sizes).astype(int), 0, np.array(sizes) - 1)
    cell = np.ravel_multi_index(tuple(place.T), sizes)
    cells = math.prod(sizes)
    elite = np.full(cells, -np.inf)
    np.maximum.at(elite, cell, fitness[known])
    elites = elite[np.isfinite(elite)]
    last = np.arange(len(snapshots))[known] >= marks["first"][-1]
    score = float((elites - offset).sum())
    return QualityDiversity(
        coverage=len(elites) / cells,
        qd_score=score,
        norm_qd_score=score / cells,
        best=float(elites.max()),
        mean=float(elites.mean()),
        living_coverage=len(np.unique(cell[last])) / cells,
    )
