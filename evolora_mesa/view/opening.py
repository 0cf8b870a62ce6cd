"""What a new tab opens with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from evolora_mesa.config import WorldConfig

__all__ = ["Opening"]


@dataclass(frozen=True)
class Opening:
    """What every new tab of this server opens with.

    Attributes:
        config: of the world.
        run: name of a run in ``runs_folder`` to open the Runs page with; empty for none.
        runs_folder: where the Runs page looks.
        sweeps_folder: where the Sweeps page looks.
    """

    config: str | WorldConfig = "ecology"
    run: str = ""
    runs_folder: Path = Path("runs")
    sweeps_folder: Path = Path("sweeps")
