"""A contract pays one style in full, any other a fifth, and a right beginning next to nothing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.errors import TaskError
from evolora_mesa.tasks import DEFAULT_STYLES, SHIPPED, STYLES, Contracts, Grade, Task, write_answer

TASK = Task("string.ops", 2, 0, "Mirror: abc\nAnswer:", "cba", "cab", "")
STYLE = st.sampled_from(STYLES)


def test_the_defaults_pay_for_a_style_in_every_shipped_family() -> None:
    assert {family: Contracts().style(family, 1) for family in SHIPPED} == DEFAULT_STYLES


def test_the_defaults_use_all_five_styles() -> None:
    assert set(DEFAULT_STYLES.values()) == set(STYLES)


def test_a_family_nobody_set_a_style_for_is_paid_terse() -> None:
    assert Contracts().style("my.family", 3) == "terse"


def test_the_style_of_a_cell_wins_over_that_of_its_family() -> None:
    contracts = Contracts({"math": "ticks"}, {("math", 2): "quoted"})
    assert [contracts.style("math", depth) for depth in (1, 2, 3)] == ["ticks", "quoted", "ticks"]
    assert contracts.style("logic", 2) == DEFAULT_STYLES["logic"]


@pytest.mark.parametrize(
    "styles",
    [
        ({"math": "shouted"}, None),
        (None, {("math", 1): "Terse"}),
        ({"math": ""}, None),
        ({"math": float("nan")}, None),
        ({"math": None}, None),
        ({"math": ["terse"]}, None),
    ],
)
def test_an_unknown_style_is_refused_by_name(styles: tuple) -> None:
    with pytest.raises(
        TaskError, match=r"unknown answer style \(.*math.*\): expected terse, sentence, quoted, ticks, work"
    ):
        Contracts(*styles)


@pytest.mark.parametrize("cell", ["math:2", ("math",), ("math", "2"), ("math", float("nan")), ("math", True), 2])
def test_a_key_that_is_no_cell_is_refused(cell: object) -> None:
    with pytest.raises(TaskError, match=r"not a cell \(cell_styles\): expected \(family, depth\)"):
        Contracts({}, {cell: "terse"})  # type: ignore[dict-item]


def test_what_is_handed_in_can_be_changed_afterwards_without_effect() -> None:
    styles, cell_styles = {"math": "ticks"}, {("math", 2): "quoted"}
    contracts = Contracts(styles, cell_styles)
    styles["math"] = cell_styles[("math", 2)] = "terse"
    assert (contracts.style("math", 1), contracts.style("math", 2)) == ("ticks", "quoted")
    assert DEFAULT_STYLES["math"] == "work"


@given(paid=STYLE, written=STYLE)
def test_only_a_right_answer_in_the_paid_style_is_a_success(paid: str, written: str) -> None:
    reward = Contracts({TASK.family: paid}).reward(TASK, Grade(written, True, 1.0))
    assert reward == ((1.0, True) if written == paid else (0.2, False))


@given(written=STYLE, closeness=st.floats(0, 1, exclude_max=True))
def test_a_wrong_answer_earns_a_tenth_of_its_closeness_in_any_style(written: str, closeness: float) -> None:
    reward = Contracts().reward(TASK, Grade(written, False, closeness))
    assert reward.value == pytest.approx(0.1 * closeness)
    assert 0 <= reward.value <= 0.1
    assert not reward.success


@pytest.mark.parametrize("family", SHIPPED)
def test_any_right_answer_earns_more_than_any_wrong_one(family: str) -> None:
    contracts, rng = Contracts(), random.Random(2)
    for depth in range(1, 7):
        task = SHIPPED[family].generate(rng, depth)

        def value(style: str, content: str, task: Task = task) -> float:
            grade = SHIPPED[family].grade(task, write_answer(style, content, task.scratch))
            return contracts.reward(task, grade).value

        right = {style: value(style, task.target) for style in STYLES}
        wrong = [value(style, task.near_miss) for style in STYLES]
        assert right.pop(contracts.style(family, depth)) == 1.0
        assert set(right.values()) == {0.2}
        assert max(wrong) <= 0.1
