"""Signals that ask a program to end: Ctrl-C, a polite kill, and a terminal that goes away."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

__all__ = ["Interrupt", "Leaving", "exit_code", "leaving_at_once", "told"]

_KILLS = ("SIGTERM", "SIGHUP")


def exit_code(name: str) -> int:
    """What a shell reports for a program that a signal ended."""
    return 128 + signal.Signals[name]


def told(name: str) -> str:
    """The signal as people know it."""
    return "Ctrl-C" if name == "SIGINT" else name


class Leaving:
    """While it is entered, a polite kill or a closed terminal unwinds the program as Ctrl-C does, to leave no debris.

    Attributes:
        by: name of the signal that came; empty before.
    """

    def __init__(self) -> None:
        self.by = ""
        self._handlers = contextlib.ExitStack()

    def __enter__(self) -> Leaving:
        self._handlers.enter_context(_handled(_KILLS, self._leave))
        return self

    def __exit__(self, *error: object) -> None:
        self._handlers.close()

    def _leave(self, number: int, frame: FrameType | None) -> None:
        if not self.by:  # a closed terminal can send its signal twice, which must not disturb the unwinding
            self.by = signal.Signals(number).name
            raise KeyboardInterrupt


class Interrupt:
    """While it is entered, a signal that asks for an end only sets `requested`; a second Ctrl-C leaves at once.

    Args:
        tell: called at the first signal, inside the signal handler.

    Attributes:
        requested: name of the first signal that came; empty before.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self.requested = ""
        self._tell = tell
        self._handlers = contextlib.ExitStack()

    def __enter__(self) -> Interrupt:
        self._handlers.enter_context(_handled(("SIGINT", *_KILLS), self._ask))
        return self

    def __exit__(self, *error: object) -> None:
        self._handlers.close()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if not self.requested:
            self.requested = signal.Signals(number).name
            self._tell()
        elif number == signal.SIGINT:
            raise KeyboardInterrupt


def leaving_at_once() -> contextlib.AbstractContextManager[None]:
    """While it is entered, those signals end the process on the spot, for one that has nothing to lose yet.

    An exception in the midst of an import can be swallowed, or leave the import's lock behind for ever.
    """
    return _handled(("SIGINT", *_KILLS), lambda number, _: os._exit(128 + number))


@contextlib.contextmanager
def _handled(names: Sequence[str], handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Give signals to ``handler``, as far as they exist here, and outside the main thread none at all."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name) for name in names if hasattr(signal, name)):  # Windows lacks SIGHUP
            ignored = signal.getsignal(number) == signal.SIG_IGN  # as nohup wants it
            if not ignored or number == signal.SIGINT:  # scripts ignore it for what they start in the background
                before[number] = signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
