"""The two ends of a run: over how many generations every summary, report and demo averages there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

__all__ = ["END", "Ends", "ends_of"]

END: Final = 5  # generations; fewer leave success to chance, more blur what a short run has learned


class Ends(NamedTuple):
    """Means of a figure over the first and the last generations; nan where nothing is known.

    Attributes:
        generations: how many were averaged at either end.
    """

    first: float
    last: float
    generations: int


def ends_of(values: Iterable[float | None]) -> Ends:
    """The ends of a figure, of which only what is known and finite counts.

    In a short run both are taken from its halves, so that they never share a generation.

    Args:
        values: by generation, without the founding, in which nobody has worked yet.
    """
    known = [float(value) for value in values if value is not None and math.isfinite(value)]
    if not known:
        return Ends(math.nan, math.nan, 0)
    width = max(1, min(END, len(known) // 2))
    return Ends(math.fsum(known[:width]) / width, math.fsum(known[-width:]) / width, width)
