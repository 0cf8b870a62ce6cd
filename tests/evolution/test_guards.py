"""The guards move prices, within bounds, and only when something is too unequal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evolora_mesa.economy import gini
from evolora_mesa.evolution.guards import birth_prices, tilted_prices

SHAPE = st.tuples(st.integers(1, 4), st.integers(1, 4))
UNIT = st.floats(0, 1)


@st.composite
def markets(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Prices, and the wealth of the cells; nan where nobody works."""
    shape = draw(SHAPE)
    price = draw(arrays(float, shape, elements=st.floats(0, 1e6)))
    wealth = draw(arrays(float, shape, elements=st.one_of(st.just(np.nan), st.floats(0, 1e6))))
    return price, wealth


@given(markets(), UNIT, UNIT, st.floats(0, 10))
def test_up_to_the_cap_prices_are_exactly_as_they_were(
    market: tuple[np.ndarray, np.ndarray], one: float, other: float, strength: float
) -> None:
    price, wealth = market
    found = tilted_prices(price, wealth, min(one, other), max(one, other), strength)
    assert np.array_equal(found, price)
    assert found is not price


@given(markets(), UNIT, UNIT, st.floats(0, 10))
def test_above_the_cap_the_mean_is_kept_and_no_price_leaves_its_bounds(
    market: tuple[np.ndarray, np.ndarray], inequality: float, cap: float, strength: float
) -> None:
    price, wealth = market
    found = tilted_prices(price, wealth, inequality, cap, strength)
    worked = ~np.isnan(wealth)
    assert np.array_equal(found[~worked], price[~worked])
    assert found[worked].sum() == pytest.approx(price[worked].sum(), rel=1e-9, abs=1e-300)
    assert (found >= 0.5 * price * (1 - 1e-12)).all()
    assert (found <= 1.5 * price * (1 + 1e-12)).all()
    if worked.any():
        mean = wealth[worked].mean()
        assert (found[worked & (wealth > mean)] <= price[worked & (wealth > mean)]).all()
        assert (found[worked & (wealth < mean)] >= price[worked & (wealth < mean)]).all()


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=8), st.floats(0.1, 10))
def test_at_equal_prices_the_richer_cell_never_pays_more(wealth: list[float], strength: float) -> None:
    found = tilted_prices(np.ones((1, len(wealth))), np.array([wealth]), 0.9, 0.5, strength)[0]
    assert (np.diff(found[np.argsort(wealth)]) <= 1e-12).all()


def test_cells_of_the_poor_pay_more_and_cells_of_the_rich_less() -> None:
    price = np.array([[1.0, 2.0, 1.0, 1.0]])
    wealth = np.array([[1.0, 9.0, np.nan, 5.0]])
    found = tilted_prices(price, wealth, 0.8, 0.6, 0.5)
    # The tilt is 0.5 · 0.2/0.4 · 4/5 = 0.2; the cut of 0.4 is scaled down to the rise of 0.2.
    assert found == pytest.approx(np.array([[1.2, 1.8, 1.0, 1.0]]))
    assert price.tolist() == [[1.0, 2.0, 1.0, 1.0]]  # the old ones are not written over


def test_the_tilt_begins_at_nothing_and_grows_with_inequality() -> None:
    price, wealth = np.ones((1, 2)), np.array([[1.0, 3.0]])
    rises = [tilted_prices(price, wealth, level, 0.6, 0.5)[0, 0] - 1 for level in (0.6, 0.6 + 1e-9, 0.7, 0.8, 0.9)]
    assert rises[0] == 0.0
    assert rises[1] == pytest.approx(0.0, abs=1e-8)
    assert (np.diff(rises) > 0).all()


@pytest.mark.parametrize(
    ("wealth", "inequality", "cap"),
    [
        ([[np.nan, np.nan]], 0.9, 0.5),  # nobody works
        ([[4.0, 4.0]], 0.9, 0.5),  # all cells are alike
        ([[0.0, 0.0]], 0.9, 0.5),  # nobody has anything
        ([[np.nan, 4.0]], 0.9, 0.5),  # one worked cell has nobody to give to
        ([[1.0, 3.0]], np.nan, 0.5),  # no owners
        ([[1.0, 3.0]], 0.99, 1.0),  # switched off
    ],
)
def test_nothing_moves_where_there_is_nothing_to_level(
    wealth: list[list[float]], inequality: float, cap: float
) -> None:
    price = np.array([[0.3, 0.7]])
    assert np.array_equal(tilted_prices(price, np.array(wealth), inequality, cap, 0.5), price)


def test_a_rich_cell_that_pays_nothing_cannot_give() -> None:
    price = np.array([[1.0, 0.0]])
    assert np.array_equal(tilted_prices(price, np.array([[1.0, 9.0]]), 0.9, 0.5, 0.5), price)


def test_where_income_follows_prices_inequality_falls_back_towards_the_cap() -> None:
    """Two cells with one organelle each; one earns ten times as much. Upkeep takes a tenth of what is owned."""

    def inequality_after(strength: float) -> float:
        energy = np.array([1.0, 10.0])
        for _ in range(200):
            price = tilted_prices(np.array([[0.5, 0.5]]), energy[None, :], gini(energy), 0.2, strength)[0]
            energy = 0.9 * energy + price * np.array([0.2, 2.0])
        return gini(energy)

    # At rest the energies are 1 + d and 10 (1 - d), and d = strength * (gini - 0.2) / 0.8 * 2 gini: solved for gini.
    found = [inequality_after(strength) for strength in (0.0, 1.0, 3.0)]
    assert found == pytest.approx([9 / 22, 0.37712, 1 / 3], abs=1e-5)


# ---------------------------------------------------------------- births


@given(st.lists(st.integers(0, 4), max_size=30), st.floats(0, 10), UNIT, st.floats(0, 100))
def test_a_birth_costs_more_only_in_lineages_above_the_cap(
    lineage: list[int], base: float, cap: float, strength: float
) -> None:
    found = birth_prices(base, np.array(lineage, dtype=np.int64), cap, strength)
    assert len(found) == len(lineage)
    for price, own in zip(found.tolist(), lineage, strict=True):
        share = lineage.count(own) / len(lineage)
        if share <= cap:
            assert price == base
        else:
            assert price == pytest.approx(base * (1 + strength * (share - cap) / (1 - cap)))
            assert base <= price <= base * (1 + strength) * (1 + 1e-12)


def test_an_only_lineage_pays_the_most() -> None:
    assert birth_prices(0.2, np.full(5, 3), 0.4, 4.0) == pytest.approx(np.full(5, 1.0))
    assert birth_prices(0.2, np.full(5, 3), 1.0, 4.0).tolist() == [0.2] * 5


def test_the_larger_lineage_pays_more_than_the_smaller() -> None:
    found = birth_prices(1.0, np.array([7, 7, 7, 7, 7, 7, 2, 2, 2, 9]), 0.2, 4.0)
    assert found.tolist() == pytest.approx([3.0] * 6 + [1.5] * 3 + [1.0])
