"""Charts over generations: lines, and areas on top of one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.record.report.document import Key, Picture, number, percent
from evolora_mesa.record.report.drawing import Axis, Frame, escaped, svg

__all__ = ["COLOURS", "DASHES", "Line", "areas", "lines", "style_of"]

COLOURS: Final = 7  # in the palette of Okabe and Ito, without black and yellow
DASHES: Final = 3  # ways to draw a line, for more of them than colours
_MOST_OF_IT: Final = 0.6  # a share from which on the whole is shown
_COLUMNS: Final = 120  # values of a line: more are narrower than the line


class Line(NamedTuple):
    """Values by generation, nan where there is none; ``style`` is the class of how it is drawn."""

    label: str
    values: np.ndarray
    style: str
    first: int = 0


def style_of(place: int) -> str:
    """The class of the line at a place among others."""
    return f"s{place % COLOURS} d{place // COLOURS % DASHES}"


def lines(
    title: str,
    drawn: Sequence[Line],
    *,
    unit: str,
    as_percent: bool = False,
    from_zero: bool = False,
    reference: tuple[float, str] | None = None,
    marks: Sequence[int] = (),
    caption: str = "",
    moment: str = "generation",
) -> Picture | None:
    """A chart of lines; none when there is nothing to draw.

    Args:
        unit: name and unit of the upright axis.
        from_zero: the axis begins there; shares always do.
        reference: a value to compare with, and its name.
        marks: generations in which the world changed.
        moment: what is counted from left to right.
    """
    drawn = [line for line in drawn if np.isfinite(line.values).any()]
    if not drawn:
        return None
    compared = [] if reference is None else [reference[0]]
    known = np.concatenate([line.values[np.isfinite(line.values)] for line in drawn] + [np.array(compared)])
    low = min(float(known.min()), 0.0) if from_zero or as_percent else float(known.min())
    high = float(known.max())
    if (as_percent and high > _MOST_OF_IT) or low == high == 0.0:
        y = Axis(0.0, 1.0 if as_percent else 5.0, as_percent)  # nothing yet; most figures count whole things
    else:
        y = Axis.around(low, high, percent=as_percent)
    x = _generations(drawn)
    frame = Frame(x, y)
    parts = frame.axes(unit, moment)
    if reference is not None:
        down = frame.at(x.low, reference[0])[1]
        parts.append(f'<path class="reference" d="M{frame.left:.1f} {down:.1f}H{frame.right:.1f}"/>')
    for mark in marks:
        across = frame.at(mark, y.low)[0]
        parts.append(f'<path class="mark" d="M{across:.1f} {frame.top:.1f}V{frame.bottom:.1f}"/>')
    binned = [_binned(line) for line in drawn]
    for line, (places, values) in reversed(list(zip(drawn, binned, strict=True))):  # the first lies on top
        parts.append(f'<path class="line {line.style}" d="{frame.path(places, values)}"/>')
        if np.isfinite(line.values).sum() == 1:
            across, down = frame.at(places[np.isfinite(values)][0], values[np.isfinite(values)][0])
            parts.append(f'<circle class="dot {line.style}" cx="{across:.1f}" cy="{down:.1f}" r="3"/>')
    if reference is not None:
        down = frame.at(x.low, reference[0])[1]
        parts.append(
            f'<text class="tick halo" x="{frame.left + 4:.1f}" y="{down - 4:.1f}">{escaped(reference[1])}</text>'
        )
    write = percent if as_percent else number
    parts += _strips(frame, drawn, binned, write, moment)
    told = _told(title, drawn, write, moment)
    if marks:
        caption = f"{caption} Upright lines: the world changed.".lstrip()
    keys = tuple(Key(line.label, f"line {line.style}") for line in drawn) if len(drawn) > 1 else ()
    return Picture(title, svg(frame.width, frame.height, parts, told), told, keys, caption=caption)


def areas(title: str, drawn: Sequence[Line], *, unit: str, caption: str = "") -> Picture | None:
    """Areas on top of one another, the first at the bottom; what has no value counts as nothing."""
    drawn = [line for line in drawn if (np.nan_to_num(line.values) > 0).any()]
    if not drawn:
        return None
    stacked = np.cumsum([np.nan_to_num(line.values) for line in drawn], axis=0)
    frame = Frame(_generations(drawn), Axis.around(0.0, float(stacked.max())))
    parts = []
    edges = [_binned(line._replace(values=edge)) for line, edge in zip(drawn, stacked, strict=True)]
    places = edges[0][0]
    below = np.zeros(len(places))
    for line, (_, edge) in zip(drawn, edges, strict=True):
        there = frame.path(places, edge)
        back = frame.path(places[::-1], below[::-1]).replace("M", "L", 1)
        parts.append(f'<path class="area {line.style}" d="{there}{back}Z"/>')
        parts.append(f'<path class="line {line.style}" d="{there}"/>')
        below = edge
    parts = [*frame.axes(unit), *parts, *_strips(frame, drawn, [_binned(line) for line in drawn], number)]
    told = _told(title, drawn, number)
    keys = tuple(Key(line.label, f"area {line.style}") for line in drawn)
    return Picture(title, svg(frame.width, frame.height, parts, told), told, keys, caption=caption)


def _generations(drawn: Sequence[Line]) -> Axis:
    first = min(line.first for line in drawn)
    last = max(line.first + len(line.values) - 1 for line in drawn)
    return Axis(first, max(last, first + 1))


def _binned(line: Line) -> tuple[np.ndarray, np.ndarray]:
    """Generations and values of a line, means of neighbours where there are too many."""
    width = -(-len(line.values) // _COLUMNS)
    places = line.first + np.arange(len(line.values), dtype=float)
    if width == 1:
        return places, line.values
    missing = -len(places) % width
    groups = [np.append(row, np.full(missing, np.nan)).reshape(-1, width) for row in (places, line.values)]
    known = np.isfinite(groups[1])
    sums, counts = np.where(known, groups[1], 0.0).sum(1), known.sum(1)
    means = np.divide(sums, counts, out=np.full(len(counts), np.nan), where=counts > 0)
    return np.nanmean(groups[0], axis=1), means


def _strips(
    frame: Frame,
    drawn: Sequence[Line],
    binned: Sequence[tuple[np.ndarray, np.ndarray]],
    write: Callable[[float], str],
    moment: str = "generation",
) -> list[str]:
    longest = max((places for places, _ in binned), key=len)
    texts = []
    for column, place in enumerate(longest.tolist()):
        values = [
            f"{line.label}: {write(row[column])}"
            for line, (_, row) in zip(drawn, binned, strict=True)
            if column < len(row) and np.isfinite(row[column])
        ]
        texts.append("\n".join([f"{moment} {place:.0f}", *values]))
    return frame.strips(longest.tolist(), texts)


def _told(title: str, drawn: Sequence[Line], write: Callable[[float], str], moment: str = "generation") -> str:
    """First, last, lowest and highest value of every line."""
    told = []
    for line in drawn:
        where = np.flatnonzero(np.isfinite(line.values))
        known = line.values[where]
        whose = f"{line.label} " if len(drawn) > 1 else ""
        told.append(
            f"{whose}{write(known[0])} in {moment} {line.first + where[0]}, {write(known[-1])} in {moment} "
            f"{line.first + where[-1]} (lowest {write(known.min())}, highest {write(known.max())})"
        )
    return f"{title}: {'; '.join(told)}."
