"""Whether the folder of a classic's run is sound: its files say what its checkpoint says, and the log adds up."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.runs import LOG_FOLDER, SERIES_FILE, ClassicConfig, checkpointed, series_table, summary_of
from evolora_mesa.errors import LogError
from evolora_mesa.record.invariants import Finding
from evolora_mesa.record.layout import SUMMARY_FILE
from evolora_mesa.record.verification import Verification

if TYPE_CHECKING:
    from evolora_mesa.alife.interface import EvoModel

__all__ = ["digest_of", "verify_classic"]


def verify_classic(run: Path) -> Verification:
    """Check a run folder, also one that goes on: then what an earlier end has left is only told of.

    Raises:
        RunError: the checkpoint cannot be read.
    """
    summary = summary_of(run)  # first, for of a run that is being written the last checkpoint comes before it
    model, config = checkpointed(run)
    ended = summary.get("generations", model.tick) if summary is not None else None
    is_earlier = isinstance(ended, int) and ended < model.tick
    faults = list(_own(model))
    if summary is not None and not is_earlier:
        faults += _beside(run, model, config, summary)
    return Verification(
        model.tick,
        digest_of(model),
        [Finding("files agree with the checkpoint", -1, fault) for fault in faults],
        finished=summary is not None and not is_earlier,
        results=f"log, series and summary are those of step {ended}" if is_earlier else "",
    )


def _own(model: EvoModel) -> Iterator[str]:
    try:
        model.log.so_far()
    except LogError as error:
        yield f"the checkpoint's log: {error}"


def _beside(run: Path, model: EvoModel, config: ClassicConfig, summary: dict[str, Any]) -> Iterator[str]:
    told = {"model": config.model, "seed": config.seed, "generations": model.tick, "events": len(model.log)}
    if {name: summary.get(name) for name in told} != told:
        yield f"{SUMMARY_FILE} says something else"
    try:
        if (run / SERIES_FILE).read_text(encoding="utf-8") != series_table(model.series()):
            yield f"{SERIES_FILE} says something else"
        if model.log.enabled and not _are_equal(EventLog.load(run / LOG_FOLDER), model.log):
            yield f"{LOG_FOLDER} says something else"
    except (OSError, ValueError, LogError) as error:
        yield str(error)


def _are_equal(one: EventLog, other: EventLog) -> bool:
    ours, theirs = one.state_dict()["arrays"], other.state_dict()["arrays"]
    return ours.keys() == theirs.keys() and all(
        np.array_equal(ours[name], theirs[name], equal_nan=ours[name].dtype.kind == "f") for name in ours
    )


def digest_of(model: EvoModel) -> str:
    """SHA-256 of the model's whole state."""
    state = model.state_dict()
    arrays = state.pop("arrays")
    digest = hashlib.sha256(json.dumps(state, sort_keys=True).encode("utf-8"))
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
