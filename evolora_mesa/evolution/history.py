"""What has already been paid for: how often everybody worked where, and with what success."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from evolora_mesa.refill import refill

__all__ = ["History", "main_families"]

_COUNTS: Final = ("episodes", "wins", "tokens")
_MOST_CELLS: Final = 4  # of a focus
_MOST_WORK: Final = 0.7  # share of the work after which further cells are no longer focus


class History:
    """Discounted counts of the episodes of every (slot, cell). Unlike beliefs they hold nothing but what happened.

    Args:
        capacity: bank slots.
        cells: of the grid, flat.
        memory: share kept per generation, in [0, 1].

    Attributes:
        episodes, wins, tokens: ``[capacity, cells]`` episodes, those right in the paid style, and tokens written.
    """

    def __init__(self, capacity: int, cells: int, memory: float) -> None:
        self.memory = memory
        self.episodes = np.zeros((capacity, cells))
        self.wins, self.tokens = np.zeros_like(self.episodes), np.zeros_like(self.episodes)

    def reset(self, slots: np.ndarray) -> None:
        """``slots`` have done nothing yet."""
        for counts in (self.episodes, self.wins, self.tokens):
            counts[slots] = 0.0

    def add(self, slots: np.ndarray, cells: np.ndarray, success: np.ndarray, tokens: np.ndarray) -> None:
        """A generation's work, row by row; everybody's past fades."""
        pair = slots * self.episodes.shape[1] + cells
        for counts, values in ((self.episodes, None), (self.wins, success), (self.tokens, tokens)):
            counts *= self.memory
            counts += np.bincount(pair, values, minlength=counts.size).reshape(counts.shape)

    def forget(self, cells: np.ndarray) -> None:
        """Nobody has worked in these flat ``cells`` yet: what was done there was done for another contract."""
        for counts in (self.episodes, self.wins, self.tokens):
            counts[:, cells] = 0.0

    def focus(self, slots: np.ndarray) -> np.ndarray:
        """``[slots, cells]`` bool: the cells in which most of the work was done, at most four.

        Cells are taken in order of work until seven tenths of it are covered; who has not worked has no focus.
        """
        work = self.episodes[slots]
        order = np.argsort(-work, axis=1, kind="stable")
        ranked = np.take_along_axis(work, order, 1)
        before = np.cumsum(ranked, 1) - ranked  # work in the cells ahead of each
        wanted = (ranked > 0) & (before < _MOST_WORK * work.sum(1, keepdims=True))
        wanted[:, _MOST_CELLS:] = False
        focus = np.zeros_like(wanted)
        np.put_along_axis(focus, order, wanted, 1)
        return focus

    def state_dict(self) -> dict[str, Any]:
        """Copies of the counts."""
        return {name: getattr(self, name).copy() for name in _COUNTS}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        for name in _COUNTS:
            refill(getattr(self, name), state[name], f"history, {name}")


def main_families(cells: np.ndarray, depths: int) -> list[int]:
    """The family with most of the marked ``cells [organelles, cells]``, for each organelle; of equals the first."""
    return cells.reshape(len(cells), -1, depths).sum(2).argmax(1).tolist()
