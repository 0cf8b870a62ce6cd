"""Boltzmann: units are conserved, and the Gini coefficient is what the closed form says."""

import numpy as np
import pytest
from resuming import assert_resumes, stepped

from evolora_mesa.alife.boltzmann import Boltzmann
from evolora_mesa.alife.boltzmann.equilibrium import expected_gini, expected_gini_by_counting, limit_gini
from evolora_mesa.alife.boltzmann.exchange import meet_anybody, meet_neighbours
from evolora_mesa.errors import ConfigError


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("owners", "units"), [(2, 1), (2, 6), (3, 4), (4, 3), (5, 6)])
def test_the_closed_form_is_the_mean_over_all_ways_to_share(owners, units):
    assert float(expected_gini(owners, units)) == pytest.approx(expected_gini_by_counting(owners, units), abs=1e-12)


def test_many_owners_approach_two_thirds_and_many_units_a_half():
    assert limit_gini(1) == 2 / 3 and limit_gini(10) == pytest.approx(0.5238, abs=1e-4)
    assert limit_gini(1e9) == pytest.approx(0.5, abs=1e-8)
    assert float(expected_gini(1500, 1500)) == pytest.approx(2 / 3, abs=1e-3)


def test_all_ways_to_share_come_up_equally_often(rng):
    wealth, seen = np.array([2, 0, 0]), {}
    for _ in range(3000):
        meet_anybody(wealth, rng)
        seen[tuple(wealth.tolist())] = seen.get(tuple(wealth.tolist()), 0) + 1
    assert len(seen) == 6 and min(seen.values()) > 400 and max(seen.values()) < 600


def test_the_measured_gini_is_the_expected_one():
    series = stepped(Boltzmann(agents=200, record=False), 600).series()["wealth_gini"]
    assert series[0] == 0.0
    assert np.mean(series[100:]) == pytest.approx(float(expected_gini(200, 200)), rel=0.01)


def test_neighbours_step_to_a_cell_around_and_give_to_whom_they_meet_there(rng):
    wealth, cells = np.array([5, 5]), np.array([0, 3])  # two cells by two: everybody is next to everybody
    for _ in range(50):
        before, places = wealth.copy(), cells.copy()
        moved = meet_neighbours(wealth, cells, (2, 2), rng)
        assert wealth.sum() == 10 and (cells != places).all()
        assert moved == 0 or np.abs(wealth - before).sum() in (0, 2, 4)
    lonely = np.array([3])
    assert meet_neighbours(lonely, np.array([5]), (4, 4), rng) == 0 and lonely.tolist() == [3]


def test_walkers_cover_the_grid_and_do_not_cross_its_edges(rng):
    cells = np.zeros(1, np.int64)
    visited = set()
    for _ in range(400):
        before = cells[0]
        meet_neighbours(np.array([1]), cells, (5, 3), rng)
        assert max(abs(before % 5 - cells[0] % 5), abs(before // 5 - cells[0] // 5)) == 1
        visited.add(int(cells[0]))
    assert visited == set(range(15))


@pytest.mark.parametrize("meeting", ["anybody", "neighbours"])
def test_units_are_conserved_and_the_log_adds_up(meeting):
    model = stepped(Boltzmann(agents=60, wealth=3, meeting=meeting), 40)
    assert model.wealth.sum() == 180 and model.wealth.min() >= 0 and model.series()["wealth_gini"][-1] > 0.1
    log = model.log.close()
    moved = log.frame("energy").groupby("account")["amount"].sum()
    assert moved["received"] == -moved["given"] > 0
    assert log.capabilities == {"energy"} and len(log.stream("births")) == 60 and not len(log.stream("deaths"))


@pytest.mark.parametrize("meeting", ["anybody", "neighbours"])
def test_a_resumed_run_is_the_unbroken_one(meeting):
    assert_resumes(Boltzmann, meeting=meeting)


def test_agents_mirror_wealth():
    model = Boltzmann(agents=20)
    before = list(model.agents)
    stepped(model, 10)
    assert list(model.agents) == before and [agent.energy for agent in before] == model.wealth.tolist()
    assert before[0].age == 10 and before[0].trait() == {} and before[0].niche() is None
    assert model.picture()["shape"] is None and Boltzmann(meeting="neighbours").picture()["shape"] == (10, 10)


def test_the_same_seed_is_the_same_run_and_another_is_not():
    first, second, other = (stepped(Boltzmann(**extra), 15).series() for extra in ({}, {"record": False}, {"rng": 1}))
    assert first == second != other


@pytest.mark.parametrize("wrong", [{"agents": 1}, {"wealth": 0}, {"meeting": "nobody"}, {"width": 1}, {"rng": -1}])
def test_wrong_settings_are_refused_in_one_line(wrong):
    with pytest.raises(ConfigError) as error:
        Boltzmann(**wrong)
    assert "\n" not in str(error.value)


def test_all_quick_targets_are_met():
    assert [target for target in Boltzmann.reference(quick=True) if not target.passed] == []
