"""The cells of a sweep: a metric's mean in each, with its interval over the seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from evolora_mesa.study.sweep.spec import SweepSpec
from evolora_mesa.study.sweep.summary import CellRow, told_cell
from evolora_mesa.view.charts.frame import Option, axis, categories, frame, short
from evolora_mesa.view.theme import Theme

__all__ = ["cells_chart", "cells_height"]

_ROW, _AROUND = 28, 72  # pixels
_MOST: Final = 40  # cells; the table has all


def cells_height(rows: Sequence[CellRow]) -> str:
    """Of the chart, as in CSS."""
    return f"{_AROUND + _ROW * min(len(_known(rows)), _MOST)}px"


def cells_chart(spec: SweepSpec, rows: Sequence[CellRow], theme: Theme) -> Option | None:
    """A point per cell, with a whisker of 95 % where two seeds or more are known; `None` where none is.

    Args:
        rows: of one metric, in the order of cells. Of very many the best are drawn.
    """
    known = _known(rows)
    if not known:
        return None
    metric = known[0].metric
    if len(known) > _MOST:
        sign = -1.0 if spec.metrics[metric].better == "higher" else 1.0
        known = sorted(known, key=lambda row: sign * row.interval.mean)[:_MOST]
    names = [f"{row.cell}: {told_cell(spec, row.levels)}" for row in known]
    whiskers = [
        {
            "type": "line",
            "silent": True,
            "showSymbol": False,
            "lineStyle": {"color": theme.accent, "width": 3, "opacity": 0.45},
            "data": [[row.interval.low, place], [row.interval.high, place]],
        }
        for place, row in enumerate(known)
        if row.interval.n > 1
    ]
    dots = {
        "type": "scatter",
        "symbolSize": 10,
        "itemStyle": {"color": theme.accent},
        "data": [{"value": [row.interval.mean, place], "name": _told(spec, row)} for place, row in enumerate(known)],
        "z": 3,
    }
    return {
        **frame(theme),
        "grid": {"left": 12, "right": 24, "top": 12, "bottom": 36, "containLabel": True},
        "xAxis": axis(
            theme,
            metric,
            "mean over seeds, 95 % interval",
            across=True,
            splitLine={"show": True, "lineStyle": {"color": theme.faint}},
        ),
        "yAxis": categories(
            theme,
            "",
            names,
            axisLabel={"color": theme.soft, "fontSize": 11, "interval": 0, "width": 320, "overflow": "truncate"},
        ),
        "series": [*whiskers, dots],
    }


def _known(rows: Sequence[CellRow]) -> list[CellRow]:
    return [row for row in rows if row.interval.n]


def _told(spec: SweepSpec, row: CellRow) -> str:
    interval = row.interval
    bounds = f" [{short(interval.low)}, {short(interval.high)}]" if interval.n > 1 else ""
    return f"{told_cell(spec, row.levels)}\n{row.metric} {short(interval.mean)}{bounds}, {interval.n} seeds"
