"""Energy, quality and diversity, division of labour, novelty, swings."""

import numpy as np
import pytest

from evolora_mesa.alife.history import Clock, History
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics.division import division_of_labour, nodf, specialisation
from evolora_mesa.alife.metrics.energy import closure_error, energy_return, energy_spread
from evolora_mesa.alife.metrics.novelty import accumulated_novelty, tasks_solved
from evolora_mesa.alife.metrics.oscillation import counts_by_component, lag, oscillation, population_by_tick
from evolora_mesa.alife.metrics.quality_diversity import quality_diversity


def with_energies(energies: list[float]) -> EventLog:
    log = EventLog()
    log.births(0, 0.0, range(len(energies)))
    log.snapshot(0, 0.0, range(len(energies)), energy=energies)
    return log.close()


def test_inequality_of_energy_and_who_is_in_debt():
    assert energy_spread(with_energies([1, 1, 1, 1])) == (0, 0)
    assert energy_spread(with_energies([0, 0, 0, 1])).gini == pytest.approx(0.75)
    spread = energy_spread(with_energies([-1, 1, 1, 1]))
    assert spread.negative == 0.25 and spread.gini == 0
    assert energy_spread(with_energies([1, np.nan])) is None


def test_energy_that_no_account_explains_is_told():
    log = EventLog()
    log.births(0, 0.0, [0])
    log.snapshot(0, 0.0, [0], energy=1.0)
    log.energy(1, [0], "food", 2.0)
    log.snapshot(1, 1.0, [0], energy=3.0)
    assert closure_error(log.close()) == 0
    log.stream("snapshots")["energy"][1] = 4.0
    assert closure_error(log) == pytest.approx(0.5)


def at_work() -> EventLog:
    log = EventLog()
    log.births(0, 0.0, [0, 1])
    log.evals(1, [0, 0, 1, 1], [0, 0, 1, 1], reward=[1, 2, 0, 3], cost=1.0, success=[1, 1, 0, 1])
    log.evals(1, [1], [2], reward=0.0, cost=2.0, success=0.4)
    log.snapshot(1, 1.0, [0, 1], fitness=[0.5, 1.0], descriptor=[[0.05, 0.0], [0.95, 1.0]])
    log.deaths(2, 2.0, [1])
    log.snapshot(2, 2.0, [0], fitness=[0.25], descriptor=[[0.05, 0.0]])
    return log.close()


def test_return_and_solved_tasks():
    assert energy_return(at_work()) == pytest.approx(1.0)
    assert tasks_solved(at_work()) == 2
    assert energy_return(with_energies([1])) is None and tasks_solved(with_energies([1])) is None


def test_an_archive_keeps_the_best_of_all_times_and_the_living_only_what_they_have():
    found = quality_diversity(at_work(), bins=10)
    assert found.coverage == pytest.approx(2 / 100) and found.living_coverage == pytest.approx(1 / 100)
    assert found.qd_score == pytest.approx(1.5) and found.norm_qd_score == pytest.approx(0.015)
    assert found.best == 1 and found.mean == 0.75
    assert quality_diversity(with_energies([1])) is None


def test_specialists_and_generalists():
    assert specialisation(np.eye(4))[0] == pytest.approx(1)
    assert specialisation(np.ones((3, 4)))[0] == pytest.approx(0)
    assert np.isnan(specialisation([[1], [2]])[0])
    work = division_of_labour(at_work(), last=1.0)
    assert 0 < work.specialisation < 1 and work.within == pytest.approx(0.6 * 0.9182958)


def test_nestedness_of_the_perfect_and_of_the_checkerboard():
    assert nodf(np.tri(4)) == pytest.approx(100)
    assert nodf(np.eye(4)) == 0
    # Almeida-Neto et al. (2008), figure 1: 58 % over rows and columns of this table.
    table = [[1, 0, 1, 1, 1], [1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0]]
    assert nodf(table) == pytest.approx(58.33, abs=0.01)


def test_what_is_new_counts_once_it_has_stayed():
    log = EventLog()
    log.births(0, 0.0, [0], geno=0)
    log.births(1, 1.0, [1, 2], [0, 0], geno=[1, 2])
    log.deaths(2, 2.0, [1])
    log.births(6, 6.0, [3], [0], geno=1)
    log.snapshot(9, 9.0, [0, 2, 3])
    history = History.of(log.close(), "geno")
    clock = Clock.of(history, unit=1.0)
    assert accumulated_novelty(history, clock, hold=3).tolist() == [0, 0, 0, 1, 1, 1, 1, 1, 2, 2]


def test_swings_have_a_period_and_the_follower_a_lag():
    time = np.arange(400)
    prey, hunters = 10 + np.sin(time * 2 * np.pi / 50), 5 + np.sin((time - 12) * 2 * np.pi / 50)
    found = oscillation(prey)
    assert found.period == pytest.approx(50, abs=1) and found.strength > 0.8
    assert found.variation == pytest.approx(0.1 / np.sqrt(2), rel=0.01)
    assert lag(prey, hunters, most=25) == pytest.approx(12, abs=1)
    assert lag(hunters, prey, most=25) == pytest.approx(-12, abs=1)
    assert np.isnan(oscillation(np.ones(50)).period)


def test_ticks_without_events_count_as_time():
    log = EventLog()
    log.births(0, 0.0, [0, 1], pheno=[4, 6])
    log.deaths(3, 1.0, [0])
    log.snapshot(5, 1.0, [1])
    history = History.of(log.close(), "pheno")
    assert population_by_tick(history).tolist() == [2, 2, 2, 1, 1, 1]
    assert counts_by_component(history)[1].tolist() == [[1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]]


def test_numbers_by_component():
    log = EventLog()
    log.births(0, 0.0, [0, 1, 2], pheno=[4, 4, 6])
    log.deaths(1, 1.0, [0])
    log.snapshot(1, 1.0, [1, 2])
    codes, counts = counts_by_component(History.of(log.close(), "pheno"))
    assert codes.tolist() == [4, 6] and counts.tolist() == [[2, 1], [1, 1]]
