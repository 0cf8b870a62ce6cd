"""What each policy prefers, as facts about many draws."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from evolora_mesa.config_evolution import Selecting
from evolora_mesa.errors import ConfigError
from evolora_mesa.evolution.selection import SELECTIONS, Standing, make_selection

DRAWS = 4000


def standing(energy: list[float], success: object = None, share: object = None) -> Standing:
    """By default all work in one cell, equally well."""
    count = len(energy)
    return Standing(
        energy=np.array(energy, dtype=float),
        success=np.full((count, 1), 0.5) if success is None else np.array(success, dtype=float),
        share=np.ones((count, 1)) if share is None else np.array(share, dtype=float),
        lineage=np.arange(count),
    )


def chosen(name: str, who: Standing, count: int = 1, seed: int = 0) -> list[int]:
    return make_selection(name).choose(who, count, np.random.default_rng(seed)).tolist()


def frequency(name: str, who: Standing, count: int = 1) -> np.ndarray:
    """``[n]`` how often each was chosen in `DRAWS` draws."""
    policy, rng = make_selection(name), np.random.default_rng(7)
    return np.bincount(
        np.concatenate([policy.choose(who, count, rng) for _ in range(DRAWS)]), minlength=len(who.energy)
    )


def intensity(name: str) -> float:
    """How far the chosen are above the mean energy, in standard deviations."""
    energy = np.linspace(0, 1, 40)
    mean = frequency(name, standing(energy.tolist())) @ energy / DRAWS
    return float((mean - energy.mean()) / energy.std())


# ---------------------------------------------------------------- all of them


def test_every_policy_of_the_settings_exists_and_is_explained() -> None:
    assert set(SELECTIONS) == set(get_args(Selecting))
    assert all(SELECTIONS.values())


def test_an_unknown_policy_is_named_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"unknown selection.*lexicase.*'luck'"):
        make_selection("luck")


@given(
    st.sampled_from(sorted(SELECTIONS)),
    st.integers(0, 9),
    st.integers(0, 12),
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
)
def test_parents_are_different_and_as_many_as_asked_for(
    name: str, size: int, count: int, cells: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    share = rng.dirichlet(np.ones(cells), size) * rng.integers(0, 2, (size, 1))  # some have not worked
    who = Standing(rng.integers(0, 4, size).astype(float), rng.random((size, cells)), share, rng.integers(0, 3, size))
    found = chosen(name, who, count, seed)
    assert len(found) == len(set(found)) == min(count, size)
    assert set(found) <= set(range(size))
    assert found == chosen(name, who, count, seed)


def test_selection_is_the_harder_the_less_is_left_to_chance() -> None:
    found = {name: intensity(name) for name in ("random", "rank", "tournament", "energy")}
    assert found["random"] == pytest.approx(0.0, abs=0.06)
    # Uniform energy: linear ranking with a best chance of 1.5 moves the mean by 0.5/6 of the range, a tournament of
    # three moves it to 3/4; one standard deviation is 1/sqrt(12) of the range.
    assert found["rank"] == pytest.approx(0.5 / 6 * np.sqrt(12), abs=0.06)
    assert found["tournament"] == pytest.approx(0.25 * np.sqrt(12), abs=0.06)
    assert found["energy"] == pytest.approx(0.5 * np.sqrt(12), abs=0.06)


# ---------------------------------------------------------------- one by one


def test_energy_takes_the_richest_and_of_equals_the_first() -> None:
    assert chosen("energy", standing([1, 5, 3, 5, 0]), 4) == [1, 3, 2, 0]


def test_a_tournament_of_all_is_won_by_the_richest() -> None:
    assert {chosen("tournament", standing([1, 3, 2]), 1, seed)[0] for seed in range(50)} == {1}
    assert sorted(chosen("tournament", standing([1, 3, 2]), 9)) == [0, 1, 2]


def test_equals_have_equal_chances() -> None:
    for name in ("tournament", "rank", "lexicase"):
        assert uniform(frequency(name, standing([2.0] * 8)))
    counts = frequency("rank", standing([1, 2, 2, 2, 3]))
    assert uniform(counts[1:4])
    assert counts[0] < counts[1:4].min() <= counts[1:4].max() < counts[4]


def test_ranks_forget_how_rich_the_richest_is() -> None:
    modest, extreme = standing([1, 2, 3, 4]), standing([1, 2, 3, 4e9])
    assert (frequency("rank", modest) == frequency("rank", extreme)).all()
    # Chances 1 ∓ 0.5 · (2 · rank − 1) at ranks 1/8, 3/8, 5/8, 7/8, over 4; and at 1/4, 3/4, over 2.
    expected = np.array([0.625, 0.875, 1.125, 1.375]) / 4
    assert frequency("rank", modest) / DRAWS == pytest.approx(expected, abs=0.02)
    assert frequency("rank", standing([1, 2])) / DRAWS == pytest.approx([0.375, 0.625], abs=0.015)


def uniform(counts: np.ndarray) -> bool:
    """Not refuted at the one in a thousand level."""
    expected = counts.sum() / len(counts)
    return float(((counts - expected) ** 2 / expected).sum()) < chi2.ppf(0.999, len(counts) - 1)


def test_a_neutral_world_chooses_evenly_whatever_anybody_owns() -> None:
    who = standing([0, 0, 1, 2, 4, 8, 16, 1e6], success=np.eye(8), share=np.eye(8))
    assert uniform(frequency("random", who))
    pairs = np.zeros((8, 8))
    policy, rng = make_selection("random"), np.random.default_rng(1)
    for _ in range(DRAWS):
        first, second = policy.choose(who, 2, rng)
        pairs[first, second] += 1
    assert uniform(pairs[~np.eye(8, dtype=bool)])  # the first chosen says nothing about the second
    assert not uniform(frequency("tournament", who))


def test_lexicase_keeps_specialists_that_energy_loses() -> None:
    """Eight generalists that earn well, and a poor specialist that nobody equals in its cell."""
    success = np.full((9, 4), 0.6)
    success[8] = [0.1, 0.1, 0.1, 0.95]
    who = standing([9.0] * 8 + [1.0], success=success, share=np.full((9, 4), 0.25))
    assert frequency("energy", who)[8] == 0
    assert frequency("tournament", who)[8] == 0
    assert frequency("lexicase", who)[8] / DRAWS == pytest.approx(0.25, abs=0.03)  # whenever its cell comes first


def test_lexicase_forgives_differences_within_the_usual_spread() -> None:
    """The median absolute deviation of both cells is 0.01: 0.61 is as good as 0.62, and 0.5 is not."""
    success = [[0.62, 0.60], [0.61, 0.61], [0.60, 0.62], [0.60, 0.61], [0.50, 0.50]]
    counts = frequency("lexicase", standing([1.0] * 5, success=success, share=np.full((5, 2), 0.5)))
    assert counts[1] == counts.max()
    assert (counts[[0, 2]] > 0).all()
    assert counts[4] == 0


def test_lexicase_gives_nothing_for_cells_where_nobody_works() -> None:
    success = np.full((4, 3), 0.5)
    success[0, 2] = 1.0
    worked = np.array([[0.5, 0.5, 0.0]] * 4)
    assert uniform(frequency("lexicase", standing([1.0] * 4, success=success, share=worked)))
    assert frequency("lexicase", standing([1.0] * 4, success=success, share=np.ones((4, 3)) / 3))[0] > DRAWS / 3


def test_sharing_favours_the_rare() -> None:
    """Four share a cell that pays well, one lives alone on a third of their income."""
    share = np.eye(2)[[0, 0, 0, 0, 1]]
    who = standing([9.0, 9.1, 9.2, 9.3, 3.0], share=share)
    assert chosen("energy", who, 5) == [3, 2, 1, 0, 4]
    assert chosen("fitness_sharing", who, 5) == [4, 3, 2, 1, 0]


def test_sharing_changes_nothing_where_all_do_the_same_or_all_something_else() -> None:
    energy = np.random.default_rng(2).random(30).tolist()
    for share in (np.ones((30, 1)), np.eye(30), np.full((30, 7), 1 / 7), np.zeros((30, 3))):
        who = standing(energy, share=share)
        assert chosen("fitness_sharing", who, 30) == chosen("energy", who, 30)
    for seed in range(20):  # of equals the first, in spite of rounding
        alike = np.repeat(np.random.default_rng(seed).dirichlet(np.ones(7))[None, :], 9, 0)
        assert chosen("fitness_sharing", standing([2.0] * 9, share=alike), 9) == list(range(9))


def test_who_has_not_worked_shares_with_the_idle_only() -> None:
    share = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert chosen("fitness_sharing", standing([4.0, 4.0, 5.0, 5.0, 5.0], share=share), 2) == [0, 1]


@given(st.integers(1, 12), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_the_shared_energy_is_that_of_goldberg_and_richardson(size: int, cells: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    share, energy = rng.dirichlet(np.ones(cells), size), rng.uniform(1, 2, size)
    distance = np.abs(share[:, None] - share[None, :]).sum(2) / 2
    merit = energy / (1 - distance).sum(1)
    found = chosen("fitness_sharing", standing(energy.tolist(), share=share), size)
    assert merit[found] == pytest.approx(np.sort(merit)[::-1])
