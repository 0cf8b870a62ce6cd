"""A folder beside the place where something is to appear whole; one that a killed process leaves is cleared away.

Whether its maker is dead is known for certain: while it works it holds a lock, which the system takes from it however
it ends. A note in the folder says that the lock was taken; one without it can be about to be locked, and is left alone.
Where there are no such locks, as on Windows, nothing is ever cleared.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["clear_abandoned", "workshop"]

_PREFIX: Final = ".run-"
_NOTE: Final = "maker.txt"


@contextlib.contextmanager
def workshop(parent: Path) -> Iterator[Path]:
    """An empty folder in a hidden one below ``parent``, which is gone in the end; what is finished is moved out of it.

    Raises:
        OSError: it cannot be made.
    """
    clear_abandoned(parent)
    with tempfile.TemporaryDirectory(prefix=_PREFIX, dir=parent) as name:
        number = os.open(name, os.O_RDONLY) if fcntl is not None else -1
        try:
            if fcntl is not None:
                with contextlib.suppress(OSError):  # a disk without locks: without the note nobody clears it
                    fcntl.flock(number, fcntl.LOCK_EX)  # waits for one who looks whether it is abandoned
                    (Path(name) / _NOTE).write_text(f"process {os.getpid()}\n", encoding="ascii")
            made = Path(name) / "made"
            made.mkdir()
            yield made
        finally:
            if number >= 0:
                os.close(number)


def clear_abandoned(parent: Path) -> None:
    """Remove the workshops below ``parent`` whose makers are dead. That one cannot be removed does no harm."""
    if fcntl is None:
        return
    for path in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if (path / _NOTE).is_file():
                    shutil.rmtree(path)
            finally:
                os.close(number)
