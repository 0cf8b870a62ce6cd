"""The world's ground: families by depths, coloured by what a cell offers, with the organelles that work there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from evolora_mesa.view.charts.frame import Option, axis, categories, frame, legend, nice_ceiling, short
from evolora_mesa.view.charts.packing import CELL_HEIGHT, MOST_IN_CELL, pack
from evolora_mesa.view.picture import Organelles, Picture
from evolora_mesa.view.theme import Theme

__all__ = ["COLOURS", "LAYERS", "Colours", "grid_chart", "grid_height"]

Colours = Literal["lineage", "colony", "skill"]
_MOST_MARKS: Final = 800
_AROUND: Final = 104  # pixels above and below the cells


class Layer(NamedTuple):
    """What cells can show; ``most`` is the end of the scale, `None` where it follows the values."""

    label: str
    unit: str
    most: float | None = None


LAYERS: Final = {
    "success": Layer("success", "share of answers", 1.0),
    "price": Layer("price of a success", "energy"),
    "pool": Layer("energy in the pool", "energy"),
    "occupancy": Layer("population", "organelles"),
    "learning_progress": Layer("learning progress", "change of success"),
    "frozen": Layer("success of the frozen host", "share of answers", 1.0),
}
COLOURS: Final = {"lineage": "lineage", "skill": "best family", "colony": "colony"}


def grid_height(picture: Picture) -> str:
    """Of the chart, as in CSS: marks rely on the height of a cell."""
    return f"{_AROUND + CELL_HEIGHT * len(picture.families)}px"


def grid_chart(
    picture: Picture,
    theme: Theme,
    *,
    layer: str = "success",
    colours: Colours = "lineage",
    chosen: int | None = None,
) -> Option:
    """The task grid.

    Items of the series of organelles have their ``id``; where a cell is too crowded for marks there is one for all.

    Args:
        layer: of `LAYERS`.
        colours: what the colours of organelles stand for.
        chosen: id of an organelle to stand out.
    """
    what, values = LAYERS[layer], picture.layers[layer]
    depths, families = picture.depths, len(picture.families)
    known = values[np.isfinite(values)]
    most = what.most or nice_ceiling(float(known.max(initial=0.0)), 0.01 if layer == "learning_progress" else 1.0)
    groups = _groups(picture, theme, colours, chosen)
    names = [str(depth + 1) for depth in range(depths)]
    beside: Option = {"show": False, "scale": False, "min": 0}
    return {
        **frame(theme),
        "grid": {"left": 12, "right": 12, "top": 44, "bottom": 56, "containLabel": True},
        "xAxis": [
            categories(theme, "depth of the task (steps)", names, across=True),
            axis(theme, "", across=True, **beside, max=depths),
        ],
        "yAxis": [
            categories(theme, "task family", list(picture.families)),
            axis(theme, "", **beside, max=families, inverse=True),
        ],
        "visualMap": _scale(theme, what, most),
        "legend": legend(
            theme, [group["name"] for group in groups if group["data"]], top=None, bottom=0, left="center"
        ),
        "series": [_cells(picture, theme, what, values), *groups],
    }


def _scale(theme: Theme, what: Layer, most: float) -> Option:
    return {
        "type": "continuous",
        "min": 0,
        "max": most,
        "seriesIndex": 0,
        "dimension": 2,
        "orient": "horizontal",
        "right": 12,
        "top": 2,
        "itemWidth": 10,
        "itemHeight": 110,
        "hoverLink": False,
        "text": [f"{short(most)}   {what.label} ({what.unit})", "0"],
        "textGap": 6,
        "textStyle": {"color": theme.soft, "fontSize": 11},
        "inRange": {"color": list(theme.ramp)},
    }


def _cells(picture: Picture, theme: Theme, what: Layer, values: np.ndarray) -> Option:
    """The map. Cells of families that have left are grey and say so."""
    occupancy, prices, pools = (picture.layers[name] for name in ("occupancy", "price", "pool"))
    data = []
    for family, depth in np.ndindex(values.shape):
        value, there = float(values[family, depth]), bool(picture.layers["open"][family, depth])
        told = f"{picture.cell_name(family, depth)}\n" + (
            f"{what.label}: {short(value)}\nprice {short(float(prices[family, depth]))} energy, "
            f"pool {short(float(pools[family, depth]))} energy\norganelles: {short(float(occupancy[family, depth]))}"
            if there
            else "not asked in this season"
        )
        shown = np.isfinite(value) and there
        data.append(
            {
                "value": [depth, family, round(value, 4) if shown else "-"],
                "name": told,
                "label": {"formatter": short(round(value, 2)) if shown else ""},
            }
        )
    closed = np.flatnonzero(~picture.layers["open"].any(1)).tolist()
    return {
        "id": "cells",
        "type": "heatmap",
        "data": data,
        "label": {"show": True, "position": "insideBottomRight", "fontSize": 9, "distance": 4, "color": theme.ink},
        "itemStyle": {"borderColor": theme.card, "borderWidth": 2, "borderRadius": 3},
        "emphasis": {"itemStyle": {"borderColor": theme.accent}},
        "markArea": {
            "silent": True,
            "itemStyle": {"color": theme.faint},
            "label": {"position": "inside", "color": theme.soft, "fontSize": 11},
            "data": [
                [
                    {"name": "not asked in this season", "xAxis": 0, "yAxis": family},
                    {"xAxis": picture.depths - 1, "yAxis": family},
                ]
                for family in closed
            ],
        },
    }


# ---------------------------------------------------------------- organelles


def _groups(picture: Picture, theme: Theme, colours: Colours, chosen: int | None) -> list[Option]:
    """One series for each colour, the largest group first, so that the key names what there is most of."""
    who = picture.organelles
    if not len(who):
        return []
    kinds = getattr(who, colours)
    crowd = np.zeros(picture.layers["open"].shape, dtype=np.int64)
    np.add.at(crowd, (who.family, who.depth), 1)
    apart = (crowd <= MOST_IN_CELL)[who.family, who.depth] & (len(who) <= _MOST_MARKS)
    series: list[Option] = []
    found, counts = np.unique(kinds, return_counts=True)
    for kind in found[np.argsort(-counts, kind="stable")].tolist():
        series.append(
            {
                "id": f"{colours} {kind}",
                "name": _kind_name(picture, colours, kind),
                "type": "scatter",
                "xAxisIndex": 1,
                "yAxisIndex": 1,
                "symbol": theme.symbol(_number(colours, kind)),
                "itemStyle": {"color": theme.category(_number(colours, kind))},
                "data": [],
                "z": 3,
            }
        )
    of_kind = {kind: place for place, kind in enumerate(found[np.argsort(-counts, kind="stable")].tolist())}
    packed = pack(who.family[apart], who.depth[apart], who.energy[apart], depths=picture.depths)
    for row, x, y, size in zip(np.flatnonzero(apart).tolist(), *(column.tolist() for column in packed), strict=True):
        target = series[of_kind[kinds[row]]]
        target["data"].append(_mark(picture, theme, row, x, y, size, target["itemStyle"]["color"], chosen))
    for family, depth in np.argwhere(crowd > 0).tolist():
        here = (who.family == family) & (who.depth == depth) & ~apart
        if here.any():
            kind = int(np.bincount(kinds[here] + 1).argmax()) - 1  # -1 is a kind too
            series[of_kind[kind]]["data"].append(_crowd_mark(picture, theme, colours, here, family, depth))
    return series


def _number(colours: Colours, kind: int) -> int:
    """Lineages and colonies are counted from 1, families from 0."""
    return kind if colours == "skill" or kind < 0 else kind - 1


def _kind_name(picture: Picture, colours: Colours, kind: int) -> str:
    if colours == "skill":
        return picture.families[kind] if kind >= 0 else "no success yet"
    if colours == "colony":
        return f"colony {kind}" if kind >= 0 else "no colony"
    return f"lineage {kind}"


def _mark(
    picture: Picture, theme: Theme, row: int, x: float, y: float, size: float, colour: str, chosen: int | None
) -> dict[str, Any]:
    """One organelle; hollow while it is on trial."""
    who = picture.organelles
    id, on_trial = int(who.id[row]), bool(who.on_trial[row])
    style: Option = {"borderColor": colour if on_trial else theme.card, "borderWidth": 2 if on_trial else 1}
    if on_trial:
        style["color"] = theme.card
    mark: Option = {
        "value": [round(x, 3), round(y, 3)],
        "symbolSize": round(size, 1),
        "id": id,
        "name": _told(picture, who, row),
    }
    if id == chosen:
        style |= {"borderColor": theme.ink, "borderWidth": 3}
        mark["symbolSize"] = round(max(size, 10.0) + 4, 1)
        mark["label"] = {"show": True, "formatter": f"#{id}", "position": "top", "color": theme.ink, "fontSize": 11}
    return {**mark, "itemStyle": style}


def _told(picture: Picture, who: Organelles, row: int) -> str:
    skill, colony = int(who.skill[row]), int(who.colony[row])
    lines = [
        f"organelle #{who.id[row]}, lineage {who.lineage[row]}" + (", on trial" if who.on_trial[row] else ""),
        f"energy {short(float(who.energy[row]))}, return on investment {short(float(who.roi[row]))}",
        f"{who.age[row]} generations old",
        f"best family: {picture.families[skill]}" if skill >= 0 else "no success yet",
        *([f"colony {colony}"] if colony >= 0 else []),
    ]
    return "\n".join(lines)


def _crowd_mark(
    picture: Picture, theme: Theme, colours: Colours, here: np.ndarray, family: int, depth: int
) -> dict[str, Any]:
    """All organelles of a cell as one mark in the colour of the largest group."""
    count = int(here.sum())
    kinds, counts = np.unique(getattr(picture.organelles, colours)[here], return_counts=True)
    largest = np.argsort(-counts, kind="stable")[:5]
    parts: Sequence[str] = [f"{counts[place]} {_kind_name(picture, colours, int(kinds[place]))}" for place in largest]
    mean = float(picture.organelles.energy[here].mean())
    return {
        "value": [depth + 0.5, family + 0.4],
        "symbolSize": round(min(14 + 2.0 * count**0.4, 26), 1),
        "name": f"{picture.cell_name(family, depth)}\n{count} organelles, mean energy {short(mean)}\n"
        + "\n".join(parts),
        "label": {"show": True, "formatter": str(count), "fontSize": 10, "color": theme.card, "fontWeight": "bold"},
        "itemStyle": {"borderColor": theme.card, "borderWidth": 1},
    }
