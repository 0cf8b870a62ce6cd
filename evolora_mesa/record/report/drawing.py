"""The pieces of a drawing: escaped text, axes, and the strips over which a reader finds the figures.

Colours are classes, so that the page decides what they are by day and by night.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from evolora_mesa.record.report.document import number

__all__ = ["HEIGHT", "WIDTH", "Axis", "Frame", "escaped", "svg", "ticks"]

# In the user units of SVG: three charts beside one another on a laptop are then drawn at about their own size, and one
# on a phone at four fifths of it, which leaves the text at 10 pixels.
WIDTH: Final = 420
HEIGHT: Final = 232

_UNITS_PER_LETTER: Final = 6.4  # of the axes' text, at most
_HARMLESS: Final = "\n\u202f"  # not printable to Python: a new line, and the thin space in large numbers


def escaped(text: str) -> str:
    """For HTML; what would steer the reader's eye, as a change of direction, is shown as an escape."""
    plain = "".join(
        letter if letter.isprintable() or letter in _HARMLESS else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
    return html.escape(plain.encode("utf-8", "backslashreplace").decode("utf-8"))


def svg(width: float, height: float, parts: Sequence[str], told: str, *, widest: float | None = None) -> str:
    """An element that fills the width it is given, up to the ``widest`` in pixels."""
    bound = f' style="max-width: {widest:.0f}px"' if widest is not None else ""
    return (
        f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escaped(told)}"{bound}>{"".join(parts)}</svg>'
    )


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers from ``low`` to ``high``: multiples of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [place * step for place in range(first, math.floor(high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Axis:
    """A range of values, and how they are written."""

    low: float
    high: float
    percent: bool = False

    @classmethod
    def around(cls, low: float, high: float, *, percent: bool = False, most: int = 5) -> Axis:
        """An axis that ends on ticks."""
        if not high > low:
            low, high = low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2
        step = ticks(low, high, most)
        width = step[1] - step[0] if len(step) > 1 else high - low
        return cls(math.floor(low / width + 1e-9) * width, math.ceil(high / width - 1e-9) * width, percent)

    def share(self, value: float) -> float:
        """How far along a value lies, in [0, 1]."""
        return (value - self.low) / (self.high - self.low)

    def text(self, value: float) -> str:
        """A value as it stands at the axis."""
        if self.percent:
            return f"{100 * value:.0f} %".replace("-", "−")
        span = self.high - self.low
        if max(abs(self.low), abs(self.high)) >= 10_000:
            for size, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
                if max(abs(self.low), abs(self.high)) >= size:
                    return f"{value / size:g}{name if value else ''}".replace("-", "−")
        return number(value, 0 if span >= 5 else 1 if span >= 0.5 else 2 if span >= 0.05 else 4)


@dataclass(frozen=True)
class Frame:
    """The field of a chart, with generations from left to right."""

    x: Axis
    y: Axis
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def left(self) -> float:
        widest = max(len(self.y.text(tick)) for tick in self._y_ticks())
        return 10 + _UNITS_PER_LETTER * max(widest, 2)

    @property
    def right(self) -> float:
        return self.width - 16

    top, room_below = 24, 36

    @property
    def bottom(self) -> float:
        return self.height - self.room_below

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where values lie."""
        return (
            self.left + self.x.share(x) * (self.right - self.left),
            self.bottom - self.y.share(y) * (self.bottom - self.top),
        )

    def path(self, x: Iterable[float], y: Iterable[float]) -> str:
        """A line through values; it is broken where there is none."""
        parts, pen_down = [], False
        for here, value in zip(x, y, strict=True):
            if math.isfinite(value):
                across, down = self.at(here, value)
                parts.append(f"{'L' if pen_down else 'M'}{across:.1f} {down:.1f}")
            pen_down = math.isfinite(value)
        return "".join(parts)

    def axes(self, y_name: str, x_name: str = "generation", *, whole: bool = True) -> list[str]:
        """Grid, ticks, and the names with their units; ``whole`` leaves out ticks between whole numbers."""
        parts = []
        for tick in self._y_ticks():
            down = self.at(self.x.low, tick)[1]
            parts.append(f'<path class="grid" d="M{self.left:.1f} {down:.1f}H{self.right:.1f}"/>')
            parts.append(
                f'<text class="tick end" x="{self.left - 6:.1f}" y="{down + 4:.1f}">{self.y.text(tick)}</text>'
            )
        for tick in (tick for tick in ticks(self.x.low, self.x.high, 6) if tick == int(tick) or not whole):
            across, text = self.at(tick, self.y.low)[0], number(tick, 0) if whole else self.x.text(tick)
            parts.append(f'<path class="axis" d="M{across:.1f} {self.bottom:.1f}v4"/>')
            parts.append(f'<text class="tick mid" x="{across:.1f}" y="{self.bottom + 16:.1f}">{text}</text>')
        parts.append(f'<path class="axis" d="M{self.left:.1f} {self.bottom:.1f}H{self.right:.1f}"/>')
        parts.append(f'<text class="name" x="2" y="12">{escaped(y_name)}</text>')
        parts.append(f'<text class="name end" x="{self.right:.1f}" y="{self.height - 4:.1f}">{escaped(x_name)}</text>')
        return parts

    def _y_ticks(self) -> list[float]:
        return ticks(self.y.low, self.y.high, 4)

    def strips(self, x: Sequence[float], texts: Sequence[str]) -> list[str]:
        """What is told where the pointer rests: a strip around every place, and a line in it."""
        parts = []
        half = (self.right - self.left) / max(len(x) - 1, 1) / 2
        for here, text in zip(x, texts, strict=True):
            across = self.at(here, self.y.low)[0]
            begin, end = max(across - half, self.left), min(across + half, self.right)
            parts.append(
                f'<g class="strip"><title>{escaped(text)}</title><rect x="{begin:.1f}" y="{self.top}" '
                f'width="{max(end - begin, 0.1):.1f}" height="{self.bottom - self.top:.1f}"/>'
                f'<path d="M{across:.1f} {self.top}V{self.bottom:.1f}"/></g>'
            )
        return parts
