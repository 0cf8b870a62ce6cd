"""Every shipped family asks well-posed questions of every depth and grades its own answers exactly."""

from __future__ import annotations

import itertools
import json
import random
import re
from statistics import mean

import pytest

from evolora_mesa.errors import TaskError
from evolora_mesa.tasks import SHIPPED, STYLES, Family, Problem, Task, read_answer, write_answer
from tests.tasks.task_oracle import answer_of, family_and_template, question_of

DEPTHS = range(1, 7)
CELLS = pytest.mark.parametrize(("family", "depth"), [(name, depth) for name in SHIPPED for depth in DEPTHS])


def tasks_of(family: str, depth: int, count: int = 150) -> list[Task]:
    rng = random.Random(f"{family}:{depth}")
    return [SHIPPED[family].generate(rng, depth) for _ in range(count)]


@CELLS
def test_the_target_equals_an_independent_computation_from_the_prompt(family: str, depth: int) -> None:
    for task in tasks_of(family, depth):
        assert task.target == answer_of(task.prompt), task.prompt


@CELLS
def test_the_target_is_correct_in_all_five_styles_and_the_style_is_recognised(family: str, depth: int) -> None:
    for task in tasks_of(family, depth):
        for style in STYLES:
            written = write_answer(style, task.target, task.scratch)
            assert SHIPPED[family].grade(task, written) == (style, True, 1.0), written


@CELLS
def test_a_near_miss_is_never_correct_in_any_style(family: str, depth: int) -> None:
    for task in tasks_of(family, depth):
        for style in STYLES:
            grade = SHIPPED[family].grade(task, write_answer(style, task.near_miss, task.scratch))
            assert grade.style == style
            assert not grade.correct
            assert 0 <= grade.closeness < 1


@CELLS
def test_reading_undoes_writing_in_every_style(family: str, depth: int) -> None:
    for task in tasks_of(family, depth):
        for style in STYLES:
            for content in (task.target, task.near_miss):
                assert read_answer(write_answer(style, content, task.scratch)) == (style, content)


@CELLS
def test_a_task_knows_its_cell_and_its_wording(family: str, depth: int) -> None:
    seen = set()
    for task in tasks_of(family, depth):
        assert (task.family, task.depth) == (family, depth)
        assert (task.family, task.template) == family_and_template(task.prompt)
        seen.add(task.template)
    assert seen == set(range(len(SHIPPED[family].templates)))


@CELLS
def test_one_seed_gives_one_series_of_tasks(family: str, depth: int) -> None:
    assert tasks_of(family, depth, 20) == tasks_of(family, depth, 20)


@CELLS
def test_a_prompt_never_hints_at_an_answer_style(family: str, depth: int) -> None:
    hints = re.compile(r"[\"'`]|=>|the answer is|terse|sentence|quot|tick|show your|style|format:", re.IGNORECASE)
    for task in tasks_of(family, depth):
        assert not hints.search(task.prompt), task.prompt


def test_one_prompt_has_one_answer_whoever_asks_it() -> None:
    answers: dict[str, str] = {}
    for family in SHIPPED:
        for depth in DEPTHS:
            for task in tasks_of(family, depth, 400):
                assert answers.setdefault(task.prompt, task.target) == task.target, task.prompt


def test_no_two_families_share_a_wording() -> None:
    wordings = [template for family in SHIPPED.values() for template in family.templates]
    assert len(set(wordings)) == len(wordings)
    assert not [(a, b) for a in wordings for b in wordings if a != b and b.startswith(a)]


@pytest.mark.parametrize(
    ("family", "operators", "extra"),
    [("math", r"[-+*]", 0), ("math.multi_step", r"[-+*]", 1), ("logic", r"and|or|not", 0)],
)
@pytest.mark.parametrize("depth", DEPTHS)
def test_depth_is_the_number_of_operators(family: str, operators: str, extra: int, depth: int) -> None:
    for task in tasks_of(family, depth):
        assert len(re.findall(operators, question_of(task.prompt))) == depth + extra


@pytest.mark.parametrize("family", ["string.sort", "string.ops"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_every_depth_adds_three_letters(family: str, depth: int) -> None:
    assert {len(question_of(task.prompt)) for task in tasks_of(family, depth)} == {2 + 3 * depth}


@pytest.mark.parametrize("depth", DEPTHS)
def test_depth_is_the_number_of_underscores(depth: int) -> None:
    assert {question_of(task.prompt).count("_") for task in tasks_of("code.format", depth)} == {depth}


@pytest.mark.parametrize(
    ("family", "size"),
    [
        ("word.count", lambda task: int(task.target)),
        ("json.repair", lambda task: len(json.loads(task.target))),
    ],
)
def test_deeper_tasks_are_longer(family: str, size: object) -> None:
    sizes = [mean(map(size, tasks_of(family, depth))) for depth in DEPTHS]
    assert all(shallow + 0.5 < deep for shallow, deep in itertools.pairwise(sizes)), sizes


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_sequence_follows_the_rule_of_its_depth(depth: int) -> None:
    largest_growth = 0
    for task in tasks_of("sequence", depth):
        terms = [int(term) for term in [*question_of(task.prompt).split(), task.target]]
        steps = [after - before for before, after in itertools.pairwise(terms)]
        growths = {after - before for before, after in itertools.pairwise(steps)}
        match depth:
            case 1:
                assert growths == {0}
                assert 1 <= steps[0] <= 3
            case 2:
                assert growths == {0}
                assert 2 <= abs(steps[0]) <= 9
            case 3:
                assert steps[2:] == steps[:-2]
            case _:
                assert len(growths) == 1
                largest_growth = max(largest_growth, *growths)
        assert task.scratch == f"{steps[-1]:+d}"
    assert largest_growth == max(0, depth - 2) * (depth > 3)


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_json_to_repair_is_broken_and_the_repaired_one_is_not(depth: int) -> None:
    for task in tasks_of("json.repair", depth):
        with pytest.raises(json.JSONDecodeError):
            json.loads(question_of(task.prompt))
        assert json.dumps(json.loads(task.target), separators=(",", ":")) == task.target


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_work_of_a_sum_is_its_partial_results(depth: int) -> None:
    for task in tasks_of("math", depth):
        terms = re.findall(r"[-+*]?\d+", question_of(task.prompt))
        partial = [str(sum(map(int, terms[: count + 1]))) for count in range(1, depth)]
        assert task.scratch == ",".join(partial)


@pytest.mark.parametrize("family", ["logic"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_no_constant_answer_is_right_much_more_than_half_of_the_time(family: str, depth: int) -> None:
    targets = [task.target for task in tasks_of(family, depth, 600)]
    assert 0.35 < targets.count("true") / len(targets) < 0.65


@pytest.mark.parametrize("family", SHIPPED)
@pytest.mark.parametrize("depth", [-1, 0, 7])
def test_a_depth_that_does_not_exist_is_refused(family: str, depth: int) -> None:
    with pytest.raises(TaskError, match=rf"no such depth \({re.escape(family)}\): expected 1 to 6, got {depth}"):
        SHIPPED[family].generate(random.Random(0), depth)


def test_a_family_may_be_shallower_than_six() -> None:
    class Shallow(Family):
        name, templates, deepest = "shallow", ("Say:",), 2

        def problem(self, rng: random.Random, depth: int) -> Problem:
            return Problem("a", "a", "b")

    assert Shallow().generate(random.Random(0), 2).target == "a"
    with pytest.raises(TaskError, match="expected 1 to 2, got 3"):
        Shallow().generate(random.Random(0), 3)
