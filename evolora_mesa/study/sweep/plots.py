"""Pictures of a sweep's factors: what the levels of each come to, two of them as a map, and effects around zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.record.report.document import Picture, number
from evolora_mesa.record.report.drawing import Axis, escaped, svg, ticks
from evolora_mesa.record.report.maps import CIVIDIS, Shades, ink
from evolora_mesa.study.statistics import Interval, t_interval
from evolora_mesa.study.sweep.effects import Effect, Ruling, level_names
from evolora_mesa.study.sweep.results import written
from evolora_mesa.study.sweep.spec import SweepSpec
from evolora_mesa.study.sweep.summary import CellRuns

__all__ = ["MOST_LEVELS", "effect_spans", "figure_text", "heatmap", "level_intervals", "main_effects", "told_interval"]

MOST_LEVELS: Final = 24  # of a factor that is drawn level by level
_ROW, _LETTER, _DIGIT = 19.0, 6.3, 7.2  # user units: height of a row, width of a letter and of a digit
_LONGEST: Final = 30  # letters of a name
_LONGEST_COLUMN: Final = 12
_WIDTH: Final = 640.0


class _Whisker(NamedTuple):
    """A mean with its interval; without an interval a line of text."""

    label: str
    interval: Interval | None
    style: str = "s0"
    filled: bool = True


def figure_text(value: float) -> str:
    """A number of any size: three digits that count, all digits before the point; whole ones as they are."""
    if not np.isfinite(value):
        return "n/a"
    if abs(value) >= 100 or value == int(value):
        return number(value, 0)
    return f"{value:#.3g}".rstrip(".").replace("-", "−")


def told_interval(interval: Interval) -> str:
    """A mean with half its interval's width, of which two digits count."""
    if not interval.n:
        return "no values"
    half = (interval.high - interval.low) / 2
    if not np.isfinite(half):
        return f"{figure_text(interval.mean)} (one seed)"
    if not half:
        return f"{figure_text(interval.mean)} ± 0"
    digits = max(1 - math.floor(math.log10(half)), 0)
    mean, half_text = (f"{value:,.{digits}f}".replace(",", "\u202f") for value in (interval.mean, half))
    return f"{mean.replace('-', '−')} ± {half_text}"


def level_intervals(cells: Sequence[CellRuns], factor: str, levels: Sequence[str], metric: str) -> dict[str, Interval]:
    """By level of a factor, the mean over its cells, seed by seed, with the interval over seeds.

    Cells that have no value at all are passed over; of the others, seeds count that have a value in each.
    """
    found = {}
    for level in levels:
        values = [cell.values(metric) for cell in cells if written(cell.levels[factor]) == level]
        known = [by_seed for by_seed in values if by_seed]
        seeds = sorted(set.intersection(*map(set, known))) if known else []
        found[level] = t_interval([float(np.mean([by_seed[seed] for by_seed in known])) for seed in seeds])
    return found


def main_effects(spec: SweepSpec, cells: Sequence[CellRuns], metric: str) -> Picture | None:
    """Every factor's levels, one below the other, each with its mean over all cells that have it."""
    rows: list[_Whisker] = []
    for factor in spec.factors:
        levels = level_names(spec, factor)
        if not 2 <= len(levels) <= MOST_LEVELS:
            continue
        found = level_intervals(cells, factor, levels, metric)
        rows.append(_Whisker(factor, None))
        style = f"s{len([row for row in rows if row.interval is None]) % 6}"
        rows += [_Whisker(level, found[level], style) for level in levels if found[level].n]
    caption = "Means over all cells with that level, with 95 % intervals over seeds. They hold also what the seeds of "
    caption += "all cells have in common, so they may overlap where the difference is clear."
    return _whiskers(f"{metric} by level", rows, unit=metric, caption=caption)


def effect_spans(metric: str, effects: Sequence[Effect], rulings: Sequence[Ruling] = ()) -> Picture | None:
    """Effects with their intervals around no effect; filled where that is left out."""
    judged = {(ruling.effect.within, ruling.effect.factors): ruling.verdict for ruling in rulings}
    rows: list[_Whisker] = []
    sliced = any(effect.within for effect in effects)
    for place, effect in enumerate(effects):
        if sliced and (not place or effect.within != effects[place - 1].within):
            rows.append(_Whisker(effect.within or "all cells", None))
        clear = effect.interval.above_zero or effect.interval.below_zero
        style = {"pays": "s2", "harms": "s3"}.get(judged.get((effect.within, effect.factors), ""), "s0")
        rows.append(_Whisker(" × ".join(effect.factors), effect.interval, style, clear))
    caption = "Second level less first, or what two factors do beyond their sum, with 95 % intervals over seeds. These "
    caption += "are of each effect alone; the table has p values adjusted for all of them."
    return _whiskers(f"Effects on {metric}", rows, unit=f"change of {metric}", reference=True, caption=caption)


def _whiskers(
    title: str, rows: Sequence[_Whisker], *, unit: str, reference: bool = False, caption: str = ""
) -> Picture | None:
    """Means with their intervals, one below the other; none when there is nothing."""
    drawn = [row.interval for row in rows if row.interval is not None and row.interval.n]
    if not drawn:
        return None
    known = np.array([[value.mean, value.low, value.high] for value in drawn]).ravel()
    known = np.append(known[np.isfinite(known)], [0.0] if reference else [])
    axis = Axis.around(float(known.min()), float(known.max()), most=6)
    left = 12 + _LETTER * min(max(len(row.label) for row in rows), _LONGEST)
    right = _WIDTH - 14 - _DIGIT * max(len(told_interval(interval)) for interval in drawn)
    top, bottom = 24.0, 28.0 + _ROW * len(rows)

    def at(value: float) -> str:
        return f"{left + axis.share(value) * (right - left):.1f}"

    parts = [f'<text class="name" x="{left:.1f}" y="12">{escaped(unit)}</text>']
    for tick in ticks(axis.low, axis.high, 6):
        nothing = reference and abs(tick) < 1e-9 * (axis.high - axis.low)
        parts.append(f'<path class="{"reference" if nothing else "grid"}" d="M{at(tick)} {top:g}V{bottom:.1f}"/>')
        parts.append(f'<text class="tick mid" x="{at(tick)}" y="{bottom + 15:.1f}">{axis.text(tick)}</text>')
    told = []
    for place, row in enumerate(rows):
        middle = top + _ROW * (place + 0.5)
        if row.interval is None:
            parts.append(f'<text class="name" x="2" y="{middle + 4:.1f}">{escaped(_short(row.label))}</text>')
            told.append(f"{row.label}:")
            continue
        parts.append(
            f'<text class="tick end" x="{left - 8:.1f}" y="{middle + 4:.1f}">{escaped(_short(row.label))}</text>'
        )
        text = told_interval(row.interval)
        told.append(f"{row.label} {text};")
        if row.interval.n:
            parts += _marks(row, row.interval, at, middle, text, right + 10)
    words = f"{title}: {' '.join(told).rstrip(';')}."
    return Picture(title, svg(_WIDTH, bottom + 24, parts, words), words, caption=caption)


def _marks(
    row: _Whisker, interval: Interval, at: Callable[[float], str], middle: float, text: str, right: float
) -> list[str]:
    """A dot on its whisker, and both as text."""
    whisker = ""
    if np.isfinite(interval.low):
        ends = f"M{at(interval.low)} {middle:.1f}H{at(interval.high)}"
        whisker = f'<path class="whisker {row.style}" d="{ends}"/>'
    shape = "dot" if row.filled else "ring"
    return [
        f"<g><title>{escaped(f'{row.label}: {text}, {interval.n} seeds')}</title>{whisker}"
        f'<circle class="{shape} {row.style}" cx="{at(interval.mean)}" cy="{middle:.1f}" r="4"/>'
        f'<text class="tick" x="{right:.1f}" y="{middle + 4:.1f}">{escaped(text)}</text></g>'
    ]


def heatmap(spec: SweepSpec, cells: Sequence[CellRuns], metric: str, upright: str, across: str) -> Picture | None:
    """A map of two factors: the mean of every combination over its cells; none where no value is known.

    Args:
        upright, across: factors with levels, not ranges.
    """
    rows, columns = level_names(spec, upright), level_names(spec, across)
    means = np.array(
        [[_mean(cells, {upright: row, across: column}, metric) for column in columns] for row in rows], dtype=float
    )
    if not np.isfinite(means).any():
        return None
    shades = Shades(CIVIDIS, float(np.nanmin(means)), float(np.nanmax(means)))
    width = 14 + _LETTER * max(_LONGEST_COLUMN // 2, min(max(map(len, columns)), _LONGEST_COLUMN))
    left, top, height = 12 + _LETTER * min(max(map(len, rows)), _LONGEST), 24.0, 24.0
    parts = [f'<text class="name" x="2" y="12">{escaped(_short(upright))}</text>']
    for place, row in enumerate(rows):
        down = top + height * place
        parts.append(f'<text class="tick end" x="{left - 6:.1f}" y="{down + 15:.1f}">{escaped(_short(row))}</text>')
        for step, column in enumerate(columns):
            where = f"{upright} {row}, {across} {column}"
            parts.append(_tile(left + width * step, down, width, height, float(means[place, step]), shades, where))
    bottom = top + height * len(rows)
    for step, column in enumerate(columns):
        shown = _short(column, _LONGEST_COLUMN)
        middle = left + width * (step + 0.5)
        parts.append(f'<text class="tick mid" x="{middle:.1f}" y="{bottom + 15:.1f}">{escaped(shown)}</text>')
    whole = left + width * len(columns)
    parts.append(f'<text class="name end" x="{whole:.1f}" y="{bottom + 32:.1f}">{escaped(_short(across))}</text>')
    title = f"{metric} by {upright} and {across}"
    told = f"{title}: {_extremes(means, rows, columns, upright, across)}."
    extent = max(whole + 6, 220.0)
    return Picture(title, svg(extent, bottom + 38, parts, told, widest=1.2 * extent), told, scale=shades.scale())


def _mean(cells: Sequence[CellRuns], levels: Mapping[str, str], metric: str) -> float:
    """Of the means of all cells with these levels."""
    chosen = [cell for cell in cells if all(written(cell.levels[name]) == level for name, level in levels.items())]
    means = [np.mean(list(values.values())) for values in (cell.values(metric) for cell in chosen) if values]
    return float(np.mean(means)) if means else float("nan")


def _tile(across: float, down: float, width: float, height: float, value: float, shades: Shades, where: str) -> str:
    box = f'x="{across:.1f}" y="{down:.1f}" width="{width - 1.5:.1f}" height="{height - 1.5:g}" rx="2"'
    if not np.isfinite(value):
        return f'<g><title>{escaped(where)}: no values</title><rect class="blank" {box}/></g>'
    colour = shades.colour(value)
    red, green, blue = colour
    text = figure_text(value)
    return (
        f'<g><title>{escaped(where)}: {text}</title><rect fill="#{red:02x}{green:02x}{blue:02x}" {box}/>'
        f'<text class="value mid {ink(colour)}" x="{across + width / 2:.1f}" y="{down + 15:.1f}">{text}</text></g>'
    )


def _extremes(means: np.ndarray, rows: Sequence[str], columns: Sequence[str], upright: str, across: str) -> str:
    told = []
    for word, place in (("highest", np.nanargmax(means)), ("lowest", np.nanargmin(means))):
        row, column = divmod(int(place), len(columns))
        told.append(
            f"{word} {figure_text(float(means[row, column]))} at {upright} {rows[row]}, {across} {columns[column]}"
        )
    return ", ".join(told)


def _short(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
