"""Maps: colours for values, of families by depths at a moment, and of families over generations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.record.report.document import Picture, Scale, number
from evolora_mesa.record.report.drawing import escaped, svg, ticks

__all__ = ["CIVIDIS", "MAGMA", "VIRIDIS", "Shades", "by_depth", "ink", "over_time"]

# Nine steps of each map of matplotlib: all rise evenly in brightness, also to eyes that see fewer colours.
VIRIDIS: Final = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")
CIVIDIS: Final = ("#00224e", "#1f386d", "#434e6c", "#61646f", "#7d7c78", "#9b9476", "#bbae6c", "#dcc95c", "#fee838")
MAGMA: Final = ("#000004", "#1d1147", "#51127c", "#832681", "#b73779", "#e75263", "#fc8961", "#fec488", "#fcfdbf")

_BRIGHT: Final = 0.18  # relative luminance from which black text has more contrast than white
_CELL, _ROW, _LETTER = 34.0, 22.0, 6.3  # user units: a cell's width, a row's height, a letter of the names
_LONGEST_NAME: Final = 22  # letters of a family's name


class Shades(NamedTuple):
    """Which colour stands for which value, from ``low`` to ``high``; ``unit`` follows them in the key."""

    stops: tuple[str, ...]
    low: float
    high: float
    unit: str = ""
    digits: int = 2

    def colour(self, value: float) -> tuple[int, int, int]:
        """Red, green and blue, each 0 to 255."""
        span = self.high - self.low
        place = min(max((value - self.low) / span if span > 0 else 0.0, 0.0), 1.0) * (len(self.stops) - 1)
        left = min(int(place), len(self.stops) - 2)
        part = place - left
        one, other = (_parsed(stop) for stop in self.stops[left : left + 2])
        red, green, blue = (round(a + part * (b - a)) for a, b in zip(one, other, strict=True))
        return red, green, blue

    def scale(self) -> Scale:
        """The key."""
        low, high = (f"{number(value, self.digits)}{self.unit}" for value in (self.low, self.high))
        return Scale(low, high, self.stops)


def _parsed(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))


def ink(colour: tuple[int, int, int]) -> str:
    """The class of text that can be read on a colour, by its relative luminance."""
    linear = [(part / 255) ** 2.2 for part in colour]
    return "ink" if 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] > _BRIGHT else "chalk"


def _left(families: Sequence[str]) -> float:
    return 8 + _LETTER * min(max((len(name) for name in families), default=0), _LONGEST_NAME)


def _name(family: str, left: float, middle: float) -> str:
    shown = family if len(family) <= _LONGEST_NAME else f"{family[: _LONGEST_NAME - 1]}…"
    return f'<text class="tick end" x="{left - 6:.1f}" y="{middle + 4:.1f}">{escaped(shown)}</text>'


def by_depth(
    title: str,
    families: Sequence[str],
    values: np.ndarray,
    shades: Shades,
    *,
    what: str,
    nothing: str = "nothing known",
    caption: str = "",
) -> Picture:
    """A map of families by depths, with the values written into it.

    Args:
        values: ``[families, depths]``; nan is left blank.
        what: the values are, for the words told.
        nothing: what a blank cell means.
    """
    left, top, depths = _left(families), 8.0, values.shape[1]
    width, height = left + _CELL * depths + 4, top + _ROW * len(families) + 32
    parts = []
    for row, family in enumerate(families):
        parts.append(_name(family, left, top + _ROW * (row + 0.5)))
        for column in range(depths):
            parts.append(
                _cell(
                    left + _CELL * column,
                    top + _ROW * row,
                    float(values[row, column]),
                    shades,
                    f"{family}, depth {column + 1}",
                    nothing,
                )
            )
    for column in range(depths):
        across = left + _CELL * (column + 0.5)
        parts.append(f'<text class="tick mid" x="{across:.1f}" y="{height - 18:.1f}">{column + 1}</text>')
    parts.append(f'<text class="name mid" x="{left + _CELL * depths / 2:.1f}" y="{height - 4:.1f}">depth</text>')
    told = f"{title}: {_extremes(families, values, shades, what)}"
    drawing = svg(width, height, parts, told, widest=1.2 * width)
    return Picture(title, drawing, told, scale=shades.scale(), caption=caption)


def _cell(across: float, down: float, value: float, shades: Shades, where: str, nothing: str) -> str:
    box = f'x="{across:.1f}" y="{down:.1f}" width="{_CELL - 1.5:g}" height="{_ROW - 1.5:g}" rx="2"'
    if not np.isfinite(value):
        return f'<g><title>{escaped(where)}: {escaped(nothing)}</title><rect class="blank" {box}/></g>'
    colour = shades.colour(value)
    red, green, blue = colour
    middle = across + (_CELL - 1.5) / 2
    shown = number(value, shades.digits)
    if shades.digits and 0 <= value < 1:
        shown = shown.removeprefix("0")  # room is short
    return (
        f"<g><title>{escaped(where)}: {number(value, max(shades.digits, 2))}{shades.unit}</title>"
        f'<rect fill="#{red:02x}{green:02x}{blue:02x}" {box}/>'
        f'<text class="value mid {ink(colour)}" x="{middle:.1f}" y="{down + 14.5:.1f}">{shown}</text></g>'
    )


def _extremes(families: Sequence[str], values: np.ndarray, shades: Shades, what: str) -> str:
    if not np.isfinite(values).any():
        return f"no {what} known."
    found = []
    for word, place in (("highest", np.nanargmax(values)), ("lowest", np.nanargmin(values))):
        family, depth = divmod(int(place), values.shape[1])
        found.append(
            f"{word} {what} {number(float(values[family, depth]), shades.digits)}{shades.unit} in {families[family]} "
            f"depth {depth + 1}"
        )
    return f"{', '.join(found)}; mean {number(float(np.nanmean(values)), shades.digits)}{shades.unit}."


def over_time(
    title: str,
    families: Sequence[str],
    steps: np.ndarray,
    values: np.ndarray,
    last: int,
    shades: Shades,
    *,
    caption: str = "",
) -> Picture:
    """A map of families over generations.

    Args:
        steps: first generation of every column.
        values: ``[families, steps]``.
        last: generation of the run.
    """
    left, top, right = _left(families), 8.0, 624.0
    width, height = right + 16, top + _ROW * len(families) + 36
    step = (right - left) / max(len(steps), 1)
    ends = [*(steps[1:] - 1).tolist(), last]
    parts = []
    for row, family in enumerate(families):
        parts.append(_name(family, left, top + _ROW * (row + 0.5)))
        for column, value in enumerate(values[row].tolist()):
            if not np.isfinite(value):
                continue
            first, end = int(steps[column]), ends[column]
            when = f"generation {first}" if first == end else f"generations {first} to {end}"
            red, green, blue = shades.colour(value)
            told = f"{family}, {when}: {number(value, max(shades.digits, 2))}{shades.unit}"
            parts.append(
                f'<rect fill="#{red:02x}{green:02x}{blue:02x}" x="{left + step * column:.2f}" '
                f'y="{top + _ROW * row:.1f}" width="{step + 0.3:.2f}" height="{_ROW - 1.5:g}">'
                f"<title>{escaped(told)}</title></rect>"
            )
    bottom = top + _ROW * len(families)
    for tick in (tick for tick in ticks(1, max(last, 1), 8) if tick == int(tick)):
        across = left + (right - left) * (tick - 0.5) / max(last, 1)
        parts.append(f'<path class="axis" d="M{across:.1f} {bottom:.1f}v4"/>')
        parts.append(f'<text class="tick mid" x="{across:.1f}" y="{bottom + 16:.1f}">{number(tick, 0)}</text>')
    parts.append(f'<text class="name end" x="{right:.1f}" y="{height - 4:.1f}">generation</text>')
    told = f"{title}: no figures."
    if np.isfinite(values).any():
        final = values[:, -1]
        ranked = [place for place in np.argsort(-np.nan_to_num(final, nan=-np.inf)) if np.isfinite(final[place])]
        told = f"{title}, at last: " + ", ".join(
            f"{families[place]} {number(float(final[place]), max(shades.digits, 2))}{shades.unit}" for place in ranked
        )
        told += "."
    return Picture(title, svg(width, height, parts, told), told, scale=shades.scale(), caption=caption)
