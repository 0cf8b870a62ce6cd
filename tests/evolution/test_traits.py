"""Traits are inherited, vary, and stay in their ranges."""

from __future__ import annotations

import numpy as np

from evolora_mesa.evolution.traits import BOUNDS, TRAITS, Traits

FOUNDERS = {"budget": 0.4, "thrift": 1.0, "sociability": 0.8, "strength": 0.03}


def traits(**founders: float) -> Traits:
    found = Traits(64, {**FOUNDERS, **founders}, (0.01, 0.5))
    found.found(np.array([0, 1]))
    return found


def test_children_are_spread_around_the_geometric_mean_of_their_parents() -> None:
    found = traits()
    found.strength[1] = 0.12
    children = np.arange(2, 62)
    found.inherit(np.tile([0, 1], (60, 1)), children, np.random.default_rng(0))
    middle = np.exp(np.log(found.strength[children]).mean())
    assert abs(middle / 0.06 - 1) < 0.1
    assert 0.1 < np.log(found.strength[children]).std() < 0.3
    assert 0.05 < np.log(found.budget[children]).std() < 0.15
    assert len(set(found.thrift[children])) == 60


def test_traits_never_leave_their_ranges() -> None:
    found = traits()
    rng = np.random.default_rng(1)
    for _ in range(400):
        found.inherit(np.array([[0]]), np.array([0]), rng)
        row = dict(zip(TRAITS, found.rows(np.array([0]))[0], strict=True))
        for name, (low, high) in {**BOUNDS, "strength": (0.01, 0.5)}.items():
            assert low <= row[name] <= high


def test_founders_outside_a_range_are_brought_inside() -> None:
    assert traits(budget=0.0).budget[0] == BOUNDS["budget"][0]


def test_rows_go_out_and_come_in_unchanged() -> None:
    found = traits(sociability=0.3)
    found.write(np.array([5]), found.rows(np.array([0])))
    assert found.rows(np.array([5])).tolist() == [[0.4, 1.0, 0.3, 0.03]]
    assert found.sociability[5] == 0.3
