"""Pictures with two axes: how cells learned over the generations, and what accuracy costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.record.report.document import Key, Picture
from evolora_mesa.record.report.drawing import Axis, Frame, escaped, svg
from evolora_mesa.study.statistics import Interval, t_interval
from evolora_mesa.study.sweep.plots import figure_text, told_interval

__all__ = ["Bundle", "Point", "along_factor", "front_of", "learning_curves", "trade_off"]

_COLUMNS: Final = 120  # places of a curve: more are narrower than its line
_NAMED: Final = 12  # points of a front that are labelled; of more the labels would overlap


class Bundle(NamedTuple):
    """The curves of a cell, one a seed; ``None`` where there is no value, as in the founding."""

    label: str
    curves: tuple[Sequence[float | None], ...]


class Point(NamedTuple):
    """A cell between what it costs and what it brings, both means over seeds."""

    name: str
    told: str
    cost: Interval
    gain: Interval


# ---------------------------------------------------------------- over generations


def learning_curves(figure: str, bundles: Sequence[Bundle], *, caption: str = "") -> Picture | None:
    """The mean of each cell over generations, in a band that is its 95 % t interval over seeds; none without values.

    Args:
        bundles: at most seven, as there are colours.
    """
    bands = [(bundle.label, *_band(bundle)) for bundle in bundles]
    bands = [band for band in bands if np.isfinite(band[2]).any()]
    if not bands:
        return None
    known = np.concatenate([band[2:] for band in bands], axis=None)
    known = known[np.isfinite(known)]
    last = max(float(places[-1]) for _, places, *_ in bands)
    frame = Frame(Axis(0.0, max(last, 1.0)), Axis.around(float(known.min()), float(known.max())))
    parts = frame.axes(figure)
    for place, (_, places, _, low, high) in enumerate(bands):
        sure = np.isfinite(low)
        for run in np.split(np.arange(len(sure)), np.flatnonzero(np.diff(sure)) + 1):
            if sure[run[0]]:
                there = frame.path(places[run], high[run])
                back = frame.path(places[run][::-1], low[run][::-1]).replace("M", "L", 1)
                parts.append(f'<path class="band s{place}" d="{there}{back}Z"/>')
    for place, (_, places, means, _, _) in reversed(list(enumerate(bands))):
        parts.append(f'<path class="line s{place}" d="{frame.path(places, means)}"/>')
    longest = max((places for _, places, *_ in bands), key=len).tolist()
    parts += frame.strips(longest, [_told_at(column, here, bands) for column, here in enumerate(longest)])
    told = "; ".join(f"{label} {_told_last(means, low, high)}" for label, _, means, low, high in bands)
    words = f"{figure} over generations, at last: {told}."
    keys = tuple(Key(label, f"line s{place}") for place, (label, *_) in enumerate(bands))
    return Picture(figure, svg(frame.width, frame.height, parts, words), words, keys, caption=caption)


_Band = tuple[str, np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # label, places, means, low, high


def _band(bundle: Bundle) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Generations ``[columns]`` with the mean over seeds and its bounds; of long runs, means of neighbours."""
    longest = max((len(curve) for curve in bundle.curves), default=0)
    width = max(-(-longest // _COLUMNS), 1)
    columns = -(-longest // width)
    table = np.full((len(bundle.curves), columns * width), np.nan)
    for row, curve in enumerate(bundle.curves):
        table[row, : len(curve)] = [np.nan if value is None else value for value in curve]
    groups = table.reshape(len(bundle.curves), columns, width)
    known = np.isfinite(groups)
    counts = known.sum(axis=2)
    means = np.divide(
        np.where(known, groups, 0.0).sum(axis=2), counts, out=np.full(counts.shape, np.nan), where=counts > 0
    )
    found = [t_interval(column[np.isfinite(column)].tolist()) for column in means.T]
    places = width * np.arange(columns) + (width - 1) / 2
    bounds = np.array([[interval.mean, interval.low, interval.high] for interval in found]).reshape(-1, 3)
    return places, bounds[:, 0], bounds[:, 1], bounds[:, 2]


def _told_at(column: int, generation: float, bands: Sequence[_Band]) -> str:
    values = [
        f"{label}: {figure_text(float(means[column]))}"
        for label, _, means, _, _ in bands
        if column < len(means) and np.isfinite(means[column])
    ]
    return "\n".join([f"generation {generation:.0f}", *values])


def _told_last(means: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    last = np.flatnonzero(np.isfinite(means))[-1]
    return told_interval(Interval(float(means[last]), float(low[last]), float(high[last]), 1))


# ---------------------------------------------------------------- what it costs


def front_of(points: Sequence[Point], *, better: str = "higher") -> list[Point]:
    """The Pareto front, cheapest first: points than which none is both cheaper and better.

    Args:
        better: whether a "higher" or a "lower" gain is.
    """
    sign = 1.0 if better == "higher" else -1.0
    front: list[Point] = []
    for point in sorted(points, key=lambda point: (point.cost.mean, -sign * point.gain.mean)):
        if not front or sign * point.gain.mean > sign * front[-1].gain.mean:
            front.append(point)
    return front


def trade_off(gain: str, cost: str, points: Sequence[Point], *, better: str = "higher") -> Picture | None:
    """Cells by what they cost and what they bring, with their intervals; the Pareto front is filled and joined."""
    points = [point for point in points if point.cost.n and point.gain.n]
    if not points:
        return None
    front = front_of(points, better=better)
    told = "; ".join(
        f"{point.told}: {figure_text(point.gain.mean)} for {figure_text(point.cost.mean)}" for point in front
    )
    title = f"{gain} against {cost}"
    words = f"{title}, the Pareto front from the cheapest: {told}."
    keys = (Key("on the front", "dot s0"), Key("another cell is cheaper and better", "ring s6"))
    caption = "Means over seeds with 95 % intervals. Numbers are those of the cells."
    return Picture(title, _scatter(gain, cost, points, front, words), words, keys, caption=caption)


def along_factor(metric: str, factor: str, points: Sequence[Point], *, logarithmic: bool = False) -> Picture | None:
    """Cells by the value of a factor that was drawn from a range, and what they bring with its interval.

    Args:
        points: their cost is the value.
        logarithmic: the axis is of the value's decimal logarithm.
    """
    points = [point for point in points if point.gain.n]
    if not points:
        return None
    if logarithmic:
        factor = f"log₁₀ {factor}"
        points = [point._replace(cost=point.cost._replace(mean=math.log10(point.cost.mean))) for point in points]
    title = f"{metric} by {factor}"
    best = max(points, key=lambda point: point.gain.mean)
    least = min(points, key=lambda point: point.gain.mean)
    words = f"{title}: highest {told_interval(best.gain)} at {figure_text(best.cost.mean)}, "
    words += f"lowest {told_interval(least.gain)} at {figure_text(least.cost.mean)}."
    caption = "A dot is a cell: its mean over seeds with a 95 % interval. Cells differ in the other factors too."
    return Picture(title, _scatter(metric, factor, points, (), words), words, caption=caption)


def _scatter(gain: str, cost: str, points: Sequence[Point], front: Sequence[Point], words: str) -> str:
    """Points with their whiskers; the front lies on top, filled and joined."""
    frame = Frame(_axis([point.cost for point in points]), _axis([point.gain for point in points]))
    parts = frame.axes(gain, cost, whole=False)
    line = frame.path([point.cost.mean for point in front], [point.gain.mean for point in front])
    if front:
        parts.append(f'<path class="line thin s0" d="{line}"/>')
    for point in sorted(points, key=lambda point: point in front):
        named = point in front and len(front) <= _NAMED
        filled = point in front or not front
        parts.append(_drawn(frame, point, "s0" if filled else "s6", filled, named))
    return svg(frame.width, frame.height, parts, words)


def _axis(intervals: Sequence[Interval]) -> Axis:
    known = np.array([[interval.mean, interval.low, interval.high] for interval in intervals])
    known = known[np.isfinite(known)]
    return Axis.around(float(known.min()), float(known.max()))


def _drawn(frame: Frame, point: Point, style: str, filled: bool, named: bool) -> str:
    across, down = frame.at(point.cost.mean, point.gain.mean)
    lines = ""
    if np.isfinite(point.gain.low):
        low, high = (frame.at(point.cost.mean, end)[1] for end in (point.gain.low, point.gain.high))
        lines += f"M{across:.1f} {low:.1f}V{high:.1f}"
    if np.isfinite(point.cost.low):
        low, high = (frame.at(end, point.gain.mean)[0] for end in (point.cost.low, point.cost.high))
        lines += f"M{low:.1f} {down:.1f}H{high:.1f}"
    label = f'<text class="tick halo" x="{across + 6:.1f}" y="{down - 6:.1f}">{escaped(point.name)}</text>'
    told = f"{point.told}: {told_interval(point.gain)} for {told_interval(point.cost)}"
    return (
        f'<g><title>{escaped(told)}</title><path class="whisker {style}" d="{lines}"/>'
        f'<circle class="{"dot" if filled else "ring"} {style}" cx="{across:.1f}" cy="{down:.1f}" r="4"/>'
        f"{label if named else ''}</g>"
    )
