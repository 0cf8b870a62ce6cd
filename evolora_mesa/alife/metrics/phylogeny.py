"""The shape of the tree of the living.

Dolson, Lalejini, Jorgensen & Ofria, "Interpreting the tape of life" (2020), for the statistics of lineages; Faith
(1992), Webb (2000) and Tucker et al. (2017) for those of trees; Shao & Sokal (1990) for Sackin's index; Mir, Rotger &
Rosselló, "Sound Colless-like balance indices for multifurcating trees" (2018).

A merge makes the descent a web. The tree is that of major parents: those with the largest share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.history import History, Reals, Whole, roots
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.log_schema import OPS

__all__ = ["Distances", "Lineages", "Tree", "founders_per_agent", "lineages", "merge_rate"]


class Distances(NamedTuple):
    """Distances between pairs of living taxa of one root, in edges: mean (MPD) and sample variance (VPD)."""

    mean: float
    variance: float


@dataclass(frozen=True)
class Tree:
    """The living taxa and their ancestors, ``k`` nodes, parents before children.

    A taxon is an unbroken line of births that keep the component; with ``own`` everybody is one.

    Attributes:
        parent: ``(k,)``, -1 for roots; depth: ``(k,)``, edges from the root; living: ``(k,)``, has a living agent.
        row: ``(k,)``, the agent with which the taxon began.
        agents: ``(k,)``, living agents of the taxon.
    """

    parent: Whole
    depth: Whole
    living: NDArray[np.bool_]
    row: Whole
    agents: Whole

    @classmethod
    def of(cls, history: History, *, own: bool = False) -> Tree:
        """The tree at the end of a history."""
        n, major = len(history.born), history.major
        component = history.component[:n]
        kept = (major >= 0) & (component == component[np.maximum(major, 0)]) if not own else np.zeros(n, bool)
        taxon = roots(np.where(kept, major, -1))
        above = np.where(major >= 0, taxon[np.maximum(major, 0)], -1)  # of those with which a taxon began
        agents = np.bincount(taxon[history.living(len(history.step) - 1)], minlength=n)
        needed = agents > 0
        front = np.flatnonzero(needed)
        while len(front):
            front = np.unique(above[front])
            front = front[front >= 0]
            front = front[~needed[front]]
            needed[front] = True
        row = np.flatnonzero(needed)
        parent = np.where(above[row] >= 0, np.searchsorted(row, above[row]), -1)
        depth = _along(parent, (parent >= 0)[:, None])[:, 0]
        return cls(parent, depth, agents[row] > 0, row, agents[row])

    @property
    def diversity(self) -> int:
        """Phylogenetic diversity (Faith): edges of the tree that spans the living and their roots."""
        return int((self.parent >= 0).sum())

    def distances(self) -> Distances:
        """Mean and variance over pairs of living taxa; nan without a pair."""
        depth = self.depth.astype(float)
        below = self._summed(np.stack([self.living, self.living * depth, self.living * depth**2], axis=1))
        inner = self.parent >= 0
        # At node v, pairs whose last common ancestor is v: all pairs below v less those below one child.
        apart = _pair_sums(below, depth)
        np.subtract.at(apart, self.parent[inner], _pair_sums(below[inner], depth[self.parent[inner]]))
        pairs, first, second = apart.sum(axis=0)
        if pairs < 0.5:
            return Distances(math.nan, math.nan)
        variance = (second - first**2 / pairs) / (pairs - 1) if pairs > 1 else math.nan
        return Distances(float(first / pairs), max(float(variance), 0.0))

    def mrca(self) -> int | None:
        """The last common ancestor of the living; None when they have several roots, or nobody lives."""
        if (self.parent < 0).sum() != 1:
            return None
        below = self._summed(self.living[:, None].astype(float))[:, 0]
        return int(np.flatnonzero(below == below.max())[-1])

    def mrca_depth(self) -> float:
        """Edges from the root to the last common ancestor; nan without one."""
        node = self.mrca()
        return math.nan if node is None else float(self.depth[node])

    def sackin(self) -> int:
        """Sackin's index: over the living taxa, how many branchings lie above each."""
        branching = self._children() > 1
        above = np.where(self.parent >= 0, branching[np.maximum(self.parent, 0)], 0)
        return int(_along(self.parent, above[:, None])[self.living].sum())

    def colless_like(self) -> float:
        """Colless-like index: sum over branchings of the mean distance of their branches' sizes from the median one.

        A branch's size is the sum over its nodes of ln(e + number of children); nodes with one child are passed over.
        """
        children = self._children()
        size = self._summed(np.where(children == 1, 0.0, np.log(math.e + children))[:, None])[:, 0]
        inner = np.flatnonzero(self.parent >= 0)
        order = inner[np.lexsort((size[inner], self.parent[inner]))]  # by parent, then by size
        begin = np.cumsum(children) - children
        split = np.flatnonzero(children > 1)
        low, high = begin[split] + (children[split] - 1) // 2, begin[split] + children[split] // 2
        median = np.full(len(children), np.nan)
        median[split] = (size[order[low]] + size[order[high]]) / 2
        above = self.parent[order]
        off = np.abs(size[order] - median[above]) / children[above]
        return float(off[children[above] > 1].sum())

    def _children(self) -> Whole:
        return np.bincount(self.parent[self.parent >= 0], minlength=len(self.parent))

    def _summed(self, values: Reals) -> Reals:
        """Sums over each node and all nodes below it; ``(k, columns)``."""
        total = np.array(values, float)
        order = np.argsort(-self.depth, kind="stable")
        order = order[self.parent[order] >= 0]
        levels = np.flatnonzero(np.diff(self.depth[order], prepend=-1))
        for nodes in np.split(order, levels[1:]):
            np.add.at(total, self.parent[nodes], total[nodes])
        return total


def _pair_sums(below: Reals, depth: Reals) -> Reals:
    """``(k, 3)``: over pairs of the taxa in ``below``, how many, and sums of (x + y) and (x + y)^2 above ``depth``."""
    count, first, second = below.T
    far, square = first - count * depth, second - 2 * depth * first + count * depth**2
    both = (far**2 - square) / 2  # sum of x y over pairs
    return np.stack([count * (count - 1) / 2, (count - 1) * far, (count - 1) * square + 2 * both], axis=1)


# ---------------------------------------------------------------- lineages


class Lineages(NamedTuple):
    """Means over the living, each with the line of its major parents.

    Attributes:
        length: changes of taxon from the founder to the agent.
        mutations: births by mutation or merge in the line.
        volatility: changes of phenotype in the line / length; nan when no taxon ever changed.
    """

    length: float
    mutations: float
    volatility: float


def lineages(log: EventLog) -> Lineages:
    """Lineage length, accumulated mutations and phenotypic volatility; nan when nobody lives."""
    geno, pheno = History.of(log, "geno"), History.of(log, "pheno")
    living, major, n = geno.living(len(geno.step) - 1), geno.major, len(geno.born)
    if not len(living):
        return Lineages(math.nan, math.nan, math.nan)
    births = log.stream("births")
    op = births["op"][np.argsort(births["seq"], kind="stable")]
    has, above = major >= 0, np.maximum(major, 0)
    steps = np.stack(
        [
            has & (geno.component[:n] != geno.component[above]),
            has & np.isin(op, [OPS.index("mutate"), OPS.index("merge")]),
            has & (pheno.component[:n] != pheno.component[above]),
        ],
        axis=1,
    )
    length, mutations, changes = _along(major, steps)[living].mean(axis=0)
    return Lineages(float(length), float(mutations), float(changes / length) if length else math.nan)


def _along(parent: Whole, steps: Whole | NDArray[np.bool_]) -> Whole:
    """Sums of ``steps``, ``(k, columns)``, from below the root down to each, by doubling pointers."""
    total = np.where((parent >= 0)[:, None], steps, 0)
    above = np.where(parent < 0, np.arange(len(parent)), parent)
    while (above != (further := above[above])).any():
        total = total + total[above]
        above = further
    return total


def merge_rate(log: EventLog) -> float:
    """Share of all births by reproduction that have several parents; nan without births."""
    history = History.of(log, "clade")
    bred = ~history.literal
    several = history.links_of[1][bred] > 1
    return float(several.mean()) if len(several) else math.nan


def founders_per_agent(log: EventLog) -> float:
    """Mean number of different founders from whom a living agent descends along any line; nan when nobody lives.

    Whoever came from outside is a founder.
    """
    history = History.of(log, "clade")
    living = history.living(len(history.step) - 1)
    if not len(living):
        return math.nan
    begin, count = history.links_of
    n, total = len(history.born), 0
    who, row = living, living
    seen = who * n + row
    while len(who):
        number = np.where(history.literal[row], 0, count[row])
        total += int((number == 0).sum())
        link = np.repeat(begin[row] - np.cumsum(number) + number, number) + np.arange(number.sum())
        pairs = np.setdiff1d(np.unique(np.repeat(who, number) * n + history.parent[link]), seen, assume_unique=True)
        seen = np.union1d(seen, pairs)
        who, row = pairs // n, pairs % n
    return total / len(living)
