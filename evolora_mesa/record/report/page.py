"""A document as one HTML file that needs nothing else: styles and drawings are inside, and it may load nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from evolora_mesa.record.report.document import (
    Block,
    Document,
    Figures,
    Folded,
    Key,
    Note,
    Picture,
    Preformatted,
    Quote,
    Scale,
    Section,
    Series,
    Table,
)
from evolora_mesa.record.report.drawing import escaped

__all__ = ["to_html"]

# Even if a prompt slipped through the escaping, the browser would neither run nor fetch anything.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def to_html(document: Document) -> str:
    """The whole page."""
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    links = "".join(f'<a href="#{section.name}">{escaped(section.title)}</a>' for section in document.sections)
    tiles = "".join(
        f'<div class="tile"><span>{escaped(tile.label)}</span><b>{escaped(tile.value)}</b>'
        f"<span>{escaped(tile.detail)}</span></div>"
        for tile in document.tiles
    )
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{escaped(document.title)}</title><link rel="icon" href="data:,"><style>{style}</style></head><body>',
        f'<header><h1>{escaped(document.title)}</h1><p class="subtitle">{escaped(document.subtitle)}</p>',
        f'<div class="tiles">{tiles}</div>' if tiles else "",
        f'<ol class="card told">{"".join(map(_told, document.told))}</ol></header>',
        f"<nav><div>{links}</div></nav><main>",
        *map(_section, document.sections),
        "</main><footer>",
        *(f"<p>{escaped(line)}</p>" for line in document.footer),
        "</footer></body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _told(line: str) -> str:
    """What a line is about stands before its first colon."""
    subject, colon, rest = line.partition(": ")
    return f"<li><b>{escaped(subject)}{colon}</b>{escaped(rest)}</li>" if colon else f"<li>{escaped(line)}</li>"


def _section(section: Section) -> str:
    blocks = "\n".join(map(_block, section.blocks))
    return (
        f'<section id="{section.name}"><h2>{escaped(section.title)}</h2>'
        f'<p class="about">{escaped(section.about)}</p>{blocks}</section>'
    )


def _block(block: Block) -> str:
    match block:
        case Figures():
            return _figures(block)
        case Series():
            return _series(block)
        case Table():
            return _table(block)
        case Preformatted():
            return f'<div class="card block"><pre>{escaped(block.text)}</pre></div>'
        case Note():
            return f'<p class="note{" empty" if block.empty else ""}">{escaped(block.text)}</p>'
        case Folded():
            inner = "\n".join(map(_block, block.blocks))
            return f"<details><summary>{escaped(block.title)}</summary>{inner}</details>"


def _figures(block: Figures) -> str:
    cards = "".join(f'<figure class="card">{_picture(picture, "h3")}</figure>' for picture in block.pictures)
    return f'<div class="{"wide" if block.wide else "charts"}">{cards}</div>'


def _series(block: Series) -> str:
    inner = "".join(f"<figure>{_picture(picture, 'h4')}</figure>" for picture in block.pictures)
    caption = f'<p class="caption">{escaped(block.caption)}</p>' if block.caption else ""
    return (
        f'<div class="card block"><h3>{escaped(block.title)}</h3><div class="maps">{inner}</div>'
        f"{_scale(block.scale)}{caption}</div>"
    )


def _picture(picture: Picture, level: str) -> str:
    key = f'<div class="key">{"".join(map(_key, picture.key))}</div>' if picture.key else ""
    scale = "" if picture.scale is None else _scale(picture.scale)
    caption = f"<figcaption>{escaped(picture.caption)}</figcaption>" if picture.caption else ""
    return f'<{level}>{escaped(picture.title)}</{level}>{key}<div class="plot">{picture.svg}</div>{scale}{caption}'


def _key(key: Key) -> str:
    shape, _, style = key.style.partition(" ")
    drawn = {
        "line": f'<path class="line {style}" d="M1 5H17"/>',
        "area": f'<rect class="bar {style}" x="3" y="0" width="12" height="10" rx="2"/>',
        "dot": f'<circle class="dot {style}" cx="9" cy="5" r="4"/>',
        "ring": f'<circle class="ring {style}" cx="9" cy="5" r="4"/>',
    }[shape]
    return f'<span><svg viewBox="0 0 18 10" aria-hidden="true">{drawn}</svg>{escaped(key.label)}</span>'


def _scale(scale: Scale) -> str:
    gradient = ", ".join(scale.stops)
    return (
        f'<div class="scale"><span>{escaped(scale.low)}</span>'
        f'<i style="background: linear-gradient(90deg, {gradient})"></i><span>{escaped(scale.high)}</span></div>'
    )


def _table(table: Table) -> str:
    heads = "".join(f"<th{_aligned(table, place)}>{escaped(column)}</th>" for place, column in enumerate(table.columns))
    rows = "".join(
        f"<tr>{''.join(_cell(table, place, cell) for place, cell in enumerate(row))}</tr>" for row in table.rows
    )
    stacked = any(isinstance(cell, Quote) for row in table.rows for cell in row)  # on phones, below each other
    caption = f'<p class="caption">{escaped(table.caption)}</p>' if table.caption else ""
    return (
        f'<div class="card block"><div class="scroll"><table{" class=stacked" if stacked else ""}>'
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>{caption}</div>"
    )


def _aligned(table: Table, place: int) -> str:
    return ' class="number"' if place in table.numeric else ""


def _cell(table: Table, place: int, cell: str | Quote) -> str:
    name = f' data-name="{escaped(table.columns[place])}"'
    if isinstance(cell, str):
        return f"<td{_aligned(table, place)}{name}>{escaped(cell)}</td>"
    judged = "" if cell.good is None else ' class="good"' if cell.good else ' class="bad"'
    mark = f'<span class="mark">{escaped(cell.mark)}</span>' if cell.mark else ""
    text = escaped(cell.text) if cell.text else "<i>(nothing)</i>"
    return f"<td{judged}{name}><code>{text}</code>{mark}</td>"
