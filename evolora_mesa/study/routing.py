"""Routing: which organelle to send a family's tasks to, chosen on one pool and scored on another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = ["Routed", "choose_routes", "score_routes"]


class Routed(NamedTuple):
    """``accuracy`` is the mean over tasks when each goes to its route; ``best_single`` sends all to one."""

    accuracy: float
    best_single: float


def choose_routes(success: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """The candidate with the highest success in each group; the first of equals.

    Args:
        success: ``[candidates, tasks]`` bool, on the selection panel.
        groups: ``[tasks]`` group of each task, e.g. its family.
        count: number of groups.

    Returns:
        ``[count]`` candidates.
    """
    return np.array([success[:, groups == group].mean(1).argmax() for group in range(count)])


def score_routes(routes: np.ndarray, single: int, success: np.ndarray, groups: np.ndarray) -> Routed:
    """Accuracy on another panel.

    Args:
        routes: ``[groups]`` candidate for each group, from `choose_routes`.
        single: the candidate that was best over the whole selection panel.
        success: ``[candidates, tasks]`` bool, on the panel that is reported.
        groups: ``[tasks]``.
    """
    routed = success[routes[groups], np.arange(len(groups))]
    return Routed(float(routed.mean()), float(success[single].mean()))
