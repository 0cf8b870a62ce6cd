"""What a report consists of, before it is a page or a text. Every picture is also told in words."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

__all__ = [
    "Block",
    "Cell",
    "Document",
    "Figures",
    "Folded",
    "Key",
    "Note",
    "Picture",
    "Preformatted",
    "Quote",
    "Scale",
    "Section",
    "Series",
    "Table",
    "Tile",
    "energy",
    "number",
    "percent",
    "points",
]


class Quote(NamedTuple):
    """A text that somebody else wrote: a prompt, or an answer. ``good`` colours it; `None` where nobody judged it."""

    text: str
    good: bool | None = None
    mark: str = ""


Cell: TypeAlias = str | Quote


class Key(NamedTuple):
    """A line of a picture's key: ``style`` is the class of what it looks like."""

    label: str
    style: str


class Scale(NamedTuple):
    """What the colours of a map mean."""

    low: str
    high: str
    stops: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """A drawing.

    Attributes:
        svg: an ``<svg>`` element.
        told: what it shows, for those who do not see it.
    """

    title: str
    svg: str
    told: str
    key: tuple[Key, ...] = ()
    scale: Scale | None = None
    caption: str = ""


@dataclass(frozen=True)
class Figures:
    """Pictures beside one another, each on its own card; ``wide`` ones get more room."""

    pictures: tuple[Picture, ...]
    wide: bool = False


@dataclass(frozen=True)
class Series:
    """One thing at several times: small pictures on one card, with one scale."""

    title: str
    pictures: tuple[Picture, ...]
    scale: Scale
    caption: str = ""


@dataclass(frozen=True)
class Table:
    """``numeric`` are the places of columns that are aligned to the right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    numeric: frozenset[int] = frozenset()
    caption: str = ""


@dataclass(frozen=True)
class Preformatted:
    """Lines whose spaces matter."""

    text: str


@dataclass(frozen=True)
class Note:
    """A remark; ``empty`` where it stands in place of what is not there."""

    text: str
    empty: bool = False


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown on demand."""

    title: str
    blocks: tuple[Block, ...]


Block: TypeAlias = Figures | Series | Table | Preformatted | Note | Folded


class Tile(NamedTuple):
    """A figure to remember."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True)
class Section:
    """``name`` is its anchor."""

    name: str
    title: str
    about: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        told: the outcome, in a few lines.
    """

    title: str
    subtitle: str
    told: tuple[str, ...]
    tiles: tuple[Tile, ...] = ()
    sections: tuple[Section, ...] = field(default=())
    footer: tuple[str, ...] = ()


# ---------------------------------------------------------------- figures as text


def number(value: float, digits: int = 2) -> str:
    """With thin spaces between thousands; whole ones without decimals."""
    if not math.isfinite(value):
        return "n/a"
    if abs(value) >= 1000 or value == int(value):
        digits = 0
    text = f"{value:,.{digits}f}".replace(",", "\u202f")
    return text.replace("-", "−") if float(f"{value:.{digits}f}") else f"{0:.{digits}f}"


def energy(value: float) -> str:
    return number(value, 1)


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %".replace("-", "−") if math.isfinite(share) else "n/a"


def points(share: float) -> str:
    """A difference of shares, in percentage points with its sign."""
    return f"{100 * share:+.1f}".replace("-", "−") if math.isfinite(share) else "n/a"
