"""Standard streams that cannot end a command: what fails to be written is lost, and that is remembered."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

__all__ = ["Outlet", "outlets"]


class Outlet:
    """A text stream to write to. After its first failure it goes to nowhere.

    Args:
        stream: where the text goes.
        ends: whether the end of its reader, as behind ``| head``, is raised once as `BrokenPipeError`.

    Attributes:
        lost: the failure, if there was one.
    """

    def __init__(self, stream: TextIO, *, ends: bool) -> None:
        self._stream, self._ends = stream, ends
        self.lost: OSError | None = None
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="backslashreplace")  # a name beyond the terminal's encoding is no failure

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            self._lose(error)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _lose(self, error: OSError) -> None:
        self.lost = self.lost or error
        with contextlib.suppress(OSError):  # some streams have no number
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # else Python tries again at its end, and complains
            os.close(nowhere)
        if self._ends and isinstance(error, BrokenPipeError):
            raise error


@contextlib.contextmanager
def outlets() -> Iterator[Outlet]:
    """Put outlets in the place of the standard streams; gives that of the output."""
    closed = sys.stdout is None  # as after `>&-`
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # taken, or the next file that is opened would get its number
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  as long as the process
    output, errors = Outlet(sys.stdout, ends=True), Outlet(sys.stderr, ends=False)
    if closed:
        output.lost = OSError(errno.EBADF, "it is closed")
    with contextlib.redirect_stdout(cast(TextIO, output)), contextlib.redirect_stderr(cast(TextIO, errors)):
        yield output
