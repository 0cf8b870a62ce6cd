"""What is measured of a run: numbers from its figures, from its store, and from its survivors."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, TypeAlias, TypeVar

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.sweep.spec import MetricSpec

__all__ = ["Figure", "Figures", "curves_of", "measure"]

Figure: TypeAlias = Sequence[float | None]  # a value after every step, the founding first
Figures: TypeAlias = Mapping[str, Figure]
_Points: TypeAlias = list[tuple[int, float]]  # generations, counted in the window, and values that exist
_Value = TypeVar("_Value")


def measure(
    specs: Mapping[str, MetricSpec],
    figures: Figures,
    query: Callable[[str], object],
    worth: Callable[[str], Mapping[str, float]],
) -> dict[str, float | None]:
    """The metrics of a run by name.

    A value that does not exist is `None` here and is left out of what is computed: nan, an infinite one, the answers
    of the founding. ``last`` alone does not go back for one that exists: of a dead world it is `None`.

    Args:
        specs: what is asked for.
        figures: all there are.
        query: runs a SELECT over the run's store, see `store_query`.
        worth: of the survivors on a pool, number by name; asked once a pool, and only if a metric needs it.

    Raises:
        ConfigError: a metric asks for what there is not, or its value is no number; the metric is named.
    """
    worths: dict[str, Mapping[str, float]] = {}
    found = {}
    for name, spec in specs.items():
        if spec.figure is not None:
            values = _looked_up(name, spec.figure, figures, "figure")
            found[name] = _reduced(spec, [_number(name, value) for value in values])
        elif spec.sql is not None:
            found[name] = _asked(name, spec.sql, query)
        elif spec.worth is not None:
            if spec.pool not in worths:
                worths[spec.pool] = worth(spec.pool)
            value = _looked_up(name, spec.worth, worths[spec.pool], "worth of the survivors")
            found[name] = _number(name, value)
    return found


def curves_of(specs: Iterable[MetricSpec], figures: Figures) -> dict[str, list[float | None]]:
    """The figures that metrics read, whole; `None` where there is no value. Unknown ones are left out."""
    named = dict.fromkeys(spec.figure for spec in specs if spec.figure is not None)
    return {name: [_number(name, value) for value in figures[name]] for name in named if name in figures}


def _looked_up(metric: str, name: str, known: Mapping[str, _Value], what: str) -> _Value:
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, list(known), n=1)
    raise ConfigError(
        f"no such {what}",
        where=f"metric {metric}",
        expected=", ".join(sorted(known)) or "none: there are none",
        got=name,
        do=f"Did you mean {close[0]!r}?" if close else None,
    )


def _asked(metric: str, sql: str, query: Callable[[str], object]) -> float | None:
    try:
        return _number(metric, query(sql))
    except ConfigError as error:
        if error.where is not None:
            raise
        raise ConfigError(
            error.what, where=f"metric {metric}", expected=error.expected, got=error.got, do=error.do
        ) from error


def _number(metric: str, value: Any) -> float | None:
    """A value as a plain number, of numpy's too; `None` where there is none."""
    if value is None:
        return None
    if isinstance(value, str | bytes):
        raise ConfigError("a metric is not a number", where=f"metric {metric}", expected="a number", got=value)
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ConfigError(
            "a metric is not a number", where=f"metric {metric}", expected="a number", got=value
        ) from error
    return number if math.isfinite(number) else None


def _reduced(spec: MetricSpec, values: Figure) -> float | None:
    window = values[-spec.over :] if spec.over else values
    known = [(place, value) for place, value in enumerate(window) if value is not None]
    if spec.reduce == "last":
        return window[-1] if window else None
    return _REDUCTIONS[spec.reduce](known) if known else None


def _area(known: _Points) -> float | None:
    """By trapezoids between values that exist; a single one has no area."""
    if len(known) < 2:
        return None
    return math.fsum((after - before) * (left + right) / 2 for (before, left), (after, right) in pairwise(known))


_REDUCTIONS: Final[dict[str, Callable[[_Points], float | None]]] = {
    "first": lambda known: known[0][1],
    "mean": lambda known: math.fsum(value for _, value in known) / len(known),
    "min": lambda known: min(value for _, value in known),
    "max": lambda known: max(value for _, value in known),
    "sum": lambda known: math.fsum(value for _, value in known),
    "auc": _area,
}
