"""What was carried over a change of the world, as a table of the report."""

from __future__ import annotations

import math

from evolora_mesa.record.report.document import Table, number, percent, points
from evolora_mesa.record.seasons import RECOVERED, WINDOW, Turn

__all__ = ["carried_over"]

_COLUMNS = (
    "generation",
    "success before",
    "at first",
    "episodes until made up for",
    "forward transfer",
    "backward transfer",
    "mastered cells before",
    "soon",
    "in the end",
)
_CAPTION = (
    f"Means of {WINDOW} generations; made up for: {percent(RECOVERED, 0)} of the success before. Forward transfer: "
    "success at first in the families whose contracts changed, less that of the founders when they began, in points. "
    "Backward transfer: success at first in families that came back, less that when they left. A cell is mastered "
    "where half of the answers succeed; soon: after the first generations; in the end: of the season."
)


def carried_over(turns: tuple[Turn, ...]) -> Table | None:
    """A row for every generation with changes; `None` if there were none."""
    rows = tuple(
        (
            str(turn.generation),
            percent(turn.before),
            percent(turn.after),
            "not yet" if turn.episodes is None else number(turn.episodes),
            _told(turn.forward),
            _told(turn.backward),
            *map(str, turn.coverage),
        )
        for turn in turns
    )
    return Table(_COLUMNS, rows, frozenset(range(len(_COLUMNS))), _CAPTION) if rows else None


def _told(transfer: float) -> str:
    return "–" if math.isnan(transfer) else points(transfer)
