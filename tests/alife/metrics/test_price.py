"""The Price equation holds exactly, with several parents, survivors and strangers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_log import moran_log

from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics.price import price, price_series, traits_of


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 12))
def test_selection_transmission_and_strangers_make_the_whole_change(seed, ancestors, descendants):
    rng = np.random.default_rng(seed)
    credit = rng.random((descendants, ancestors)) * (rng.random((descendants, ancestors)) < 0.4)
    whole = credit.sum(axis=1, keepdims=True)
    credit = np.divide(credit, whole, out=credit, where=whole > 0) * rng.choice([1.0, 0.5], (descendants, 1))
    k, i = np.nonzero(credit)
    before, after = rng.normal(size=ancestors), rng.normal(size=descendants)
    found = price(before, after, k, i, credit[k, i])
    if found is None:
        assert credit.sum() == 0
        return
    assert found.total == pytest.approx(after.mean() - before.mean(), abs=1e-12)
    assert abs(found.residual) < 1e-9
    fitness = credit.sum(axis=0)
    assert found.selection == pytest.approx(np.cov(fitness, before, bias=True)[0, 1] / fitness.mean(), abs=1e-9)


def test_children_like_their_parents_leave_nothing_to_transmission():
    found = price([0.0, 1.0], [1.0, 1.0, 0.0], [0, 1, 2], [1, 1, 0], [1.0, 1.0, 1.0])
    assert found.selection == pytest.approx(1 / 6) and found.transmission == 0 and found.injected == 0


def test_equal_numbers_of_children_leave_nothing_to_selection():
    found = price([0.0, 1.0], [0.5, 1.5], [0, 1], [0, 1], [1.0, 1.0])
    assert found.selection == 0 and found.transmission == pytest.approx(0.5)


@pytest.mark.parametrize("merges", [0.0, 0.5])
def test_it_holds_between_all_snapshots_of_a_log(merges):
    log = moran_log(100, merges=merges).close()
    assert traits_of(log) == ["z"]
    terms = price_series(log, "z")
    assert len(terms) == 10 and all(term is not None for term in terms)
    assert max(abs(term.residual) for term in terms) < 1e-9
    assert max(abs(term.selection) for term in terms) > 0
    values, marks = log.stream("snapshots")["trait.z"], log.stream("marks")
    last, first = values[marks["first"][-1] :].mean(), values[: marks["size"][0]].mean()
    assert sum(term.total for term in terms) == pytest.approx(last - first)


def test_a_stranger_is_the_third_term():
    log = EventLog(("heredity",))
    log.births(0, 0.0, [0, 1])
    log.snapshot(0, 0.0, [0, 1], traits={"z": [0.0, 2.0]})
    log.births(1, 1.0, [2], op="inject")
    log.snapshot(1, 1.0, [2, 1, 0], traits={"z": [4.0, 2.0, 0.0]})
    (found,) = price_series(log.close(), "z")
    assert found.selection == 0 and found.transmission == 0
    assert found.injected == pytest.approx(1) == found.total


def test_the_shares_of_grandparents_are_multiplied_along_the_path():
    log = EventLog(("heredity",))
    log.births(0, 0.0, [0, 1, 2])
    log.snapshot(0, 0.0, [0, 1, 2], traits={"z": [1.0, 2.0, 4.0]})
    log.births(1, 1.0, [3], [[0, 1]], [[0.5, 0.5]])
    log.births(1, 1.0, [4], [[3, 2]], [[0.5, 0.5]])
    log.deaths(1, 1.0, [0, 1, 2, 3])
    log.snapshot(1, 1.0, [4], traits={"z": [3.0]})
    (found,) = price_series(log.close(), "z")
    credited = 0.25 * 1 + 0.25 * 2 + 0.5 * 4
    assert found.selection == pytest.approx(credited - 7 / 3)
    assert found.transmission == pytest.approx(3 - credited)


def test_who_comes_out_of_an_archive_has_no_ancestors_among_the_living():
    log = EventLog(("heredity",))
    log.births(0, 0.0, [0, 1])
    log.archive([0])
    log.deaths(1, 1.0, [0])
    log.snapshot(1, 1.0, [1], traits={"z": [2.0]})
    log.births(2, 2.0, [2], [1], op="inject")  # as it is, whoever it is a copy of
    log.births(2, 2.0, [3], [0], op="mutate")  # a child of the dead
    log.births(2, 2.0, [4], [1], op="mutate")
    log.snapshot(2, 2.0, [1, 2, 3, 4], traits={"z": [2.0, 4.0, 6.0, 3.0]})
    (found,) = price_series(log.close(), "z")
    assert found.transmission == pytest.approx(0.5) and found.injected == pytest.approx(3.75 - 2.5)
    assert found.residual == pytest.approx(0)
