"""Graders under attack: only the target itself, written in one of five styles, is ever a success."""

from __future__ import annotations

import itertools
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.tasks import DEFAULT_STYLES, SHIPPED, STYLES, Contracts, Task, write_answer

SUM = Task("math", 1, 0, "Compute: 3+5\nAnswer:", "8", "9", "")
TRUTH = Task("logic", 1, 1, "True or false: not false\nAnswer:", "true", "false", "")
LIST = Task("json.repair", 1, 0, "Repair the JSON: [7,42\nAnswer:", "[7,42]", "[7]", "")
NAME = Task("code.format", 1, 0, "To camelCase: ba_kod\nAnswer:", "baKod", "bakod", "")
ORDER = Task("string.sort", 1, 0, "Sort the letters: dcbab\nAnswer:", "abbcd", "abcd", "")

EXAMPLES = (SUM, TRUTH, LIST, NAME, ORDER)
MEGABYTE = 1_000_000


def grade(task: Task, answer: str):
    return SHIPPED[task.family].grade(task, answer)


@pytest.mark.parametrize(
    ("answer", "style"),
    [
        ("8", "terse"),
        (" 8", "terse"),
        ("8\n", "terse"),
        ("The answer is 8.", "sentence"),
        ('"8"', "quoted"),
        ("`8`", "ticks"),
        (" => 8", "work"),
        ("=> 8", "work"),
        ("3+5 => 8", "work"),
    ],
)
def test_an_honest_answer_is_correct_in_its_style(answer: str, style: str) -> None:
    assert grade(SUM, answer) == (style, True, 1.0)


@pytest.mark.parametrize(
    "answer",
    [
        # shotgun: the right answer is somewhere in there
        "8 9",
        "8, 9",
        "8 or 9",
        "7 8 9",
        "1 2 3 4 5 6 7 8 9 10",
        "8\n9",
        "9\n8",
        "0 => 8 => 9",
        "9 => 8 => 8",
        "8 => 9",
        "8 =>",
        "=> =>",
        "=> 8 =>",
        "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17 => 8",
        "x" * 41 + " => 8",
        "9\n => 8",
        "The answer is 8. The answer is 9.",
        "The answer is 8. The answer is 8.",
        # substrings and restated operands
        "18",
        "88",
        "3+5 = 8",
        "3 + 5 = 8",
        "3+5=8",
        "8 = 3+5",
        "There are 8 of them (8)",
        "8 apples",
        "about 8",
        # other ways to say the number
        "eight",
        "Eight",
        "VIII",
        "+8",
        "-8",
        "08",
        "008",
        "8.0",
        "8.",
        "8e0",
        "0x8",
        "8/1",
        "٨",
        "８",
        "⑧",
        "𝟖",
        "৪",
        # invisible company
        "8\u200b",
        "\u200b8",
        "\ufeff8",
        "8\u200d",
        "8\u00ad",
        "8\u0301",
        "8\x00",
        "\x008",
        "8\x08",
        "\u202e8",
        # quotes that are not the quotes of a style, or one too many
        '""8""',
        '"8',
        '8"',
        "``8``",
        "`8",
        '`"8"`',
        '"`8`"',
        "'8'",
        "“8”",
        "(8)",
        "[8]",
        '" 8"',
        '"8 "',
        "` 8 `",
        '"The answer is 8."',
        '"3+5 => 8"',
        'The answer is "8".',
        # nearly the sentence
        "The answer is 8",
        "The answer is 8..",
        "The answer is 8!",
        "The answer is  8.",
        "The answer is: 8.",
        "the answer is 8.",
        "THE ANSWER IS 8.",
        "The answer is 8. Thank you.",
        "So the answer is 8.",
        "The answer is .",
        # nearly the work
        "3+5 -> 8",
        "3+5 ⇒ 8",
        "3+5 = > 8",
        "3+5 => 8.",
        "3+5 => `8`",
        # the prompt and nothing at all
        SUM.prompt,
        SUM.prompt + "8",
        SUM.prompt + " 8",
        SUM.prompt + " => 8",
        "",
        " ",
        "\n\t ",
        "\x00",
        "=>",
        '""',
        "``",
        '"',
        "`",
        # too much of everything
        "8" * MEGABYTE,
        "8" + " " * MEGABYTE,
        " " * MEGABYTE + "8",
        " " * MEGABYTE,
        "8 " * (MEGABYTE // 2),
        "=>" * (MEGABYTE // 2),
        '"' * MEGABYTE,
        "1 => " * (MEGABYTE // 5) + "8",
        "\x00" * MEGABYTE,
        "The answer is 8." * (MEGABYTE // 16),
    ],
    ids=lambda text: repr(text[:24]) if len(text) <= 24 else f"{text[:12]!r} and {len(text) - 12} more",
)
def test_no_trick_passes_for_eight(answer: str) -> None:
    verdict = grade(SUM, answer)
    assert not verdict.correct
    assert verdict.closeness == 0.0
    assert Contracts().reward(SUM, verdict) == (0.0, False)


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\r\n", "\u00a0", "\u2003"])
def test_outer_blank_space_is_forgiven_and_inner_is_not(blank: str) -> None:
    assert grade(SUM, f"{blank}8{blank}").correct
    assert not grade(LIST, f"[7,{blank}42]").correct
    assert not grade(SUM, f'"{blank}8"').correct


@pytest.mark.parametrize(
    "answer",
    [
        "True",
        "TRUE",
        "true.",
        "true false",
        "true or false",
        "true, not false",
        "false or true",
        "not false",
        "not not true",
        "t",
        "yes",
        "1",
        "T",
        "truе",  # the last letter is Cyrillic
        "ｔrue",
        "tr\u200bue",
        "tru\u0435",
        "untrue",
        "truetrue",
        "The answer is True.",
        "Not true => false => true",
        TRUTH.prompt,
    ],
)
def test_no_trick_passes_for_true(answer: str) -> None:
    assert not grade(TRUTH, answer).correct


@pytest.mark.parametrize(
    "answer",
    [
        "[7, 42]",
        "[7,42",
        "7,42]",
        "7,42",
        "[7,42,]",
        "[07,42]",
        "[7,42.0]",
        "[7,42][7,42]",
        "[[7,42]]",
        "[42,7]",
        "［7,42］",
        "[7，42]",
        '["7","42"]',
        '{"a":[7,42]}',
        "```json\n[7,42]\n```",
        "Repair the JSON: [7,42]",
        LIST.prompt + "]",
    ],
)
def test_no_trick_passes_for_a_repaired_list(answer: str) -> None:
    assert not grade(LIST, answer).correct


@pytest.mark.parametrize(
    "answer", ["bakod", "BaKod", "BAKOD", "ba_kod", "ba_Kod", "baKod()", "baкod", "baK0d", "baKodbaKod"]
)
def test_no_trick_passes_for_a_camel_case_name(answer: str) -> None:
    assert not grade(NAME, answer).correct


@pytest.mark.parametrize("answer", ["ABBCD", "a b b c d", "a,b,b,c,d", "abcd", "dcbba", "аbbcd", "abbcdefghijklmnop"])
def test_no_trick_passes_for_sorted_letters(answer: str) -> None:
    assert not grade(ORDER, answer).correct


def says_exactly(target: str, text: str) -> bool:
    """A second, independent reading of the five styles: the whole text has to be one of these forms."""
    right = re.escape(target)
    forms = (right, rf"The answer is {right}\.", f'"{right}"', f"`{right}`", rf"(?:(?!=>)[^\n])*=>\s*{right}")
    return any(re.fullmatch(form, text.strip()) for form in forms)


@st.composite
def altered_answers(draw: st.DrawFn) -> tuple[Task, str]:
    """A styled right answer with something put in, taken out or exchanged at one or two places."""
    task = draw(st.sampled_from(EXAMPLES))
    text = write_answer(draw(st.sampled_from(STYLES)), task.target, draw(st.sampled_from(["", "3", "7,42"])))
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.integers(0, len(text)))
        company = draw(st.one_of(st.text(max_size=3), st.sampled_from([" ", "\n", "=>", '"', "`", ".", task.target])))
        text = text[:place] + company + text[place + draw(st.integers(0, 2)) :]
    return task, text


@settings(max_examples=600, deadline=None)
@given(altered_answers())
def test_an_altered_answer_is_a_success_only_when_it_still_says_exactly_the_target(
    attack: tuple[Task, str],
) -> None:
    task, text = attack
    if grade(task, text).correct:
        assert says_exactly(task.target, text)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(EXAMPLES), st.text(max_size=80))
def test_arbitrary_text_is_graded_without_an_error_and_never_by_luck(task: Task, text: str) -> None:
    verdict = grade(task, text)
    assert verdict.style in STYLES
    assert verdict.correct == (verdict.closeness == 1.0)
    if verdict.correct:
        assert says_exactly(task.target, text)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(EXAMPLES), st.sampled_from(STYLES), st.text(max_size=60))
def test_content_that_differs_from_the_target_is_never_a_success_in_any_style(
    task: Task, style: str, content: str
) -> None:
    text = write_answer(style, content)
    if not says_exactly(task.target, text):
        verdict = grade(task, text)
        assert not verdict.correct
        assert 0 <= verdict.closeness < 1
        assert not Contracts().reward(task, verdict).success


@pytest.mark.parametrize("family", SHIPPED)
def test_closeness_grows_with_the_right_beginning_where_partial_credit_is_given(family: str) -> None:
    rng = random.Random(3)
    for depth in range(1, 7):
        task = SHIPPED[family].generate(rng, depth)
        shares = [grade(task, task.target[:length]).closeness for length in range(len(task.target))]
        assert all(0 <= share < 1 for share in shares)
        if SHIPPED[family].partial_credit:
            assert all(less < more for less, more in itertools.pairwise(shares))
        else:
            assert set(shares) == {0.0}


@pytest.mark.parametrize("style", STYLES)
def test_closeness_does_not_depend_on_the_style(style: str) -> None:
    assert grade(ORDER, write_answer(style, "abb", "x")).closeness == pytest.approx(3 / 5)


def test_a_longer_answer_is_less_close_than_the_beginning_it_contains() -> None:
    shares = [grade(ORDER, "abbcd" + "x" * extra).closeness for extra in range(1, 60)]
    assert all(more > less for more, less in itertools.pairwise(shares))
    assert shares[0] < 1


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 4), st.text(alphabet="xyz", max_size=10))
def test_one_more_right_letter_never_lowers_the_closeness(right: int, tail: str) -> None:
    """Of two answers of one length, the one that stays right for longer is at least as close."""
    worse = ORDER.target[:right] + "x" + tail
    better = ORDER.target[: right + 1] + tail
    assert grade(ORDER, better).closeness >= grade(ORDER, worse).closeness


def test_the_longest_work_of_every_family_is_still_read() -> None:
    rng = random.Random(5)
    for family in SHIPPED.values():
        for _ in range(300):
            task = family.generate(rng, family.deepest)
            assert family.grade(task, write_answer("work", task.target, task.scratch)).correct


def test_the_paid_style_of_every_family_is_a_style() -> None:
    assert set(DEFAULT_STYLES) == set(SHIPPED)
    assert set(DEFAULT_STYLES.values()) <= set(STYLES)
