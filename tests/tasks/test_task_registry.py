"""Families by name and by import path; every mistake is one line that says what to write instead."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from evolora_mesa.errors import TaskError
from evolora_mesa.tasks import SHIPPED, Contracts, Pool, TaskSource, find_families, load_family, write_answer

PIG_LATIN = '''
from evolora_mesa.tasks import Family, Problem


class PigLatin(Family):
    """``kod`` becomes ``odkay``."""

    name = "pig.latin"
    templates = ("Say in pig latin:", "Pig latin for:")
    deepest = 3

    def problem(self, rng, depth):
        word = "".join(rng.choice("bdfklmnt") + rng.choice("aeiou") for _ in range(depth + 1))
        answer = f"{word[1:]}{word[0]}ay"
        return Problem(word, answer, word + "ay")


class Imitator(PigLatin):
    name = "math"


class Unfinished(Family):
    name, templates = "unfinished", ("Do:",)


class Nameless(Family):
    templates = ("Do:",)

    def problem(self, rng, depth):
        return Problem("a", "a", "b")


class Wordless(Family):
    name = "wordless"

    def problem(self, rng, depth):
        return Problem("a", "a", "b")


class Arguing(PigLatin):
    def __init__(self, words):
        self.words = words


class Leaving(PigLatin):
    def __init__(self):
        raise SystemExit(0)


class Failing(PigLatin):
    def __init__(self):
        raise RuntimeError("no words today")


class Numbered(PigLatin):
    name = 5


function = len
'''


@pytest.fixture(autouse=True)
def garden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own modules, importable for the length of one test."""
    (tmp_path / "garden_of_families.py").write_text(PIG_LATIN, encoding="utf-8")
    (tmp_path / "garden_with_a_typo.py").write_text("class Broken(:\n", encoding="utf-8")
    (tmp_path / "garden_without_a_tool.py").write_text("import a_tool_nobody_has\n", encoding="utf-8")
    (tmp_path / "garden_that_exits.py").write_text("import sys\nsys.exit(0)\n", encoding="utf-8")
    (tmp_path / "garden_that_fails.py").write_text("1 / 0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_the_nine_shipped_families_are_found_under_their_own_names() -> None:
    assert list(SHIPPED) == [
        "word.count",
        "math",
        "math.multi_step",
        "logic",
        "string.sort",
        "sequence",
        "json.repair",
        "code.format",
        "string.ops",
    ]
    assert all(family.name == name for name, family in SHIPPED.items())


def test_families_are_found_in_the_order_named_with_user_families_behind_them() -> None:
    found = find_families(["string.ops", "math"], ["garden_of_families:PigLatin"])
    assert list(found) == ["string.ops", "math", "pig.latin"]
    assert found["math"] is SHIPPED["math"]


def test_a_user_family_is_drawn_graded_and_paid_like_any_other() -> None:
    source, rng = TaskSource(find_families(["math"], ["garden_of_families:PigLatin"])), random.Random(0)
    for depth in (1, 2, 3):
        for pool in Pool:
            task = source.draw(pool, "pig.latin", depth, rng)
            right = source.grade(task, task.target)
            assert Contracts().reward(task, right) == (1.0, True)
            quoted = source.grade(task, write_answer("quoted", task.target))
            assert Contracts({"pig.latin": "quoted"}).reward(task, quoted).success
            assert not source.grade(task, task.near_miss).correct
    with pytest.raises(TaskError, match="expected 1 to 3, got 4"):
        source.draw(Pool.LIVE, "pig.latin", 4, rng)


def test_a_user_family_does_not_enter_the_shipped_ones() -> None:
    find_families(["math"], ["garden_of_families:PigLatin"])
    assert "pig.latin" not in SHIPPED


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("maths", "math"), ("logics", "logic"), ("string_sort", "string.sort"), ("json-repair", "json.repair")],
)
def test_a_misspelt_family_is_answered_with_the_closest_one(typed: str, meant: str) -> None:
    with pytest.raises(TaskError, match=rf"unknown task family .*got '{typed}'. Did you mean '{meant}'\?"):
        find_families(["math", typed])


def test_a_name_like_no_other_gets_no_guess_but_all_the_names() -> None:
    with pytest.raises(TaskError) as refusal:
        find_families(["zzzzzz"])
    assert "Did you mean" not in str(refusal.value)
    assert all(name in str(refusal.value) for name in SHIPPED)


def test_a_user_family_cannot_take_a_name_in_use() -> None:
    with pytest.raises(TaskError, match=r"two task families of one name .*got 'math'"):
        find_families(["math"], ["garden_of_families:Imitator"])
    with pytest.raises(TaskError, match=r"two task families of one name .*got 'pig.latin'"):
        find_families([], ["garden_of_families:PigLatin", "garden_of_families:PigLatin"])


@pytest.mark.parametrize("names", [["math", "math"], ["math", "logic", "math"]])
def test_a_family_named_twice_is_refused(names: list[str]) -> None:
    with pytest.raises(TaskError, match="math"):
        find_families(names)


@pytest.mark.parametrize(
    "path", ["", ":", "garden_of_families", "garden_of_families:", ":PigLatin", "garden_of_families.PigLatin"]
)
def test_a_path_of_another_form_is_shown_the_right_one(path: str) -> None:
    with pytest.raises(TaskError, match=r"not a family path \(tasks.user_families\): expected 'package.module:Class'"):
        load_family(path)


@pytest.mark.parametrize(
    "path",
    [
        "no_such_garden:PigLatin",
        "garden_of_families:PigLatim",
        "garden_of_families:PigLatin:x",
        "garden_without_a_tool:Anything",
        "garden_with_a_typo:Broken",
        "garden_that_exits:Anything",
        "garden_that_fails:Anything",
        ".garden_of_families:PigLatin",
    ],
)
def test_a_path_that_cannot_be_imported_is_one_line_with_the_path_in_it(path: str) -> None:
    with pytest.raises(TaskError) as refusal:
        load_family(path)
    assert path in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("path", ["garden_of_families:function", "json:JSONDecoder", "random:Random"])
def test_something_that_is_not_a_family_is_refused(path: str) -> None:
    with pytest.raises(TaskError, match=rf"not a task family \({path}\): expected a subclass"):
        load_family(path)


@pytest.mark.parametrize("name", ["Unfinished", "Nameless", "Wordless", "Arguing", "Leaving", "Failing", "Numbered"])
def test_a_family_that_lacks_something_or_fails_is_refused_when_it_is_loaded(name: str) -> None:
    with pytest.raises(TaskError, match=f"garden_of_families:{name}"):
        load_family(f"garden_of_families:{name}")


def test_the_abstract_family_itself_is_refused() -> None:
    with pytest.raises(TaskError, match=r"evolora_mesa\.tasks:Family"):
        load_family("evolora_mesa.tasks:Family")
