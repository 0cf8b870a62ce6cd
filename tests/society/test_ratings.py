"""Ratings are kept at once and for good: a torn line is left out, a changed one is found."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evolora_mesa.errors import RunError
from evolora_mesa.society.judge import Contender, Duel
from evolora_mesa.society.ratings import FIRST_DIGEST, RatingBook, read_ratings

DUEL = Duel(
    family="math",
    depth=2,
    prompt="What?\nAnswer:",
    a=Contender(organelle=3, text="`4`", right=True),
    b=Contender(organelle=None, text="5", right=False),
)


@pytest.fixture
def book(tmp_path: Path) -> RatingBook:
    book = RatingBook(tmp_path / "ratings.jsonl")
    for number, choice in enumerate(("a", "b", "tie")):
        book.add(DUEL, choice, number)  # type: ignore[arg-type]
    return book


def test_what_is_written_is_what_is_read_and_every_line_is_chained_to_the_one_before(book: RatingBook) -> None:
    found = read_ratings(book.path)
    assert found == book.ratings == RatingBook(book.path).ratings
    assert [(one.number, one.generation, one.choice, one.won) for one in found] == [
        (1, 0, "a", 1.0), (2, 1, "b", 0.0), (3, 2, "tie", 0.5),
    ]  # fmt: skip
    assert found[0].a.style == "ticks" and found[0].b.organelle is None
    assert len({FIRST_DIGEST, *(one.digest for one in found)}) == 4 and book.head == found[-1].digest


def test_nothing_is_made_before_the_first_rating(tmp_path: Path) -> None:
    assert RatingBook(tmp_path / "ratings.jsonl").head == FIRST_DIGEST
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("torn", [b"{", b'{"number": 4, "choice": "a"}', b"\xff\xfe"])
def test_what_a_killed_process_left_of_a_line_is_left_out_and_written_over(book: RatingBook, torn: bytes) -> None:
    whole = book.path.read_bytes()
    book.path.write_bytes(whole + torn)
    again = RatingBook(book.path)
    assert len(again.ratings) == 3
    again.add(DUEL, "b", 7)
    assert book.path.read_bytes().startswith(whole) and len(read_ratings(book.path)) == 4


@pytest.mark.parametrize("harm", ["changed", "left out", "doubled", "swapped"])
def test_a_file_that_was_changed_is_refused_with_the_line(book: RatingBook, harm: str) -> None:
    first, second, third = book.path.read_bytes().splitlines(keepends=True)
    lines = {
        "changed": [first, second.replace(b'"choice":"b"', b'"choice":"a"'), third],
        "left out": [first, third],
        "doubled": [first, first, second],
        "swapped": [second, first, third],
    }[harm]
    book.path.write_bytes(b"".join(lines))
    with pytest.raises(RunError, match=rf"the ratings were changed .*ratings.jsonl:{1 if harm == 'swapped' else 2}"):
        read_ratings(book.path)


@pytest.mark.parametrize("line", [b"[]", b"nonsense", b"{}", b'{"number": "1"}', b"[" * 100_000, b"\xff"])
def test_a_line_that_is_no_rating_is_told(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "ratings.jsonl"
    path.write_bytes(line + b"\n")
    with pytest.raises(RunError, match=r"not a rating \(.*ratings.jsonl:1\)"):
        read_ratings(path)


def test_a_full_disk_loses_the_rating_and_nothing_else(book: RatingBook, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(RunError, match=r"cannot write the ratings.*No space left"):
            book.add(DUEL, "a", 3)
    assert len(book.ratings) == 3
    book.add(DUEL, "tie", 3)
    assert [one.choice for one in read_ratings(book.path)] == ["a", "b", "tie", "tie"]


def test_a_file_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot read the ratings"):
        read_ratings(tmp_path / "none.jsonl")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=st.text(st.characters()), answer=st.text(st.characters()))
def test_any_text_survives(tmp_path: Path, prompt: str, answer: str) -> None:
    path = tmp_path / "ratings.jsonl"
    path.unlink(missing_ok=True)
    duel = DUEL.model_copy(update={"prompt": prompt, "a": DUEL.a.model_copy(update={"text": answer})})
    RatingBook(path).add(duel, "a", 1)
    [found] = read_ratings(path)
    assert (found.prompt, found.a.text) == (prompt, answer)
    assert path.read_bytes().count(b"\n") == 1 and json.loads(path.read_bytes())["depth"] == 2
