"""A crowded cell pays everybody less, and never more than it has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.economy import QUANTA_PER_ENERGY, Ledger, settle_claims
from evolora_mesa.errors import LedgerError

ENERGY = st.one_of(st.just(0.0), st.floats(0, 50), st.integers(0, 50_000_000).map(lambda quanta: quanta / 1e6))


@st.composite
def markets(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    pools = draw(st.lists(ENERGY, min_size=1, max_size=5))
    rows = draw(st.lists(st.tuples(st.integers(0, len(pools) - 1), ENERGY), max_size=30))
    cells = np.array([cell for cell, _ in rows], dtype=np.int64)
    return np.array(pools), cells, np.array([claim for _, claim in rows], dtype=np.float64)


def quanta(energy: np.ndarray) -> np.ndarray:
    return np.rint(energy * QUANTA_PER_ENERGY).astype(np.int64)


@given(markets())
def test_nobody_is_paid_more_than_the_claim(market: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    pools, cells, claims = market
    paid = settle_claims(pools, cells, claims)
    assert paid.shape == claims.shape
    assert (paid >= 0).all()
    assert (paid <= claims).all()


@given(markets())
def test_no_pool_is_overdrawn_by_a_single_quantum(market: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    pools, cells, claims = market
    paid = quanta(settle_claims(pools, cells, claims))
    for cell, pool in enumerate(pools):
        assert int(paid[cells == cell].sum()) / QUANTA_PER_ENERGY <= pool


@given(markets())
def test_a_crowded_cell_pays_pro_rata_within_one_quantum(market: tuple[np.ndarray, ...]) -> None:
    pools, cells, claims = quanta(market[0]), market[1], quanta(market[2])
    paid = quanta(settle_claims(pools / QUANTA_PER_ENERGY, cells, claims / QUANTA_PER_ENERGY))
    for cell, pool in enumerate(pools.tolist()):
        rows = cells == cell
        demand = int(claims[rows].sum())
        for claim, got in zip(claims[rows].tolist(), paid[rows].tolist(), strict=True):
            if demand <= pool:
                assert got == claim
            else:
                assert 0 <= claim * pool - got * demand < demand  # short of its share by less than a quantum
        if demand > pool:
            assert pool - int(paid[rows].sum()) < rows.sum()


@given(st.integers(0, 50_000_000), st.integers(0, 50_000_000))
def test_alone_in_a_cell_a_row_gets_its_full_claim(pool: int, claim: int) -> None:
    paid = settle_claims([pool / 1e6], [0], [claim / 1e6])
    assert paid.tolist() == [min(pool, claim) / 1e6]


@given(markets(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(market: tuple[np.ndarray, ...], random: object) -> None:
    pools, cells, claims = market
    order = np.arange(len(claims))
    random.shuffle(order)  # type: ignore[attr-defined]
    paid = settle_claims(pools, cells, claims)
    assert np.array_equal(settle_claims(pools, cells[order], claims[order]), paid[order])


def test_crowding_lowers_the_income_of_each() -> None:
    income = [settle_claims([2.0], np.zeros(n, dtype=int), np.full(n, 0.5))[0] for n in (1, 4, 8, 16)]
    assert income == [0.5, 0.5, 0.25, 0.125]


def test_shares_stay_exact_where_floats_would_round_into_an_overdraft() -> None:
    pool, claims = 2_000_000_000.0, [1_000_000_000.000_001, 1_000_000_000.000_003, 1.0]
    paid = quanta(settle_claims([pool], [0, 0, 0], claims))
    assert int(paid.sum()) <= 2_000_000_000 * QUANTA_PER_ENERGY


@given(markets())
def test_the_ledger_can_always_pay_what_the_market_settles(market: tuple[np.ndarray, ...]) -> None:
    pools, cells, claims = market
    ledger = Ledger()
    sun = ledger.open("sun")
    cell_accounts = np.array([ledger.open("cell") for _ in pools])
    organelle = ledger.open("organelle")
    ledger.transfer(sun, cell_accounts, pools, "inflow")
    paid = settle_claims(ledger.balance(cell_accounts), cells, claims)
    assert np.array_equal(ledger.transfer(cell_accounts[cells], organelle, paid, "reward"), paid)
    assert ledger.total() == 0


def test_a_world_without_rows_is_paid_nothing() -> None:
    assert settle_claims([1.0, 2.0], [], []).shape == (0,)


@pytest.mark.parametrize(
    ("pools", "cells", "claims"),
    [
        ([1.0], [0], [-0.1]),
        ([1.0], [0], [float("nan")]),
        ([-1.0], [0], [0.1]),
        ([1.0], [1], [0.1]),
        ([1.0], [-1], [0.1]),
        ([1.0], [0, 0], [0.1]),
    ],
)
def test_a_claim_that_makes_no_sense_is_refused(pools: list[float], cells: list[int], claims: list[float]) -> None:
    with pytest.raises(LedgerError):
        settle_claims(pools, cells, claims)
