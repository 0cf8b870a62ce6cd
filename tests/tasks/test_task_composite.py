"""Composite tasks: pipelines whose every step is a task of its family, and that only the true steps solve."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from task_oracle import answer_of

from evolora_mesa.errors import LockedPoolError, TaskError
from evolora_mesa.tasks import (
    ANSWER_CUE,
    SHIPPED,
    STYLES,
    Pool,
    TaskSource,
    find_families,
    locked_test_pool,
    pool_of,
    write_answer,
)
from evolora_mesa.tasks.composite import CHAINS, Composite, chains_of, content_of, draw_composite

SOURCE = TaskSource(SHIPPED)


def drawn(chain: tuple[str, ...], seed: int, pool: Pool = Pool.LIVE, depths: int = 4) -> Composite:
    return draw_composite(SOURCE, [chain], depths, pool, random.Random(seed))


def true_prompts(composite: Composite) -> list[tuple[str, str]]:
    """What each step is asked while all before it are right, and what is right then."""
    found, content = [], composite.content
    for step in composite.steps:
        wording = SHIPPED[step.family].templates[step.template]
        prompt = f"{wording} {step.question(step.family, content)}{ANSWER_CUE}"
        content = step.answer(content)
        found.append((prompt, content))
    return found


@pytest.mark.parametrize("chain", CHAINS)
@given(seed=some.integers(0, 2**32))
@settings(max_examples=15, deadline=None)
def test_every_step_is_a_task_of_its_family_and_the_whole_is_what_they_give_one_after_another(
    chain: tuple[str, ...], seed: int
) -> None:
    composite = drawn(chain, seed)
    assert tuple(step.family for step in composite.steps) == chain
    prompts = true_prompts(composite)
    for prompt, right in prompts:
        assert answer_of(prompt) == right
        assert pool_of(prompt) is Pool.LIVE
    assert prompts[-1][1] == composite.answer
    assert all(step.well_formed(right) for step, (_, right) in zip(composite.steps, prompts, strict=True))
    assert all(1 <= step.depth <= 2 for step in composite.steps)


def test_each_pool_has_its_own() -> None:
    for pool in Pool:
        composite = drawn(("word.count", "math"), 1, pool)
        assert {pool_of(prompt) for prompt, _ in true_prompts(composite)} == {pool}


def test_the_test_pool_is_locked_in_the_loop() -> None:
    with locked_test_pool(), pytest.raises(LockedPoolError):
        drawn(("word.count", "math"), 1, Pool.TEST)


def test_the_same_random_numbers_make_the_same_task() -> None:
    one, other = (drawn(("json.repair", "math", "sequence"), 5) for _ in range(2))
    assert (one.prompt, one.answer, one.content) == (other.prompt, other.answer, other.content)
    assert true_prompts(one) == true_prompts(other)


def test_what_a_step_is_taken_for_decides_what_it_is_asked() -> None:
    composite = drawn(("word.count", "math"), 3)
    step, content = composite.steps[1], composite.steps[0].answer(composite.content)
    asked = {family: step.question(family, content) for family in SHIPPED}
    assert len({asked[family] for family in ("math", "math.multi_step", "sequence", "word.count")}) == 4
    assert asked["word.count"] == content
    assert answer_of(f"Compute: {asked['math']}{ANSWER_CUE}") == composite.answer
    assert answer_of(f"Next in sequence: {asked['sequence']}{ANSWER_CUE}") != composite.answer


def test_a_step_is_graded_by_what_it_was_given_not_by_what_it_should_have_been() -> None:
    composite = drawn(("string.sort", "string.ops"), 3)
    assert composite.steps[1].answer("abc") == "cba" != composite.answer


def test_the_whole_prompt_tells_all_steps() -> None:
    composite = drawn(("string.sort", "string.ops"), 3)
    assert composite.prompt.endswith(f": {composite.content}{ANSWER_CUE}")
    assert ", then reverse the text: " in composite.prompt


@given(text=some.text(alphabet='0123456789abpqz,-[] "`=>.\n', max_size=12))
def test_whatever_is_well_formed_can_be_asked_about(text: str) -> None:
    for chain in CHAINS:
        composite = drawn(chain, 7)
        for step, following in zip(composite.steps, composite.steps[1:], strict=False):
            content = content_of(text)
            if step.well_formed(content):
                assert following.answer(content)
                assert all(following.question(family, content) for family in SHIPPED)


@pytest.mark.parametrize("style", STYLES)
def test_the_style_of_an_answer_is_not_part_of_its_content(style: str) -> None:
    assert content_of(write_answer(style, "12", "5")) == "12"


def test_chains_are_those_whose_families_are_there() -> None:
    assert chains_of(["string.ops", "logic", "string.sort"]) == [("string.sort", "string.ops")]
    with pytest.raises(TaskError, match=r"no composite task can be made.*got 'logic, math'"):
        chains_of(find_families(["logic", "math"]))
