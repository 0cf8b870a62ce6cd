"""A user's family is called through a door: whatever it does becomes a task, a grade, or one line about it."""

from __future__ import annotations

import dataclasses
import random
import sys
from collections.abc import Callable
from fractions import Fraction

import pytest

from evolora_mesa.errors import TaskError
from evolora_mesa.tasks import Family, Grade, Pool, Problem, Task, TaskSource
from evolora_mesa.tasks.guest import Guest


class Echo(Family):
    name, templates = "echo", ("Say:", "Repeat:")

    def problem(self, rng: random.Random, depth: int) -> Problem:
        word = str(rng.randrange(10**6))
        return Problem(word, word, word + "0")


TASK = Echo().generate(random.Random(1), 1)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Nameless:
    def __repr__(self) -> str:
        raise RuntimeError("no words")


def guest(**changes: object) -> Guest:
    """An `Echo` with some of its attributes or methods replaced."""
    return Guest(type("Changed", (Echo,), changes)(), "garden:Echo")


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(TaskError) as caught:
        action()
    line = str(caught.value)
    assert "garden:Echo" in line
    assert "\n" not in line and len(line) < 400
    return line


def test_a_guest_makes_and_grades_what_the_family_does() -> None:
    for depth in (1, 2, 6):
        task = guest().generate(random.Random(depth), depth)
        assert task == Echo().generate(random.Random(depth), depth)
        for answer in (task.target, f'"{task.target}"', "", "x"):
            assert guest().grade(task, answer) == Echo().grade(task, answer)
    assert guest().problem(random.Random(1), 1) == Echo().problem(random.Random(1), 1)


@pytest.mark.parametrize(
    "error", [ValueError("boom\nsecond line"), SystemExit(0), KeyError("late"), MemoryError(), Unprintable()]
)
@pytest.mark.parametrize("method", ["problem", "generate", "grade"])
def test_whatever_a_family_raises_names_the_family_the_cell_and_the_error(error: BaseException, method: str) -> None:
    def fail(*_: object) -> object:
        raise error

    family = guest(**{method: fail})
    action = (lambda: family.grade(TASK, "x")) if method == "grade" else (lambda: family.generate(random.Random(0), 1))
    line = refusal(action)
    assert line.startswith("task family fails (echo:1, garden:Echo)")
    assert type(error).__name__ in line


def test_an_exit_in_the_middle_of_a_run_ends_in_an_error_of_the_source() -> None:
    drawn: list[int] = []

    def exit_later(self: Family, rng: random.Random, depth: int) -> Problem:
        drawn.append(depth)
        return Echo().problem(rng, depth) if len(drawn) < 20 else sys.exit(0)

    source, rng = TaskSource({"echo": guest(problem=exit_later)}), random.Random(0)
    assert "SystemExit" in refusal(lambda: [source.draw(Pool.LIVE, "echo", 2, rng) for _ in range(20)])


def test_ctrl_c_is_the_users_own_and_passes() -> None:
    def interrupt(*_: object) -> Problem:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guest(problem=interrupt).generate(random.Random(0), 1)


def test_a_depth_beyond_the_family_is_told_as_for_a_shipped_one() -> None:
    with pytest.raises(TaskError, match=r"no such depth \(echo\): expected 1 to 2, got 3"):
        guest(deepest=2).generate(random.Random(0), 3)


@pytest.mark.parametrize("made", [None, "Say: x", ("echo", 1, 0, "a", "b", "c", ""), Nameless()])
def test_something_that_is_no_task_is_refused(made: object) -> None:
    family = guest(generate=lambda *_: made)
    assert "makes no task" in refusal(lambda: family.generate(random.Random(0), 1))


@pytest.mark.parametrize("lie", [{"family": "math"}, {"depth": 2}, {"template": None}, {"template": True}])
def test_a_task_of_another_cell_is_refused(lie: dict) -> None:
    family = guest(generate=lambda *_: dataclasses.replace(TASK, **lie))
    assert "tasks of another cell" in refusal(lambda: family.generate(random.Random(0), 1))


@pytest.mark.parametrize(
    "text", [None, 7, b"seven", "x" * 10_000_000, "\ud800", Nameless()], ids=lambda text: type(text).__name__
)
@pytest.mark.parametrize("field", ["prompt", "target", "near_miss", "scratch"])
def test_a_field_that_is_no_text_of_sane_length_is_refused_by_name(field: str, text: object) -> None:
    family = guest(generate=lambda *_: dataclasses.replace(TASK, **{field: text}))
    line = refusal(lambda: family.generate(random.Random(0), 1))
    assert f"makes no text (echo:1, garden:Echo, {field})" in line


@pytest.mark.parametrize(
    "given",
    [
        None,
        ("terse", True, 1.0),
        Grade("banana", True, 1.0),
        Grade(7, True, 1.0),  # type: ignore[arg-type]
        Grade("terse", 1, 1.0),  # type: ignore[arg-type]
        Grade("terse", None, 1.0),  # type: ignore[arg-type]
        Grade("terse", False, 1e9),
        Grade("terse", False, -0.1),
        Grade("terse", False, float("nan")),
        Grade("terse", False, float("inf")),
        Grade("terse", False, "all"),  # type: ignore[arg-type]
        Grade("terse", False, None),  # type: ignore[arg-type]
        Grade(Nameless(), False, 0.0),  # type: ignore[arg-type]
    ],
)
def test_a_grade_that_could_spoil_the_rewards_is_refused(given: object) -> None:
    family = guest(grade=lambda *_: given)
    line = refusal(lambda: family.grade(TASK, "x"))
    assert line.startswith("task family gives no sound grade (echo:1, garden:Echo): expected Grade(style: terse,")


@pytest.mark.parametrize(
    "given", [Grade(None, True, 1.0), Grade("work", False, 0), Grade("terse", False, Fraction(1, 2))]
)
def test_sound_grades_pass_with_their_closeness_as_a_float(given: Grade) -> None:
    found = guest(grade=lambda *_: given).grade(TASK, "x")
    assert found == given
    assert type(found.closeness) is float


@pytest.mark.parametrize(
    "name", [5, None, "", "a b", "a:b", "../x", "\x1b[31m", "a\n", ".a", "x" * 41, ["a"], Nameless()]
)
def test_a_name_that_no_table_could_hold_is_refused(name: object) -> None:
    assert "bad name of a task family" in refusal(lambda: guest(name=name))


@pytest.mark.parametrize("name", ["math.own", "pig_latin", "Vögel-2", "7", "x" * 40])
def test_a_plain_name_is_taken(name: str) -> None:
    assert guest(name=name).name == name


@pytest.mark.parametrize("templates", ["Do:", (), (1, 2), ("Do:", None), {"Do:": 1}, 5, ("x" * 10**6,), ("\ud800",)])
def test_templates_that_are_no_texts_are_refused(templates: object) -> None:
    assert "bad templates of a task family" in refusal(lambda: guest(templates=templates))


@pytest.mark.parametrize("deepest", ["6", 0, -1, 2.5, True, None, float("nan")])
def test_a_deepest_that_is_no_depth_is_refused(deepest: object) -> None:
    assert "bad deepest of a task family" in refusal(lambda: guest(deepest=deepest))


def test_an_attribute_that_cannot_be_read_is_refused() -> None:
    assert "(garden:Echo.name)" in refusal(lambda: guest(name=property(lambda _: 1 / 0)))


def test_a_method_that_cannot_be_reached_is_refused() -> None:
    family = guest(generate=property(lambda _: 1 / 0), grade=None)
    assert "ZeroDivisionError" in refusal(lambda: family.generate(random.Random(0), 1))
    assert "TypeError" in refusal(lambda: family.grade(TASK, "x"))


def test_a_guests_task_is_a_plain_task() -> None:
    assert type(guest().generate(random.Random(0), 1)) is Task
