"""Looking again and again at what somebody else writes, as long as a page is open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

import solara

from evolora_mesa.errors import EvoloraError

__all__ = ["Seen", "use_polled"]

Value = TypeVar("Value")


class Seen(NamedTuple, Generic[Value]):
    """What was seen last; ``value`` is `None` before the first look, ``error`` says in one line why a look failed."""

    value: Value | None = None
    error: str = ""


def use_polled(look: Callable[[Value | None], Value], about: Hashable, *, seconds: float | None = 1.0) -> Seen[Value]:
    """Look in a thread of its own, which ends with the component, and redraw when something else is seen.

    Args:
        look: given what was seen before, which it may give back.
        about: what is looked at; with another one the search begins anew.
        seconds: between two looks; `None` looks once.
    """
    seen, see = solara.use_state((about, Seen[Value]()), key="seen")

    def begin() -> Callable[[], None]:
        over = threading.Event()

        def watch() -> None:
            last: Seen[Value] = Seen()
            while not over.is_set():
                try:
                    now = Seen(look(last.value))
                except EvoloraError as error:
                    now = Seen(last.value, str(error))
                if not over.is_set() and (now.value is not last.value or now.error != last.error):
                    see((about, now))
                last = now
                if seconds is None or over.wait(seconds):
                    return

        threading.Thread(target=watch, name="look", daemon=True).start()
        return over.set

    solara.use_effect(begin, [about, seconds])
    return seen[1] if seen[0] == about else Seen()
