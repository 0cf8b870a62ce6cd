"""Classic models on a stage: their picture, and charts of whatever it has - ground, agents, series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from evolora_mesa.alife.figures import figure_of
from evolora_mesa.view.charts.frame import Option, axis, frame, numbers, points, short
from evolora_mesa.view.stage import Stage
from evolora_mesa.view.theme import Theme

if TYPE_CHECKING:
    from evolora_mesa.alife.interface import EvoModel

__all__ = [
    "ClassicPicture",
    "ClassicStage",
    "classic_picture",
    "ground_chart",
    "ground_height",
    "series_charts",
    "stage_of",
]

_SMALL: Final[dict[str, dict[str, Any]]] = {"HostSymbiont": {"width": 30, "height": 30}, "NKWorld": {"population": 60}}
_PACE: Final = 20.0  # steps per second at most; faster than this nobody sees anything
_MOST_AGENTS: Final = 1500  # marks that a browser draws without effort
_SHOWN: Final = 400  # values of a line


@dataclass(frozen=True)
class ClassicPicture:
    """What a classic model looks like after a step; whoever has it may keep it.

    Attributes:
        shape: (width, height) of the ground, or None where nobody is anywhere.
        layers: arrays ``(width, height)`` by name; nan where there is nothing.
        agents: arrays ``(n,)``: x, y, energy, colour.
        series: arrays by name, a value per tick.
    """

    model: str
    tick: int
    shape: tuple[int, int] | None
    layers: dict[str, np.ndarray]
    agents: dict[str, np.ndarray]
    series: dict[str, np.ndarray]

    @property
    def drawn(self) -> str:
        """What the model's own capabilities allow to be drawn."""
        return "ground" if self.shape is not None else "series"


ClassicStage = Stage["EvoModel", ClassicPicture]


def stage_of(name: str, seed: int = 0) -> ClassicStage:
    """A stage with a small world of a model, without its log, which grows for as long as somebody looks on."""

    def make() -> EvoModel:
        from evolora_mesa.alife import model_class

        return model_class(name)(rng=seed, record=False, **_SMALL.get(name, {}))

    return Stage(make, classic_picture, pace=_PACE)


def classic_picture(model: EvoModel, before: ClassicPicture | None = None) -> ClassicPicture:
    """Copies of everything, for the model goes on."""
    facts = model.picture()
    shape = facts["shape"]
    return ClassicPicture(
        model=type(model).__name__,
        tick=model.tick,
        shape=None if shape is None else (int(shape[0]), int(shape[1])),
        layers={name: np.array(layer, float) for name, layer in facts["layers"].items()},
        agents={name: np.array(values, float) for name, values in facts["agents"].items()},
        series={name: np.array(values, float) for name, values in facts["series"].items()},
    )


# ---------------------------------------------------------------- the ground


def ground_height(picture: ClassicPicture) -> str:
    """Of the chart, as in CSS: cells are about square on a card of half the page."""
    width, height = picture.shape or (1, 1)
    return f"{min(max(round(520 * height / width), 180), 560)}px"


def ground_chart(picture: ClassicPicture, theme: Theme, layer: str = "") -> Option | None:
    """A layer as a map with the agents on it; None for a model without space.

    Args:
        layer: its name; any other text draws the agents alone.
    """
    if picture.shape is None:
        return None
    width, height = picture.shape
    bare: Option = {"show": False, "scale": False, "min": -0.5}
    option: Option = {
        **frame(theme),
        "grid": {"left": 8, "right": 8, "top": 34, "bottom": 8},
        "xAxis": axis(theme, "", across=True, **bare, max=width - 0.5),
        "yAxis": axis(theme, "", **bare, max=height - 0.5),
        "series": [_agents(picture, theme)] if layer in ("", "agents") or not picture.layers else [],
    }
    if layer in picture.layers:
        values = picture.layers[layer]
        known = values[np.isfinite(values)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        option |= {
            "xAxis": _cells(width, inverse=False),
            "yAxis": _cells(height, inverse=False),
            "visualMap": _scale(theme, layer, low, high if high > low else low + 1.0),
            "series": [_map(values, layer)],
        }
        if len(picture.agents["x"]) < width * height:  # as many agents as cells would hide the map
            option["series"].append(_agents(picture, theme))
    return option


def _cells(number: int, *, inverse: bool) -> Option:
    return {"type": "category", "data": list(range(number)), "show": False, "inverse": inverse}


def _map(values: np.ndarray, layer: str) -> Option:
    x, y = np.nonzero(np.isfinite(values))
    told = numbers(values[x, y])
    data = [
        {"value": [across, up, value], "name": f"{layer} {value} at {across}, {up}"}
        for across, up, value in zip(x.tolist(), y.tolist(), told, strict=True)
    ]
    return {"id": "ground", "type": "heatmap", "data": data, "progressive": 0, "emphasis": {"disabled": True}}


def _scale(theme: Theme, layer: str, low: float, high: float) -> Option:
    return {
        "type": "continuous",
        "min": low,
        "max": high,
        "seriesIndex": 0,
        "dimension": 2,
        "orient": "horizontal",
        "right": 12,
        "top": 2,
        "itemWidth": 10,
        "itemHeight": 110,
        "hoverLink": False,
        "text": [f"{short(high)}   {layer}", short(low)],
        "textStyle": {"color": theme.soft, "fontSize": 11},
        "inRange": {"color": list(theme.ramp)},
    }


def _agents(picture: ClassicPicture, theme: Theme) -> Option:
    """Marks coloured by what the model says; of very many, evenly chosen ones."""
    who = picture.agents
    count = len(who["x"])
    some = _spread(count, _MOST_AGENTS)
    colours = who["colour"]
    known = colours[np.isfinite(colours)]
    low, span = (float(known.min()), float(np.ptp(known)) or 1.0) if len(known) else (0.0, 1.0)
    data = []
    for row in some.tolist():
        shade = (float(colours[row]) - low) / span if np.isfinite(colours[row]) else 0.0
        place = theme.contrast[round(shade * (len(theme.contrast) - 1))]
        told = f"energy {short(float(who['energy'][row]))}\ncolour {short(float(colours[row]))}"
        value = [float(who["x"][row]), float(who["y"][row])]
        data.append({"value": value, "name": told, "itemStyle": {"color": place}})
    size = 7 if count < 300 else 4
    return {"id": "agents", "type": "scatter", "symbolSize": size, "data": data, "z": 3, "animation": False}


# ---------------------------------------------------------------- series


def series_charts(picture: ClassicPicture, theme: Theme) -> dict[str, Option]:
    """A small chart for each series of the model's collector that has two values."""
    return {
        name: {
            **frame(theme, trigger="axis"),
            "xAxis": axis(theme, "step", across=True, min=0, max=max(len(values) - 1, 1), minInterval=1),
            "yAxis": axis(theme, figure_of(name).label, figure_of(name).unit),
            "series": [_line(name, values, theme)],
        }
        for name, values in picture.series.items()
        if np.isfinite(values).sum() > 1
    }


def _line(name: str, values: np.ndarray, theme: Theme) -> Option:
    some = _spread(len(values), _SHOWN)
    return {
        "id": name,
        "name": figure_of(name).label,
        "type": "line",
        "data": points(some.astype(float), values[some]),
        "showSymbol": False,
        "lineStyle": {"color": theme.category(0), "width": 2},
        "itemStyle": {"color": theme.category(0)},
        "emphasis": {"disabled": True},
    }


def _spread(count: int, most: int) -> np.ndarray:
    """At most so many of ``count`` places, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, max(count - 1, 0), min(count, most)).round().astype(int))
