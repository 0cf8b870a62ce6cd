"""Which code lived a run: results of different code are not to be held against each other unnoticed."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from evolora_mesa import __version__
from evolora_mesa.study.sweep.job import OURS

__all__ = ["code_version"]

_DIGITS = 12


@cache
def code_version(model: str) -> str:
    """The version of this package with a hash of its sources; of another model, also one of its module's package.

    Args:
        model: ``package.module:Class``.
    """
    ours = f"{__version__}+{_hash(Path(__file__).parents[2])}"
    if model == OURS:
        return ours
    spec = importlib.util.find_spec(model.partition(":")[0])
    if spec is None or spec.origin is None:  # of a model that was typed in, nothing lies on the disk
        return ours
    home = Path(spec.origin)
    return f"{ours} {home.stem}+{_hash(home.parent if '.' in spec.name else home)}"


def _hash(place: Path) -> str:
    """Of a file, or of all Python files below a folder with their names."""
    found = hashlib.sha256()
    for path in _sources(place):
        text = path.read_bytes()
        found.update(f"{path.relative_to(place.parent).as_posix()} {len(text)}\n".encode())
        found.update(text)
    return found.hexdigest()[:_DIGITS]


def _sources(place: Path) -> Iterable[Path]:
    return [place] if place.is_file() else sorted(place.rglob("*.py"))
