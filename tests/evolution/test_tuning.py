"""Floor and window move inside their bounds, for the reasons stated."""

from __future__ import annotations

import json

import numpy as np
import pytest
from test_trial import trial

from evolora_mesa.config import GateConfig, ReproductionConfig
from evolora_mesa.evolution.trial import Decision
from evolora_mesa.evolution.tuning import Tuner


def tuner(enabled: bool = True) -> Tuner:
    return Tuner(ReproductionConfig(), GateConfig(), enabled=enabled)


def ended(reason: str, prompts: int) -> Decision:
    found = trial()
    found.prompts[:] = [prompts, 1, 1]
    return Decision(found, "rejected", reason, 0.0, -1.0, 1.0, 0.0, 0.0)  # type: ignore[arg-type]


def watch(found: Tuner, generations: int, refused: dict[str, int], decisions: list[Decision]) -> Tuner:
    for _ in range(generations):
        found.observe(0, refused, decisions)
    return found


def test_the_floor_falls_where_all_are_poor_and_rises_where_there_is_no_room() -> None:
    assert watch(tuner(), 100, {"low_energy": 2}, []).floor == ReproductionConfig().floor_low
    assert watch(tuner(), 100, {"no_room": 2}, []).floor == ReproductionConfig().floor_high
    assert watch(tuner(), 100, {"no_partner": 2}, []).floor == ReproductionConfig().floor


def test_the_window_grows_where_trials_end_undecided_and_shrinks_where_they_are_short() -> None:
    assert watch(tuner(), 100, {}, [ended("probation_over", 500)]).window == GateConfig().window_high
    assert watch(tuner(), 100, {}, [ended("futile", 20)]).window == GateConfig().window_low
    assert watch(tuner(), 100, {}, [ended("futile", 500)]).window == GateConfig().window


def test_a_tuner_that_is_off_moves_nothing() -> None:
    found = watch(tuner(enabled=False), 100, {"low_energy": 2}, [ended("futile", 20)])
    assert (found.floor, found.window) == (ReproductionConfig().floor, GateConfig().window)


def test_a_tuner_goes_on_where_it_was() -> None:
    first, second = watch(tuner(), 9, {"low_energy": 2}, [ended("futile", 20)]), tuner()
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for found in (first, second):
        watch(found, 5, {"no_room": 1}, [ended("probation_over", 90)])
    assert first.state_dict() == pytest.approx(second.state_dict())
    assert np.isfinite(list(first.state_dict().values())).all()
