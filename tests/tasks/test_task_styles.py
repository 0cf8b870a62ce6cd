"""Five styles: what is written can be read back, and nothing else is read as a style."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.tasks import STYLES, read_answer, write_answer

CONTENTS = st.from_regex(r"[A-Za-z0-9\[\],+-]{1,30}", fullmatch=True)
WORK = st.from_regex(r"[A-Za-z0-9,+*()-]{0,40}", fullmatch=True)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(STYLES), CONTENTS, WORK)
def test_reading_undoes_writing(style: str, content: str, work: str) -> None:
    assert read_answer(write_answer(style, content, work)) == (style, content)


@pytest.mark.parametrize(
    ("style", "written"),
    [
        ("terse", "8"),
        ("sentence", "The answer is 8."),
        ("quoted", '"8"'),
        ("ticks", "`8`"),
        ("work", "3,5 => 8"),
    ],
)
def test_the_five_styles_look_as_documented(style: str, written: str) -> None:
    assert write_answer(style, "8", "3,5") == written


def test_only_work_shows_the_work() -> None:
    assert [style for style in STYLES if "3,5" in write_answer(style, "8", "3,5")] == ["work"]


def test_an_unknown_style_cannot_be_written() -> None:
    with pytest.raises(ValueError, match=r"style: expected one of .* got 'shouted'"):
        write_answer("shouted", "8")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8",
        '"',
        "`",
        '"8`',
        '`8"',
        "8 => 9 => 10",
        "a\n => 8",
        "x" * 41 + " => 8",
        "The answer is 8",
        "the answer is 8.",
    ],
)
def test_what_is_not_exactly_a_style_is_terse_with_all_of_its_text(text: str) -> None:
    assert read_answer(text) == ("terse", text)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_any_text_has_a_style_and_its_content_is_part_of_it(text: str) -> None:
    style, content = read_answer(text)
    assert style in STYLES
    assert content in text


def test_a_million_characters_are_read_as_they_are() -> None:
    for text in ("=>" * 500_000, '"' * 1_000_000, "`" * 1_000_000, "a" * 1_000_000 + " => 8"):
        style, content = read_answer(text)
        assert style in ("terse", "quoted", "ticks")
        assert len(content) >= 999_998
