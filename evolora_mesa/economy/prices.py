"""Prices of the cells: most for what is half mastered, least for what is solved or hopeless.

Goals of intermediate difficulty teach most (Florensa et al. 2018, "Automatic Goal Generation for
Reinforcement Learning Agents", ICML); here the world pays for them instead of sampling them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["half_success_price"]


def half_success_price(success: ArrayLike, low: float, high: float) -> NDArray[np.float64]:
    """Energy paid for a full reward: ``low + (high - low) * (1 - 2 * |success - 1/2|)``.

    Args:
        success: running mean of success, each in [0, 1]; any shape, ``(families, depths)`` for the task grid.
        low: price in energy where success is 0 or 1.
        high: price in energy where success is 1/2.

    Returns:
        Prices in energy between ``low`` and ``high``, of the shape of ``success``.
    """
    nearness = 1.0 - 2.0 * np.abs(np.asarray(success, dtype=np.float64) - 0.5)  # 1 at one half, 0 at the ends
    return np.asarray(low + (high - low) * nearness)
