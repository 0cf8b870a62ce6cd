"""The folder of a sweep: one process works in it, and it holds one sweep, which may grow."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.record.lock import RunLock
from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.ledger import Ledger
from evolora_mesa.study.sweep.reading import dump_spec
from evolora_mesa.study.sweep.results import STORE_FILE, write_text
from evolora_mesa.study.sweep.spec import SweepSpec
from evolora_mesa.study.sweep.subject import metrics_of

__all__ = ["LOCK_FILE", "RUNS_FOLDER", "SPEC_FILE", "default_folder", "open_folder"]

SPEC_FILE: Final = "spec.yaml"  # as it was last asked for, resolved
LOCK_FILE: Final = "sweep.lock"
RUNS_FOLDER: Final = "runs"  # a folder a run, by key


def default_folder(spec: SweepSpec) -> Path:
    """``sweeps/<name>``, whatever the name is."""
    return Path("sweeps") / (re.sub(r"[^\w.-]+", "-", spec.name).strip(".-") or "sweep")


@contextlib.contextmanager
def open_folder(folder: Path, agenda: Agenda) -> Iterator[Ledger]:
    """The ledger of the sweep, with what it has of the agenda; nobody else writes in the folder meanwhile.

    Results that lack a metric which is asked for now are forgotten: their runs are measured again, from their folders.

    Args:
        folder: of the sweep, or a new or empty one.

    Raises:
        ConfigError: it holds another sweep.
        RunError: it is no folder for a sweep, cannot be written, or another process works in it.
    """
    _make(folder)
    with RunLock(folder, LOCK_FILE, "sweep"), Ledger(folder) as ledger:
        _check_same(folder, agenda, ledger)
        write_text(folder / SPEC_FILE, dump_spec(agenda.spec))
        ledger.forget(set(ledger.results) - set(ledger.measured_as(metrics_of(agenda.spec))))
        yield ledger


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        strange = not (folder / STORE_FILE).exists() and any(path.name != LOCK_FILE for path in folder.iterdir())
    except OSError as error:
        raise RunError(
            "cannot write the folder of the sweep", where=folder, got=error.strerror, do="Choose another --out."
        ) from error
    if strange:
        raise RunError("not the folder of a sweep", where=folder, expected="an empty one", do="Choose another --out.")


def _check_same(folder: Path, agenda: Agenda, ledger: Ledger) -> None:
    """Refuse a sweep of which nothing is there while something else is."""
    there = ledger.keys
    if there and not any(run.key in there for run in agenda.runs({})):
        raise ConfigError(
            "the folder holds another sweep, or this one with all of its runs changed",
            where=folder,
            got=f"{len(there)} other runs",
            do="Choose another --out.",
        )
