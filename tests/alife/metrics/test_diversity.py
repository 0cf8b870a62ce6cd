"""Hill numbers, turnover, effective numbers and lives."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_log import moran_log

from evolora_mesa.alife.history import Clock, History
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics.diversity import hill, hill_series, turnover_series
from evolora_mesa.alife.metrics.effective import effective_population
from evolora_mesa.alife.metrics.lifetimes import causes_of_death, lifetimes


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(1, 9), st.sampled_from([0, 1, 2, 3]))
def test_equal_shares_count_as_many_as_there_are(kinds, each, q):
    assert hill([each] * kinds, q) == pytest.approx(kinds)


def test_hill_numbers_of_unequal_shares():
    assert hill([1, 1, 2], 1) == pytest.approx(math.exp(1.5 * math.log(2)))
    assert hill([1, 1, 2], 2) == pytest.approx(1 / (1 / 16 + 1 / 16 + 1 / 4))
    assert math.isnan(hill([]))


def test_hill_numbers_over_time_are_those_of_the_living():
    history = History.of(moran_log(100).close(), "geno")
    clock = Clock.of(history)
    for q in (0, 1, 2):
        series = hill_series(history, clock, q)
        for look, tick in list(enumerate(clock.shown))[::20]:
            _, counts = np.unique(history.components_at(clock.at[tick])[1], return_counts=True)
            assert series[look] == pytest.approx(hill(counts, q))


def test_turnover_is_one_when_all_are_others_and_nothing_when_all_are_the_same():
    log = EventLog()
    log.births(0, 0.0, [0, 1], geno=[0, 1])
    log.births(1, 1.0, [2], [0], geno=2)
    log.deaths(1, 1.0, [0])
    log.births(2, 2.0, [3, 4], [2, 1], geno=[5, 6])
    log.deaths(2, 2.0, [1, 2])
    log.births(3, 3.0, [5], [3], geno=5)
    log.deaths(3, 3.0, [3])
    log.snapshot(3, 3.0, [4, 5])
    history = History.of(log.close(), "geno")
    assert turnover_series(history, Clock.of(history, unit=1.0)).tolist() == [0.5, 1, 0]


def test_a_random_parent_for_every_child_makes_the_effective_population_that_of_wright_and_fisher():
    history = History.of(moran_log(300, at_once=True, agents=100).close())
    sizes = effective_population(history)
    assert len(sizes) == 300
    assert len(sizes) / np.sum(1 / sizes) == pytest.approx(100, rel=0.05)


def test_one_parent_of_all_makes_it_one():
    log = EventLog()
    log.births(0, 0.0, range(10))
    log.births(1, 1.0, range(10, 20), [0] * 10)
    log.deaths(1, 1.0, range(10))
    log.snapshot(1, 1.0, range(10, 20))
    assert effective_population(History.of(log.close())) == pytest.approx([0.9])


def test_lives_are_counted_from_birth_to_death():
    log = EventLog()
    log.births(0, 0.0, [0, 1])
    log.births(3, 1.0, [2], [0])
    log.deaths(4, 1.0, [2, 0], ["age", "starved"])
    log.snapshot(4, 1.0, [1])
    assert lifetimes(log.close()) == (2.5, 2.5, 4.0)
    assert causes_of_death(log) == {"starved": 1, "age": 1}


def test_turnover_counts_what_both_looks_have():
    log = EventLog()
    log.births(0, 0.0, [0, 1, 2], geno=[0, 0, 1])
    log.births(1, 1.0, [3], [2], geno=1)
    log.deaths(1, 1.0, [0])
    log.snapshot(1, 1.0, [1, 2, 3])
    history = History.of(log.close(), "geno")
    assert turnover_series(history, Clock.of(history, unit=1.0)) == pytest.approx([1 / 3])
