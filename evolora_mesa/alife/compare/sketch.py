"""What is drawn of a run, as plain values: waves of activity, Hill numbers, the tree of the living."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from evolora_mesa.alife.history import Clock, History, Reals
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics import Measured
from evolora_mesa.alife.metrics.diversity import hill_series
from evolora_mesa.alife.metrics.phylogeny import Tree

__all__ = ["sketch_of"]

_WAVES: Final = 12  # components that are drawn, those of the greatest activity
_LEAVES: Final = 40  # of the tree; more cannot be told apart
_DIGITS: Final = 5  # significant ones


def sketch_of(log: EventLog, said: Measured) -> dict[str, Any]:
    """Series over ``time`` in generations; None is nothing there.

    Returns:
        ``time``; ``waves``: activity of single components; ``shadow``: mean activity of the shadows; ``hill``: by
        order; ``tree``: for each node the time of its birth and the place of its parent, -1 for roots.
    """
    history = History.of(log, said.kind)
    clock = Clock.of(history)
    return {
        "time": _plain(said.time),
        "waves": _waves(said),
        "shadow": _plain(said.series.get("shadow.mean", np.empty(0))),
        "hill": {str(q): _plain(hill_series(history, clock, q)) for q in (0, 1, 2)},
        "tree": _tree(history) if "heredity" in log.capabilities else [],
    }


def _waves(said: Measured) -> list[list[float | None]]:
    waves, length = said.waves, len(said.time)
    codes, which = np.unique(waves.component, return_inverse=True)
    most = np.zeros(len(codes))
    np.maximum.at(most, which, waves.activity)
    drawn = []
    for code in np.argsort(-most, kind="stable")[:_WAVES]:
        line = np.full(length, np.nan)
        mine = which == code
        line[waves.place[mine]] = waves.activity[mine]
        drawn.append(_plain(line))
    return drawn


def _tree(history: History) -> list[tuple[float, int]]:
    """Branchings and leaves of a sample of the living, parents before children."""
    tree = Tree.of(history, own=True)
    leaves = np.flatnonzero(tree.living)
    if not len(leaves):
        return []
    leaves = leaves[np.unique(np.linspace(0, len(leaves) - 1, min(_LEAVES, len(leaves))).round().astype(int))]
    kept = np.zeros(len(tree.parent), bool)
    kept[leaves] = True
    for node in range(len(kept) - 1, -1, -1):
        if kept[node] and tree.parent[node] >= 0:
            kept[tree.parent[node]] = True
    children = np.bincount(tree.parent[kept & (tree.parent >= 0)], minlength=len(kept))
    shown = kept & ((children != 1) | (tree.parent < 0) | np.isin(np.arange(len(kept)), leaves))
    time = history.time[history.born[tree.row]] - history.time[0]
    above = np.where(tree.parent >= 0, tree.parent, -1)
    nodes: list[tuple[float, int]] = []
    nearest: dict[int, int] = {-1: -1}  # of every kept node, the closest one at or above it that is shown
    for node in np.flatnonzero(kept).tolist():
        parent = nearest[int(above[node])]
        if shown[node]:
            nearest[node] = len(nodes)
            nodes.append((_short(float(time[node])), parent))
        else:
            nearest[node] = parent
    return nodes


def _plain(values: Reals) -> list[float | None]:
    return [_short(value) if math.isfinite(value) else None for value in np.asarray(values, float).tolist()]


def _short(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
