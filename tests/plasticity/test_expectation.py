"""A reward counts only as far as it surprises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.plasticity.expectation import Expectation

FLOOR = 0.2  # the smallest unit that a reward is counted in


def tell(expectation: Expectation, slot: int, niche: int, *rewards: float) -> np.ndarray:
    rows = len(rewards)
    return expectation.advantages(np.full(rows, slot), np.full(rows, niche), np.array(rewards))


@given(st.floats(0, 1), st.integers(1, 20))
@settings(max_examples=40, deadline=None)
def test_first_rewards_are_held_against_their_own_mean(level: float, rows: int) -> None:
    rewards = np.linspace(0, level, rows)
    advantages = tell(Expectation(3, 2, 0.9), 1, 0, *rewards)
    assert float(advantages.sum()) == pytest.approx(0, abs=1e-9)
    assert bool((np.diff(advantages) >= 0).all())


def test_a_reward_that_never_changes_teaches_nothing() -> None:
    expectation = Expectation(2, 1, 0.9)
    for _ in range(30):
        assert np.allclose(tell(expectation, 1, 0, *[0.7] * 8), 0.0)


def test_a_new_level_of_reward_is_expected_after_a_while() -> None:
    expectation = Expectation(2, 1, 0.9)
    for _ in range(20):
        tell(expectation, 1, 0, *[0.1] * 8)
    surprise = [float(tell(expectation, 1, 0, *[0.9] * 8).mean()) for _ in range(120)]
    assert surprise[0] > 1.0
    assert abs(surprise[-1]) < 0.01


def test_more_rows_change_a_mind_as_much_as_more_generations() -> None:
    slow, fast = Expectation(2, 1, 0.8), Expectation(2, 1, 0.8)
    for each in (slow, fast):
        tell(each, 1, 0, 0.0)
    for _ in range(3):
        tell(slow, 1, 0, *[1.0] * 8)
    tell(fast, 1, 0, *[1.0] * 24)
    assert slow.mean[1, 0] == pytest.approx(1 - 0.8**3)
    assert fast.mean[1, 0] == pytest.approx(1 - 0.8**3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_slots_and_niches_do_not_hear_of_each_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    together = Expectation(4, 3, 0.9)
    apart = {(slot, niche): Expectation(4, 3, 0.9) for slot in range(4) for niche in range(3)}
    for _ in range(4):
        rows = int(rng.integers(1, 40))
        slots, niches, rewards = rng.integers(0, 4, rows), rng.integers(0, 3, rows), rng.random(rows)
        found = together.advantages(slots, niches, rewards)
        for (slot, niche), alone in apart.items():
            mine = (slots == slot) & (niches == niche)
            if mine.any():
                expected = alone.advantages(slots[mine], niches[mine], rewards[mine])
                assert np.allclose(found[mine], expected)


def test_an_organelle_in_a_new_niche_does_not_expect_the_pay_of_the_old_one() -> None:
    expectation = Expectation(2, 2, 0.9)
    for _ in range(10):
        tell(expectation, 1, 0, *[0.9] * 8)
    assert np.allclose(tell(expectation, 1, 1, *[0.1] * 8), 0.0)


def test_a_nearly_constant_reward_is_not_blown_up() -> None:
    expectation = Expectation(2, 1, 0.9)
    for _ in range(300):
        tell(expectation, 1, 0, *[0.5] * 8)
    assert float(expectation.variance[1, 0]) < 1e-9
    assert tell(expectation, 1, 0, 0.51) == pytest.approx([0.01 / FLOOR], rel=1e-3)


def test_rewards_are_counted_in_units_of_their_spread() -> None:
    expectation = Expectation(2, 1, 0.9)
    for _ in range(400):
        tell(expectation, 1, 0, *[0.0, 1.0] * 4)
    assert tell(expectation, 1, 0, 1.0) == pytest.approx([0.5 / (0.5 + FLOOR)], rel=1e-3)


def test_founders_know_nothing_and_children_what_their_parents_know() -> None:
    expectation = Expectation(4, 1, 0.9)
    for _ in range(20):
        tell(expectation, 1, 0, *[0.8] * 8)
    expectation.inherit(np.array([1]), 2, np.array([0]))
    assert float(tell(expectation, 2, 0, *[0.1] * 8).mean()) < -1.0
    expectation.reset(np.array([1]))
    assert np.allclose(tell(expectation, 1, 0, *[0.1] * 8), 0.0)
