"""Cells pay most for what is half mastered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.economy import half_success_price

SUCCESS = st.floats(0, 1)
LOW = st.floats(0, 1)
SPREAD = st.floats(0, 10)


def test_the_price_peaks_at_one_half_and_is_lowest_where_all_or_none_succeed() -> None:
    price = half_success_price([[0.0, 0.25, 0.5], [0.75, 1.0, 0.5]], low=0.1, high=1.0)
    assert price == pytest.approx(np.array([[0.1, 0.55, 1.0], [0.55, 0.1, 1.0]]))


@given(SUCCESS, LOW, SPREAD)
def test_the_price_stays_within_its_bounds(success: float, low: float, spread: float) -> None:
    price = float(half_success_price(success, low, low + spread))
    assert low - 1e-9 <= price <= low + spread + 1e-9


@given(SUCCESS, LOW, SPREAD)
def test_success_and_failure_are_priced_alike(success: float, low: float, spread: float) -> None:
    price = half_success_price([success, 1 - success], low, low + spread)
    assert price[0] == pytest.approx(price[1])


@given(SUCCESS, SUCCESS, LOW, SPREAD)
def test_nearer_to_one_half_never_pays_less(one: float, other: float, low: float, spread: float) -> None:
    near, far = sorted([one, other], key=lambda success: abs(success - 0.5))
    price = half_success_price([near, far], low, low + spread)
    assert price[0] >= price[1]
