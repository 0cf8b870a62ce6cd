"""The Talk page without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipyvuetify as vw
import pytest
from page_at_hand import PageAtHand
from staged import wait_for
from talkative_world import COLONIES, colony_of, taught_world

from evolora_mesa.errors import RunError
from evolora_mesa.host import HostService
from evolora_mesa.view.pages.talk import TalkPage
from evolora_mesa.view.session import Session
from evolora_mesa.view.tokens import TokensWidget


@pytest.fixture
def talk(opened: Any) -> Iterator[tuple[Session, PageAtHand]]:
    session = opened()
    page = PageAtHand(TalkPage(session))
    yield session, page
    page.close()


def prompt(page: PageAtHand) -> str:
    return page.labelled(vw.Textarea, "Prompt").v_model


def write(page: PageAtHand, text: str) -> None:
    page.put(vw.Textarea, "Prompt", text)


def said(page: PageAtHand) -> list[str]:
    return ["".join(token["text"] for token in widget.tokens) for widget in page.tree.find(TokensWidget).widgets]


def test_an_empty_page_says_what_to_do(talk: tuple[Session, PageAtHand]) -> None:
    _, page = talk
    page.reads("Draw a prompt from a cell, or type one, and press Ask")


def test_a_drawn_prompt_is_answered_and_graded(talk: tuple[Session, PageAtHand]) -> None:
    session, page = talk
    session.chosen.value = 2
    page.put(vw.Select, "Family", "logic")
    page.put(vw.Select, "Depth", 2)
    page.click("Draw a prompt")
    wait_for(lambda: prompt(page), "a prompt")
    assert "Answer:" not in prompt(page)
    page.click("Ask")
    page.reads("Right answer")
    text = page.text()
    assert "logic, depth 2 pays for the style: sentence" in text
    assert "Frozen host" in text and "Organelle #2" in text
    assert "reward" in text and "tokens read" in text
    assert len(said(page)) == 2 and all(answer.endswith("⏎") for answer in said(page))
    assert session.picture.value.tick == 0


def test_a_typed_prompt_is_answered_but_not_judged(talk: tuple[Session, PageAtHand]) -> None:
    _, page = talk
    write(page, "What is: 3+4")
    page.click("Ask")
    page.reads("Typed by hand: nobody knows the right answer.")
    assert "Right answer" not in page.text()


def test_a_prompt_that_was_changed_is_a_typed_one(talk: tuple[Session, PageAtHand]) -> None:
    _, page = talk
    page.click("Draw a prompt")
    wait_for(lambda: prompt(page), "a prompt")
    write(page, prompt(page) + " dil")
    page.click("Ask")
    page.reads("Typed by hand")


def test_what_cannot_be_read_is_refused_in_a_sentence_and_the_page_goes_on(talk: tuple[Session, PageAtHand]) -> None:
    _, page = talk
    write(page, "naïve?")
    page.click("Ask")
    page.reads("The host has no token for some characters: got 'ï'. Take them out of the prompt.")
    write(page, "naive?")
    page.click("Ask")
    page.reads("Frozen host")
    assert "no token" not in page.text()


def test_a_world_that_breaks_while_it_is_asked_is_told(
    talk: tuple[Session, PageAtHand], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("<b>broken</b>\nin two lines")

    _, page = talk
    monkeypatch.setattr("evolora_mesa.view.talk.ask_slots", refuse)
    write(page, "What is: 3+4")
    page.click("Ask")
    page.reads("ValueError: <b>broken</b> in two lines")


def test_a_colony_stands_beside_with_what_its_members_said(opened: Any, petri: HostService) -> None:
    model = taught_world(petri, **COLONIES)
    colony_of(model, (0, 1, 2), "vote", cells=(0,))
    page = PageAtHand(TalkPage(opened(model=model)))
    write(page, "What is: 3+4")
    page.click("Ask")
    page.reads("Colony 1 works in this cell; its 3 members decide by vote")
    assert all(f"#{member} " in page.text() for member in (1, 2, 3))
    page.close()


def test_what_was_said_goes_with_its_world(talk: tuple[Session, PageAtHand]) -> None:
    session, page = talk
    write(page, "What is: 3+4")
    page.click("Ask")
    page.reads("Frozen host")
    before = session.stage.value
    session.reset()
    wait_for(lambda: session.stage.value is not before, "the new world")
    page.reads("Draw a prompt from a cell")
    assert not prompt(page)


def test_a_world_that_is_gone_does_not_answer(talk: tuple[Session, PageAtHand]) -> None:
    session, page = talk
    write(page, "What is: 3+4")
    session.stage.value.close()
    page.click("Ask")
    page.reads("The world is gone")
    with pytest.raises(RunError):
        session.stage.value.ask(lambda model: model).result()
