"""The section on seasons: what changed in the world, how soon that was made up for, and what was carried over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from evolora_mesa.record.report.document import Section, Table, number, percent, points
from evolora_mesa.record.report.reading import RunFacts
from evolora_mesa.record.seasons import RECOVERED, WINDOW, Turn

__all__ = ["carried_over", "seasons"]

_CHANGES: Final = {
    "season": "contracts shifted",
    "families_left": "families left",
    "families_came": "families came back",
    "winter_began": "winter began",
    "winter_ended": "winter ended",
}
_COLUMNS: Final = (
    "generation",
    "what changed",
    "success before",
    "at first",
    "generations until made up for",
    "episodes",
    "forward transfer",
    "backward transfer",
    "mastered cells before",
    "soon",
    "in the end",
)
_CAPTION: Final = (
    f"Success of {WINDOW} generations together; made up for: {percent(RECOVERED, 0)} of what it was before, in as many "
    "generations after, and before the next change. Forward transfer: success at first in the families whose contracts "
    "changed, less that of the founders when they began, in points. Backward transfer: success at first in families "
    "that came back, less that when they left. A cell is mastered where half of the answers succeed; soon: after the "
    "first generations; in the end: of the season."
)


def seasons(facts: RunFacts) -> Section | None:
    """What changed in the world; `None` if nothing did."""
    table = carried_over(facts.turns)
    about = "What changed in the world, and how soon its answers were as good as before."
    return None if table is None else Section("seasons", "Seasons", about, (table,))


def carried_over(turns: tuple[Turn, ...]) -> Table | None:
    """A row for every generation with changes; `None` if there were none."""
    rows = tuple(
        (
            str(turn.generation),
            "; ".join(_change(kind, told) for kind, told in turn.changes),
            percent(turn.before),
            percent(turn.after),
            "not yet" if turn.generations is None else str(turn.generations),
            "not yet" if turn.episodes is None else number(turn.episodes),
            _told(turn.forward),
            _told(turn.backward),
            *map(str, turn.coverage),
        )
        for turn in turns
    )
    return Table(_COLUMNS, rows, frozenset({0, *range(2, len(_COLUMNS))}), _CAPTION) if rows else None


def _change(kind: str, told: Mapping[str, Any]) -> str:
    """In words; what an event of another version lacks is left out."""
    what = ", ".join(map(str, told.get("changed", told.get("families", ()))))
    if kind == "winter_began" and "inflow" in told:
        what = f"{percent(float(told['inflow']), 0)} of the sun's energy"
    return f"{_CHANGES.get(kind, kind)}: {what}" if what else _CHANGES.get(kind, kind)


def _told(transfer: float) -> str:
    return "–" if math.isnan(transfer) else points(transfer)
