"""The settings of a world as a form shows them: numbers, switches and choices, with bounds, unit and help."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import ConfigError
from evolora_mesa.schema import fields_of

__all__ = ["Parameter", "Value", "parameters", "read_value", "show_value", "stops", "value_of"]

Value = bool | int | float | str
Kind = Literal["switch", "whole", "number", "choice"]

_ELSEWHERE: Final = ("name", "generations", "seed", "record.")  # has a field of its own, or is no matter of a world
_REACH: Final = 16.0  # times the usual value, and as much below, that a slider covers; the field takes all
_MOST_STOPS: Final = 40


class Parameter(NamedTuple):
    """One setting.

    Attributes:
        name: dotted.
        section: what comes before the last dot, in words.
        label: what comes after it, in words.
        help: what it means, with unit and range.
        unit: of a number; may be empty.
        low, high: bounds of a number.
        low_open, high_open: the bound itself is not allowed.
        choices: of a choice.
    """

    name: str
    section: str
    label: str
    help: str
    kind: Kind
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False
    choices: tuple[str, ...] = ()

    def allows(self, value: float) -> bool:
        """Whether a number is within the bounds."""
        return (value > self.low if self.low_open else value >= self.low) and (
            value < self.high if self.high_open else value <= self.high
        )


@cache
def parameters() -> tuple[Parameter, ...]:
    """All of them, in the order of the schema."""
    return tuple(_found())


def _found() -> Iterator[Parameter]:
    for name, field in fields_of(WorldConfig).items():
        kind = _kind(field)
        if kind is None or name.startswith(_ELSEWHERE):
            continue
        section, _, leaf = name.rpartition(".")
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        limits: dict[str, Any] = {
            bound: getattr(fact, bound)
            for fact in field.metadata
            for bound in ("ge", "gt", "le", "lt")
            if getattr(fact, bound, None) is not None
        }
        yield Parameter(
            name,
            section.replace(".", " · ") or "world",
            leaf.replace("_", " "),
            field.description or "",
            kind,
            str(extra.get("unit", "")),
            limits.get("ge", limits.get("gt", -math.inf)),
            limits.get("le", limits.get("lt", math.inf)),
            "gt" in limits,
            "lt" in limits,
            get_args(field.annotation) if kind == "choice" else (),
        )


def _kind(field: FieldInfo) -> Kind | None:
    if get_origin(field.annotation) is Literal:
        return "choice"
    kinds: dict[Any, Kind] = {bool: "switch", int: "whole", float: "number"}
    return kinds.get(field.annotation)


def value_of(config: WorldConfig, name: str) -> Value:
    """The value of a setting."""
    found: Any = config
    for part in name.split("."):
        found = getattr(found, part)
    return found


def show_value(value: Value) -> str:
    """A value as people write it."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def read_value(parameter: Parameter, text: str) -> Value:
    """The number in a field of a form.

    Raises:
        ConfigError: it is no number, or is out of bounds.
    """
    whole = parameter.kind == "whole"
    try:
        value = int(text) if whole else float(text)
    except ValueError:
        value = math.nan
    if not parameter.allows(value):  # nan is not either
        raise ConfigError(
            f"bad value for {parameter.name!r}",
            expected="whole number" if whole else "number",
            got=text.strip(),
            do=f"It must be {_bounds(parameter)}." if math.isfinite(value) else None,
        )
    return value


def _bounds(parameter: Parameter) -> str:
    low = f"{'above' if parameter.low_open else 'at least'} {show_value(parameter.low)}"
    high = f"{'below' if parameter.high_open else 'at most'} {show_value(parameter.high)}"
    return " and ".join(text for text, bound in ((low, parameter.low), (high, parameter.high)) if math.isfinite(bound))


def stops(parameter: Parameter, usual: float) -> tuple[float, ...]:
    """Where the slider of a number halts, ascending: every value of a short range, else round ones around ``usual``.

    Bounds of many settings are far apart, so an even slider over them would have one useful pixel.
    """
    low, high = parameter.low, parameter.high
    if parameter.kind == "whole" and high - low < _MOST_STOPS:
        found = {float(value) for value in range(math.ceil(low), math.floor(high) + 1)}
    elif parameter.kind == "number" and high - low <= 1.0 and (usual == 0 or usual > 0.05):
        found = {round(low + (high - low) * step / 20, 6) for step in range(21)}
    else:
        centre = abs(usual) or (1.0 if parameter.kind == "number" else 4.0)
        found = {*_round_numbers(centre / _REACH, centre * _REACH), low if math.isfinite(low) else 0.0}
        if parameter.kind == "whole":
            found = {float(round(value)) for value in found}
    found.add(float(usual))
    allowed = sorted(value for value in found if parameter.allows(value))
    return tuple(int(value) for value in allowed) if parameter.kind == "whole" else tuple(allowed)


def _round_numbers(low: float, high: float) -> Iterator[float]:
    """1, 1.5, 2, 3, 5, 7 times the powers of ten between two positive numbers."""
    for power in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1):
        for digit in (1.0, 1.5, 2.0, 3.0, 5.0, 7.0):
            value = float(f"{digit * 10.0**power:.3g}")
            if low <= value <= high:
                yield value
