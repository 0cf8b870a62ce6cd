"""Published figures beside measured ones: what a model has to do before anybody may look at its results."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from evolora_mesa import __version__
from evolora_mesa.alife import model_class, model_name

if TYPE_CHECKING:
    from evolora_mesa.alife.interface import Target

__all__ = ["COLUMNS", "Validation", "document", "row", "validate"]

COLUMNS: Final = ("", "target", "published", "measured", "rule", "source")
_VERDICTS: Final = {"exact": ("miss", "pass"), "threshold": ("miss", "pass"), "report": ("shown", "shown")}


@dataclass(frozen=True)
class Validation:
    """A model's targets, measured.

    Attributes:
        quick: only what takes seconds was measured.
        seconds: wall time.
    """

    model: str
    quick: bool
    targets: tuple[Target, ...]
    seconds: float

    @property
    def missed(self) -> tuple[Target, ...]:
        """Targets whose rule does not hold."""
        return tuple(target for target in self.targets if not target.passed)

    @property
    def passed(self) -> bool:
        """Something was required, and all of it holds."""
        return not self.missed and any(target.kind != "report" for target in self.targets)

    def outcome(self) -> str:
        """In one line."""
        required = [target for target in self.targets if target.kind != "report"]
        held = len(required) - len(self.missed)
        shown = len(self.targets) - len(required)
        more = f", {shown} only shown" if shown else ""
        return f"{self.model}: {held} of {len(required)} targets hold, {len(self.missed)} missed{more}"

    def as_tree(self) -> dict[str, Any]:
        """Plain values, as JSON holds them."""
        targets = [
            asdict(target) | {"passed": target.passed, "rule": rule_of(target), "measured": _plain(target.measured)}
            for target in self.targets
        ]
        facts = {"model": self.model, "version": __version__, "quick": self.quick, "passed": self.passed}
        return facts | {"seconds": round(self.seconds, 2), "targets": targets}


def validate(name: str, *, quick: bool = False) -> Validation:
    """Measure a model's targets now.

    Args:
        name: of a model, in any case.
        quick: the targets that take seconds; all of them take minutes.

    Raises:
        ConfigError: there is no such model.
    """
    name = model_name(name)
    began = time.monotonic()
    targets = tuple(model_class(name).reference(quick=quick))
    return Validation(name, quick, targets, time.monotonic() - began)


# ---------------------------------------------------------------- as text


def row(target: Target) -> tuple[str, ...]:
    """A target as a line of a table, by `COLUMNS`."""
    verdict = _VERDICTS[target.kind][target.passed]
    figures = (_figure(target.published), _figure(target.measured))
    return (verdict, target.name, *figures, rule_of(target), target.source)


def rule_of(target: Target) -> str:
    """What is let pass, in words."""
    low, high = target.low, target.high
    if target.kind == "report":
        return target.rule or "none"
    if target.holds is not None:
        return target.rule
    if low is None and high is None:
        bounds = "the same"
    elif low is None or high is None:
        bounds = f"≤ {_figure(high)}" if low is None else f"≥ {_figure(low)}"
    else:
        bounds = f"{_figure(low)} to {_figure(high)}" if low != high else f"= {_figure(low)}"
    return f"{bounds} ({target.rule})" if target.rule else bounds


def document(found: Sequence[Validation]) -> str:
    """The page ``docs/alife/validation.md``."""
    how = "evolora validate --quick --docs FILE" if all(one.quick for one in found) else "evolora validate --docs FILE"
    missed = sum(len(one.missed) for one in found)
    lines = [
        "# Validation of the classic models",
        "",
        f"Made by `{how}` with evolora-mesa {__version__}; do not edit. Every figure was measured in that run: "
        f"{sum(len(one.targets) for one in found)} targets of {len(found)} models, {missed} missed.",
        "",
        "`pass` and `miss` are by the rule in the line; `shown` has none and cannot fail. A threshold says that a "
        "program behaves like another one, not that it is the same. A published figure of — is one that the source "
        "gives as a rule only.",
    ]
    for one in found:
        lines += ["", f"## {one.model}", "", f"{one.outcome()}.", "", _markdown(("verdict", *COLUMNS[1:]))]
        lines += ["|---|---|---:|---:|---|---|", *(_markdown(row(target)) for target in one.targets)]
    return "\n".join(lines) + "\n"


def _markdown(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _figure(value: float | str | None) -> str:
    if value is None:
        return "—"
    if isinstance(value, str):
        return value
    if value and abs(value) < 1e-3:
        return f"{value:.1g}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"


def _plain(value: float | str) -> float | str | None:
    """JSON has no nan."""
    return value if isinstance(value, str) or math.isfinite(value) else None
