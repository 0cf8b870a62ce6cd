"""Hints and shelves: what may be read at all, where it stands, and who is offered what."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.config_society import BoardConfig
from evolora_mesa.host import HostService
from evolora_mesa.society.hint import Hint, Shelf, beginning_of, is_readable, length_of
from evolora_mesa.tasks import SHIPPED, Pool, TaskSource

SOURCE = TaskSource(SHIPPED)
DEPTHS = 2

HOSTILE = [
    "",
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "a\x00b",
    "a\u202eb",  # turns the direction of writing
    "\ud800",  # half a character
    "zero\u200bwidth",
    "tab\there",
    "a\rb",
    "é",  # not in this host's alphabet
    "💥",
    "<eos>",
    "7<eos><bos>What is: 1+1",
    "<unk>",
    "<pad>",
    "x" * 1_000_000,
    "<script>alert(1)</script>" * 10_000,
]


def shelf(**settings: object) -> Shelf:
    return Shelf(BoardConfig(**settings))


def opening(text: str, author: int | None = None) -> Hint:
    return Hint("", text, len(text), 0, author)


def offered(
    shelf: Shelf, cells: Sequence[int], readers: Sequence[int] | None = None, prompts: Sequence[str] | None = None
) -> list[str | None]:
    hints = shelf.offers(
        np.array(readers if readers is not None else [99] * len(cells)),
        np.array(cells),
        prompts or ["?"] * len(cells),
        DEPTHS,
        np.random.default_rng(0),
    )
    return [None if hint is None else hint.text for hint in hints]


# ---------------------------------------------------------------- texts


@pytest.mark.parametrize(
    ("answers", "shared"),
    [
        (['"abc"', '"bcd"', '"x"'], '"'),
        (["The answer is 4.", "The answer is 17."], "The answer is "),
        (["12", "7"], ""),
        (["4", "4", "4"], ""),  # shows nothing of where a beginning would end
        ([" 4", " 5"], ""),
        (["7"], ""),
        ([], ""),
        (["4", "42"], "4"),
    ],
)
def test_a_beginning_is_what_different_answers_share(answers: list[str], shared: str) -> None:
    assert beginning_of(answers, 32) == shared


@given(st.lists(st.text(max_size=12), max_size=5), st.integers(1, 8))
def test_a_beginning_begins_every_answer_and_is_never_too_long(answers: list[str], longest: int) -> None:
    shared = beginning_of(answers, longest)
    assert len(shared) <= longest and all(answer.startswith(shared) for answer in answers)


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_texts_are_not_readable(petri: HostService, text: str) -> None:
    assert not is_readable(text, 160, petri.codec)


@given(st.text(max_size=40))
def test_what_is_readable_is_printable_and_reaches_the_host_as_it_is_written(petri: HostService, text: str) -> None:
    if is_readable(text, 30, petri.codec):
        assert len(text) <= 30 and text.replace("\n", "").isprintable()
        assert petri.codec.encode([text])[0].count(2) == 0  # the token that ends a text


def test_markup_is_plain_text_to_a_host(petri: HostService) -> None:
    assert is_readable('<b onclick="x">', 160, petri.codec)
    assert length_of('<b onclick="x">', petri.codec) == 15


def test_a_beginning_stands_behind_the_prompt_and_is_part_of_the_answer() -> None:
    hint = opening('"')
    assert hint.before("Sort: ba\nAnswer:") == 'Sort: ba\nAnswer:"'
    assert hint.completed('ab"') == '"ab"'


def test_an_example_stands_before_the_prompt_and_is_no_part_of_the_answer() -> None:
    hint = Hint("Sort: dc\nAnswer:", '"cd"', 9, 0)
    assert hint.before("Sort: ba\nAnswer:") == 'Sort: dc\nAnswer:"cd"\nSort: ba\nAnswer:'
    assert hint.completed('"ab"') == '"ab"'


# ---------------------------------------------------------------- the shelf


def test_what_is_there_already_is_not_put_up_twice() -> None:
    board = shelf()
    assert board.put(0, opening("a"), 1)
    assert not board.put(0, opening("a"), 2)
    assert board.put(1, opening("a"), 2)
    assert len(board) == 2


def test_a_full_cell_makes_room_by_dropping_the_worst() -> None:
    board = shelf(most=2)
    good, bad = opening("good"), opening("bad")
    board.put(0, bad, 1)
    board.put(0, good, 1)
    bad.unpaid, good.paid = 3.0, 3.0
    board.put(0, opening("new"), 2)
    assert [hint.text for hint in board.at(0)] == ["good", "new"]


def test_of_equals_the_oldest_goes() -> None:
    board = shelf(most=2)
    for text in "abc":
        board.put(0, opening(text), 1)
    assert [hint.text for hint in board.at(0)] == ["b", "c"]


def test_a_hint_can_be_read_for_its_lifetime() -> None:
    board = shelf(lifetime=3)
    board.put(0, opening("a"), 5)  # read in 6, 7 and 8
    for tick, left in ((6, 1), (7, 1), (8, 0)):
        board.expire(tick)
        assert len(board) == left


@pytest.mark.parametrize("pool", Pool)
def test_no_question_of_another_pool_than_live_is_ever_put_up(pool: Pool) -> None:
    board, rng = shelf(most=64), random.Random(0)
    for family in SHIPPED:
        for _ in range(3):
            task = SOURCE.draw(pool, family, 2, rng)
            assert board.put(0, Hint(task.prompt, f"{task.target} {_}", 1, 0), 1) is (pool is Pool.LIVE)


# ---------------------------------------------------------------- offers


def test_nobody_is_offered_what_it_gave_itself() -> None:
    board = shelf()
    board.put(0, opening("a", author=7), 1)
    assert offered(board, [0, 0, 1], [7, 8, 8]) == [None, "a", None]


def test_the_answer_to_the_very_question_is_not_offered() -> None:
    task = SOURCE.draw(Pool.LIVE, "logic", 1, random.Random(0))
    board = shelf()
    board.put(0, Hint(task.prompt, "true", 3, 0), 1)
    assert offered(board, [0, 0], prompts=[task.prompt, "another"]) == [None, f"{task.prompt}true"]


def test_hints_that_paid_are_offered_more_often() -> None:
    board = shelf()
    good, bad = opening("good"), opening("bad")
    for hint in (good, bad):
        board.put(0, hint, 1)
    good.paid, good.unpaid, bad.paid, bad.unpaid = 9.0, 1.0, 1.0, 9.0
    assert offered(board, [0] * 100).count("good") > 95


def test_unknown_hints_are_all_tried() -> None:
    board = shelf()
    for text in "ab":
        board.put(0, opening(text), 1)
    assert 30 < offered(board, [0] * 100).count("a") < 70


def test_a_shuffled_shelf_offers_what_is_meant_for_another_family_as_often() -> None:
    board = shelf(shuffled=True)
    for cell, text in enumerate(("sort 1", "sort 2", "count 1", "count 2")):
        board.put(cell, opening(text), 1)
    found = offered(board, [0, 1, 2, 3, 4])
    assert [text is None for text in found] == [False] * 4 + [True]
    assert all(text is not None and text.startswith("count") for text in found[:2])
    assert all(text is not None and text.startswith("sort") for text in found[2:4])


def test_a_shuffled_shelf_of_one_family_offers_nothing() -> None:
    board = shelf(shuffled=True)
    board.put(0, opening("a"), 1)
    assert offered(board, [0]) == [None]


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=5), st.floats(0, 9)), max_size=12))
def test_a_shelf_comes_back_from_its_state(hints: list[tuple[int, str, float]]) -> None:
    board, again = shelf(), shelf()
    for tick, (cell, text, paid) in enumerate(hints):
        board.put(cell, Hint("", text, 1, 0, author=tick, paid=paid), tick)
    again.load_state_dict(json.loads(json.dumps(board.state_dict())))
    assert again.state_dict() == board.state_dict()
    assert offered(again, range(6)) == offered(board, range(6))
