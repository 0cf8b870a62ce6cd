"""Activity of hand-made logs is what can be counted on paper; drift does not exceed its shadows, selection does."""

import numpy as np
import pytest
from made_log import moran_log

from evolora_mesa.alife.history import Clock, History
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics import measure
from evolora_mesa.alife.metrics.activity import Waves, classify, new_activity, threshold
from evolora_mesa.alife.metrics.trend import Trend


def by_hand() -> EventLog:
    """Component 0 lives at times 0 to 5; 1 at 1 and 2, and again at 4 and 5, with two agents at 5."""
    log = EventLog()
    log.births(0, 0.0, [0], geno=0)
    log.births(1, 1.0, [1], [0], geno=1)
    log.deaths(3, 3.0, [1])
    log.births(4, 4.0, [2], [0], geno=1)
    log.births(5, 5.0, [3], [2], geno=1)
    log.snapshot(5, 5.0, [0, 2, 3])
    return log.close()


def waves(log: EventLog, **how: bool) -> Waves:
    history = History.of(log, "geno")
    return Waves.of(history, Clock.of(history, unit=1.0), **how)


def test_activity_grows_while_a_component_is_there_and_rests_while_it_is_not():
    found = waves(by_hand())
    assert found.diversity.tolist() == [1, 2, 2, 1, 2, 2]
    assert found.mean.tolist() == [1, 1.5, 2.5, 4, 4, 5]
    last = found.place == 5
    assert dict(zip(found.component[last].tolist(), found.activity[last].tolist(), strict=True)) == {0: 6, 1: 4}


def test_usage_counts_agents():
    found = waves(by_hand(), usage=True)
    last = found.place == 5
    assert dict(zip(found.component[last].tolist(), found.activity[last].tolist(), strict=True)) == {0: 6, 1: 5}


def test_the_unit_of_activity_is_a_generation_however_often_one_looks():
    history = History.of(by_hand(), "geno")
    fine = Waves.of(history, Clock.of(history, unit=0.1))
    assert fine.mean[-1] == pytest.approx(5, abs=1)
    assert fine.mean[-1] / waves(by_hand()).mean[-1] == pytest.approx(0.8, abs=0.1)


def test_the_median_is_of_the_living_components():
    log = EventLog()
    for step in range(4):
        log.births(step, float(step), [step], geno=step)
    log.snapshot(3, 3.0, range(4))
    found = waves(log.close())
    assert found.median.tolist() == [1, 1.5, 2, 2.5]
    assert found.quantile(1.0).tolist() == [1, 2, 3, 4]


def test_what_outlives_the_shadows_is_new_activity_once():
    found = waves(by_hand())
    least = np.full(6, 2.5)
    new, adaptive = new_activity(found, least)
    assert adaptive.tolist() == [0, 0, 1, 1, 2, 2]
    assert new.tolist() == [0, 0, 1.5, 0, 1.5, 0]


def test_the_threshold_is_a_quantile_over_all_shadows():
    found = waves(by_hand())
    assert threshold([found, found], share=1.0).tolist() == found.quantile(1.0).tolist()


@pytest.mark.parametrize(
    ("median", "diversity", "new", "told"),
    [
        ("bounded", "bounded", False, "1"),
        ("unbounded", "bounded", False, "2"),
        ("bounded", "bounded", True, "3"),
        ("bounded", "unbounded", True, "4a"),
        ("unbounded", "bounded", True, "4b"),
        ("unbounded", "unbounded", True, "4c"),
        ("undecided", "bounded", True, "undecided"),
        ("bounded", "unbounded", False, "undecided"),
    ],
)
def test_classes_follow_the_merged_table(median, diversity, new, told):
    assert classify(Trend(median, "", 0.5), Trend(diversity, "", 0.5), new=new) == told


_ACTIVITY = ("activity_mean", "activity_median", "activity_new", "activity_adaptive", "hill_1", "effective_population")


@pytest.mark.parametrize("at_once", [False, True])
def test_drift_is_not_told_from_its_shadows(at_once):
    log = moran_log(400, at_once=at_once).close()
    measured = measure(log, _ACTIVITY, kind="geno")
    for name in _ACTIVITY:
        assert abs(measured.findings[name].z) < 4, name
    assert not any(measured.findings[name].beyond for name in ("activity_mean", "activity_adaptive"))


def test_selection_is():
    findings = measure(moran_log(400, advantage=0.5).close(), _ACTIVITY, kind="geno").findings
    assert findings["effective_population"].z < -4, "few breed"
    assert findings["activity_mean"].beyond and findings["activity_mean"].excess < 0, "sweep follows sweep"
