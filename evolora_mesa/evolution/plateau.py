"""Does a series still rise? A rank test for trend on the means of blocks.

H. B. Mann, "Nonparametric tests against trend" (1945); M. G. Kendall, "Rank correlation methods" (1975). The test takes
its values for independent. Rewards of neighbouring generations are not, so it is given the means of blocks, which are
nearly so. Each look has its own false-alarm rate; over a long run a stationary series looks rising now and then.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr

from evolora_mesa.errors import ConfigError

__all__ = ["Plateau", "Trend", "mann_kendall"]

_FEWEST_BLOCKS = 5  # with 4 even a perfect ascent has a p-value of .045, so one swap hides it


class Trend(NamedTuple):
    """Of a series against its order.

    Attributes:
        tau: Kendall's tau-b in [-1, 1]; 0 for a constant series.
        z: its deviation from no trend in standard deviations, corrected for continuity.
        p_rising: chance of at least as much ascent where there is no trend.
    """

    tau: float
    z: float
    p_rising: float


def mann_kendall(series: Sequence[float] | np.ndarray) -> Trend:
    """The Mann–Kendall test for a rise, corrected for ties.

    Args:
        series: finite values in order of time; fewer than two have no trend.
    """
    values = np.asarray(series, dtype=float)
    n = len(values)
    later, earlier = np.tril_indices(n, -1)
    score = float(np.sign(values[later] - values[earlier]).sum())
    tied = np.unique(values, return_counts=True)[1].astype(float)
    pairs, tied_pairs = n * (n - 1) / 2, float((tied * (tied - 1)).sum() / 2)
    variance = (n * (n - 1) * (2 * n + 5) - float((tied * (tied - 1) * (2 * tied + 5)).sum())) / 18
    if variance <= 0:
        return Trend(0.0, 0.0, 1.0)
    # Scores move in steps of two, so P(score ≥ s) is the area of the normal curve from s − 1 upwards.
    z = (score - math.copysign(1.0, score)) / math.sqrt(variance) if score else 0.0
    return Trend(score / math.sqrt(pairs * (pairs - tied_pairs)), z, float(ndtr(-(score - 1) / math.sqrt(variance))))


class Plateau:
    """Watches a series, one value at a time, through a window that slides along.

    False alarms of `rising` per look, at ``alpha=.05`` and the default 8 blocks of a window of 24: 3 % on independent
    values, 6 % where a value keeps half of the deviation of the one before it, because a block still leans on its
    neighbour (15 % without blocks). A rise of a tenth of the values' standard deviation per step is seen 3 times of 4.

    Args:
        window: values looked at; at least ``blocks``.
        blocks: means that the window is condensed to, of nearly equal length.
        alpha: false-alarm rate of `rising`.

    Raises:
        ConfigError: a window or an ``alpha`` that allows no test.
    """

    def __init__(self, window: int, blocks: int = 8, alpha: float = 0.05) -> None:
        if not _FEWEST_BLOCKS <= blocks <= window or not 0 < alpha < 1:
            raise ConfigError(
                "no test for a trend",
                expected=f"{_FEWEST_BLOCKS} <= blocks <= window, alpha in (0, 1)",
                got=(window, blocks, alpha),
            )
        self.window, self.blocks, self.alpha = window, blocks, alpha
        self._values: deque[float] = deque(maxlen=window)

    def observe(self, value: float) -> None:
        """Take in the next value.

        Raises:
            ConfigError: it is not finite; it would hide every rise.
        """
        if not math.isfinite(value):
            raise ConfigError("a trend needs finite values", got=value, do="Leave out what was not measured.")
        self._values.append(float(value))

    @property
    def is_full(self) -> bool:
        """As many values have been seen as the window holds; before that nothing is claimed."""
        return len(self._values) == self.window

    @property
    def rising(self) -> bool:
        """The window is full and its block means rise significantly."""
        return self.is_full and self._trend().p_rising <= self.alpha

    @property
    def plateaued(self) -> bool:
        """The window is full and no rise is shown."""
        return self.is_full and not self.rising

    def _trend(self) -> Trend:
        return mann_kendall([block.mean() for block in np.array_split(np.array(self._values), self.blocks)])

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"values": list(self._values)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`, for the same window."""
        self._values = deque(state["values"], maxlen=self.window)
