"""A document as Markdown: pictures are told in words."""

from __future__ import annotations

import re
from typing import Final

from evolora_mesa.errors import one_line
from evolora_mesa.record.report.document import (
    Block,
    Document,
    Figures,
    Folded,
    Note,
    Preformatted,
    Quote,
    Section,
    Series,
    Table,
)

__all__ = ["to_markdown"]

_SIGNS: Final = re.compile(r"([\\`*_{}\[\]<>#|])")


def to_markdown(document: Document) -> str:
    """The whole text."""
    parts = [f"# {_plain(document.title)}", _plain(document.subtitle)]
    parts.append("\n".join(f"{place}. {_plain(line)}" for place, line in enumerate(document.told, 1)))
    parts += map(_section, document.sections)
    parts.append("\n".join(f"- {_plain(line)}" for line in document.footer))
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section) -> str:
    parts = [f"## {_plain(section.title)}", _plain(section.about), *map(_block, section.blocks)]
    return "\n\n".join(part for part in parts if part)


def _block(block: Block) -> str:
    match block:
        case Figures() | Series():
            title = [f"### {_plain(block.title)}"] if isinstance(block, Series) else []
            return "\n\n".join([*title, "\n".join(f"- {_plain(picture.told)}" for picture in block.pictures)])
        case Table():
            return _table(block)
        case Preformatted():
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", block.text)), default=0))
            return f"{fence}text\n{block.text}\n{fence}"
        case Note():
            return _plain(block.text)
        case Folded():
            return "\n\n".join([f"### {_plain(block.title)}", *map(_block, block.blocks)])


def _table(table: Table) -> str:
    rules = ["---:" if place in table.numeric else "---" for place in range(len(table.columns))]
    rows = [list(map(_plain, table.columns)), rules, *([_cell(cell) for cell in row] for row in table.rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(cell: str | Quote) -> str:
    if isinstance(cell, str):
        return _plain(cell)
    judged = {None: "", True: "✓ ", False: "✗ "}[cell.good]
    mark = f" ({judged}{_plain(cell.mark)})" if cell.mark else ""
    return f"“{_plain(cell.text)}”{mark}"


def _plain(text: str) -> str:
    """On one line, with nothing in it that Markdown would take for its own."""
    return _SIGNS.sub(r"\\\1", one_line(text.replace("\n", " ⏎ ").replace("\u202f", " ")))
