"""A plain table, drawn by one widget. What the host wrote is put into it as text, never as HTML."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, NamedTuple

import ipyvuetify
import reacton.core
import traitlets

from evolora_mesa.errors import one_line

__all__ = ["Column", "Row", "Table", "Tone"]

Tone = Literal["", "good", "bad", "soft"]
_LONGEST: Final = 400  # characters of a cell


class Column(NamedTuple):
    """``kind``: ``text``, ``number`` (to the right), or ``code`` (what somebody else wrote, letter for letter)."""

    title: str
    kind: Literal["text", "number", "code"] = "text"


class Row(NamedTuple):
    """``id``: told when the row is clicked; `None` where there is nothing to choose."""

    cells: tuple[str, ...]
    id: int | str | None = None
    tone: Tone = ""


class TableWidget(ipyvuetify.VuetifyTemplate):
    """The browser's side is in ``table.vue``."""

    template_file = (__file__, "table.vue")

    content = traitlets.Unicode("{}").tag(sync=True)  # JSON, as the option of a chart
    label = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Unicode("none").tag(sync=True)
    clickable = traitlets.Bool(False).tag(sync=True)
    on_click = traitlets.Callable(None, allow_none=True)

    def vue_clicked(self, id: int | str) -> None:
        if self.on_click is not None:
            self.on_click(id)


def Table(
    columns: Sequence[Column],
    rows: Sequence[Row],
    on_click: Callable[[Any], None] | None = None,
    label: str = "table",
    height: str = "none",
) -> reacton.core.Element:
    """Rows under headings.

    Args:
        on_click: called with the id of the row that was clicked.
        label: what it shows, for those who do not see it.
        height: most of it, as in CSS; the rest is scrolled.
    """
    content = {"columns": [column._asdict() for column in columns], "rows": [_plain(row) for row in rows]}
    return TableWidget.element(
        content=json.dumps(content, separators=(",", ":")),
        label=label,
        height=height,
        clickable=on_click is not None,
        on_click=on_click,
    )


def _plain(row: Row) -> dict[str, Any]:
    cells = [text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…" for text in row.cells]
    return {"cells": [_visible(text) for text in cells], "id": row.id, "tone": row.tone}


def _visible(text: str) -> str:
    """Lines stay lines; what would steer the reader's eye is shown as an escape."""
    return "\n".join("".join(one_line(c) if not c.isspace() else " " for c in line) for line in text.split("\n"))
