"""MODES counts what has living descendants after the filter, and nothing else."""

import numpy as np
import pytest
from made_log import moran_log

from evolora_mesa.alife.history import History
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics.modes import complexity, modes
from evolora_mesa.alife.shadow import shadows


def lines() -> EventLog:
    """Two lines of one agent each, replaced every generation; the first one's genotype changes at times 3 and 6."""
    log = EventLog(("birth", "death", "heredity", "complexity"))
    log.births(0, 0.0, [0, 1], geno=[0, 1])
    for time in range(1, 10):
        kind = time // 3
        log.births(time, float(time), [2 * time, 2 * time + 1], [2 * time - 2, 2 * time - 1], geno=[10 + kind, 1])
        log.deaths(time, float(time), [2 * time - 2, 2 * time - 1])
    log.births(10, 10.0, [100], [18], geno=77)
    log.deaths(10, 10.0, [100])  # a mutant without a future
    log.complexity([0, 1, 10, 11, 12], [2, 5, 7, 1, 3])
    log.snapshot(10, 10.0, [18, 19])
    return log.close()


def test_change_novelty_and_ecology_of_two_lines():
    found = modes(History.of(lines(), "geno"), filter=2, resolution=1)
    assert found is not None and (found.filter, found.resolution) == (2, 1)
    assert found.time.tolist() == list(range(9))
    assert np.isnan(found.change[0]) and found.change[1:].tolist() == [1, 0, 1, 0, 0, 1, 0, 0]
    assert found.novelty[1:].tolist() == [1, 0, 1, 0, 0, 1, 0, 0]
    assert found.ecology == pytest.approx(np.ones(9))
    assert 77 not in found.component


def test_complexity_is_the_largest_among_the_persistent():
    log = lines()
    found = modes(History.of(log, "geno"), filter=2, resolution=1)
    assert complexity(log, found).tolist() == [5, 7, 7, 5, 5, 5, 5, 5, 5]


def test_components_can_be_reduced_to_what_matters():
    found = modes(History.of(lines(), "geno"), filter=2, resolution=1, reduce=lambda codes: np.where(codes == 1, 1, 0))
    assert found.change[1:].tolist() == [0] * 8 and found.ecology == pytest.approx(np.ones(9))


def test_what_comes_back_is_change_but_not_novelty():
    log = EventLog(("heredity",))
    log.births(0, 0.0, [0], geno=0)
    for time, kind in enumerate([1, 0, 2, 2, 2], 1):
        log.births(time, float(time), [time], [time - 1], geno=kind)
        log.deaths(time, float(time), [time - 1])
    log.snapshot(5, 5.0, [5])
    found = modes(History.of(log.close(), "geno"), filter=1, resolution=1)
    assert found.change[1:].tolist() == [1, 1, 1, 0]
    assert found.novelty[1:].tolist() == [1, 0, 1, 0]


def test_a_line_that_dies_out_before_the_filter_does_not_count():
    log = EventLog(("heredity",))
    log.births(0, 0.0, [0, 1], geno=[0, 1])
    log.deaths(2, 2.0, [1])
    for time in range(3, 7):
        log.births(time, float(time), [time], [0], geno=0)
    log.snapshot(6, 6.0, [0, 3, 4, 5, 6])
    found = modes(History.of(log.close(), "geno"), filter=3, resolution=1)
    assert set(found.component.tolist()) == {0}
    assert modes(History.of(log, "geno"), filter=1, resolution=1).ecology[0] == pytest.approx(1)


def test_a_run_shorter_than_the_filter_has_no_modes():
    assert modes(History.of(lines(), "geno"), filter=10, resolution=1) is None
    assert modes(History.of(lines(), "geno"), filter=20, resolution=1) is None


def test_merges_keep_the_components_of_both_parents():
    log = EventLog(("heredity", "multi_parent"))
    log.births(0, 0.0, [0, 1], geno=[0, 1])
    log.births(1, 1.0, [2], [[0, 1]], geno=2, op="merge")
    log.deaths(1, 1.0, [0, 1])
    log.births(2, 2.0, [3], [2], geno=2)
    log.snapshot(2, 2.0, [2, 3])
    found = modes(History.of(log.close(), "geno"), filter=1, resolution=1)
    assert found.component[found.place == 0].tolist() == [0, 1]


def test_drift_scores_as_its_shadows_do():
    history = History.of(moran_log(600).close(), "geno")
    real = np.nanmean(modes(history, filter=15, resolution=1).change)
    null = [np.nanmean(modes(shadow, filter=15, resolution=1).change) for shadow in shadows(history, 10)]
    assert min(null) * 0.6 < real < max(null) * 1.6
