"""What changed a trait's mean: selection, transmission, and those who came from outside.

Price, "Selection and covariance" (1970), for overlapping generations and several parents: ancestors are the living at
t, descendants those at t + d, survivors being their own. Descendant k gives ancestor i the credit c_ki;
w_i = sum_k c_ki and D_i = sum_k c_ki (z_k - z_i) / w_i. Then

    mean z' - mean z = Cov(w, z) / mean w  +  E[w D] / mean w  +  injected
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from evolora_mesa.alife.descent import Descent
from evolora_mesa.alife.history import History
from evolora_mesa.alife.invariants import place_of
from evolora_mesa.alife.log import EventLog

__all__ = ["Price", "price", "price_series", "traits_of"]


class Price(NamedTuple):
    """The three terms of a change, which add up to ``total``; all in the unit of the trait.

    Attributes:
        selection: Cov(w, z) / mean w.
        transmission: E[w D] / mean w.
        injected: what agents without ancestors among those at t make of the mean.
        total: change of the mean.
    """

    selection: float
    transmission: float
    injected: float
    total: float

    @property
    def residual(self) -> float:
        """What the terms do not explain: rounding."""
        return self.total - self.selection - self.transmission - self.injected


def price(
    before: ArrayLike, after: ArrayLike, descendant: ArrayLike, ancestor: ArrayLike, credit: ArrayLike
) -> Price | None:
    """The Price equation of one interval.

    Args:
        before: ``(n,)``, the trait of the ancestors; after: ``(m,)``, of the descendants.
        descendant, ancestor: ``(e,)``, places in these; credit: ``(e,)``, >= 0, summing to at most 1 per descendant.

    Returns:
        Nothing when nobody lived, or no descendant has an ancestor.
    """
    z, later = np.asarray(before, float), np.asarray(after, float)
    k, i, c = np.asarray(descendant, int), np.asarray(ancestor, int), np.asarray(credit, float)
    if not len(z) or not len(later) or c.sum() <= 0:
        return None
    fitness = np.bincount(i, c, minlength=len(z))
    mean_fitness, mean = fitness.mean(), z.mean()
    selection = float(((fitness - mean_fitness) * (z - mean)).mean() / mean_fitness)
    transmission = float((c * (later[k] - z[i])).sum() / len(z) / mean_fitness)
    bred = float((c * later[k]).sum() / c.sum())
    total = float(later.mean())
    return Price(selection, transmission, total - bred, total - float(mean))


def traits_of(log: EventLog) -> list[str]:
    """Names of the heritable numbers in the log's snapshots."""
    return [name.partition(".")[2] for name in log.stream("snapshots") if name.startswith("trait.")]


def price_series(log: EventLog, trait: str, *, marks: Sequence[int] | None = None) -> list[Price | None]:
    """The Price equation of a trait between neighbouring snapshots.

    Args:
        trait: one of `traits_of`, or ``energy`` or ``fitness``.
        marks: which snapshots, by number; all when not given.
    """
    history, snapshots = History.of(log, "clade"), log.stream("snapshots")
    values = snapshots[trait if trait in ("energy", "fitness") else f"trait.{trait}"]
    taken = {name: log.stream("marks")[name] for name in ("step", "first", "size")}
    chosen = np.arange(len(taken["step"])) if marks is None else np.asarray(marks, int)
    at = np.searchsorted(history.step, taken["step"][chosen])
    descent = Descent.of(history, at)
    births = log.stream("births")
    ids = births["id"][np.argsort(births["seq"], kind="stable")]
    trait_of = np.full(len(descent.row), np.nan)
    for number, mark in enumerate(chosen):
        rows = slice(taken["first"][mark], taken["first"][mark] + taken["size"][mark])
        here = slice(descent.first[number], descent.first[number + 1])
        whose = place_of(ids, snapshots["id"][rows])
        order = np.argsort(whose)
        if np.array_equal(whose[order], descent.row[here]):  # a snapshot in the middle of a step is of nobody's end
            trait_of[here] = values[rows][order]
    edges = np.searchsorted(descent.moment[descent.descendant], np.arange(len(chosen) + 1))
    found: list[Price | None] = []
    for number in range(1, len(chosen)):
        old, new = descent.first[number - 1], descent.first[number]
        edge = slice(edges[number], edges[number + 1])
        terms = price(
            trait_of[old:new],
            trait_of[new : descent.first[number + 1]],
            descent.descendant[edge] - new,
            descent.ancestor[edge] - old,
            descent.credit[edge],
        )
        found.append(terms if terms is not None and np.isfinite(terms.total) else None)
    return found
