"""Small models for stages, and how to wait for what another thread does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import mesa

LONGEST_WAIT = 30.0  # seconds; nothing here takes a tenth of one on an idle machine


def wait_for(fact: Callable[[], object], what: str = "it") -> None:
    """Return as soon as ``fact()`` is true; fail if it never is."""
    end = time.monotonic() + LONGEST_WAIT
    while not fact():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.002)


@contextmanager
def still(tree: Any) -> Iterator[None]:
    """A drawing that nobody else is at: seen whole, and no hand on it is lost. What changes is drawn at the end."""
    with tree, tree.thread_lock:
        yield


def hear_out(session: Any) -> None:
    """Wait until all is shown and drawn of a change of which something can be seen already."""
    with session._looking:
        pass


class Clock(mesa.Model):
    """Counts its generations.

    Args:
        life: generations after which it ends.
        breaks_at: generation in which it breaks.
        door: every generation waits until it is open.
    """

    def __init__(self, life: int = 10**9, breaks_at: int = -1, door: threading.Event | None = None) -> None:
        super().__init__(rng=0)
        self.tick, self.life, self.breaks_at, self.door = 0, life, breaks_at, door
        mesa.Agent(self)  # by its agents Mesa remembers a model

    def step(self) -> None:
        if self.door is not None:
            assert self.door.wait(LONGEST_WAIT)
        if self.tick + 1 == self.breaks_at:
            raise ValueError("the spring\nis broken")
        self.tick += 1
        self.running = self.tick < self.life


def tick_of(model: Clock, before: int | None = None) -> int:
    """The picture of a clock."""
    assert before is None or before < model.tick
    return model.tick
