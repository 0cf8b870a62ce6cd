"""Bars for counts and amounts, and intervals around a line of no difference."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.record.report.document import Key, Picture, number, points
from evolora_mesa.record.report.drawing import WIDTH, Axis, escaped, svg, ticks

__all__ = ["Bar", "Span", "bars", "spans"]

_ROW: Final = 20.0  # user units
_LETTER: Final = 6.2
_LONGEST_NAME: Final = 26  # letters
_NOTHING: Final = 1e-9  # a tick that is zero but for rounding


class Bar(NamedTuple):
    label: str
    value: float
    style: str


class Span(NamedTuple):
    """A measured difference with its bounds, as shares; ``filled`` is for those that passed."""

    label: str
    value: float
    low: float
    high: float
    reason: str
    style: str
    filled: bool
    told: str


def bars(
    title: str,
    drawn: Sequence[Bar],
    *,
    unit: str,
    write: Callable[[float], str] = number,
    key: tuple[Key, ...] = (),
    caption: str = "",
) -> Picture | None:
    """Lying bars, each with its value behind it; none when there is nothing."""
    if not drawn:
        return None
    left = 10 + _LETTER * min(max(len(bar.label) for bar in drawn), _LONGEST_NAME)
    room = 12 + _LETTER * max(len(write(bar.value)) for bar in drawn)
    most = max(max(bar.value for bar in drawn), 1e-12)
    parts, top = [f'<text class="name" x="{left:.1f}" y="12">{escaped(unit)}</text>'], 20.0
    for row, bar in enumerate(drawn):
        down = top + _ROW * row
        length = max(bar.value / most, 0.0) * (WIDTH - left - room)
        parts.append(
            f"<g><title>{escaped(bar.label)}: {write(bar.value)}</title>"
            f'<text class="tick end" x="{left - 6:.1f}" y="{down + 14:.1f}">{escaped(_short(bar.label))}</text>'
            f'<rect class="bar {bar.style}" x="{left:.1f}" y="{down + 2:.1f}" width="{max(length, 1):.1f}" '
            f'height="{_ROW - 5:g}" rx="2"/>'
            f'<text class="tick" x="{left + length + 6:.1f}" y="{down + 14:.1f}">{write(bar.value)}</text></g>'
        )
    told = f"{title}: {', '.join(f'{bar.label}: {write(bar.value)}' for bar in drawn)}."
    return Picture(title, svg(WIDTH, top + _ROW * len(drawn) + 4, parts, told), told, key, caption=caption)


def spans(
    title: str, drawn: Sequence[Span], *, unit: str, key: tuple[Key, ...] = (), caption: str = ""
) -> Picture | None:
    """Differences with their intervals, one below the other, around a line of no difference; the reason behind."""
    if not drawn:
        return None
    left = 10 + _LETTER * min(max(len(span.label) for span in drawn), _LONGEST_NAME)
    width, top, height = 640.0, 24.0, 17.0
    right = width - 14 - _LETTER * min(max(len(span.reason) for span in drawn), _LONGEST_NAME)
    bottom = top + height * len(drawn) + 4
    known = np.array([[span.value, span.low, span.high] for span in drawn]).ravel()
    known = known[np.isfinite(known)]
    axis = Axis.around(min(float(known.min()), -0.05), max(float(known.max()), 0.05), most=6)

    def at(value: float) -> str:
        return f"{left + axis.share(value) * (right - left):.1f}"

    parts = [f'<text class="name" x="{left:.1f}" y="12">{escaped(unit)}</text>']
    for tick in ticks(axis.low, axis.high, 8):
        style = "reference" if abs(tick) < _NOTHING else "grid"
        parts.append(f'<path class="{style}" d="M{at(tick)} {top:g}V{bottom:.1f}"/>')
        parts.append(f'<text class="tick mid" x="{at(tick)}" y="{bottom + 15:.1f}">{_signed(tick)}</text>')
    for row, span in enumerate(drawn):
        middle = top + height * (row + 0.5)
        low = span.low if np.isfinite(span.low) else axis.low
        high = span.high if np.isfinite(span.high) else axis.high
        shape = "dot" if span.filled else "ring"
        parts.append(
            f"<g><title>{escaped(span.told)}</title>"
            f'<text class="tick end" x="{left - 6:.1f}" y="{middle + 4:.1f}">{escaped(_short(span.label))}</text>'
            f'<path class="whisker {span.style}" d="M{at(low)} {middle:.1f}H{at(high)}"/>'
            f'<circle class="{shape} {span.style}" cx="{at(span.value)}" cy="{middle:.1f}" r="4"/>'
            f'<text class="tick" x="{right + 10:.1f}" y="{middle + 4:.1f}">{escaped(_short(span.reason))}</text></g>'
        )
    told = f"{title}: {'; '.join(span.told for span in drawn)}."
    return Picture(title, svg(width, bottom + 22, parts, told), told, key, caption=caption)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1]}…"


def _signed(share: float) -> str:
    return "0" if abs(share) < _NOTHING else points(share).removesuffix(".0")
