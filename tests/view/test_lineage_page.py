"""The Lineage page without a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import ipyvuetify as vw
import pytest
import solara
from genealogy import made_book
from page_at_hand import PageAtHand
from staged import LONGEST_WAIT, wait_for

from evolora_mesa.view.lineage import Family
from evolora_mesa.view.pages.lineage import FamilyTree, LineagePage


@pytest.fixture
def draw() -> Iterator[Any]:
    pages: list[PageAtHand] = []

    def draw_one(element: solara.Element) -> PageAtHand:
        pages.append(PageAtHand(element))
        return pages[-1]

    yield draw_one
    for page in pages:
        page.close()


def family() -> Family:
    return Family(tuple(made_book(120)), 32)


def ends_at(page: PageAtHand) -> float:
    """The generation that is marked."""
    lives = next(series for series in page.chart()[1]["series"] if series["id"] == "lives")
    return lives["markLine"]["data"][0]["xAxis"]


def test_a_world_that_lives_is_drawn_and_followed(opened: Any, draw: Any) -> None:
    session = opened()
    page = draw(LineagePage(session))
    page.reads("alive 4")
    assert ends_at(page) == 0
    session.press("right")
    wait_for(lambda: ends_at(page) == 1, "the first generation")
    widget, option = page.chart()
    assert option["yAxis"]["max"] == 8
    widget.on_click({"id": 2, "series": "founder"})
    assert session.chosen.value == 2
    page.reads("organelle #2, lineage 2")


def test_another_world_has_another_family(opened: Any, draw: Any) -> None:
    session = opened()
    page = draw(LineagePage(session))
    page.reads("alive 4 ")
    session.changes.value = {"population.initial": 3}
    session.reset()
    page.reads("alive 3 ")


def test_what_the_world_before_says_too_late_is_not_shown(
    opened: Any, draw: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened()
    page = draw(LineagePage(session))
    page.reads("alive 4 ")
    before, late, door = session.stage.value, list[threading.Thread](), threading.Event()
    ask = before.ask

    def ask_slowly(question: Any) -> Any:
        answer = ask(question).result(LONGEST_WAIT)
        late.append(threading.current_thread())
        return SimpleNamespace(result=lambda: answer if door.wait(LONGEST_WAIT) else None)

    monkeypatch.setattr(before, "ask", ask_slowly)
    before.step()
    wait_for(lambda: late, "an answer on its way")
    session.changes.value = {"population.initial": 3}
    session.reset()
    page.reads("alive 3 ")
    door.set()
    wait_for(lambda: not late[0].is_alive(), "the answer")
    page.reads("alive 3 ")


def test_the_slider_shows_an_earlier_moment_and_then_follows_again(draw: Any) -> None:
    page = draw(FamilyTree(family()))
    slider = page.labelled(vw.Slider, "As of generation 32 of 32")
    before = page.text()
    slider.v_model = 10
    assert ends_at(page) == 10
    assert page.labelled(vw.Slider, "As of generation 10 of 32") and page.text() != before
    page.labelled(vw.Slider, "As of").v_model = 32
    assert (ends_at(page), page.text()) == (32, before)


def test_a_page_with_a_slider_of_its_own_gives_the_moment(draw: Any) -> None:
    page = draw(FamilyTree(family(), given=10))
    page.reads("As of generation 10 of 32")
    assert ends_at(page) == 10
    assert not page.tree.find(vw.Slider).widgets


def test_those_who_never_passed_are_behind_a_switch(draw: Any) -> None:
    page = draw(FamilyTree(family()))

    def lives() -> int:
        return sum(len(series["data"]) for series in page.chart()[1]["series"] if series["id"] == "lives")

    few = lives()
    page.labelled(vw.Switch, "Show those who never passed").v_model = True
    assert lives() == 120 > few


def test_relatives_lead_to_each_other(draw: Any) -> None:
    @solara.component
    def Page() -> None:
        chosen = solara.use_reactive(None)
        FamilyTree(family(), chosen=chosen.value, on_choose=chosen.set)

    page = draw(Page())
    page.reads("Click a life to read it here.")
    child = next(record for record in family().records if record.merged)
    page.chart()[0].on_click({"id": child.id})
    page.reads(f"organelle #{child.id}, lineage {child.lineage} merge of")
    page.click(f"#{child.parents[1]}")
    page.reads(f"organelle #{child.parents[1]},")
    page.click(f"#{child.id}")
    page.reads(f"organelle #{child.id},")
    page.click("Clear")
    page.reads("Click a life to read it here.")


def test_somebody_who_was_not_born_yet_is_told_so(draw: Any) -> None:
    page = draw(FamilyTree(family(), chosen=120))
    page.labelled(vw.Slider, "As of").v_model = 3
    page.reads("Organelle #120 had not been born yet.")


def test_what_is_left_out_is_told(draw: Any) -> None:
    page = draw(FamilyTree(Family(tuple(made_book(7000)), 2000)))
    page.reads("lives are not drawn, for want of room")


def test_a_family_of_nobody_is_explained(draw: Any) -> None:
    draw(FamilyTree(Family((), 0))).reads("Nobody had been born yet")
