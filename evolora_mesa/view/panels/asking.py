"""Asking the living world without waiting for it: the answer is drawn when it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import solara

from evolora_mesa.view.session import Session
from evolora_mesa.view.stage import in_one_line

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Answer", "use_answer"]

_PAUSE: Final = 0.5  # seconds between two questions about the same subject while the world plays


class Answer(NamedTuple):
    """What came back: ``value``, or the ``error`` in one line; neither while nothing has come yet."""

    value: Any = None
    error: str = ""


class _Asked(NamedTuple):
    subject: Hashable
    picture: object  # that the question was asked beside
    when: float  # seconds, monotonic
    pending: bool  # the answer has not come yet


def use_answer(session: Session, question: Callable[[EcologyModel], Any], subject: Hashable) -> Answer:
    """The latest answer to ``question(model)``, which is asked again as the world goes on.

    Args:
        subject: what the question is about; with another one the answer before is forgotten. `None` asks nothing.
    """
    answer, set_answer = solara.use_state((None, Answer()), key="answer")
    asked = solara.use_ref(_Asked(None, None, 0.0, False))
    stage, picture = session.stage.value, session.picture.value
    about = None if subject is None else (id(stage), subject)

    def come(future: Future[Any]) -> None:
        try:
            found = Answer(future.result())
        except CancelledError:
            found = Answer(error="The world is gone.")
        except Exception as error:  # whatever went wrong in the world is told here, and the page goes on
            found = Answer(error=in_one_line(error))
        if asked.current.subject == about:  # else somebody else has been chosen meanwhile
            asked.current = asked.current._replace(pending=False)
            # In a thread of its own: whoever answered is the world, which does not wait for drawings.
            threading.Thread(target=set_answer, args=((about, found),), daemon=True).start()

    before, now = asked.current, time.monotonic()
    due = not before.pending and (session.status.value != "playing" or now - before.when >= _PAUSE)
    news = about != before.subject or (due and picture is not before.picture)
    if about is not None and picture is not None and news:
        asked.current = _Asked(about, picture, now, True)
        stage.ask(question).add_done_callback(come)
    return answer[1] if answer[0] == about else Answer()
