"""Contracts: which answer style a cell pays for. A contract is never part of a prompt."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from evolora_mesa.errors import TaskError
from evolora_mesa.tasks.family import Grade, Task
from evolora_mesa.tasks.styles import STYLES

__all__ = ["DEFAULT_STYLES", "Contracts", "Reward"]

DEFAULT_STYLES: Final = {
    "word.count": "terse",
    "math": "work",
    "math.multi_step": "work",
    "logic": "sentence",
    "string.sort": "quoted",
    "sequence": "terse",
    "json.repair": "ticks",
    "code.format": "quoted",
    "string.ops": "sentence",
}

_OTHER_STYLE = 0.2  # a right answer that the contract does not ask for: enough to climb, too little to live on
_PARTIAL = 0.1  # ceiling of the credit for a right beginning
_SWAPS = 8  # per family, to mix a new deal of styles


class Reward(NamedTuple):
    """``value`` in [0, 1] is what is learned from and paid; ``success`` is right *and* in the contract's style."""

    value: float
    success: bool


class Contracts:
    """The style paid for in every cell.

    Args:
        styles: style by family, over the defaults; families without one are paid `terse`.
        cell_styles: style of single cells, by ``(family, depth)``; wins over the family's.

    Raises:
        TaskError: a style that does not exist, or a key that is no cell.
    """

    def __init__(
        self, styles: Mapping[str, str] | None = None, cell_styles: Mapping[tuple[str, int], str] | None = None
    ) -> None:
        self.styles = {**DEFAULT_STYLES, **(styles or {})}
        self.cell_styles = dict(cell_styles or {})
        for cell in self.cell_styles:
            if not (isinstance(cell, tuple) and [type(part) for part in cell] == [str, int]):
                raise TaskError("not a cell", where="cell_styles", expected="(family, depth)", got=cell)
        for place, style in [*self.styles.items(), *self.cell_styles.items()]:
            if not (isinstance(style, str) and style in STYLES):
                raise TaskError("unknown answer style", where=place, expected=", ".join(STYLES), got=style)

    def style(self, family: str, depth: int) -> str:
        """The style that the cell ``(family, depth)`` pays for."""
        return self.cell_styles.get((family, depth), self.styles.get(family, "terse"))

    def shifted(self, families: Sequence[str], rng: random.Random) -> Contracts:
        """Contracts under which ``families`` have exchanged their styles, as few as possible keeping their own.

        Styles of single cells stay.
        """
        before = {family: self.styles.get(family, "terse") for family in families}
        return Contracts({**self.styles, **_exchanged(before, rng)}, self.cell_styles)

    def reward(self, task: Task, grade: Grade) -> Reward:
        """1 for a right answer in the paid style, .2 for a right one in another, up to .1 for a right beginning."""
        if grade.correct:
            paid = grade.style == self.style(task.family, task.depth)
            return Reward(1.0 if paid else _OTHER_STYLE, paid)
        return Reward(_PARTIAL * grade.closeness, False)


def _exchanged(before: Mapping[str, str], rng: random.Random) -> dict[str, str]:
    """The same styles, dealt to other families.

    With the families of a style side by side, a step as wide as the largest of these groups leads out of every group,
    or, where one group is more than half of all, out of it as often as can be. Random swaps that lead nobody back to
    its own style then make it any such deal.
    """
    families = list(before)
    rng.shuffle(families)
    groups: dict[str, list[str]] = {}
    for family in families:
        groups.setdefault(before[family], []).append(family)
    ranked = [family for group in groups.values() for family in group]
    step = max(map(len, groups.values()), default=0)
    after = {family: before[ranked[(place + step) % len(ranked)]] for place, family in enumerate(ranked)}
    for _ in range(_SWAPS * len(ranked)):
        one, other = rng.choice(ranked), rng.choice(ranked)
        if after[other] != before[one] and after[one] != before[other]:
            after[one], after[other] = after[other], after[one]
    return after
