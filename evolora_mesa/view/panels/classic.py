"""What there is to see of a classic model, of one that lives or of one on record: its ground, and its series."""

from __future__ import annotations

from typing import Final

import solara

from evolora_mesa.view.chart import Chart
from evolora_mesa.view.classic import ClassicPicture, ground_chart, ground_height, series_charts
from evolora_mesa.view.panels.card import Card, Empty
from evolora_mesa.view.theme import theme_of

__all__ = ["GroundPanel", "OverTimePanel"]

_GRID: Final = "display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 280px), 1fr)); gap: 8px 16px;"


@solara.component
def GroundPanel(picture: ClassicPicture, dark: bool) -> None:
    """The map, where there is one."""
    layers = list(picture.layers)
    layer, show = solara.use_state(layers[0] if layers else "agents")
    option = ground_chart(picture, theme_of(dark), layer)
    if option is None:
        return
    with solara.Div(classes=["ev-w6"]), Card("Ground", note=f"step {picture.tick}, {len(picture.agents['x'])} agents"):
        if len(layers) > 1:
            solara.ToggleButtonsSingle(value=layer, values=layers, on_value=show, dense=True)
        Chart(option, height=ground_height(picture), label=f"{picture.model}: {layer} at step {picture.tick}")


@solara.component
def OverTimePanel(picture: ClassicPicture, dark: bool, nothing: str) -> None:
    """What the model's collector has seen.

    Args:
        nothing: why there is no curve yet, and what to do about it.
    """
    charts = series_charts(picture, theme_of(dark))
    with solara.Div(classes=["ev-w6" if picture.shape is not None else "ev-w12"]), Card("Over time"):
        if not charts:
            Empty(nothing)
            return
        with solara.Div(style=_GRID):
            for name, option in charts.items():
                Chart(option, height="180px", label=f"{name} up to step {picture.tick}").key(name)
