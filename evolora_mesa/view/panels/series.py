"""The figures of the world over its generations."""

from __future__ import annotations

from typing import Final

import numpy as np
import solara

from evolora_mesa.view.chart import Chart
from evolora_mesa.view.charts.series import CHARTS
from evolora_mesa.view.panels.card import Card, Empty, Shown, use_picture
from evolora_mesa.view.theme import theme_of

__all__ = ["SeriesPanel"]

_PAUSE: Final = 0.5  # seconds between two drawings while the world plays
_GRID: Final = (
    "display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, max(320px, 34%)), 1fr)); gap: 8px 16px;"
)


@solara.component
def SeriesPanel(session: Shown) -> None:
    """Right answers beside the frozen host's, return on investment, population, energy."""
    picture, dark = use_picture(session, _PAUSE), session.dark.value
    with Card("Over the generations"):
        if picture is None or len(picture.series) < 2:
            Empty("Nothing has happened yet: press Play or Step, and the curves begin with the first generation.")
            return
        with solara.Div(style=_GRID):
            for title, draw in CHARTS.items():
                option = draw(picture.series, theme_of(dark))
                if option is None:
                    Empty(f"There is nothing to show of {title} yet.")
                else:
                    Chart(option, height="230px", label=f"{title} up to generation {picture.tick}")
        # What is on record has no such line, and never gets one.
        asking = "frozen_host" in picture.series and picture.tick <= 2 * len(picture.families)
        if asking and not np.isfinite(picture.series["frozen_host"]).any():
            Empty(
                "The frozen host's line begins when it has been asked in every family, one in each of the first "
                "generations."
            )
