"""``evolora run``, ``resume`` and ``watch`` of classic models."""

from __future__ import annotations

import contextlib
import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from evolora_mesa.record.interrupt import Interrupt, exit_code

if TYPE_CHECKING:
    from evolora_mesa.alife.interface import EvoModel
    from evolora_mesa.alife.runs import ClassicConfig

__all__ = ["resume_classic", "run_classic", "watch_classic"]

_SECONDS_BETWEEN_LOOKS: Final = 0.5


def run_classic(config: ClassicConfig, out: Path | None) -> None:
    """A run from its founding to its end, into a new folder."""
    from evolora_mesa.alife.runs import founded
    from evolora_mesa.record.lock import RunLock
    from evolora_mesa.record.runfolder import check_vacant, default_folder

    folder = out if out is not None else default_folder(config)
    check_vacant(folder)
    model = founded(config)
    folder.mkdir(parents=True, exist_ok=True)
    with RunLock(folder):
        _live(model, config, folder)


def resume_classic(folder: Path, generations: int | None) -> None:
    """A run from its checkpoint to its end, which is the length that was asked for last."""
    from evolora_mesa.alife.runs import summary_of, taken_up
    from evolora_mesa.record.lock import RunLock

    with RunLock(folder):
        model, config = taken_up(folder, generations)
        is_over = model.tick == config.generations or not model.running
        if is_over and (summary_of(folder) or {}).get("generations") == model.tick:
            more = " A larger --generations makes it longer." if model.running else " The model has ended by itself."
            print(f"The run is over: it has all of its {model.tick} steps.{more}")
            return
        _live(model, config, folder)


def _live(model: EvoModel, config: ClassicConfig, folder: Path) -> None:
    from evolora_mesa.alife.runs import live

    def stopping() -> None:
        with contextlib.suppress(OSError):  # the terminal can be gone
            os.write(2, b"finishing this step; evolora resume goes on with the run\n")

    with Interrupt(stopping) as interrupt:
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


def watch_classic(folder: Path, *, once: bool) -> None:
    """Tell how far a run is whenever its checkpoint is a later one, until nobody writes it any more."""
    from evolora_mesa.alife.runs import classic_config, ended_by_itself, reached, summary_of
    from evolora_mesa.record.layout import CONFIG_FILE
    from evolora_mesa.record.lock import RunLock

    shown = -1
    while True:
        left = not RunLock.is_held(folder)  # looked up first: the last checkpoint comes before
        step, config = reached(folder), classic_config(str(folder / CONFIG_FILE))
        asked = step if config is None else config.generations
        if step != shown:
            print(f"step {step} of {asked}", flush=True)
            shown = step
        if once or left:
            break
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    if left and shown < asked and not ended_by_itself(summary_of(folder), shown):
        print(f"Nobody writes this run any more. It goes on with: evolora resume {shlex.quote(str(folder))}")
