"""The summary of a run: while it is there, the run is over.

A run that is made longer keeps the results of its earlier end until it has new ones. The summary gets another name
meanwhile, and whoever looks is told of which generation the rest is.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from evolora_mesa.record.layout import (
    ADAPTERS_FOLDER,
    EARLIER_SUMMARY_FILE,
    PHYLOGENY_FILE,
    RESULTS_PREFIX,
    SUMMARY_FILE,
)

__all__ = ["earlier_results", "read_summary", "set_aside"]

_MOST_BYTES: Final = 1024 * 1024


def read_summary(path: Path) -> Any:
    """What a summary says.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read, or is none.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError("it is too large")
    return json.loads(path.read_text(encoding="utf-8"))


def set_aside(run: Path) -> None:
    """The run is not over any more; its earlier results stay until there are new ones.

    Raises:
        OSError: the folder cannot be written.
    """
    if (run / SUMMARY_FILE).exists():
        (run / SUMMARY_FILE).replace(run / EARLIER_SUMMARY_FILE)
    for debris in run.glob(f"{RESULTS_PREFIX}*"):  # of a process that was killed at its end
        shutil.rmtree(debris)


def earlier_results(run: Path) -> str:
    """A line for people, when a run that goes on has results that are older than its records; else empty."""
    if (run / SUMMARY_FILE).exists() or not (run / EARLIER_SUMMARY_FILE).exists():
        return ""
    try:
        generation = read_summary(run / EARLIER_SUMMARY_FILE)["generations"]
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        generation = None
    when = f"generation {generation}, where the run had ended" if type(generation) is int else "an earlier end"
    return f"{ADAPTERS_FOLDER}/ and {PHYLOGENY_FILE} are of {when}; it goes on, and replaces them at its new end."
