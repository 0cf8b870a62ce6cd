"""The page of runs."""

from __future__ import annotations

import solara

from evolora_mesa.view.session import Session

__all__ = ["RunsPage"]


@solara.component
def RunsPage(session: Session) -> None:
    """Where runs are looked for."""
    solara.Text(f"Looks in {session.runs_folder}.")
