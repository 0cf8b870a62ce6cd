"""The ground of a classic model at the newest checkpoint: its layers as maps, and the agents on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.record.report.document import Picture, Scale, number
from evolora_mesa.record.report.drawing import svg
from evolora_mesa.record.report.maps import VIRIDIS

__all__ = ["ground_pictures"]

_SHADES: Final = ("#f1f1ec", "#dde2e2", "#c6cfd2", "#adbbc1", "#94a7b0", "#7b929e", "#627d8b")  # agents stand out of it
_SIDE: Final = 400.0  # of the longer one, in user units
_MOST_CELLS: Final = 120  # along a side; of larger worlds every n-th is drawn
_MOST_AGENTS: Final = 800

Reals = NDArray[np.float64]


def ground_pictures(picture: Mapping[str, Any], step: int) -> list[Picture]:
    """A map for each layer; nothing of a model without space.

    Args:
        picture: as `EvoModel.picture` gives it.
    """
    if picture["shape"] is None:
        return []
    agents = {name: np.asarray(values, float) for name, values in picture["agents"].items()}
    layers = {name: np.asarray(layer, float) for name, layer in picture["layers"].items()}
    return [_map(name, layer, agents, step) for name, layer in layers.items()]


def _map(name: str, layer: Reals, agents: Mapping[str, Reals], step: int) -> Picture:
    width, height = layer.shape
    known = layer[np.isfinite(layer)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    size = _SIDE / max(width, height)
    parts = _cells(layer, low, high, size)
    shown = 0
    if len(agents["x"]) < width * height:  # as many agents as cells would hide the map
        dots = _dots(agents, height, size)
        parts, shown = [*parts, *dots], len(dots)
    beside = f", and {shown} of {len(agents['x'])} agents on it" if shown else ""
    title = name.replace("_", " ").capitalize()
    told = f"{title}: {width} × {height} cells in step {step}, from {number(low)} to {number(high)}{beside}."
    drawing = svg(width * size, height * size, parts, told)
    caption = f"Step {step}{beside}; colours of agents are the model's own." if shown else f"Step {step}."
    if len(known) < layer.size:
        caption += " Blank: nothing is there."
    return Picture(title, drawing, told, scale=Scale(number(low), number(high), _SHADES), caption=caption)


def _cells(layer: Reals, low: float, high: float, size: float) -> list[str]:
    """A path for each shade, of all cells that have it; y goes up, as in the app."""
    width, height = layer.shape
    stride = -(-max(width, height) // _MOST_CELLS)
    share = (layer[::stride, ::stride] - low) / ((high - low) or 1.0)
    shade = np.where(np.isfinite(share), np.rint(np.nan_to_num(share) * (len(_SHADES) - 1)), -1).astype(int)
    side = size * stride
    parts = []
    for place, colour in enumerate(_SHADES):
        drawn = "".join(
            f"M{across * side:.1f} {height * size - (up + 1) * side:.1f}h{side:.2f}v{side:.2f}h-{side:.2f}z"
            for across, up in np.argwhere(shade == place).tolist()
        )
        if drawn:
            parts.append(f'<path fill="{colour}" d="{drawn}"/>')
    return parts


def _dots(agents: Mapping[str, Reals], height: int, size: float) -> list[str]:
    """Agents, or evenly chosen ones of very many, by the colour that the model gives them."""
    count = len(agents["x"])
    some = np.unique(np.linspace(0, max(count - 1, 0), min(count, _MOST_AGENTS)).round().astype(int)).tolist()
    colours = agents["colour"]
    known = colours[np.isfinite(colours)]
    low, span = (float(known.min()), float(np.ptp(known)) or 1.0) if len(known) else (0.0, 1.0)
    radius = min(max(0.4 * size, 1.5), 5.0)
    dots = []
    for row in some:
        share = (float(colours[row]) - low) / span if np.isfinite(colours[row]) else 0.0
        across, down = (float(agents["x"][row]) + 0.5) * size, (height - float(agents["y"][row]) - 0.5) * size
        fill = VIRIDIS[round(share * (len(VIRIDIS) - 1))]
        dots.append(f'<circle cx="{across:.1f}" cy="{down:.1f}" r="{radius:.1f}" fill="{fill}"/>')
    return dots
