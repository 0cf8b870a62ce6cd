"""Four pools of prompts that never mix, and a test pool that the model loop cannot reach."""

from __future__ import annotations

import collections
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import evolora_mesa
from evolora_mesa.errors import LockedPoolError, TaskError
from evolora_mesa.tasks import SHIPPED, Family, Pool, Problem, TaskSource, locked_test_pool, pool_of

PROJECT = Path(evolora_mesa.__file__).parents[1]
SOURCE = TaskSource(SHIPPED)


@pytest.fixture(scope="module")
def drawn() -> dict[Pool, list[str]]:
    """5,000 prompts out of each pool, from all families and depths 1 to 4."""
    rng, names = random.Random(1), list(SHIPPED)

    def prompt(pool: Pool) -> str:
        return SOURCE.draw(pool, rng.choice(names), rng.randint(1, 4), rng).prompt

    return {pool: [prompt(pool) for _ in range(5_000)] for pool in Pool}


def test_no_prompt_stands_in_two_pools(drawn: dict[Pool, list[str]]) -> None:
    pools = [set(prompts) for prompts in drawn.values()]
    assert len(set.union(*pools)) == sum(map(len, pools))


def test_a_drawn_prompt_belongs_to_the_pool_it_was_drawn_from(drawn: dict[Pool, list[str]]) -> None:
    for pool, prompts in drawn.items():
        assert {pool_of(prompt) for prompt in prompts} == {pool}


def test_the_pool_of_a_prompt_is_fixed_for_ever() -> None:
    """Pinned: a change of the hash would move prompts that reports call unseen into the pool learned from."""
    prompts = ["", "Compute: 3+5\nAnswer:", "Mirror: abc\nAnswer:", "café", "Compute: 1+7\nAnswer:"]
    assert [str(pool_of(prompt)) for prompt in prompts] == ["live", "live", "live", "test", "live"]
    assert [pool_of(prompt) for prompt in prompts] == [pool_of(prompt) for prompt in prompts]


def test_five_eighths_of_all_prompts_are_live_and_an_eighth_each_of_the_others() -> None:
    rng, cells = random.Random(4), [(family, depth) for family in SHIPPED for depth in (3, 4)]
    prompts = {SHIPPED[family].generate(rng, depth).prompt for family, depth in cells for _ in range(1500)}
    shares = collections.Counter(map(pool_of, prompts))
    assert len(prompts) > 20_000
    assert shares[Pool.LIVE] / len(prompts) == pytest.approx(5 / 8, abs=0.015)
    for pool in (Pool.GATE, Pool.SELECT, Pool.TEST):
        assert shares[pool] / len(prompts) == pytest.approx(1 / 8, abs=0.01)


@pytest.mark.parametrize("pool", Pool)
@pytest.mark.parametrize("family", SHIPPED)
def test_every_cell_can_be_drawn_from_in_every_pool(family: str, pool: Pool) -> None:
    rng = random.Random(8)
    for depth in range(1, 7):
        tasks = [SOURCE.draw(pool, family, depth, rng) for _ in range(40)]
        assert {(task.family, task.depth) for task in tasks} == {(family, depth)}


@pytest.mark.parametrize("pool", Pool)
@pytest.mark.parametrize("family", SHIPPED)
def test_no_pool_of_a_cell_is_won_by_one_constant_answer(family: str, pool: Pool) -> None:
    rng = random.Random(9)
    for depth in range(1, 5):
        tasks = {task.prompt: task for task in (SOURCE.draw(pool, family, depth, rng) for _ in range(200))}
        assert len({task.target for task in tasks.values()}) > 1, f"{len(tasks)} prompts at depth {depth}"


def test_the_test_pool_is_locked_inside_the_model_loop() -> None:
    rng = random.Random(0)
    with locked_test_pool():
        with pytest.raises(LockedPoolError, match=r"test pool is locked inside the model loop \(math:2\)"):
            SOURCE.draw(Pool.TEST, "math", 2, rng)
        for pool in (Pool.LIVE, Pool.GATE, Pool.SELECT):
            assert SOURCE.draw(pool, "math", 2, rng)
    assert SOURCE.draw(Pool.TEST, "math", 2, rng)


def test_the_lock_holds_for_other_sources_and_deep_inside_calls() -> None:
    def deep(levels: int) -> object:
        if levels:
            return deep(levels - 1)
        return TaskSource(SHIPPED).draw(Pool.TEST, "logic", 1, random.Random(0))

    with locked_test_pool(), pytest.raises(LockedPoolError):
        deep(20)
    assert deep(20)


def test_a_refused_draw_costs_no_random_number() -> None:
    rng = random.Random(0)
    before = rng.getstate()
    with locked_test_pool(), pytest.raises(LockedPoolError):
        SOURCE.draw(Pool.TEST, "math", 1, rng)
    assert rng.getstate() == before


def test_the_lock_is_released_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), locked_test_pool():
        _ = 1 / 0
    assert SOURCE.draw(Pool.TEST, "math", 1, random.Random(0))


def test_an_inner_lock_does_not_open_the_outer_one() -> None:
    with locked_test_pool():
        with locked_test_pool():
            pass
        with pytest.raises(LockedPoolError):
            SOURCE.draw(Pool.TEST, "math", 1, random.Random(0))


def test_a_thread_outside_the_model_loop_is_not_locked() -> None:
    locked, drawn = threading.Event(), []

    def examine() -> None:
        locked.wait(10)
        drawn.append(SOURCE.draw(Pool.TEST, "math", 1, random.Random(0)))

    examiner = threading.Thread(target=examine)
    examiner.start()
    with locked_test_pool():
        locked.set()
        examiner.join(10)
    assert len(drawn) == 1


def test_draws_depend_on_the_given_generator_alone() -> None:
    def series() -> list[object]:
        rng = random.Random(6)
        return [SOURCE.draw(pool, family, depth, rng) for pool in Pool for family in SHIPPED for depth in (1, 3)]

    random.seed(1)
    state = random.getstate()
    first = series()
    assert random.getstate() == state
    random.seed(2)
    assert series() == first


def test_draws_do_not_depend_on_the_hash_seed_and_need_neither_torch_nor_mesa() -> None:
    code = (
        "import hashlib, random, sys\n"
        "from evolora_mesa.tasks import SHIPPED, Pool, TaskSource\n"
        "rng, source = random.Random(3), TaskSource(SHIPPED)\n"
        "cells = [(pool, family, depth) for pool in Pool for family in SHIPPED for depth in (1, 2, 3, 4)]\n"
        "tasks = repr([source.draw(*cell, rng) for cell in cells])\n"
        "print(hashlib.sha256(tasks.encode()).hexdigest(), 'torch' in sys.modules, 'mesa' in sys.modules)\n"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=PROJECT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(printed) == 1
    assert printed.pop().split()[1:] == ["False", "False"]


class Parrot(Family):
    """A family with a single prompt, which belongs to a single pool."""

    name, templates = "parrot", ("Say:",)

    def problem(self, rng: random.Random, depth: int) -> Problem:
        return Problem("hello", "hello", "hallo")


def test_a_cell_without_a_prompt_in_the_pool_says_so_and_ends() -> None:
    source = TaskSource({"parrot": Parrot()})
    home = pool_of(Parrot().generate(random.Random(0), 1).prompt)
    assert source.draw(home, "parrot", 1, random.Random(0)).target == "hello"
    elsewhere = next(pool for pool in Pool if pool is not home)
    with pytest.raises(TaskError, match=rf"no prompt .* \(parrot:1, {elsewhere}\).*Give the family more"):
        source.draw(elsewhere, "parrot", 1, random.Random(0))


def test_an_unknown_pool_or_family_is_refused_before_anything_is_drawn() -> None:
    rng = random.Random(0)
    before = rng.getstate()
    with pytest.raises(TaskError, match="no such pool: expected a Pool, got 'test'"):
        SOURCE.draw("test", "math", 1, rng)  # type: ignore[arg-type]
    with pytest.raises(TaskError, match=r"no such task family: expected word\.count, math, .*got 'maths'"):
        SOURCE.draw(Pool.LIVE, "maths", 1, rng)
    assert rng.getstate() == before


def test_a_source_grades_with_the_family_of_the_task() -> None:
    rng = random.Random(1)
    for family in SHIPPED:
        task = SOURCE.draw(Pool.LIVE, family, 2, rng)
        assert SOURCE.grade(task, task.target).correct
        assert not SOURCE.grade(task, task.near_miss).correct
