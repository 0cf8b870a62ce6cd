"""Costs follow from tokens and size alone, and inequality has one number."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.economy import Tariff, gini
from evolora_mesa.errors import LedgerError

TARIFF = Tariff(ticket=0.35, prompt_token=0.0005, generated_token=0.002, adapter_kiloparameter=0.005)
ROWS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 3)), max_size=40)
SIZES = np.array([0, 1000, 2500, 10_000])


def bill(rows: list[tuple[int, int, int]], sizes: np.ndarray = SIZES) -> np.ndarray:
    prompt, generated, owner = (np.array([row[i] for row in rows], dtype=np.int64) for i in range(3))
    return TARIFF.bill(prompt, generated, sizes, owner)


def test_a_bill_adds_prompt_tokens_generated_tokens_and_adapter_size() -> None:
    owed = bill([(100, 10, 1), (100, 20, 1), (40, 0, 3)])
    assert owed == pytest.approx([0.0, 0.1 + 0.06 + 0.005, 0.0125, 0.02 + 0.05])


@given(ROWS, st.randoms(use_true_random=False))
def test_a_bill_is_the_same_to_the_last_bit_whatever_the_order_of_the_rows(
    rows: list[tuple[int, int, int]], random: object
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert np.array_equal(bill(rows), bill(shuffled))


@given(ROWS, ROWS)
def test_the_bill_of_two_days_is_the_sum_of_their_bills(
    one: list[tuple[int, int, int]], other: list[tuple[int, int, int]]
) -> None:
    both = bill(one + other, 2 * SIZES)
    assert both == pytest.approx(bill(one) + bill(other))


@given(ROWS, st.integers(1, 9))
def test_a_bill_grows_in_proportion_to_the_work(rows: list[tuple[int, int, int]], factor: int) -> None:
    more = [(factor * prompt, factor * generated, owner) for prompt, generated, owner in rows]
    assert bill(more, factor * SIZES) == pytest.approx(factor * bill(rows))


def test_an_idle_organelle_pays_for_its_adapter_alone() -> None:
    assert bill([]) == pytest.approx(SIZES * 0.005 / 1000)
    assert TARIFF.bill([], [], [], []).shape == (0,)


@pytest.mark.parametrize(("prompt", "owner"), [([1, 2], [0]), ([1], [1]), ([1], [-1])])
def test_a_row_without_an_owner_is_refused(prompt: list[int], owner: list[int]) -> None:
    with pytest.raises(LedgerError):
        TARIFF.bill(prompt, prompt, [1000], owner)


@given(st.integers(1, 200), st.floats(0, 1e9, allow_subnormal=False))
def test_equals_have_a_gini_of_zero(count: int, energy: float) -> None:
    assert gini(np.full(count, energy)) == pytest.approx(0, abs=1e-12)


@given(st.integers(1, 200), st.floats(1e-6, 1e9))
def test_one_owner_of_everything_has_a_gini_of_all_but_one(count: int, energy: float) -> None:
    owned = np.zeros(count)
    owned[count // 2] = energy
    assert gini(owned) == pytest.approx((count - 1) / count)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.floats(1e-3, 1e3))
def test_gini_depends_on_shares_and_not_on_units(owned: list[float], unit: float) -> None:
    assert 0 <= gini(owned) < 1
    assert gini(np.array(owned) * unit) == pytest.approx(gini(owned), abs=1e-9)


def test_gini_agrees_with_the_mean_difference_of_all_pairs() -> None:
    owned = np.random.default_rng(3).exponential(size=50)
    pairs = np.abs(owned[:, None] - owned[None, :]).mean()
    assert gini(owned) == pytest.approx(pairs / (2 * owned.mean()))


def test_nobody_has_no_gini_and_debts_are_refused() -> None:
    assert math.isnan(gini([]))
    for bad in ([-1.0, 2.0], [math.nan], [math.inf, 1.0]):
        with pytest.raises(LedgerError):
            gini(bad)
