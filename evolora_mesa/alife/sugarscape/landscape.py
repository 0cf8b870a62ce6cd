"""The ground: how much sugar each site can hold, where the peaks are, and what can be seen from where."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from operator import itemgetter
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["PEAKS", "SIDE", "TAKEN", "Sight", "View", "adjacent", "capacity", "peaks", "sight_of"]

SIDE: Final = 50  # sites, both ways
TAKEN: Final = -1  # what a site offers on which somebody stands
PEAKS: Final = ("north-east peak", "south-west peak")
_TOPS: Final = ((39.0, 9.5), (14.5, 34.5))  # (x, y) amid the sites that hold 4
_PLACES: Final = {(1, 0), (-1, 0), (0, 1), (0, -1)}


@cache
def capacity() -> NDArray[np.int64]:
    """Sugar ``(2500,)`` that each site holds at most, 0 to 4, in all 4,622; site = y · 50 + x.

    The map of the book's figure II-1 as NetLogo and Mesa ship it; ours is a copy of Mesa's (``sugarscape_g1mt``,
    Apache licence 2.0).
    """
    rows = files(__package__).joinpath("sugar-map.txt").read_text(encoding="ascii").split()
    ground = np.array([list(map(int, row)) for row in rows]).ravel()
    ground.flags.writeable = False
    return ground


@cache
def peaks(torus: bool) -> NDArray[np.int64]:
    """Place in `PEAKS` ``(2500,)`` of the peak that is nearest to each site."""
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    away = []
    for top_x, top_y in _TOPS:
        dx, dy = np.abs(x - top_x), np.abs(y - top_y)
        if torus:
            dx, dy = np.minimum(dx, SIDE - dx), np.minimum(dy, SIDE - dy)
        away.append(np.hypot(dx, dy))
    nearest: NDArray[np.int64] = np.argmin(away, axis=0)
    nearest.flags.writeable = False
    return nearest


class View(NamedTuple):
    """What is seen from one site.

    Attributes:
        look: takes a list with a value for each site of the world, gives those of the sites in view.
        sites: the sites in view, nearest first.
        ends: for each of them, where its group of equally distant ones ends.
    """

    look: Callable[[Any], tuple[int, ...]]
    sites: list[int]
    ends: list[int]


class Sight:
    """Views by site and vision, made when they are first needed.

    A forager looks at 4 to 24 sites. `operator.itemgetter` reads them from a list in one call, some 0.5 µs; an indexed
    numpy array takes several µs before it begins.

    Args:
        shape: "cross" is the book's rule M, the four lattice directions and the own site; "diamond" is Mesa's, every
            other site that is at most ``vision`` steps away.
    """

    def __init__(self, shape: str, torus: bool) -> None:
        self.shape, self.torus = shape, torus
        self._views: dict[tuple[int, int], View] = {}

    def __call__(self, site: int, vision: int) -> View:
        view = self._views.get((site, vision))
        if view is None:
            view = self._views[site, vision] = self._view(site, vision)
        return view

    def _view(self, site: int, vision: int) -> View:
        rings: dict[int, list[int]] = {}
        for squared, dx, dy in _offsets(self.shape, vision):
            seen = _moved(site, dx, dy, self.torus)
            if seen is not None:
                rings.setdefault(squared, []).append(seen)
        sites, ends = [], []
        for squared in sorted(rings):
            sites += rings[squared]
            ends += [len(sites)] * len(rings[squared])
        return View(itemgetter(*sites), sites, ends)


@cache
def sight_of(shape: str, torus: bool) -> Sight:
    """The one `Sight` of this kind: its views are the same in every world."""
    return Sight(shape, torus)


@cache
def _offsets(shape: str, vision: int) -> list[tuple[int, int, int]]:
    """(squared distance, dx, dy) of all sites in view."""
    span = range(-vision, vision + 1)
    if shape == "cross":
        places = {(dx, 0) for dx in span} | {(0, dy) for dy in span}
    else:
        places = {(dx, dy) for dx in span for dy in span if 0 < abs(dx) + abs(dy) <= vision}
    return sorted((dx * dx + dy * dy, dx, dy) for dx, dy in places)


@cache
def adjacent(torus: bool) -> list[list[int]]:
    """The sites, four at most, next to each site."""
    around = [[_moved(site, dx, dy, torus) for dx, dy in sorted(_PLACES)] for site in range(SIDE * SIDE)]
    return [[place for place in places if place is not None] for places in around]


def _moved(site: int, dx: int, dy: int, torus: bool) -> int | None:
    y, x = divmod(site, SIDE)
    x, y = x + dx, y + dy
    if torus:
        return y % SIDE * SIDE + x % SIDE
    return y * SIDE + x if 0 <= x < SIDE and 0 <= y < SIDE else None
