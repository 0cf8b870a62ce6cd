"""Designs: which combinations of the factors' levels are run.

A half fraction keeps of a two-level grid the cells whose coded levels, -1 and +1, multiply to +1: Box, Hunter and
Hunter, "Statistics for Experimenters" (2005), chapter 6. Latin hypercubes: McKay, Beckman and Conover (1979).
Sobol sequences: Sobol' (1967), scrambled as by Owen (1998).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.sweep.spec import Factor, Range, SweepSpec

__all__ = ["Cell", "cells_of", "level_at", "require_baseline", "rounded"]

_DIGITS = 9  # of a drawn number: logarithms differ in the last bit between machines, and the run's name with them


class Cell(NamedTuple):
    """A combination of levels.

    Attributes:
        number: from 0, in the order of the design.
        levels: by factor, a value or the name of a set of settings.
    """

    number: int
    levels: Mapping[str, Any]

    def __str__(self) -> str:
        return ", ".join(f"{factor}={level}" for factor, level in self.levels.items())


def cells_of(spec: SweepSpec) -> list[Cell]:
    """All cells of a design, each once; none of an adaptive one, which proposes them as it goes.

    More samples of ``random`` and ``sobol`` begin with the same cells. A combination that is drawn again is left out.
    """
    method = spec.design.method
    if method == "adaptive":
        return []
    return _numbered(_drawn(spec) if method in ("random", "latin_hypercube", "sobol") else _crossed(spec))


def require_baseline(spec: SweepSpec, cells: Sequence[Cell]) -> None:
    """Refuse a baseline that is no cell that can be run.

    Raises:
        ConfigError: none of ``cells`` has its levels.
    """
    wanted = spec.baseline or {}
    if any(all(cell.levels[factor] == level for factor, level in wanted.items()) for cell in cells):
        return
    shown = ", ".join(f"{factor}={level}" for factor, level in wanted.items())
    raise ConfigError("the baseline is no cell that can be run", where="baseline", got=shown)


def level_at(factor: Factor, share: float) -> Any:
    """The level at ``share`` in [0, 1) of a factor: all levels, or all of its scale, are equally wide."""
    if not isinstance(factor, Range):
        levels = tuple(factor)
        return levels[int(share * len(levels))]
    margin = 0.5 if factor.whole else 0.0  # the first and the last whole number are as wide as the others
    low, high = factor.low - margin, factor.high + margin
    if factor.scale == "log":
        return rounded(factor, math.exp(math.log(low) + share * (math.log(high) - math.log(low))))
    return rounded(factor, low + share * (high - low))


def rounded(factor: Range, value: float) -> int | float:
    """A drawn value as it is written down, inside the bounds."""
    if factor.whole:
        return int(min(max(math.floor(value + 0.5), factor.low), factor.high))
    return min(max(float(f"{value:.{_DIGITS}g}"), factor.low), factor.high)


def _crossed(spec: SweepSpec) -> Iterable[dict[str, Any]]:
    """The grid, the last factor fastest, or its even half."""
    levels = [list(enumerate(factor)) for factor in spec.factors.values() if not isinstance(factor, Range)]
    halved = [name not in spec.design.crossed for name in spec.factors]
    for chosen in itertools.product(*levels):
        lows = sum(not position for (position, _), counts in zip(chosen, halved, strict=True) if counts)
        if spec.design.method == "grid" or lows % 2 == 0:
            yield {name: level for name, (_, level) in zip(spec.factors, chosen, strict=True)}


def _drawn(spec: SweepSpec) -> Iterable[dict[str, Any]]:
    for point in _points(spec).tolist():
        yield {name: level_at(factor, share) for (name, factor), share in zip(spec.factors.items(), point, strict=True)}


def _points(spec: SweepSpec) -> np.ndarray:
    """Samples in the unit cube; ``[samples, factors]``."""
    samples, width = spec.design.samples, len(spec.factors)
    generator = np.random.default_rng(spec.design.seed)
    if spec.design.method == "random":
        return generator.random((samples, width))
    from scipy.stats import qmc

    if spec.design.method == "latin_hypercube":
        return qmc.LatinHypercube(width, seed=generator).random(samples)
    whole = qmc.Sobol(width, seed=generator).random_base2(math.ceil(math.log2(samples)))
    return whole[:samples]  # asked for other numbers than powers of two, scipy warns; the check tells instead


def _numbered(combinations: Iterable[dict[str, Any]]) -> list[Cell]:
    distinct = {repr(list(levels.values())): levels for levels in combinations}
    return [Cell(number, levels) for number, levels in enumerate(distinct.values())]
