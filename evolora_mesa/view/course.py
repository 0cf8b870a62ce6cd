"""The course of a world's figures over its generations, thinned so that it never grows past what a chart can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

__all__ = ["MOST_POINTS", "Course"]

MOST_POINTS: Final = 500  # more than a chart has pixels for on a phone; even, for points are joined in pairs


@dataclass(frozen=True, eq=False)
class Course:
    """Figures of one generation after the other; once there are too many, each point is the mean of several.

    Attributes:
        names: of the figures; ``generation`` is one of them.
        points: ``[figures, points]`` that are complete.
        rest: ``[figures, generations]`` of the point that is not, fewer than ``stride``.
        stride: generations per point.
    """

    names: tuple[str, ...]
    points: np.ndarray
    rest: np.ndarray
    stride: int = 1

    @classmethod
    def of(cls, figures: Mapping[str, Sequence[float] | np.ndarray]) -> Course:
        """The course of ``figures``, each ``[generations]``; what has no value is nan."""
        names = tuple(figures)
        nothing = np.zeros((len(names), 0))
        return cls(names, nothing, nothing).extended(figures)

    def extended(self, figures: Mapping[str, Sequence[float] | np.ndarray]) -> Course:
        """The same with further generations behind it; figures that this course lacks are left out."""
        new = np.array([np.asarray(figures[name], dtype=float) for name in self.names]).reshape(len(self.names), -1)
        points, rest, stride = self.points, np.concatenate([self.rest, new], axis=1), self.stride
        while rest.shape[1] >= stride:
            count = min(rest.shape[1] // stride, MOST_POINTS - points.shape[1])
            points = np.concatenate([points, _joined(rest[:, : count * stride], stride)], axis=1)
            rest = rest[:, count * stride :]
            if points.shape[1] == MOST_POINTS:
                points, stride = _joined(points, 2), 2 * stride
        return Course(self.names, points, rest, stride)

    @cached_property
    def _all(self) -> np.ndarray:
        """``[figures, points]``, the one that is not complete yet included."""
        if not self.rest.shape[1]:
            return self.points
        return np.concatenate([self.points, _joined(self.rest, self.rest.shape[1])], axis=1)

    def __len__(self) -> int:
        return self._all.shape[1]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> np.ndarray:
        """``[points]`` of a figure; nan where nothing is known, throughout for a figure that is not recorded."""
        if name not in self.names:
            return np.full(len(self), np.nan)
        values = self._all[self.names.index(name)]
        values.flags.writeable = False
        return values


def _joined(values: np.ndarray, width: int) -> np.ndarray:
    """``[figures, n * width]`` -> ``[figures, n]`` means of what is known."""
    groups = values.reshape(len(values), -1, width)
    known = np.isfinite(groups)
    counts = known.sum(2)
    return np.divide(np.where(known, groups, 0.0).sum(2), counts, out=np.full(counts.shape, np.nan), where=counts > 0)
