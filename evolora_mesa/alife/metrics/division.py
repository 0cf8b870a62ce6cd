"""Who does what: are agents specialists, and do the tasks of some lie within those of others?

Gorelick, Bertram, Killeen & Fewell, "Normalized mutual entropy in biology: quantifying division of labor" (2004);
Almeida-Neto et al., "A consistent metric for nestedness analysis in ecological systems" (2008), for NODF.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evolora_mesa.alife.log import EventLog

__all__ = ["Division", "division_of_labour", "nodf", "specialisation"]


class Division(NamedTuple):
    """Of agents among tasks.

    Attributes:
        specialisation: 1 - H(task | agent) / H(task), in [0, 1]; 1 when nobody does two things; nan with one task.
        within: H(task | agent), bits.
        nestedness: NODF of who has done what, 0 to 100; nan when nothing can be compared.
    """

    specialisation: float
    within: float
    nestedness: float


def specialisation(work: ArrayLike) -> tuple[float, float]:
    """Specialisation and H(task | agent) in bits, of ``(agents, tasks)`` amounts of work."""
    amounts = np.asarray(work, float)
    amounts = amounts[amounts.sum(axis=1) > 0]
    if not len(amounts):
        return float("nan"), float("nan")
    joint = amounts / amounts.sum()
    agents, tasks = joint.sum(axis=1), joint.sum(axis=0)
    whole, within = _entropy(tasks), _entropy(joint.ravel()) - _entropy(agents)
    return (1 - within / whole if whole > 1e-12 else float("nan")), max(within, 0.0)


def nodf(present: ArrayLike) -> float:
    """Nestedness by overlap and decreasing fill, 0 to 100.

    Over all pairs of rows, and all pairs of columns: 0 if both have as many, else the share of the smaller one's
    entries that the larger one has too, in per cent.

    Args:
        present: ``(agents, tasks)`` of true and false.
    """
    table = np.asarray(present, bool)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    rows, columns = _paired(table), _paired(table.T)
    pairs = rows[1] + columns[1]
    return 100 * (rows[0] + columns[0]) / pairs if pairs else float("nan")


def _paired(table: NDArray[np.bool_]) -> tuple[float, int]:
    """Sum of overlaps of pairs of rows, and how many pairs there are."""
    kinds, times = np.unique(table, axis=0, return_counts=True)  # agents that did the same need no pairs of their own
    fill, shared = kinds.sum(axis=1), kinds.astype(float) @ kinds.T
    overlap = np.where(fill[:, None] > fill[None, :], shared / np.maximum(fill[None, :], 1), 0.0)
    n = len(table)
    return float(times @ overlap @ times), n * (n - 1) // 2


def division_of_labour(log: EventLog, *, last: float = 1 / 3) -> Division | None:
    """Division of labour in the last part of a run, work counted as evaluations.

    Args:
        last: share of the run's steps that is looked at.

    Returns:
        Nothing when nothing was tried.
    """
    evals = log.stream("evals")
    if not len(evals):
        return None
    step = evals["step"]
    late = step > step[-1] - last * (step[-1] - step[0]) - 1
    known = late & (evals["id"] >= 0)
    agents, row = np.unique(evals["id"][known], return_inverse=True)
    tasks, column = np.unique(evals["task"][known], return_inverse=True)
    if not len(agents):
        return None
    work = np.bincount(row.ravel() * len(tasks) + column.ravel(), minlength=len(agents) * len(tasks))
    table = work.reshape(len(agents), len(tasks))
    special, within = specialisation(table)
    return Division(special, within, nodf(table > 0))


def _entropy(share: NDArray[np.float64]) -> float:
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())
