"""The task grid with its organelles; a click chooses one."""

from __future__ import annotations

from typing import get_args

import solara

from evolora_mesa.view.chart import Chart, Click
from evolora_mesa.view.charts.grid import COLOURS, LAYERS, Colours, grid_chart, grid_height
from evolora_mesa.view.panels.card import Card, Empty, Shown, use_picture
from evolora_mesa.view.theme import theme_of

__all__ = ["GridPanel"]

_CONTROLS = "display: flex; flex-wrap: wrap; gap: 16px; max-width: 480px; padding-top: 12px;"
_LAYER_OF = {layer.label: name for name, layer in LAYERS.items()}
_COLOURS_OF: dict[str, Colours] = {COLOURS[name]: name for name in get_args(Colours)}


@solara.component
def GridPanel(session: Shown) -> None:
    """Families by depths, switchable between what cells offer and what organelles are coloured by."""
    layer, set_layer = solara.use_state("success")
    colours, set_colours = solara.use_state("lineage")
    picture, dark = use_picture(session), session.dark.value

    def choose(click: Click) -> None:
        if click["id"] is not None:
            session.chosen.value = click["id"]

    with Card("Task grid", note="organelles in their cells; area is energy, hollow is on trial"):
        if picture is None:
            Empty("The first world is being made; it appears here in a few seconds.")
            return
        with solara.Div(style=_CONTROLS):
            solara.Select(
                "cells show",
                value=LAYERS[layer].label,
                values=list(_LAYER_OF),
                on_value=lambda label: set_layer(_LAYER_OF[label]),
                dense=True,
                style="flex: 1 1 180px; max-width: 240px;",
            )
            solara.Select(
                "organelles are coloured by",
                value=COLOURS[colours],
                values=list(_COLOURS_OF),
                on_value=lambda label: set_colours(_COLOURS_OF[label]),
                dense=True,
                style="flex: 1 1 180px; max-width: 240px;",
            )
        option = grid_chart(
            picture, theme_of(dark), layer=layer, colours=_COLOURS_OF[COLOURS[colours]], chosen=session.chosen.value
        )
        Chart(
            option,
            on_click=choose,
            height=grid_height(picture),
            label=f"Task grid in generation {picture.tick}: {LAYERS[layer].label} of {len(picture.families)} families "
            f"by {picture.depths} depths, with {len(picture.organelles)} organelles",
        )
