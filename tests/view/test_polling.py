"""Whoever looks at what others write goes on looking, whatever is found."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import solara
from page_at_hand import PageAtHand
from staged import wait_for

from evolora_mesa.errors import RunError
from evolora_mesa.view.polling import unless_same, use_polled


class Shelf:
    """Something to look at; what is an exception is raised."""

    def __init__(self) -> None:
        self.holds: object = "first"
        self.looks = 0

    def look(self, before: object) -> object:
        self.looks += 1
        if isinstance(self.holds, Exception):
            raise self.holds
        return self.holds


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def page(shelf: Shelf) -> Iterator[PageAtHand]:
    @solara.component
    def Page() -> None:
        seen = use_polled(shelf.look, "shelf", seconds=0.01)
        solara.Div(children=[f"value {seen.value}, error [{seen.error}]"])

    at_hand = PageAtHand(Page())
    yield at_hand
    at_hand.close()


@pytest.mark.parametrize("error", [RunError("it is locked"), ValueError("no such\ntime"), KeyError("spec")])
def test_what_was_seen_stays_when_a_look_fails_and_the_next_is_seen(
    page: PageAtHand, shelf: Shelf, error: Exception
) -> None:
    page.reads("value first, error []")
    shelf.holds = error
    page.reads("value first, error [" + ("it is locked" if isinstance(error, RunError) else type(error).__name__))
    shelf.holds = "second"
    page.reads("value second, error []")


def test_looking_ends_with_the_page(page: PageAtHand, shelf: Shelf) -> None:
    page.reads("value first")
    page.close()
    looks = shelf.looks
    wait_for(lambda: not [thread for thread in threading.enumerate() if thread.name == "look"], "the end of looking")
    assert shelf.looks <= looks + 1


def test_what_has_not_changed_is_the_same_thing() -> None:
    before = (1, 2)
    assert unless_same((1, 2), before) is before
    assert unless_same((1, 3), before) == (1, 3) and unless_same((1,), None) == (1,)
