"""The auction: who expects most gets a step, load makes bids lower, and who expects nothing does not bid."""

from __future__ import annotations

import numpy as np
import pytest
from composite_world import planned, team_world
from hypothesis import given
from hypothesis import strategies as some

from evolora_mesa.host import HostService
from evolora_mesa.society.matching import auction


def test_who_expects_most_is_asked_first() -> None:
    profit = np.array([[0.1, 0.5], [0.3, 0.2], [-0.1, 0.3]])
    assert auction(profit, [0, 1], 0.0) == [[1, 0], [0, 2, 1]]


def test_load_has_a_price() -> None:
    profit = np.array([[0.5], [0.4], [0.1]])
    assert [bidders[0] for bidders in auction(profit, [0] * 6, 0.0)] == [0] * 6
    assert [bidders[0] for bidders in auction(profit, [0] * 6, 0.16)] == [0, 1, 0, 1, 0, 2]
    ranked = auction(profit, [0] * 6, 0.31)  # who has won too often bids no more
    assert ranked == [[0, 1, 2], [1, 0, 2], [0, 2, 1], [2, 1], [1], []]


def test_without_a_bidder_a_step_stays_without() -> None:
    assert auction(np.array([[-np.inf, 1.0], [0.0, 1.0]]), [0, 1], 0.1) == [[], [0, 1]]


@given(some.integers(0, 2**32), some.integers(1, 6), some.integers(0, 12), some.floats(0, 1))
def test_no_two_loads_differ_by_more_than_their_profits_pay_for(
    seed: int, bidders: int, steps: int, congestion: float
) -> None:
    profit = np.random.default_rng(seed).random((bidders, 1)) + steps * congestion  # all bid for all
    won = [ranked[0] for ranked in auction(profit, [0] * steps, congestion)]
    assert len(won) == steps
    load = np.bincount(won, minlength=bidders)
    for one in range(bidders):
        for other in range(bidders):
            if load[one] > 0:
                gain = profit[one, 0] - congestion * (load[one] - 1) - profit[other, 0] + congestion * load[other]
                assert gain >= -1e-9


def test_bids_are_belief_times_price_less_cost(petri: HostService) -> None:
    model = team_world(petri, **{"society.orchestrator.decomposition": "given"})
    one, other, third, _ = model.organelles()
    cells = model.beliefs.wins.shape
    for organelle, wins in ((one, 2.0), (other, 9.0), (third, 5.0)):
        model.beliefs.wins[organelle.slot] = np.full(cells[1:], wins)
        model.beliefs.losses[organelle.slot] = np.full(cells[1:], 10.0 - wins)
    [job] = planned(model, "word.count", "math")
    assert job.bidders[0][:3] == [other.unique_id, third.unique_id, job.bidders[0][2]]
    model.episode_cost[:] = 0.5
    [job] = planned(model, "word.count", "math")
    assert job.bidders[0] == [other.unique_id]  # .8 expected; the next expects .48 of what costs .5


@pytest.mark.parametrize("closed", ["math", "word.count"])
def test_nobody_bids_for_families_that_are_not_there(petri: HostService, closed: str) -> None:
    model = team_world(petri, **{"society.orchestrator.decomposition": "given"})
    model.open[model.grid.families.index(closed)] = False
    [job] = planned(model, "word.count", "math")
    assert not job.bidders[["word.count", "math"].index(closed)]
