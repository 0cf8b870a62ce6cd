"""The world page: controls, and everything that is drawn of the world."""

from __future__ import annotations

from typing import Final

import solara

from evolora_mesa.view.controls_form import Settings
from evolora_mesa.view.panels.archive import ArchivePanel
from evolora_mesa.view.panels.events import EventsPanel
from evolora_mesa.view.panels.gate import GatePanel
from evolora_mesa.view.panels.grid import GridPanel
from evolora_mesa.view.panels.organelle import OrganellePanel
from evolora_mesa.view.panels.series import SeriesPanel
from evolora_mesa.view.session import Session

__all__ = ["WorldPage"]

# In the order of reading: columns of panels, each with the twelfths of the width that it takes on a wide screen.
_COLUMNS: Final = (
    (7, (GridPanel,)),
    (5, (OrganellePanel, EventsPanel)),
    (12, (SeriesPanel,)),
    (12, (GatePanel,)),
    (12, (ArchivePanel,)),
)


@solara.component
def WorldPage(session: Session) -> None:
    """Settings of the next world on the left, the one that is there on the right."""
    with solara.Div(classes=["ev-world"]):
        Settings(session)
        with solara.Div(classes=["ev-panels"]):
            for width, panels in _COLUMNS:
                with solara.Div(classes=["ev-column", f"ev-w{width}"]):
                    for panel in panels:
                        panel(session)
