"""Adapters stay bounded and finite, and a collapse is undone once, not for ever."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plastic_world import same_weights, snapshot, toy_bank

from evolora_mesa.host import AdapterBank
from evolora_mesa.plasticity.health import Health, HealthReport

WINDOW, DROP = 4, 0.25
EVERYONE = torch.tensor([1, 2, 3])


def watch(bank: AdapterBank, niches: int = 2, *, norm_bound: float = 1e6, decay: float = 0.0) -> Health:
    return Health(bank, niches, norm_bound=norm_bound, decay=decay, window=WINDOW, drop=DROP)


def mark(bank: AdapterBank, slot: int, value: float) -> None:
    """What a learning step does to the weights, as far as health is concerned."""
    bank.b["layer"][slot, :, :2] = value


def marked(bank: AdapterBank, slot: int) -> float:
    return float(bank.b["layer"][slot, 0, 0])


def go_on(
    health: Health, bank: AdapterBank, reward: float, updates: int, *, niche: int = 0, first_mark: float = 1.0
) -> list[int]:
    """Updates of slot 1 at a steady reward, each with its own weights; which of them were rolled back."""
    undone = []
    for update in range(updates):
        mark(bank, 1, first_mark + update)
        report = health.check(torch.tensor([1]), np.array([niche]), np.array([reward]))
        if report.rolled_back:
            undone.append(update)
    return undone


# ------------------------------------------------------------------ bounds


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-3, 1e4), st.floats(1e-2, 100), st.integers(0, 1000))
def test_no_weight_change_outgrows_the_bound(size: float, bound: float, seed: int) -> None:
    bank = toy_bank(3)
    bank.b["layer"][1:, :, :2] = torch.randn(3, 5, 2, generator=torch.Generator().manual_seed(seed)) * size
    before = bank.norms(EVERYONE)
    watch(bank, norm_bound=bound).check(EVERYONE, np.zeros(3, dtype=int), np.ones(3))
    after = bank.norms(EVERYONE)
    assert bool((after <= bound * (1 + 1e-5)).all())
    torch.testing.assert_close(after, before.clamp(max=bound), rtol=1e-4, atol=0)


def test_a_bounded_change_keeps_its_direction_and_a_small_one_every_bit() -> None:
    bank = toy_bank(2)
    mark(bank, 1, 100.0)
    mark(bank, 2, 0.001)
    before = snapshot(bank)
    watch(bank, norm_bound=2.0).check(torch.tensor([1, 2]), np.zeros(2, dtype=int), np.ones(2))
    delta, old = bank.b["layer"][1] @ bank.a["layer"][1], before["b.layer"][1] @ before["a.layer"][1]
    assert float(torch.nn.functional.cosine_similarity(delta.flatten(), old.flatten(), 0)) == pytest.approx(1, abs=1e-5)
    assert same_weights(bank, before, [2])


def test_weights_decay_by_the_given_share_where_there_was_an_update() -> None:
    bank = toy_bank(3)
    for slot in (1, 2, 3):
        mark(bank, slot, 1.0)
    health = watch(bank, decay=0.1)
    for _ in range(3):
        health.check(torch.tensor([1, 3]), np.zeros(2, dtype=int), np.ones(2))
    assert [marked(bank, slot) for slot in (1, 2, 3)] == pytest.approx([0.9**3, 1.0, 0.9**3])


# ------------------------------------------------------------------ quarantine


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), -float("inf")])
def test_a_sick_newcomer_becomes_the_bare_host_and_nobody_else_is_touched(poison: float) -> None:
    bank = toy_bank(3)
    for slot in (1, 2, 3):
        mark(bank, slot, float(slot))
    bank.a["layer"][2, 1, 3] = poison
    before = snapshot(bank)
    report = watch(bank).check(EVERYONE, np.zeros(3, dtype=int), np.ones(3))
    assert report == HealthReport([2], [])
    assert same_weights(bank, before, [0, 1, 3])
    assert bool(bank.finite(EVERYONE).all())
    assert not bank.b["layer"][2].any()


def test_a_sick_adapter_gets_the_weights_of_its_best_time_back() -> None:
    bank = toy_bank(3)
    health = watch(bank)
    go_on(health, bank, 0.8, WINDOW)
    good = marked(bank, 1)
    mark(bank, 1, float("nan"))
    report = health.check(torch.tensor([1]), np.array([0]), np.array([0.8]))
    assert report.quarantined == [1]
    assert marked(bank, 1) == good == WINDOW


def test_a_founder_in_a_reused_slot_is_never_given_the_weights_of_the_dead() -> None:
    bank = toy_bank(3)
    health = watch(bank)
    go_on(health, bank, 0.8, 2 * WINDOW)
    health.reset(torch.tensor([1]))
    mark(bank, 1, float("nan"))
    health.check(torch.tensor([1]), np.array([0]), np.array([0.1]))
    assert not bank.b["layer"][1].any()
    assert go_on(health, bank, 0.1, 3 * WINDOW) == []


# ------------------------------------------------------------------ roll-back


def test_a_collapse_brings_the_best_weights_back() -> None:
    bank = toy_bank(3)
    health = watch(bank)
    assert go_on(health, bank, 0.8, WINDOW) == []
    best = snapshot(bank)
    assert marked(bank, 1) == WINDOW
    undone = go_on(health, bank, 0.1, 2, first_mark=100.0)
    assert undone == [1], "the rolling score of four falls through .8 - .25 with the second bad update"
    assert same_weights(bank, best)


def test_the_weights_that_come_back_are_those_of_the_best_score_not_of_the_last_good_one() -> None:
    bank = toy_bank(3)
    health = watch(bank)
    go_on(health, bank, 0.8, WINDOW)
    go_on(health, bank, 0.7, 2 * WINDOW, first_mark=50.0)
    assert go_on(health, bank, 0.0, 1, first_mark=100.0) == [0]
    assert marked(bank, 1) == WINDOW


def test_a_collapse_of_one_leaves_the_others_alone() -> None:
    bank = toy_bank(3)
    health = watch(bank)
    rewards = np.array([0.8, 0.8, 0.3])
    for update in range(WINDOW + 2):
        for slot in (1, 2, 3):
            mark(bank, slot, 10.0 * slot + update)
        if update >= WINDOW:
            rewards[1] = 0.1
        report = health.check(EVERYONE, np.zeros(3, dtype=int), rewards)
    assert report.rolled_back == [2]
    assert [marked(bank, slot) for slot in (1, 3)] == [15.0, 35.0]


def test_noise_smaller_than_the_drop_is_no_collapse() -> None:
    bank = toy_bank(3)
    health = watch(bank)
    rng = np.random.default_rng(0)
    undone = [go_on(health, bank, float(0.5 + 0.2 * (rng.random() - 0.5)), 1) for _ in range(200)]
    assert not any(undone)


def test_moving_to_a_niche_that_pays_less_is_no_collapse() -> None:
    bank = toy_bank(3)
    health = watch(bank)
    assert go_on(health, bank, 0.9, 3 * WINDOW, niche=0) == []
    assert go_on(health, bank, 0.1, 5 * WINDOW, niche=1) == []
    assert go_on(health, bank, 0.9, 3 * WINDOW, niche=0) == []


def test_after_a_lasting_change_of_the_world_learning_goes_on() -> None:
    bank = toy_bank(3)
    health = watch(bank)
    go_on(health, bank, 0.9, 5 * WINDOW)
    undone = go_on(health, bank, 0.2, 100, first_mark=1000.0)
    assert len(undone) == 1
    assert marked(bank, 1) == 1099.0, "the last update stands"
