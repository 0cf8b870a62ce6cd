"""The page of sweeps."""

from __future__ import annotations

import solara

from evolora_mesa.view.session import Session

__all__ = ["SweepsPage"]


@solara.component
def SweepsPage(session: Session) -> None:
    """Where sweeps are looked for."""
    solara.Text(f"Looks in {session.sweeps_folder}.")
