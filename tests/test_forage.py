"""Where to work: beliefs find the better cell, chance explores, curiosity follows what is getting better."""

from __future__ import annotations

import numpy as np
import pytest

from evolora_mesa.config import ForageConfig
from evolora_mesa.forage import Beliefs

SHAPE = (2, 3)
ONE, FREE = np.ones(SHAPE), np.zeros(SHAPE)
_PRIOR = (0.6, 1.4)  # two episodes' worth, a little worse than even


def beliefs(organelles: int, **settings: float) -> tuple[Beliefs, np.ndarray]:
    """Founders without inborn preferences, unless the settings say otherwise, and their slots."""
    plain = {"exploration": 0.0, "learning_progress": 0.0, "initial_bias": 0.0, "spill": 0.0}
    held = Beliefs(ForageConfig(**{**plain, **settings}), organelles + 1, SHAPE)
    slots = np.arange(1, organelles + 1)
    held.found(slots, np.random.default_rng(0))
    return held, slots


def outcome(held: Beliefs, slot: int, cell: int, successes: int, failures: int, reward: float = 1.0) -> None:
    """One organelle's generation in one cell; every row has the same reward."""
    rows = successes + failures
    held.learn(np.full(rows, slot), np.full(rows, cell), np.full(rows, reward), np.arange(rows) < successes)


# ---------------------------------------------------------------- belief


def test_nobody_who_knows_nothing_expects_much() -> None:
    held, slots = beliefs(3)
    np.testing.assert_allclose(held.success(slots), 0.3)


def test_evidence_moves_the_belief_and_fades() -> None:
    held, _ = beliefs(1, memory=0.5)
    outcome(held, 1, 4, 6, 2)
    assert (held.wins[1, 1, 1], held.losses[1, 1, 1]) == (6.0, 2.0)
    assert held.success(np.array([1]))[0, 1, 1] == pytest.approx(6.6 / 10)
    outcome(held, 1, 0, 1, 0)
    assert (held.wins[1, 1, 1], held.losses[1, 1, 1]) == (3.0, 1.0)


def test_evidence_spills_to_the_other_depths_of_the_family_alone() -> None:
    held, _ = beliefs(2, spill=0.5)
    outcome(held, 1, 4, 6, 2)
    np.testing.assert_array_equal(held.wins[1], [[0, 0, 0], [3, 6, 3]])
    np.testing.assert_array_equal(held.losses[1], [[0, 0, 0], [1, 2, 1]])
    assert not held.wins[2].any()


def test_those_who_did_not_work_forget_nothing() -> None:
    held, _ = beliefs(2, memory=0.5)
    outcome(held, 1, 0, 4, 4)
    outcome(held, 2, 0, 4, 4)
    assert held.wins[1, 0, 0] == 4.0


def test_a_batch_of_organelles_learns_what_each_would_alone() -> None:
    rng = np.random.default_rng(4)
    together, slots = beliefs(5, spill=0.3, memory=0.8)
    alone, _ = beliefs(5, spill=0.3, memory=0.8)
    for _ in range(4):
        rows = np.repeat(slots, 6)
        cells, rewards = rng.integers(6, size=30), rng.random(30)
        together.learn(rows, cells, rewards, rewards > 0.5)
        for slot in slots:
            mine = rows == slot
            alone.learn(rows[mine], cells[mine], rewards[mine], rewards[mine] > 0.5)
    np.testing.assert_allclose(together.wins, alone.wins)
    np.testing.assert_allclose(together.losses, alone.losses)
    np.testing.assert_allclose(together.learning_progress(slots), alone.learning_progress(slots))


def test_children_believe_half_as_firmly_and_vary_in_their_traits() -> None:
    held, _ = beliefs(400, exploration=0.1, learning_progress=0.3, initial_bias=0.2)
    outcome(held, 1, 4, 6, 2)
    parent = {name: getattr(held, name)[1].copy() for name in ("wins", "losses", "bias", "exploration", "curiosity")}
    progress = held.learning_progress(np.array([1]))
    children, rng = np.arange(2, 401), np.random.default_rng(1)
    for child in children.tolist():
        held.inherit(np.array([1]), child, np.zeros(SHAPE, dtype=int), rng)
    np.testing.assert_array_equal(held.wins[children], np.broadcast_to(parent["wins"] / 2, (399, *SHAPE)))
    np.testing.assert_array_equal(held.losses[children], np.broadcast_to(parent["losses"] / 2, (399, *SHAPE)))
    np.testing.assert_array_equal(held.bias[children], np.broadcast_to(parent["bias"], (399, *SHAPE)))
    np.testing.assert_array_equal(held.learning_progress(children), np.broadcast_to(progress, (399, *SHAPE)))
    for trait in ("exploration", "curiosity"):
        values = getattr(held, trait)[children] / parent[trait]
        assert np.log(values).mean() == pytest.approx(0.0, abs=0.02)
        assert np.log(values).std() == pytest.approx(0.1, abs=0.02)
        assert getattr(held, trait)[1] == parent[trait]
    np.testing.assert_array_equal(held.wins[1], parent["wins"])


def test_no_trait_of_a_child_is_an_impossible_share() -> None:
    held, _ = beliefs(200, exploration=1.0)
    rng = np.random.default_rng(1)
    for child in range(2, 201):
        held.inherit(np.array([1]), child, np.zeros(SHAPE, dtype=int), rng)
    assert 0.0 < held.exploration[1:].min() < held.exploration[1:].max() == 1.0


def test_of_two_parents_each_is_believed_about_the_cells_it_knows() -> None:
    held, _ = beliefs(4, exploration=0.1, learning_progress=0.3)
    held.wins[1], held.wins[2] = 8.0, 2.0
    held.confine(1, np.array([0]))
    held.confine(2, np.array([5]))
    teacher = np.zeros(SHAPE, dtype=int)
    teacher[1, 2] = 1
    held.inherit(np.array([1, 2]), 3, teacher, np.random.default_rng(0))
    assert held.wins[3, 0, 0] == 4.0 and held.wins[3, 1, 2] == 1.0
    assert np.flatnonzero(held.allowed[3]).tolist() == [0, 5]  # where either parent may work


def test_the_confined_work_inside_however_eager_they_are() -> None:
    held, _ = beliefs(4, exploration=0.5, learning_progress=0.3)
    held.bias[1] = 1.0
    held.bias[1, 0, 0] = -9.0
    held.confine(1, np.array([0, 4]))
    cells = held.choose(np.array([1]), ONE, FREE, 400, np.random.default_rng(0), eagerness=2.0)
    assert set(cells.ravel().tolist()) == {0, 4}
    held.recall(1, (1, 1), 0.75, 8.0)
    assert held.allowed[1].all() and (held.wins[1, 1, 1], held.losses[1, 1, 1]) == (6.0, 2.0)


def test_founders_prefer_whole_families() -> None:
    held, slots = beliefs(500, initial_bias=0.15)
    bias = held.bias[slots]
    np.testing.assert_array_equal(bias, np.broadcast_to(bias[:, :, :1], bias.shape))
    assert bias[:, :, 0].std() == pytest.approx(0.15, rel=0.1)


# ---------------------------------------------------------------- choice


def test_thompson_sampling_finds_the_better_cell_of_a_bandit() -> None:
    rng = np.random.default_rng(7)
    held, slots = beliefs(64, memory=0.95)
    chance = np.full(6, 0.3)
    chance[4] = 0.8
    share = []
    for _ in range(40):
        cells = held.choose(slots, ONE, FREE, 8, rng)
        success = rng.random(cells.shape) < chance[cells]
        held.learn(np.repeat(slots, 8), cells.ravel(), success.ravel().astype(float), success.ravel())
        share.append((cells == 4).mean())
    assert share[0] < 0.35
    assert np.mean(share[-5:]) > 0.85
    assert held.success(slots)[:, 1, 1].mean() == pytest.approx(0.8, abs=0.05)


def test_income_and_cost_count_besides_success() -> None:
    held, slots = beliefs(200)
    income, cost = ONE.copy(), FREE.copy()
    income[0, 2] = 5.0
    cells = held.choose(slots, income, cost, 4, np.random.default_rng(0))
    assert (cells == 2).mean() > 0.6
    cost[0, 2] = 20.0
    cells = held.choose(slots, income, cost, 4, np.random.default_rng(0))
    assert not (cells == 2).any()


def test_full_exploration_is_uniform_whatever_is_believed() -> None:
    held, slots = beliefs(100, exploration=1.0)
    for slot in slots:
        outcome(held, slot, 4, 50, 0)
    cells = held.choose(slots, ONE, FREE, 200, np.random.default_rng(3))
    counts = np.bincount(cells.ravel(), minlength=6)
    expected = cells.size / 6
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 20.5  # p = 0.001 at 5 degrees of freedom


def test_no_exploration_and_a_firm_belief_leave_no_doubt() -> None:
    held, slots = beliefs(100)
    for slot in slots:
        for cell in range(6):
            outcome(held, slot, cell, 90 if cell == 4 else 0, 0 if cell == 4 else 90)
    assert (held.choose(slots, ONE, FREE, 10, np.random.default_rng(3)) == 4).all()


@pytest.mark.parametrize(("weight", "low", "high"), [(0.0, 0.3, 0.7), (1.0, 0.95, 1.0)])
def test_curiosity_prefers_the_cell_where_answers_get_better(weight: float, low: float, high: float) -> None:
    held, slots = beliefs(50, learning_progress=weight, memory=1.0)
    for reward in (0.0, 0.0, 0.0, 1.0, 1.0, 1.0):
        for slot in slots:
            outcome(held, slot, 0, 10, 10, reward)  # improving
            outcome(held, slot, 1, 10, 10, 0.0)  # as often right, but not improving
    progress = held.learning_progress(slots)
    assert (progress[:, 0, 0] > 0.3).all()
    assert not progress[:, 0, 1].any()
    cells = held.choose(slots, ONE, FREE, 20, np.random.default_rng(5))
    known = cells[cells < 2]
    assert low <= (known == 0).mean() <= high


def test_all_organelles_at_once_choose_what_each_would_choose_alone() -> None:
    held, slots = beliefs(7, exploration=0.2, learning_progress=0.4, initial_bias=0.1)
    rng = np.random.default_rng(11)
    for slot in slots:
        for cell in range(6):
            outcome(held, slot, cell, int(rng.integers(5)), int(rng.integers(5)) + 1)
    income, cost = rng.random(SHAPE), 0.1 * rng.random(SHAPE)
    chosen = held.choose(slots, income, cost, 9, np.random.default_rng(21))

    same = np.random.default_rng(21)
    plausible = same.beta(held.wins[slots] + _PRIOR[0], held.losses[slots] + _PRIOR[1])
    numbers = same.random((7, 9, 1))
    progress = held.learning_progress(slots)
    for place, slot in enumerate(slots):
        appeal = [
            income[f, d] * plausible[place, f, d]
            - cost[f, d]
            + held.curiosity[slot] * progress[place, f, d]
            + held.bias[slot, f, d]
            for f in range(2)
            for d in range(3)
        ]
        weights = np.exp((np.array(appeal) - max(appeal)) / held.settings.temperature)
        shares = 0.8 * weights / weights.sum() + 0.2 / 6
        for episode in range(9):
            rest, cell = numbers[place, episode, 0] * shares.sum(), 0
            while rest >= shares[cell]:
                rest -= shares[cell]
                cell += 1
            assert chosen[place, episode] == cell


def test_choices_are_cells_and_one_row_for_each() -> None:
    held, slots = beliefs(5, exploration=0.5)
    cells = held.choose(slots, ONE, FREE, 3, np.random.default_rng(0))
    assert cells.shape == (5, 3)
    assert cells.min() >= 0 and cells.max() < 6
