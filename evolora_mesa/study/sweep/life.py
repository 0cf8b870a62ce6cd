"""What is known of a run that has come to its end, and the mark that tells to whom a folder belongs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evolora_mesa.record.layout import LOG_FILE
from evolora_mesa.study.sweep.code_version import code_version
from evolora_mesa.study.sweep.job import Job

__all__ = ["MARK_FILE", "Life", "Mark", "empty", "mark", "mark_of", "tidy"]

MARK_FILE: Final = "job.json"  # in the folder of every run of a sweep


@dataclass(frozen=True)
class Life:
    """A run at its end.

    Attributes:
        outcome, generations, digest, code: as in `Result`.
        figures: by name, values after every step, the founding first.
        store: SQLite file that queries read.
        worth: of the survivors on a pool, numbers by name.
    """

    outcome: str
    generations: int
    digest: str
    code: str
    figures: Mapping[str, list[float | None]]
    store: Path
    worth: Callable[[str], Mapping[str, float]]


@dataclass(frozen=True)
class Mark:
    """Whose folder it is.

    Attributes:
        job: that is lived in it.
        code: that began it.
    """

    job: Job
    code: str


def mark(folder: Path, job: Job) -> None:
    """Note in the folder which run it is of."""
    aside = folder / f".{MARK_FILE}"
    aside.write_text(json.dumps({"code": code_version(job.model), "job": job.as_json()}), encoding="utf-8")
    aside.replace(folder / MARK_FILE)


def mark_of(folder: Path) -> Mark | None:
    """The mark of a folder; `None` where there is none, as in one whose making was cut off."""
    try:
        found = json.loads((folder / MARK_FILE).read_text(encoding="utf-8"))
        return Mark(Job.from_json(found["job"]), found["code"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def empty(folder: Path) -> None:
    """Remove the folder with all that is in it."""
    if folder.exists():
        shutil.rmtree(folder)


def tidy(folder: Path, keep: str, *heavy: str) -> None:
    """Leave of a run what is to be kept, its log always.

    Args:
        keep: "all", "records" or "nothing".
        heavy: names of what goes unless all is kept.
    """
    going = {"all": [], "records": [folder / name for name in heavy], "nothing": list(folder.iterdir())}[keep]
    for path in going:
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOG_FILE:
            path.unlink(missing_ok=True)
