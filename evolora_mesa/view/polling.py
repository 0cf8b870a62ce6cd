"""Looking again and again at what somebody else writes, as long as a page is open."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Final, Generic, NamedTuple, TypeVar

import solara

from evolora_mesa.view.stage import in_one_line

__all__ = ["LOOK", "Seen", "unless_same", "use_polled"]

LOOK: Final = 1.0  # seconds between two looks at what somebody else writes

Value = TypeVar("Value")


class Seen(NamedTuple, Generic[Value]):
    """What was seen last.

    Attributes:
        value: `None` before the first look; it stays when a later one fails.
        error: why the last look failed, in one line; empty if it did not.
    """

    value: Value | None = None
    error: str = ""


def use_polled(look: Callable[[Value | None], Value], about: Hashable, *, seconds: float = LOOK) -> Seen[Value]:
    """Look in a thread of its own, which ends with the component, and redraw when something else is seen.

    Args:
        look: given what was seen before, which it may give back.
        about: what is looked at; with another one the search begins anew.
        seconds: between two looks.
    """
    seen, see = solara.use_state((about, Seen[Value]()), key="seen")
    found = seen[1] if seen[0] == about else Seen[Value]()

    def begin() -> Callable[[], None]:
        over = threading.Event()

        def watch() -> None:
            last = found
            while not over.is_set():
                try:
                    now = Seen(look(last.value))
                except Exception as error:  # files may hold anything; whoever looks must not stop looking
                    now = Seen(last.value, in_one_line(error))
                if not over.is_set() and (now.value is not last.value or now.error != last.error):
                    see((about, now))
                last = now
                over.wait(seconds)

        threading.Thread(target=watch, name="look", daemon=True).start()
        return over.set

    solara.use_effect(begin, [about, seconds])
    return found


def unless_same(now: Value, before: Value | None) -> Value:
    """What was seen before where nothing has changed, so that nothing is drawn anew."""
    return before if before is not None and before == now else now
