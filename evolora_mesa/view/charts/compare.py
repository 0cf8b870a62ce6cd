"""The same figure of several runs in one chart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.view.charts.frame import Option, axis, frame, legend, points
from evolora_mesa.view.course import Course
from evolora_mesa.view.theme import Theme

__all__ = ["FIGURES", "Figure", "compare_chart"]

_DASHES: Final = ("solid", "dashed", "dotted")  # for more runs than there are colours


class Figure(NamedTuple):
    """How a figure of the record is told; ``top`` is the most that it can be."""

    label: str
    unit: str
    top: float | None = None


FIGURES: Final = {  # by model reporter
    "success_rate": Figure("right answers", "share of tasks", 1),
    "accuracy": Figure("right answers, running mean", "share of tasks", 1),
    "mean_roi": Figure("return on investment", "energy earned / spent"),
    "population": Figure("organelles alive", "number"),
    "lineages": Figure("lineages alive", "number"),
    "energy_organelles": Figure("energy of organelles", "energy"),
    "energy_gini": Figure("inequality of energy", "Gini coefficient, 0 to 1", 1),
    "births": Figure("births", "per generation"),
    "merges": Figure("merges that passed", "per generation"),
    "deaths": Figure("deaths", "per generation"),
}


def compare_chart(name: str, runs: Mapping[str, Course], theme: Theme) -> Option | None:
    """A figure of every run over the generations; `None` where no run has a value.

    Args:
        name: of `FIGURES`.
        runs: courses by name of the run.
    """
    figure = FIGURES[name]
    lines = [_line(run, course, name, place, theme) for place, (run, course) in enumerate(runs.items())]
    drawn = [line for line in lines if line is not None]
    if not drawn:
        return None
    last = max(float(course["generation"][-1]) for course in runs.values())
    upright = axis(theme, figure.label, figure.unit, min=0)
    if figure.top is not None:
        upright["max"] = figure.top
    return {
        **frame(theme, trigger="axis"),
        "grid": {"left": 12, "right": 20, "top": 56, "bottom": 24, "containLabel": True},
        "legend": legend(theme, [line["name"] for line in drawn]),
        "xAxis": axis(theme, "generation", across=True, min=0, max=max(last, 1.0), minInterval=1),
        "yAxis": upright,
        "series": drawn,
    }


def _line(run: str, course: Course, name: str, place: int, theme: Theme) -> Option | None:
    values = course[name]
    if not np.isfinite(values).any():
        return None
    colour = theme.category(place)
    dash = _DASHES[place // len(theme.categories) % len(_DASHES)]
    return {
        "id": run,
        "name": run,
        "type": "line",
        "data": points(course["generation"], values),
        "lineStyle": {"color": colour, "width": 2, "type": dash},
        "itemStyle": {"color": colour},
        "showSymbol": bool(np.isfinite(values).sum() == 1),
        "emphasis": {"disabled": True},
    }
