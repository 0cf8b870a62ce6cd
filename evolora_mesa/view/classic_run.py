"""A run of a classic model on record: its series, and what it looked like at its newest checkpoint."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import reacton.ipyvuetify as v
import solara

from evolora_mesa.alife.runs import ClassicConfig, Mark, checkpointed, ended_by_itself, mark_of, summary_of
from evolora_mesa.view.classic import ClassicPicture, classic_picture
from evolora_mesa.view.panels.card import Card, Empty
from evolora_mesa.view.panels.classic import GroundPanel, OverTimePanel
from evolora_mesa.view.polling import LOOK, use_polled
from evolora_mesa.view.session import Session

__all__ = ["ClassicRecord", "ClassicRun", "read_classic_record"]

_LIVE: Final = "This run is being written; what is shown is its newest checkpoint, and the next one as it comes."
_LAST: Final = (
    "The curves are of the whole run, the ground is of its last checkpoint: earlier ones are not kept. To see a model "
    "move, play it on the Classics page."
)
_NOTHING: Final = "Nothing has happened yet in this run: it is at its founding."


@dataclass(frozen=True, eq=False)
class ClassicRecord:
    """A run as its newest checkpoint had it when it was read.

    Attributes:
        folder: of the run.
        mark: of its files, by which a later state is told.
        ended: the model would not go further.
    """

    folder: Path
    mark: Mark
    config: ClassicConfig
    picture: ClassicPicture
    ended: bool


def read_classic_record(folder: Path, before: ClassicRecord | None = None) -> ClassicRecord:
    """A run as it is on record now; ``before`` itself where nothing was written since.

    Raises:
        RunError: it cannot be read.
    """
    mark = mark_of(folder)
    if before is not None and (before.folder, before.mark) == (folder, mark):
        return before
    summary = summary_of(folder)
    model, config = checkpointed(folder)
    return ClassicRecord(folder, mark, config, classic_picture(model), ended_by_itself(summary, model.tick))


@solara.component
def ClassicRun(session: Session, folder: Path, *, going: bool = False) -> None:
    """A run that is over, or one that is followed from checkpoint to checkpoint.

    Args:
        folder: of the run.
        going: somebody writes it now.
    """
    seen = use_polled(lambda before: read_classic_record(folder, before), str(folder), seconds=LOOK)
    record = seen.value
    if record is None:
        Empty(seen.error or f"Reading {folder.name}.")
        return
    with solara.Div(classes=["ev-panels"]):
        with solara.Div(classes=["ev-w12"]):
            _Head(record, going, seen.error)
        GroundPanel(record.picture, session.dark.value)
        OverTimePanel(record.picture, session.dark.value, _NOTHING)


@solara.component
def _Head(record: ClassicRecord, going: bool, trouble: str) -> None:
    """What ran, how far it came, and where there is more of it."""
    config, step = record.config, record.picture.tick
    with Card(f"Run {record.folder.name}", note=f"{config.model}, seed {config.seed}"):
        if going:
            with v.Html(tag="div", class_="ev-status"):
                v.Html(tag="span", class_="ev-state", children=["live"])
                solara.Text(_LIVE)
        if trouble:
            _line(f"What is shown may be out of date: {trouble}", soft=True)
        outcome, other = _outcome(record, going)
        _line(f"Step {step} of {config.generations}: {outcome} {_settings(config)}")
        if not going:
            _line(_LAST, soft=True)
        folder = shlex.quote(str(record.folder))
        _line(f"On the command line: evolora report {folder} · evolora {other} {folder}", soft=True)


def _line(text: str, *, soft: bool = False) -> None:
    with solara.Div():
        solara.Text(text, classes=["ev-soft"] if soft else [])


def _outcome(record: ClassicRecord, going: bool) -> tuple[str, str]:
    """What became of it, and a command that is of use then."""
    if going:
        return "it goes on.", "watch"
    if record.picture.tick >= record.config.generations:
        return "it is finished.", "replay"
    if record.ended:
        return "the model ended by itself.", "replay"
    return "it was cut off, and evolora resume goes on with it.", "resume"


def _settings(config: ClassicConfig) -> str:
    given = ", ".join(f"{name} = {value}" for name, value in config.set.items())
    return f"Given settings: {given}; all others are the model's own." if given else "All settings are the model's own."
