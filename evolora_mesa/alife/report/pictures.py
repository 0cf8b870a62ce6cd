"""Charts of a classic's run: its series, grouped by what they are, and the lives in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.figures import figure_of
from evolora_mesa.alife.report.reading import ClassicFacts
from evolora_mesa.record.report.bars import Bar, bars
from evolora_mesa.record.report.charts import Line, lines, style_of
from evolora_mesa.record.report.document import Picture

__all__ = ["STEP", "figure_picture", "life_pictures", "series_pictures"]

STEP = "step"


def series_pictures(series: Mapping[str, NDArray[np.float64]]) -> list[Picture]:
    """A chart for each group of series of one unit."""
    groups: dict[str, list[str]] = {}
    for name in series:
        groups.setdefault(figure_of(name).chart, []).append(name)
    drawn = [
        lines(
            chart,
            [Line(figure_of(name).label, series[name], style_of(place)) for place, name in enumerate(names)],
            unit=figure_of(names[0]).unit,
            from_zero=figure_of(names[0]).from_zero,
            moment=STEP,
        )
        for chart, names in groups.items()
    ]
    return [picture for picture in drawn if picture is not None]


def figure_picture(name: str, runs: Sequence[ClassicFacts], labels: Sequence[str]) -> Picture | None:
    """One series of several runs, a line each."""
    told = figure_of(name)
    drawn = [
        Line(label, run.series[name], style_of(place))
        for place, (run, label) in enumerate(zip(runs, labels, strict=True))
        if name in run.series
    ]
    title = told.label[0].upper() + told.label[1:]
    return lines(title, drawn, unit=told.unit, from_zero=told.from_zero, moment=STEP)


def life_pictures(facts: ClassicFacts) -> list[Picture]:
    """Who is alive, is born and dies, and of what; nothing where all stay as they were founded."""
    if not facts.born.any() and not facts.died.any():
        return []
    causes = [Bar(cause.replace("_", " "), count, "s3") for cause, count in facts.causes.items()]
    drawn = [
        lines(
            "Population", [Line("agents", facts.alive.astype(float), "s0")], unit="alive", from_zero=True, moment=STEP
        ),
        lines(
            "Births and deaths",
            [
                Line("births", facts.born[1:].astype(float), "s2", first=1),
                Line("deaths", facts.died[1:].astype(float), "s3 d1", first=1),
            ],
            unit="agents a step",
            from_zero=True,
            moment=STEP,
        ),
        bars("Causes of death", causes, unit="deaths"),
    ]
    return [picture for picture in drawn if picture is not None]
