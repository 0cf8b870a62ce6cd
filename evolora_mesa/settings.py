"""What every section of the settings is made of: fields that carry unit and range, one strict base class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

__all__ = ["MOST_ENERGY", "Section", "Text", "Texts", "as_tuple", "clash", "repeated", "setting"]

MOST_ENERGY = 1_000_000  # energies; keeps every account far inside the ledger's 64-bit quanta (1e-6 energy each)


def setting(default: Any, text: str, *, unit: str = "", **limits: Any) -> Any:
    """A pydantic field whose description carries the unit and the range that the field is checked against.

    Args:
        default: value, or a class (list, dict, model) that makes one.
        text: what the setting means.
        unit: unit of the value; empty for a pure number or a word.
        **limits: a number's range as ``ge`` or ``gt`` with ``le`` or ``lt``, or other arguments of `Field`.
    """
    low = f"[{limits['ge']}" if "ge" in limits else f"({limits['gt']}" if "gt" in limits else ""
    high = f"{limits['le']}]" if "le" in limits else f"{limits['lt']})" if "lt" in limits else ""
    interval = f"{low}, {high}" if low and high else ""
    facts = ", ".join(filter(None, (unit, interval and f"in {interval}")))
    source: dict[str, Any] = {"default_factory": default} if isinstance(default, type) else {"default": default}
    return Field(
        description=f"{text}; {facts}" if facts else text,
        json_schema_extra={"unit": unit, "interval": interval},
        **source,
        **limits,
    )


def clash(what: str, *names: str, expected: str, got: object) -> PydanticCustomError:
    """The error of settings that contradict each other; ``names`` are those settings, without the section."""
    return PydanticCustomError(
        "clash",
        "{what}: expected {expected}, got {got}",
        {"what": what, "names": names, "expected": expected, "got": got},
    )


def as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def repeated(values: Sequence[str]) -> str | None:
    """The first value that occurs twice."""
    return next((value for position, value in enumerate(values) if value in values[:position]), None)


Text = Annotated[str, Field(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f\x7f]+$")]
Texts = Annotated[tuple[Text, ...], BeforeValidator(as_tuple)]


class Section(BaseModel):
    """Base of all settings: immutable, strict, no unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
