"""What a run prints: into a file in its folder, of bounded size, also what libraries below Python write."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, TextIO

from evolora_mesa.record.layout import LOG_FILE

__all__ = ["RunLog", "early_log", "trim"]

_MOST_BYTES: Final = 10 * 1024 * 1024
_CUT: Final = b"\n... the log was cut here\n"


def early_log(folder: Path) -> Path:
    """Where the log lies until there is a folder: one that is to become a run's must be empty before."""
    return folder.with_name(f"{folder.name}.log")


def trim(path: Path) -> None:
    """Cut a log that has become too long; what is written later comes after the cut."""
    with contextlib.suppress(OSError):  # no log, or no room for the note: neither is a reason to lose a run
        if path.stat().st_size > _MOST_BYTES:
            os.truncate(path, _MOST_BYTES - len(_CUT))
            with path.open("ab") as file:
                file.write(_CUT)


class RunLog:
    """While it is entered, all output of this process goes into the log of a run.

    Args:
        folder: of the run; it need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._early = folder, early_log(folder)
        self._open = contextlib.ExitStack()

    def __enter__(self) -> RunLog:
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        with self._early.open("ab") as file:
            self._open.enter_context(_rerouted(file.fileno()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.settle()
        self._open.close()
        trim(self._folder / LOG_FILE)

    def settle(self) -> None:
        """From now on the log lies in the folder."""
        if not self._early.exists():
            return
        _flush()
        self._folder.mkdir(exist_ok=True)
        with (self._folder / LOG_FILE).open("ab") as file:
            file.write(self._early.read_bytes())
            for place in (1, 2):
                os.dup2(file.fileno(), place)
        self._early.unlink()

    def take_back(self) -> None:
        """The folder is about to be emptied: what the log has there is kept."""
        inside = self._folder / LOG_FILE
        if inside.exists():
            with self._early.open("ab") as file:
                file.write(inside.read_bytes())
            inside.unlink()


@contextlib.contextmanager
def _rerouted(number: int) -> Iterator[None]:
    """Both outputs of this process, Python's and those below it, into the file ``number``."""
    _flush()
    kept = [os.dup(1), os.dup(2)]
    python: tuple[TextIO, TextIO] = sys.stdout, sys.stderr
    for place in (1, 2):
        os.dup2(number, place)
    text = open(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stderr = text
    try:
        yield
    finally:
        _flush()
        with contextlib.suppress(OSError, ValueError):  # before the outputs are back, or it would write into them
            text.close()
        sys.stdout, sys.stderr = python
        for place, old in enumerate(kept, start=1):
            os.dup2(old, place)
            os.close(old)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # closed by what ran, or its reader has gone
            stream.flush()
