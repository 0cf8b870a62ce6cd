"""Whether the parts of a sweep fit each other: what is named exists, and the design can be made of the factors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from evolora_mesa.errors import ConfigError
from evolora_mesa.schema import PlaceOf, did_you_mean, one_of
from evolora_mesa.study.sweep.spec import Factor, Range, SweepSpec

__all__ = ["DRAWN", "check_consistency", "levels_of"]

DRAWN = ("random", "latin_hypercube", "sobol", "adaptive")
_LARGEST_GRID = 100_000  # cells; no design needs them, and they fit in memory
_LARGEST_SWEEP = 1_000_000  # runs; all are held in memory, and telling what they take must not take hours itself


def levels_of(factor: Factor) -> tuple[object, ...]:
    """The levels that a factor has: values, or names; none of a range."""
    return () if isinstance(factor, Range) else tuple(factor)


def check_consistency(spec: SweepSpec, place: PlaceOf = lambda path: None) -> None:
    """Refuse a sweep that cannot be run as it is written, before anything is.

    Args:
        place: where a path in its file was written, for the errors.

    Raises:
        ConfigError: the first contradiction, with its place.
    """
    if not spec.factors:
        raise ConfigError("nothing is varied", where=place(("factors",)), expected="at least one factor")
    if not spec.metrics:
        raise ConfigError("nothing is measured", where=place(("metrics",)), expected="at least one metric")
    for name, factor in spec.factors.items():
        _check_factor(spec, name, factor, place(("factors", name)))
    _check_design(spec, place)
    _check_names(spec, place)


def _check_factor(spec: SweepSpec, name: str, factor: Factor, where: str | None) -> None:
    if isinstance(factor, Range):
        _check_range(spec, name, factor, where)
        return
    levels = levels_of(factor)
    if not levels:
        raise ConfigError(f"factor {name!r} has no level", where=where, expected="at least one")
    twice = [level for n, level in enumerate(levels) if any(_same(level, other) for other in levels[:n])]
    if twice:
        raise ConfigError(f"factor {name!r} has one level twice", where=where, got=twice[0], do="Keep one of them.")


def _check_range(spec: SweepSpec, name: str, factor: Range, where: str | None) -> None:
    if spec.design.method not in DRAWN:
        raise ConfigError(
            f"factor {name!r} is a range, which {spec.design.method!r} has no levels of",
            where=where,
            do=f"List its values, or set design.method to {one_of(DRAWN)}.",
        )
    low, high = factor.low, factor.high
    if low >= high:
        raise ConfigError(
            f"factor {name!r} is an empty range", where=where, expected="low below high", got=f"{low:g} to {high:g}"
        )
    if factor.whole and not (low.is_integer() and high.is_integer()):
        raise ConfigError(
            f"factor {name!r} has a broken bound", where=where, expected="whole numbers", got=f"{low:g} to {high:g}"
        )
    if factor.scale == "log" and (low < 1 if factor.whole else low <= 0):
        expected = "low at least 1" if factor.whole else "low above 0"
        raise ConfigError(f"factor {name!r} is on a logarithmic scale", where=where, expected=expected, got=low)


def _check_design(spec: SweepSpec, place: PlaceOf) -> None:
    design, where = spec.design, place(("design",))
    drawn = design.method in DRAWN
    cells = design.samples if drawn else math.prod(len(levels_of(factor)) for factor in spec.factors.values())
    if cells > _LARGEST_GRID:
        raise ConfigError("the grid is too large", where=where, expected=f"at most {_LARGEST_GRID} cells", got=cells)
    if cells * spec.seeds > _LARGEST_SWEEP:
        expected, got = f"at most {_LARGEST_SWEEP} runs", f"{cells} cells x {spec.seeds} seeds"
        raise ConfigError("the sweep is too large", where=place(("seeds",)), expected=expected, got=got)
    if design.method == "adaptive":
        _check_adaptive(spec, place)
    if design.method != "half":
        return
    for name in design.crossed:
        _require("factor", name, spec.factors, place(("design", "crossed")))
    halved = [name for name in spec.factors if name not in design.crossed]
    if len(halved) < 3:
        raise ConfigError(
            "a half fraction of fewer than three factors cannot tell their effects apart",
            where=where,
            expected="at least 3 factors that are not crossed",
            got=len(halved),
            do="Use the grid.",
        )
    for name in halved:
        _require_two_levels(spec, name, place(("factors", name)), "in a half fraction, unless it is crossed")


def _check_adaptive(spec: SweepSpec, place: PlaceOf) -> None:
    design, where = spec.design, place(("design",))
    if not design.objective:
        raise ConfigError("nothing to improve", where=where, do="Name a metric as design.objective.")
    _require("metric", design.objective, spec.metrics, place(("design", "objective")))
    objective = spec.metrics[design.objective]
    if objective.worth is not None and objective.pool == "test":
        where = place(("metrics", design.objective))
        raise ConfigError("nothing may be tuned on test", where=where, do="Set pool: select for the objective.")
    listed = [name for name, factor in spec.factors.items() if not isinstance(factor, Range)]
    if design.sampler == "cmaes" and (listed or len(spec.factors) < 2):
        raise ConfigError(
            "CMA-ES moves between bounds, in two dimensions or more",
            where=where,
            expected="two ranges or more as the only factors",
            got=listed or list(spec.factors),
            do="Use sampler: tpe.",
        )


def _check_names(spec: SweepSpec, place: PlaceOf) -> None:
    """What the parts of the sweep name has to be there."""
    if spec.stop.half_width is not None:
        _require("metric", spec.stop.half_width.metric, spec.metrics, place(("stop", "half_width", "metric")))
    for name, level in (spec.baseline or {}).items():
        where = place(("baseline", name))
        _require("factor", name, spec.factors, where)
        factor = spec.factors[name]
        levels = levels_of(factor)
        if levels and not any(_same(level, other) for other in levels):
            expected = one_of([str(other) for other in levels])
            raise ConfigError(f"the baseline is no level of {name!r}", where=where, expected=expected, got=level)
    decision = spec.decision
    if decision is None:
        return
    _require("metric", decision.metric, spec.metrics, place(("decision", "metric")))
    for name in decision.factors:
        where = place(("decision", "factors"))
        _require("factor", name, spec.factors, where)
        _require_two_levels(spec, name, where, "for its main effect")
    if decision.within is not None:
        where = place(("decision", "within"))
        _require("factor", decision.within, spec.factors, where)
        if decision.within in decision.factors:
            raise ConfigError("a factor cannot be judged within itself", where=where, got=decision.within)


def _require(kind: str, name: str, known: Iterable[str], where: str | None) -> None:
    names = list(known)
    if name not in names:
        raise ConfigError(
            f"no such {kind}", where=where, expected=one_of(names), got=name, do=did_you_mean(name, names)
        )


def _require_two_levels(spec: SweepSpec, name: str, where: str | None, why: str) -> None:
    levels: Sequence[object] = levels_of(spec.factors[name])
    if len(levels) != 2:
        got = f"{len(levels)} levels" if levels else "a range"
        raise ConfigError(f"factor {name!r} needs two levels {why}", where=where, got=got)


def _same(one: object, other: object) -> bool:
    """Equal, where ``true`` is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)
