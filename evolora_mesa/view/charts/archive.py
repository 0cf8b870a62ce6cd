"""The archive: the best success kept in every niche of family, depth and cost."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from evolora_mesa.view.charts.frame import Option, categories, frame, short
from evolora_mesa.view.picture import Niches, Picture
from evolora_mesa.view.theme import Theme

__all__ = ["archive_chart", "archive_height", "cost_names"]

_ROW, _AROUND = 26, 108  # pixels
_INVISIBLE: Final = "\u200b"  # ECharts takes categories of one name for one


def archive_height(picture: Picture) -> str:
    """Of the chart, as in CSS."""
    return f"{_AROUND + _ROW * len(picture.families)}px"


def cost_names(niches: Niches) -> list[str]:
    """Names of the cost bins, in tokens per answer."""
    edges = [short(edge) for edge in niches.cost_edges.tolist()]
    if not edges:
        return ["any"]
    between = [f"{low}–{high}" for low, high in pairwise(edges)]
    return [f"< {edges[0]}", *between, f"≥ {edges[-1]}"]


def archive_chart(picture: Picture, theme: Theme) -> Option | None:
    """A map of families by depths and, within a depth, by cost; `None` without an archive or without an elite."""
    niches = picture.archive
    if niches is None or not len(niches.objective):
        return None
    names = cost_names(niches)
    columns = [name + depth * _INVISIBLE for depth in range(picture.depths) for name in names]
    data = []
    for row, (family, depth, bin, success) in enumerate(
        zip(niches.family.tolist(), niches.depth.tolist(), niches.bin.tolist(), niches.objective.tolist(), strict=True)
    ):
        since = f", kept in generation {niches.generation[row]}" if niches.generation is not None else ""
        data.append(
            {
                "value": [depth * len(names) + bin, family, round(success, 3)],
                "id": int(niches.organelle[row]),
                "name": f"{picture.cell_name(family, depth)}, {names[bin]} tokens per answer\n"
                f"success {short(success)} of organelle #{niches.organelle[row]}{since}",
                "label": {"color": "#ffffff" if (success > 0.5) != theme.dark else "#101418"},
            }
        )
    return {
        **frame(theme),
        "grid": {"left": 12, "right": 12, "top": 62, "bottom": 30, "containLabel": True},
        "xAxis": [
            categories(
                theme, "cost (tokens per answer), within each depth", columns, across=True, splitLine=_rules(theme)
            ),
            categories(
                theme,
                "",
                [f"depth {depth + 1}" for depth in range(picture.depths)],
                across=True,
                position="top",
                splitLine={"show": True, "interval": 0, "lineStyle": {"color": theme.rule, "width": 1}},
            ),
        ],
        "yAxis": categories(theme, "", list(picture.families)),
        "visualMap": {
            "type": "continuous",
            "min": 0,
            "max": 1,
            "orient": "horizontal",
            "right": 12,
            "top": 2,
            "itemWidth": 10,
            "itemHeight": 110,
            "hoverLink": False,
            "dimension": 2,
            "text": ["1   success (share of answers)", "0"],
            "textGap": 6,
            "textStyle": {"color": theme.soft, "fontSize": 11},
            "inRange": {"color": list(theme.contrast)},
        },
        "series": [
            {
                "id": "niches",
                "type": "heatmap",
                "data": data,
                "label": {"show": False},
                "itemStyle": {"borderColor": theme.card, "borderWidth": 1},
                "emphasis": {"itemStyle": {"borderColor": theme.accent, "borderWidth": 2}},
            }
        ],
    }


def _rules(theme: Theme) -> Option:
    return {"show": True, "interval": 0, "lineStyle": {"color": theme.faint}}
