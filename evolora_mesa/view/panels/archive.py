"""The archive of elites; a click chooses the organelle whose weights a niche keeps."""

from __future__ import annotations

from typing import Final

import solara

from evolora_mesa.view.chart import Chart, Click
from evolora_mesa.view.charts.archive import archive_chart, archive_height, cost_names
from evolora_mesa.view.panels.card import Card, Empty, Shown, use_picture
from evolora_mesa.view.theme import theme_of

__all__ = ["ArchivePanel"]

_PAUSE: Final = 0.5  # seconds between two drawings while the world plays


@solara.component
def ArchivePanel(session: Shown) -> None:
    """Niches of family, depth and cost, by the success of their elite."""
    picture, dark = use_picture(session, _PAUSE), session.dark.value

    def choose(click: Click) -> None:
        if click["id"] is not None:
            session.chosen.value = click["id"]

    niches = picture.archive if picture is not None else None
    note = ""
    if picture is not None and niches is not None:
        room = len(picture.families) * picture.depths * len(cost_names(niches))
        note = f"{len(niches.objective)} of {room} niches have an elite"
    with Card("Archive", note=note):
        if picture is not None and niches is None:
            Empty("This world keeps no archive: set archive.enabled and reset.")
            return
        option = archive_chart(picture, theme_of(dark)) if picture is not None else None
        if picture is None or option is None:
            Empty("No elite yet: a niche gets one when somebody has worked there often enough. Let the world play on.")
            return
        Chart(option, on_click=choose, height=archive_height(picture), label=f"Archive of elites: {note}")
