"""Signals that ask a program to end: Ctrl-C, a polite kill, and a terminal that goes away."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

__all__ = ["Interrupt", "Killed", "Leaving", "exit_code", "leaving_at_once", "told"]

_KILLS = ("SIGTERM", "SIGHUP")
_AGAIN_AFTER = 0.05  # seconds
_PATIENCE = 200  # times


def exit_code(name: str) -> int:
    """What a shell reports for a program that a signal ended."""
    return 128 + signal.Signals[name]


def told(name: str) -> str:
    """The signal as people know it."""
    return "Ctrl-C" if name == "SIGINT" else name


class Killed(KeyboardInterrupt):
    """A signal other than Ctrl-C, whose name it holds, asks for the end.

    Not a plain KeyboardInterrupt: after one of these has come out of an ``exec`` of a string, as a data class makes it,
    ``python -m`` ends as if by Ctrl-C, whatever exit code it was given.
    """


class Leaving:
    """While it is entered, a polite kill or a closed terminal unwinds the program as Ctrl-C does, to leave no debris.

    In the midst of an import, which may swallow an exception, the signal comes again a little later, for ten seconds
    at most.

    Attributes:
        by: name of the signal that came; empty before.
    """

    def __init__(self) -> None:
        self.by = ""
        self._handlers = contextlib.ExitStack()
        self._again: list[threading.Timer] = []
        self._patience = _PATIENCE
        self._is_over = False

    def __enter__(self) -> Leaving:
        self._handlers.enter_context(_handled(_KILLS, self._leave))
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over = True
        for again in self._again:
            again.cancel()
        for again in self._again:
            again.join()  # it may be sending its signal right now, for which the handlers before ours are not meant
        self._handlers.close()

    def _leave(self, number: int, frame: FrameType | None) -> None:
        if self.by or self._is_over:  # a closed terminal can send its signal twice: the unwinding goes on undisturbed
            return
        if self._patience > 0 and _imports(frame):
            self._patience -= 1
            again = threading.Timer(_AGAIN_AFTER, _send, [number])
            again.daemon = True
            self._again.append(again)
            again.start()
        else:
            self.by = signal.Signals(number).name
            raise Killed(self.by)


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


def _send(number: int) -> None:
    """To the main thread, which may sleep in a system call by now; Windows has no signals for threads."""
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, number)
    else:
        signal.raise_signal(number)


def _imports(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_globals.get("__name__") != "importlib._bootstrap":
        frame = frame.f_back
    return frame is not None


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
