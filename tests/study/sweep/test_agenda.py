"""The agenda: cells x seeds, and which of them the results so far still call for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_sweeps import lived, measured, spec_of, to_the_end

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.statistics import t_interval
from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.job import Result
from evolora_mesa.study.sweep.seeds import seeds_of
from evolora_mesa.study.sweep.subject import subject_of

UNTIL_KNOWN = {"half_width": {"metric": "success", "below": 0.5, "at_least": 3}}
SEEDS = seeds_of(0, 10)
SMOKE = subject_of(spec_of())


def noisy(settings: Mapping[str, Any], seed: int) -> float:
    """Where life is cheap, seeds differ little; where it is dear, a lot."""
    return SEEDS.index(seed) % 4 * settings["economy"]["ticket"]


def test_every_cell_has_the_same_seeds() -> None:
    agenda = Agenda(spec_of(seeds=5))
    runs = agenda.runs({})
    assert [(run.cell.number, run.seed) for run in runs] == [(n, seed) for n in (0, 1) for seed in seeds_of(0, 5)]
    assert agenda.most == len({run.key for run in runs}) == 10


def test_a_sweep_that_is_cut_off_has_compared_all_cells() -> None:
    ready = Agenda(spec_of(seeds=3)).ready({})
    assert [job.settings["economy"]["ticket"] for job in ready] == [0.5, 1.0] * 3


def test_what_is_over_is_not_run_again_failed_or_not() -> None:
    agenda = Agenda(spec_of())
    first, second, *rest = agenda.ready({})
    results = {first.key: measured(1.0), second.key: Result(failure="raised", error="ValueError: no")}
    assert agenda.ready(results) == rest
    assert len(agenda.runs(results)) == 4


def test_a_longer_spec_asks_only_for_the_new_cells_and_seeds() -> None:
    results = lived(Agenda(spec_of()).ready({}), noisy)
    longer = Agenda(spec_of(factors={"economy.ticket": [0.5, 2.0, 1.0]}, seeds=3))
    ready = longer.ready(results)
    assert len(ready) == 9 - 4
    assert {job.settings["economy"]["ticket"] for job in ready if job.seed in SEEDS[:2]} == {2.0}


def test_cells_that_come_to_the_same_share_their_runs() -> None:
    worlds = {"plain": {}, "also_plain": {"economy.ticket": 1.0}, "dear": {"economy.ticket": 2.0}}
    agenda = Agenda(spec_of(factors={"world": worlds}))
    assert len(agenda.ready({})) == 4
    assert len(agenda.runs({})) == 6
    assert agenda.ready(to_the_end(agenda, noisy)) == []


def test_a_cell_that_is_known_well_enough_gets_no_more_seeds() -> None:
    agenda = Agenda(spec_of(factors={"economy.ticket": [0.01, 0.2, 5.0]}, seeds=10, stop=UNTIL_KNOWN))
    results = to_the_end(agenda, noisy)
    seeds = [sum(run.cell.number == number for run in agenda.runs(results)) for number in range(3)]
    assert seeds == [3, 3, 10]
    wide = [noisy({"economy": {"ticket": 5.0}}, seed) for seed in SEEDS]
    assert t_interval(wide).high - t_interval(wide).mean > 0.5  # never known well enough


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=10, max_size=10), st.integers(1, 9), st.booleans())
def test_how_many_seeds_a_cell_gets_does_not_depend_on_who_ends_first(
    values: list[float], workers: int, backwards: bool
) -> None:
    spec, patient = spec_of(seeds=10, stop=UNTIL_KNOWN), spec_of(seeds=10)

    def value_of(settings: Mapping[str, Any], seed: int) -> float:
        return values[SEEDS.index(seed)] * settings["economy"]["ticket"]

    alone = to_the_end(Agenda(spec, SMOKE), value_of)
    assert to_the_end(Agenda(spec, SMOKE), value_of, workers=workers, backwards=backwards) == alone
    everything = lived(Agenda(patient, SMOKE).ready({}), value_of)  # of an earlier spec without the rule
    assert {run.key for run in Agenda(spec, SMOKE).runs(everything)} == alone.keys()


def test_a_seed_is_decided_on_only_when_all_before_it_are_over() -> None:
    agenda = Agenda(spec_of(factors={"economy.ticket": [5.0]}, seeds=10, stop=UNTIL_KNOWN))
    first = agenda.ready({})
    assert len(first) == 3
    results = lived(first[1:], noisy)
    assert agenda.ready(results) == first[:1]
    assert len(agenda.ready(lived(first, noisy))) == 1


def test_failed_runs_tell_nothing_about_how_well_a_cell_is_known() -> None:
    agenda = Agenda(spec_of(factors={"economy.ticket": [0.0]}, seeds=10, stop=UNTIL_KNOWN))
    first = agenda.ready({})
    results = {job.key: Result(failure="killed") for job in first[:2]} | lived(first[2:], noisy)
    assert len(agenda.ready(results)) == 1  # one value has no interval
    results |= lived(agenda.ready(results), noisy)
    assert agenda.ready(results) == []


def test_cells_that_cannot_be_run_are_left_out_and_say_why() -> None:
    agenda = Agenda(spec_of(factors={"adapter.rank": [2, 8], "adapter.max_rank": [4, 8]}))
    assert list(agenda.refused) == [2]
    assert "founders' rank is too large" in agenda.refused[2]
    assert agenda.most == len(agenda.ready({})) == 6
    assert {run.cell.number for run in agenda.runs({})} == {0, 1, 3}


def test_a_sweep_without_any_cell_that_can_be_run_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no cell can be run \(cell 0: economy\.ticket=-1\)\. bad value for"):
        Agenda(spec_of(factors={"economy.ticket": [-1, -2]}))


def test_a_baseline_that_cannot_be_run_is_refused() -> None:
    factors = {"adapter.rank": [2, 8], "adapter.max_rank": [4, 8]}
    with pytest.raises(ConfigError, match="the baseline is no cell that can be run"):
        Agenda(spec_of(factors=factors, baseline={"adapter.rank": 8, "adapter.max_rank": 4}))
