"""Real processes that a test can have killed at a named point.

They are forked off a server that has imported everything: a process of its own costs a tenth of a second instead of
three seconds.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from processes import environment as surroundings

from evolora_mesa.record.layout import (
    ADAPTERS_FOLDER,
    CHECKPOINT_FOLDER,
    STATE_FILE,
    STORE_FILE,
    TENSORS_FILE,
    checkpoint_name,
)
from evolora_mesa.record.store import RunStore

GENERATIONS = 4
WORLD = (
    *("run", "smoke", "--generations", str(GENERATIONS), "--quiet"),
    *("--set", "record.checkpoint_every=2", "--set", "population.episodes=4"),
)
_PATIENCE = 120  # seconds


class Ended(NamedTuple):
    """How a process ended; ``code`` is negative for a signal."""

    code: int | None
    said: str


def start(
    arguments: Sequence[str],
    said: Path,
    environment: Mapping[str, str] | None = None,
    before: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
) -> BaseProcess:
    """``evolora ARGUMENTS`` in a process of its own, whose output goes to the file ``said``.

    Args:
        before: called first in the process, with ``given``.
    """
    server = _server()
    process = server.Process(
        target=_live, args=(tuple(arguments), str(said), dict(environment or {}), before, given), daemon=True
    )
    process.start()
    return process


def evolora(
    *arguments: str,
    said: Path,
    fault: str = "",
    before: Callable[..., None] | None = None,
    given: tuple[Any, ...] = (),
) -> Ended:
    """The same to its end.

    Args:
        fault: where what signal hits it; see `evolora_mesa.record.faultpoints`.
    """
    process = start(arguments, said, {"EVOLORA_FAULT": fault}, before, given)
    process.join(_PATIENCE)
    if process.exitcode is None:
        process.kill()
        process.join()
    return Ended(process.exitcode, said.read_text(encoding="utf-8"))


@functools.cache
def _server() -> ForkServerContext:
    """What processes are forked off, with everything imported."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["evolora_mesa.cli", "evolora_mesa.record.runfolder", "evolora_mesa.model"])
    with pytest.MonkeyPatch.context() as patch:  # Python 3.11 does not tell the server where we import from
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        patch.setenv("PYTHONWARNINGS", surroundings()["PYTHONWARNINGS"])
        patch.setenv("PYTHONHASHSEED", "0")  # another one has its own test
        forkserver.ensure_running()
    return server


def _live(
    arguments: tuple[str, ...],
    said: str,
    environment: dict[str, str],
    before: Callable[..., None] | None,
    given: tuple[Any, ...],
) -> None:
    os.environ.update(environment)
    number = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(number, 1)
    os.dup2(number, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, encoding="utf-8") for number in (1, 2))
    import torch

    from evolora_mesa.cli import main

    torch.set_num_threads(1)
    if before is not None:
        before(*given)
    code = main(arguments)
    os._exit(code)


def digest(folder: Path) -> str | None:
    """Of all events to the last generation; `None` if it is not there."""
    with RunStore.open(folder / STORE_FILE) as store:
        return store.digest_of(GENERATIONS)


def ending(folder: Path) -> list[object]:
    """All by which two runs are one: the digest of the events, the adapters, the last state without its seconds."""
    adapters, checkpoint = folder / ADAPTERS_FOLDER, folder / CHECKPOINT_FOLDER / checkpoint_name(GENERATIONS)
    state = json.loads((checkpoint / STATE_FILE).read_bytes())
    for name in ("host_seconds", "step_seconds"):
        del state["figures"]["generations"][name]
    files = {str(path.relative_to(adapters)): path.read_bytes() for path in adapters.rglob("*") if path.is_file()}
    return [digest(folder), files, state, (checkpoint / TENSORS_FILE).read_bytes()]


def contents(folder: Path) -> dict[str, bytes]:
    """Files that matter; the lock's note and SQLite's own files come and go."""
    passing = ("run.lock", f"{STORE_FILE}-wal", f"{STORE_FILE}-shm")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in passing
    }
