"""The world's figures over its generations: success, return on investment, population and energy."""

from __future__ import annotations

from typing import Final

import numpy as np

from evolora_mesa.view.charts.frame import Option, axis, frame, legend, points, short
from evolora_mesa.view.course import Course
from evolora_mesa.view.theme import Theme

__all__ = ["CHARTS", "energy_chart", "population_chart", "roi_chart", "success_chart"]


_BESIDE: Final = 72  # pixels, for words that stand beside the curves and so touch none


def success_chart(series: Course, theme: Theme) -> Option | None:
    """Share of right answers, with what the frozen host alone would have achieved on the same cells."""
    lines = [
        _line(series, theme, "success_rate", "this generation", 5, width=1),
        _line(series, theme, "accuracy", "running mean", 0),
        _line(series, theme, "frozen_host", "frozen host, same cells", 7, dashed=True),
    ]
    return _chart(series, theme, lines, axis(theme, "right answers", "share of tasks", min=0, max=1, interval=0.25))


def roi_chart(series: Course, theme: Theme) -> Option | None:
    """Mean return on investment, with the line below which an organelle starves."""
    line = _line(series, theme, "mean_roi", "mean of organelles", 2, since=1)  # founders have spent nothing yet
    if line is not None:
        line["markLine"] = {
            "silent": True,
            "symbol": "none",
            "lineStyle": {"color": theme.soft, "type": "dashed"},
            "label": {"formatter": "break even", "position": "end", "color": theme.soft, "fontSize": 11},
            "data": [{"yAxis": 1}],
        }
    option = _chart(series, theme, [line], axis(theme, "return on investment", "energy earned / spent", min=0))
    return None if option is None else option | {"grid": option["grid"] | {"right": _BESIDE}}


def population_chart(series: Course, theme: Theme) -> Option | None:
    """Organelles alive and on trial; births and deaths, and what passed the gate, as marks."""
    lines = [
        _line(series, theme, "population", "alive", 0),
        _line(series, theme, "trials", "on trial", 5, width=1),
        _bars(series, theme, "births", "births", 2),
        _bars(series, theme, "deaths", "deaths", 3),
        _marks(series, theme, "merges", "merge passed", "diamond", 4),
        _marks(series, theme, "promotions", "mutation passed", "triangle", 1),
    ]
    return _chart(series, theme, lines, axis(theme, "organelles", "number; births and deaths per generation", min=0))


def energy_chart(series: Course, theme: Theme) -> Option | None:
    """Who owns the energy; accounts that never held any are left out."""
    lines = [
        _line(series, theme, f"energy_{name}", label, colour)
        for name, label, colour in (
            ("organelles", "organelles", 0),
            ("cells", "pools of the cells", 1),
            ("trials", "set apart for trials", 4),
            ("colonies", "colonies", 2),
        )
        if np.nan_to_num(series[f"energy_{name}"]).any()
    ]
    return _chart(series, theme, lines, axis(theme, "energy owned", "energy", min=0))


CHARTS: Final = {
    "right answers": success_chart,
    "return on investment": roi_chart,
    "population": population_chart,
    "energy by account": energy_chart,
}


def _chart(series: Course, theme: Theme, lines: list[Option | None], upright: Option) -> Option | None:
    """Generations from left to right; `None` before anything has happened."""
    drawn = [line for line in lines if line is not None]
    generations = series["generation"]
    if not drawn or len(generations) < 2:
        return None
    return {
        **frame(theme, trigger="axis"),
        "grid": {"left": 12, "right": 20, "top": 52, "bottom": 22, "containLabel": True},
        "legend": legend(theme, [line["name"] for line in drawn]) if len(drawn) > 1 else {"show": False},
        "xAxis": axis(
            theme, "generation", across=True, min=float(generations[0]), max=float(generations[-1]), minInterval=1
        ),
        "yAxis": upright,
        "series": drawn,
    }


def _line(
    series: Course,
    theme: Theme,
    name: str,
    label: str,
    colour: int,
    *,
    width: float = 2,
    dashed: bool = False,
    since: int = 0,
) -> Option | None:
    values = np.where(series["generation"] >= since, series[name], np.nan)
    if not np.isfinite(values).any():
        return None
    style = {"color": theme.category(colour), "width": width, "type": "dashed" if dashed else "solid"}
    return {
        "id": name,
        "name": label,
        "type": "line",
        "data": points(series["generation"], values),
        "lineStyle": style,
        "itemStyle": {"color": theme.category(colour)},
        "showSymbol": bool(np.isfinite(values).sum() == 1),
        "symbolSize": 5,
        "emphasis": {"disabled": True},
    }


def _bars(series: Course, theme: Theme, name: str, label: str, colour: int) -> Option | None:
    """Counts per generation, as thin bars."""
    values = series[name]
    happened = np.nan_to_num(values) > 0
    if not happened.any():
        return None
    return {
        "id": name,
        "name": label,
        "type": "bar",
        "barMaxWidth": 6,
        "data": points(series["generation"][happened], values[happened]),
        "itemStyle": {"color": theme.category(colour), "opacity": 0.7},
        "emphasis": {"disabled": True},
    }


def _marks(series: Course, theme: Theme, name: str, label: str, symbol: str, colour: int) -> Option | None:
    """A mark on the line of the population wherever a count is above zero."""
    happened = np.nan_to_num(series[name]) > 0
    if not happened.any():
        return None
    where = zip(
        points(series["generation"][happened], series["population"][happened]), series[name][happened], strict=True
    )
    return {
        "id": name,
        "name": label,
        "type": "scatter",
        "symbol": symbol,
        "symbolSize": 9,
        "itemStyle": {"color": theme.category(colour), "borderColor": theme.card, "borderWidth": 1},
        "tooltip": {"show": False},
        "data": [{"value": place, "name": f"{short(float(count))} per generation"} for place, count in where],
        "z": 4,
    }
