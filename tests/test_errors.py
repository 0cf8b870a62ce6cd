"""Every error is one line that says what, where, expected, got, and what to do."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa import errors
from evolora_mesa.errors import EvoloraError

KINDS = [getattr(errors, name) for name in errors.__all__ if name != "one_line"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_an_evolora_error_and_no_other_builtin(kind: type[Exception]) -> None:
    assert issubclass(kind, EvoloraError)
    assert kind.__mro__[-3:] == (Exception, BaseException, object)


def test_the_kinds_do_not_catch_each_other() -> None:
    special = [kind for kind in KINDS if kind is not EvoloraError]
    assert not [(a, b) for a in special for b in special if a is not b and issubclass(a, b)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_error_reads_what_where_expected_got_do(kind: type[EvoloraError]) -> None:
    error = kind("no such depth", where="math", expected="1 to 6", got=9, do="Lower tasks.depths.")
    assert str(error) == "no such depth (math): expected 1 to 6, got 9. Lower tasks.depths."


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, "it broke"),
        ({"where": "a.yaml:3"}, "it broke (a.yaml:3)"),
        ({"expected": "a number"}, "it broke: expected a number"),
        ({"got": "x"}, "it broke: got 'x'"),
        ({"do": "Mend it."}, "it broke. Mend it."),
        ({"where": "here", "do": "Mend it."}, "it broke (here). Mend it."),
    ],
)
def test_what_is_not_known_is_left_out(facts: dict, line: str) -> None:
    assert str(EvoloraError("it broke", **facts)) == line


@pytest.mark.parametrize("value", [0, 0.0, False, "", [], {}])
def test_a_value_that_counts_as_nothing_is_still_shown(value: object) -> None:
    assert str(EvoloraError("it broke", got=value)) == f"it broke: got {value!r}"


def test_a_long_value_is_cut_and_says_so() -> None:
    line = str(EvoloraError("it broke", got="x" * 10_000))
    assert len(line) < 200
    assert line.endswith("x…")


@given(st.text(), st.text(), st.text(), st.text(), st.text())
def test_an_error_is_always_a_single_line(what: str, where: str, expected: str, got: str, do: str) -> None:
    line = str(EvoloraError(what, where=where, expected=expected, got=got, do=do))
    assert len(line.splitlines()) <= 1


def test_the_facts_can_be_read_from_the_error() -> None:
    error = errors.TaskError("a", where="b", expected="c", got=4, do="E.")
    assert (error.what, error.where, error.expected, error.got, error.do) == ("a", "b", "c", 4, "E.")


def test_an_error_survives_being_copied_to_another_process() -> None:
    """`copy` takes an exception apart and puts it together as a worker process does."""
    error = copy.copy(errors.ConfigError("a", where="b", expected="c", got=4, do="E."))
    assert type(error) is errors.ConfigError
    assert str(error) == "a (b): expected c, got 4. E."
    assert (error.what, error.got) == ("a", 4)


def test_only_the_first_fact_is_positional() -> None:
    with pytest.raises(TypeError):
        EvoloraError("a", "b")


def test_what_steers_a_terminal_or_has_no_glyph_is_shown_as_an_escape() -> None:
    line = str(EvoloraError("it broke", where="a\x1b[2J\u202eb\udcff\nc ü界"))
    assert line == "it broke (a\\x1b[2J\\u202eb\\udcff c ü界)"


def test_a_long_place_is_cut_and_says_so() -> None:
    line = str(EvoloraError("it broke", where="x" * 10_000))
    assert len(line) < 400
    assert line.endswith("x…)")
