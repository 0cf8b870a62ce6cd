"""Processes of their own for tests: where they live, whether they still do, and what is waited for with patience."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["PATIENCE", "descendants", "environment", "is_alive", "wait_until"]

PATIENCE: Final = 240.0  # seconds; a loaded machine takes ten times as long as an idle one
ROOT: Final = Path(__file__).resolve().parents[1]

# What libraries announce about their own future is not what a command says. Doubts about arithmetic remain.
_NOT_OURS: Final = "ignore::FutureWarning,ignore::UserWarning"


def environment(*folders: Path, **more: str) -> dict[str, str]:
    """For a process that finds the package, and the modules in ``folders``."""
    path = os.pathsep.join(map(str, (*folders, ROOT)))
    return {**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": _NOT_OURS, **more}


def wait_until(happened: Callable[[], object], what: str) -> None:
    """Look again and again.

    Raises:
        TimeoutError: it was in vain; ``what`` says for what.
    """
    end = time.monotonic() + PATIENCE
    while not happened():
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.02)


def is_alive(process: int) -> bool:
    """Whether it still runs; one that nobody has waited for yet does not. Linux only."""
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def descendants(process: int) -> list[int]:
    """Its children, and theirs. Linux only."""
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*"):
        try:
            children = [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found
