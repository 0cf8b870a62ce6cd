"""The lock of a run, or of a sweep: one process writes, and others are told which."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from types import TracebackType

from evolora_mesa.errors import RunError, one_line
from evolora_mesa.record.layout import LOCK_FILE

try:
    import fcntl
except ImportError:  # on Windows, which keeps others out of an open store by itself
    fcntl = None  # type: ignore[assignment]

__all__ = ["RunLock"]

_LONGEST_NOTE = 200  # bytes


class RunLock:
    """Held while it is entered. The system takes it from a process that ends, however it ends, so none is left over.

    Args:
        folder: of the run.
        file: in it, that is locked.
        what: is locked, in a word.

    Raises:
        RunError: another process holds it, or it cannot be taken.
    """

    def __init__(self, folder: Path, file: str = LOCK_FILE, what: str = "run") -> None:
        self.path, self._what = folder / file, what
        self._number = -1

    @staticmethod
    def is_held(folder: Path, file: str = LOCK_FILE) -> bool:
        """Whether some process writes the run, or the sweep, now; True where that cannot be found out."""
        path = folder / file
        try:
            with path.open("rb") as lock:
                if fcntl is None:
                    return True
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)  # given back when the file is closed
        except BlockingIOError:
            return True
        except OSError:
            return path.exists()
        return False

    def __enter__(self) -> RunLock:
        try:
            # O_NOFOLLOW: a link would have us write somewhere else. O_CLOEXEC is Python's default.
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            self._number = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise RunError(
                f"the {self._what} cannot be locked", where=self.path, got=error.strerror or str(error)
            ) from error
        try:
            if fcntl is not None:
                fcntl.flock(self._number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            note = f"process {os.getpid()} since {datetime.now().astimezone().isoformat(timespec='seconds')}"
            os.ftruncate(self._number, 0)
            os.write(self._number, note.encode("ascii"))
        except BlockingIOError as error:
            holder = self._holder()
            self._let_go()
            raise RunError(
                f"the {self._what} is being written",
                where=self.path.parent,
                got=holder,
                do="Wait for it, or end that process.",
            ) from error
        except OSError as error:
            self._let_go()
            raise RunError(
                f"the {self._what} cannot be locked", where=self.path, got=error.strerror or str(error)
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The file stays: were it removed, somebody who has just opened it would lock what nobody else can find.
        self._let_go()

    def _holder(self) -> str:
        note = os.read(self._number, _LONGEST_NOTE).decode("ascii", "replace")
        return one_line(note) or "another process"

    def _let_go(self) -> None:
        os.close(self._number)  # which gives the lock back
        self._number = -1
