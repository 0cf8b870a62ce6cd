"""The update of all hosts at once against one host after the other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from evolora_mesa.alife.host_symbiont.interaction import (
    GENERATION,
    HOST,
    ID,
    NOBODY,
    POINTS,
    SYMBIONT,
    VALUE,
    Rules,
    take_turn,
)
from evolora_mesa.alife.host_symbiont.turns import Draws, draw
from evolora_mesa.alife.host_symbiont.update import update


def _loop(tenants: np.ndarray, draws: Draws, rules: Rules) -> tuple[np.ndarray, int, int]:
    """The rules as prose tells them: tenants afterwards (ids aside), child hosts, symbionts born."""
    cells = [
        [dict(zip(("v", "p", "g"), tenants[k, :3, c].tolist(), strict=True)) for k in (0, 1)]
        for c in range(tenants.shape[2])
    ]
    for cell in range(len(cells)):
        if tenants[SYMBIONT, ID, cell] < 0:
            cells[cell][1] = None

    def child(parent: dict, change: float) -> dict:
        return {"v": min(max(parent["v"] + change, -1.0), 1.0), "p": 0.0, "g": parent["g"] + 1}

    families = symbionts = 0
    for here in np.argsort(draws.rank):
        host, symbiont = cells[here]
        h = host["v"]
        kept, donated = rules.meal * (1 - abs(h)), rules.meal * max(h, 0.0)
        if symbiont is None:
            host["p"] += kept
        elif symbiont["v"] < 0:
            stolen = max(min(h, 0.0) - symbiont["v"], 0.0) * kept
            host["p"] += kept - stolen
            symbiont["p"] += stolen + donated
        else:
            returned = donated * symbiont["v"]
            host["p"] += kept + rules.synergy * returned
            symbiont["p"] += donated - returned
        if host["p"] >= rules.host_price:
            host["p"] = 0.0
            along = child(symbiont, draws.changes[1, here]) if symbiont and draws.transmits[here] else None
            cells[draws.targets[HOST, here]] = [child(host, draws.changes[0, here]), along]
            families, symbionts = families + 1, symbionts + (along is not None)
        if symbiont and symbiont["p"] >= rules.symbiont_price:
            symbiont["p"] = 0.0
            goal = cells[draws.targets[SYMBIONT, here]]
            if goal[1] is None:
                goal[1] = child(symbiont, draws.changes[2, here])
                symbionts += 1
    after = np.zeros((2, 3, len(cells)))
    for place, pair in enumerate(cells):
        for kind, one in enumerate(pair):
            after[kind, :, place] = [one["v"], one["p"], one["g"]] if one else np.nan
    return after, families, symbionts


def _world(rng: np.random.Generator, cells: int, *, hot: bool) -> np.ndarray:
    """Tenants; a hot world is about to boil over: nearly everybody can reproduce in this update."""
    tenants = np.zeros((2, 4, cells))
    tenants[:, VALUE] = rng.uniform(-1.0, 1.0, (2, cells))
    tenants[:, POINTS] = rng.uniform(0.0, 1.0, (2, cells)) * np.array([[1000.0], [100.0]])
    tenants[SYMBIONT, VALUE, rng.random(cells) < 0.3] = -1.0  # such a one infects in the update of its own birth
    if hot:
        tenants[HOST, POINTS] = 990.0
    tenants[HOST, ID] = np.arange(cells)
    there = rng.random(cells) < 0.6
    tenants[SYMBIONT, ID] = np.where(there, cells + np.cumsum(there) - 1, NOBODY)
    tenants[SYMBIONT, :3, ~there] = 0.0
    return tenants


@settings(max_examples=60, deadline=None)
@given(
    seed=some.integers(0, 10**6),
    cells=some.integers(2, 60),
    hot=some.booleans(),
    vertical=some.sampled_from([0.0, 0.5, 1.0]),
)
def test_hosts_that_act_at_once_are_hosts_that_act_one_after_the_other(seed, cells, hot, vertical):
    rng = np.random.default_rng(seed)
    tenants, rules = _world(rng, cells, hot=hot), Rules()
    for _ in range(3):
        draws = draw(rng, None, cells, vertical=vertical, size=0.3, rate=0.7)
        after, families, symbionts = _loop(tenants, draws, rules)
        done = update(tenants, draws, rules, 10_000)
        there = done.tenants[SYMBIONT, ID] >= 0
        assert np.array_equal(there, ~np.isnan(after[SYMBIONT, 0]))
        np.testing.assert_allclose(done.tenants[HOST, :3], after[HOST], atol=1e-9)
        np.testing.assert_allclose(done.tenants[SYMBIONT, :3, there], after[SYMBIONT, :, there], atol=1e-9)
        assert tuple(len(births.parents) for births in done.born) == (families, symbionts)
        tenants = done.tenants
        tenants[:, POINTS] = np.where(hot, tenants[:, POINTS] + [[900.0], [50.0]], tenants[:, POINTS])
        tenants[HOST, ID] = np.arange(cells)
        tenants[SYMBIONT, ID] = np.where(there, cells + np.cumsum(there) - 1, NOBODY)


@settings(max_examples=30, deadline=None)
@given(seed=some.integers(0, 10**6), cells=some.integers(2, 60))
def test_everybody_is_accounted_for(seed, cells):
    rng = np.random.default_rng(seed)
    tenants = _world(rng, cells, hot=True)
    done = update(tenants, draw(rng, None, cells, vertical=0.5, size=0.3, rate=1.0), Rules(), 1000)
    for kind in (HOST, SYMBIONT):
        before, after = (ids[kind, ID][ids[kind, ID] >= 0] for ids in (tenants, done.tenants))
        born, dead = done.born[kind].rows[ID], done.dead[kind][ID]
        assert sorted(np.r_[after, dead]) == sorted(np.r_[before, born])
        assert set(done.born[kind].parents) <= set(np.r_[before, born])
        assert (done.born[kind].parents < born).all()
    newborn = np.concatenate([births.rows[ID] for births in done.born])
    assert newborn.tolist() == list(range(1000, 1000 + len(newborn)))
    held = [float(state[:, POINTS].sum()) for state in (tenants, done.tenants)]
    lost = sum(float(rows[POINTS].sum()) for rows in done.dead)
    assert held[1] - held[0] == pytest.approx(done.gains.sum() - done.paid.sum() - lost)


def test_a_child_of_an_update_can_act_in_it_only_after_its_arrival():
    tenants = np.zeros((2, 4, 2))
    tenants[HOST, ID] = [0, 1]
    tenants[SYMBIONT, :, 0] = [-1.0, 99.0, 0.0, 2.0]
    tenants[SYMBIONT, ID, 1] = NOBODY
    targets, changes = np.array([[1, 0], [1, 0]]), np.zeros((3, 2))
    never = np.zeros(2, bool)
    first, last = (
        update(tenants, Draws(np.array(order), targets, never, changes), Rules(), 3) for order in ([0, 1], [1, 0])
    )
    assert first.tenants[SYMBIONT, POINTS, 1] == 0.0  # it ate 100 points, and paid them for offspring at once
    assert first.paid[SYMBIONT] == 299.0
    assert last.paid[SYMBIONT] == 199.0 and last.tenants[SYMBIONT, POINTS, 1] == 0.0
    assert first.gains[SYMBIONT] == 200.0 and last.gains[SYMBIONT] == 100.0


def test_the_order_of_turns_is_another_one_in_every_update_and_offspring_goes_elsewhere():
    rng = np.random.default_rng(9)
    draws = [draw(rng, None, 100, vertical=0.25, size=0.1, rate=1.0) for _ in range(40)]
    ranks = np.array([one.rank for one in draws])
    assert (np.sort(ranks) == np.arange(100)).all() and len(np.unique(ranks[:, 0])) > 20
    assert all((one.targets != np.arange(100)).all() and one.targets.max() < 100 for one in draws)
    assert len(np.unique(draws[0].targets[HOST])) > 50
    assert np.mean([one.transmits.mean() for one in draws]) == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    ("host", "symbiont", "points"),
    [
        (0.5, None, (50.0, 0.0)),  # what it would donate is lost
        (-0.5, None, (50.0, 0.0)),  # and so is what it would defend itself with
        (0.5, 0.5, (50.0 + 5 * 25.0, 25.0)),
        (0.5, -0.5, (50.0 - 25.0, 50.0 + 25.0)),  # it steals, and keeps the donation
        (-0.5, -0.25, (50.0, 0.0)),  # the defence holds
        (-0.5, -0.75, (50.0 - 12.5, 12.5)),
    ],
)
def test_a_meal_is_shared_as_the_paper_says(host, symbiont, points):
    tenants = np.zeros((2, 4, 1))
    tenants[HOST, VALUE], tenants[SYMBIONT, VALUE] = host, symbiont or 0.0
    tenants[SYMBIONT, ID] = NOBODY if symbiont is None else 1
    outcome = take_turn(tenants, np.ones(1, bool), Rules())
    assert outcome.gains[:, 0] == pytest.approx(points)
    assert outcome.after[:, POINTS, 0] == pytest.approx(points)
    assert outcome.after[:, GENERATION].sum() == 0
