"""A stage: one world, and the one thread that lives it.

The model is alive in that thread alone. Everybody else reads the last picture, which is immutable, or asks a question
that the thread answers between two generations. So drawing and stepping never meet.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from evolora_mesa.errors import EvoloraError, RunError, one_line
from evolora_mesa.view.forget import forget

if TYPE_CHECKING:
    import mesa  # by name only: it loads for seconds, and the page is there before the world is

__all__ = ["Stage", "Status", "in_one_line"]

Status = Literal["loading", "paused", "playing", "ended", "failed"]
World = TypeVar("World", bound="mesa.Model")
Shot = TypeVar("Shot")
Answer = TypeVar("Answer")

# Drawing and stepping share the interpreter: what a listener may take of its own thread's time bounds what it costs
# the world, however slow a drawing is.
_LISTENER_SHARE = 0.2
_MEASURED = 20  # generations over which the speed is measured
_LONGEST_MESSAGE = 300  # characters

log = logging.getLogger(__name__)


class Stage(Generic[World, Shot]):
    """One world and the thread that steps it; it starts to load at once, and then it is paused.

    Args:
        make: the world, made in the thread.
        take: its picture, from the world and the picture before, which is `None` for the first. Taken in the thread
            after every generation, so it has to be cheap.
        pace: most generations per second while playing; `None` is as many as there can be.
        lent: the world is somebody's who may go on with it, so it is not taken apart at the end.

    Attributes:
        picture: the latest, whole and never changed; `None` until the world is made.
        pace: as above; may be set at any time.
        message: what went wrong, in one line; empty if nothing did.
        details: its traceback.
    """

    def __init__(
        self,
        make: Callable[[], World],
        take: Callable[[World, Shot | None], Shot],
        *,
        pace: float | None = None,
        lent: bool = False,
    ) -> None:
        self._take, self.pace, self._lent = take, pace, lent
        self.picture: Shot | None = None
        self.message, self.details = "", ""
        self._bell = threading.Condition()  # rung at every change; guards what follows
        self._changes = 0
        self._loaded = self._playing = self._ended = self._closed = False
        self._steps = 0
        self._questions: deque[tuple[Callable[[World], Any], Future[Any]]] = deque()
        self._due = 0.0  # monotonic time before which the pace allows no generation
        self._lived: deque[float] = deque(maxlen=_MEASURED)  # monotonic times of the last generations
        self._thread = threading.Thread(target=self._live, args=(make,), name="world", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------ what everybody may read

    @property
    def status(self) -> Status:
        """What the world is doing."""
        if self.message:
            return "failed"
        if not self._loaded:
            return "loading"
        if self._ended:
            return "ended"
        return "playing" if self._playing else "paused"

    @property
    def closed(self) -> bool:
        """Nothing happens here any more."""
        return self._closed

    @property
    def speed(self) -> float | None:
        """Generations per second of the last few; `None` while not playing, or too early to say."""
        lived = tuple(self._lived)
        if not self._playing or len(lived) < 2 or lived[-1] <= lived[0]:
            return None
        return (len(lived) - 1) / (max(time.monotonic(), lived[-1]) - lived[0])

    # ------------------------------------------------------------------ what everybody may do

    def play(self) -> None:
        """Live generation after generation, until paused or until the world ends."""
        with self._bell:
            if not (self._playing or self._ended or self.message):
                self._playing = True
                self._lived.clear()
                self._ring()

    def pause(self) -> None:
        """Stop after the generation under way."""
        with self._bell:
            if self._playing or self._steps:
                self._playing, self._steps = False, 0
                self._ring()

    def step(self) -> None:
        """Live one more generation; while playing it changes nothing."""
        with self._bell:
            if not (self._playing or self._ended or self.message):
                self._steps += 1
                self._ring()

    def ask(self, question: Callable[[World], Answer]) -> Future[Answer]:
        """Have ``question(model)`` answered in the world's thread, between two generations.

        It must not change the world and must not keep it. What it raises is raised by the future's ``result``.
        """
        future: Future[Answer] = Future()
        with self._bell:
            if self._closed or not self._thread.is_alive():
                future.set_exception(_nobody_there(self.message))
            else:
                self._questions.append((question, future))
                self._bell.notify_all()  # no change: a listener that asks would call itself for ever
        return future

    def listen(self, callback: Callable[[], None], at_most_per_second: float = 20.0) -> Callable[[], None]:
        """Call back, in a thread of its own, after changes: a new picture, another status.

        Changes that come faster than the callback may be called are skipped; the last one never is.

        Returns:
            what ends it.
        """
        over = threading.Event()
        listener = threading.Thread(
            target=self._tell, args=(callback, 1.0 / at_most_per_second, over), name="listener", daemon=True
        )
        listener.start()

        def end() -> None:
            over.set()
            with self._bell:
                self._bell.notify_all()

        return end

    def close(self) -> None:
        """Give the world up. Returns at once; a generation under way ends in its thread and is dropped."""
        with self._bell:
            self._closed, self._playing, self._steps = True, False, 0
            self._ring()

    def join(self, timeout: float | None = None) -> bool:
        """Wait until the thread of a closed stage has ended, for so many seconds at most; whether it has."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # ------------------------------------------------------------------ the world's thread

    def _live(self, make: Callable[[], World]) -> None:
        """From the making of the world to its end."""
        world = self._open(make)
        while world is not None and (turn := self._next_turn()) is not None:
            turn(world)
        with self._bell:
            self._closed = self._closed or world is None
            questions, self._questions = list(self._questions), deque()
            self._ring()
        for _, future in questions:
            if future.set_running_or_notify_cancel():
                future.set_exception(_nobody_there(self.message))
        if world is not None and not self._lent:
            forget(world)
        del world
        gc.collect()  # a world is full of circles, and holds the weights of everybody who lives in it

    def _open(self, make: Callable[[], World]) -> World | None:
        try:
            world = make()
            self.picture = self._take(world, None)
        except BaseException as error:  # also what a family's code raises to end the program: the page must not die
            self._fail(error)
            return None
        with self._bell:
            self._loaded, self._ended = True, not world.running
            self._ring()
        return world

    def _next_turn(self) -> Callable[[World], None] | None:
        """Wait for something to do; `None` when there is nothing to do ever again."""
        with self._bell:
            while not self._closed:
                if self._questions:
                    return self._answer
                if self._steps:
                    self._steps -= 1
                    return self._advance
                wait = self._due - time.monotonic() if self._playing else None
                if wait is not None and wait <= 0:
                    return self._advance
                self._bell.wait(wait)
        return None

    def _answer(self, world: World) -> None:
        with self._bell:
            question, future = self._questions.popleft()
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(question(world))
        except BaseException as error:
            future.set_exception(error.with_traceback(None))  # its frames would hold the world

    def _advance(self, world: World) -> None:
        """One generation and its picture."""
        began = time.monotonic()
        try:
            world.step()
            picture = self._take(world, self.picture)
        except BaseException as error:
            self._fail(error)
            return
        with self._bell:
            if self._closed:
                return
            self.picture = picture
            self._lived.append(time.monotonic())
            self._due = began + (1.0 / self.pace if self.pace else 0.0)
            if not world.running:
                self._ended, self._playing, self._steps = True, False, 0
            self._ring()

    def _fail(self, error: BaseException) -> None:
        with self._bell:
            self.details = "".join(traceback.format_exception(error))
            self.message = in_one_line(error)  # first: whoever looks now shall not take the world for paused
            self._playing, self._steps = False, 0
            self._ring()

    # ------------------------------------------------------------------ telling

    def _ring(self) -> None:
        """Something changed. The bell must be held."""
        self._changes += 1
        self._bell.notify_all()

    def _tell(self, callback: Callable[[], None], least: float, over: threading.Event) -> None:
        """Call back after changes, ``least`` seconds apart or more, until it is over."""
        heard = -1
        while True:
            with self._bell:
                while not (over.is_set() or self._closed or self._changes != heard):
                    self._bell.wait()
                # What fails while it loads is closed then too, and its listeners have to hear of it.
                if over.is_set() or self._changes == heard:
                    return
                heard = self._changes
            began, busy = time.monotonic(), time.thread_time()
            try:
                callback()
            except Exception:
                log.exception("a listener of the world failed")
            over.wait(max(0.0, began + _interval(least, time.thread_time() - busy) - time.monotonic()))


def _interval(least: float, spent: float) -> float:
    """Seconds from call to call of a listener that took ``spent`` seconds of its thread's own time."""
    return max(least, spent / _LISTENER_SHARE)


def in_one_line(error: BaseException) -> str:
    """What went wrong, as a page tells it."""
    if isinstance(error, EvoloraError):
        return str(error)
    return one_line(f"{type(error).__name__}: {error}").removesuffix(":")[:_LONGEST_MESSAGE]


def _nobody_there(message: str) -> RunError:
    return RunError("the world is gone", do=message or "Ask the one that is there now.")
