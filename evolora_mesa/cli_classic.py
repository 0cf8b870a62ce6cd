"""``evolora run`` and ``evolora resume`` of classic models."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from evolora_mesa.record.interrupt import Interrupt, exit_code

if TYPE_CHECKING:
    from evolora_mesa.alife.interface import EvoModel
    from evolora_mesa.alife.runs import ClassicConfig

__all__ = ["resume_classic", "run_classic"]


def run_classic(config: ClassicConfig, out: Path | None) -> None:
    """A run from its founding to its end, into a new folder."""
    from evolora_mesa.alife.runs import founded
    from evolora_mesa.record.runfolder import check_vacant, default_folder

    folder = out if out is not None else default_folder(config)
    check_vacant(folder)
    model = founded(config)
    folder.mkdir(parents=True, exist_ok=True)
    _live(model, config, folder)


def resume_classic(folder: Path, generations: int | None) -> None:
    """A run from its checkpoint to its end."""
    from evolora_mesa.alife.runs import taken_up

    model, config = taken_up(folder, generations)
    _live(model, config, folder)


def _live(model: EvoModel, config: ClassicConfig, folder: Path) -> None:
    from evolora_mesa.alife.runs import live
    from evolora_mesa.record.lock import RunLock

    def stopping() -> None:
        with contextlib.suppress(OSError):  # the terminal can be gone
            os.write(2, b"finishing this step; evolora resume goes on with the run\n")

    with RunLock(folder), Interrupt(stopping) as interrupt:
        summary = live(model, config, folder, lambda: not interrupt.requested)
    for line in _told(summary, folder):
        print(line)
    if summary["outcome"] == "interrupted":
        raise typer.Exit(exit_code(interrupt.requested))


def _told(summary: dict[str, Any], folder: Path) -> list[str]:
    endings = {"finished": "", "stopped": " The model ended by itself.", "interrupted": " Ended early."}
    return [
        f"{summary['generations']} steps of {summary['model']}, seed {summary['seed']}.{endings[summary['outcome']]}",
        f"{summary['events']} births, deaths and changes in the log, which adds up.",
        f"Written to {folder}",
    ]
