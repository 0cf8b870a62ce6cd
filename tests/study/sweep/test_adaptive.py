"""Adaptive designs: proposals follow from results, and from nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from processes import environment
from small_sweeps import spec_of, to_the_end

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.spec import SweepSpec

pytest.importorskip("optuna")

RANGES = {"economy.ticket": {"low": 0.1, "high": 2.0}, "economy.inflow": {"low": 0.1, "high": 3.0, "scale": "log"}}


def adaptive(factors: Mapping[str, Any] = RANGES, seeds: int = 2, **design: Any) -> SweepSpec:
    whole = {"method": "adaptive", "objective": "success", "samples": 12, "batch": 4, **design}
    return spec_of(factors=dict(factors), design=whole, seeds=seeds)


def bowl(settings: Mapping[str, Any], seed: int) -> float:
    """Best at a ticket of 1.3 and an inflow of 0.4; seeds differ a little."""
    economy = settings["economy"]
    return -((economy["ticket"] - 1.3) ** 2) - (economy["inflow"] - 0.4) ** 2 + seed % 7 / 100


def cells_after(spec: SweepSpec, **way: Any) -> list[dict[str, Any]]:
    agenda = Agenda(spec)
    return [dict(cell.levels) for cell in agenda.cells(to_the_end(agenda, bowl, **way))]


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_neither_the_number_of_workers_nor_who_ends_first_changes_the_proposals(sampler: str) -> None:
    spec = adaptive(sampler=sampler)
    alone = cells_after(spec)
    assert len(alone) == 12
    assert alone == cells_after(spec, workers=3, backwards=True) == cells_after(spec, workers=100)


@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_a_sweep_that_is_continued_goes_through_the_same_proposals(sampler: str) -> None:
    spec = adaptive(sampler=sampler)
    whole = to_the_end(Agenda(spec), bowl)
    some = dict(list(whole.items())[:13])
    agenda = Agenda(spec)
    rest = dict(some)
    while ready := agenda.ready(rest):
        rest |= {job.key: whole[job.key] for job in ready}  # KeyError: a run that the first sweep did not have
    assert rest.keys() == whole.keys()


def test_another_process_proposes_the_same() -> None:
    code = (
        "import json, test_adaptive as t;"
        "print(json.dumps([t.cells_after(t.adaptive(sampler=s)) for s in ('tpe', 'cmaes')]))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(Path(__file__).parent, Path(__file__).parents[2], PYTHONHASHSEED="5"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout) == [cells_after(adaptive(sampler=sampler)) for sampler in ("tpe", "cmaes")]


def test_a_batch_waits_for_the_one_before() -> None:
    agenda = Agenda(adaptive())
    first = agenda.ready({})
    assert len(first) == 8  # four cells, two seeds
    results = {}
    for job in first[:-1]:
        results[job.key] = to_the_end_of(job)
        assert {found.key for found in agenda.ready(results)} == {found.key for found in first} - results.keys()
    results[first[-1].key] = to_the_end_of(first[-1])
    assert len(agenda.ready(results)) == 8


def to_the_end_of(job: Any) -> Any:
    from small_sweeps import measured

    return measured(bowl(job.settings, job.seed))


def test_proposals_come_closer_to_what_is_wanted() -> None:
    def worth(cell: Mapping[str, Any]) -> float:
        return bowl({"economy": {key.partition(".")[2]: value for key, value in cell.items()}}, 0)

    for sampler in ("tpe", "cmaes"):
        values = [worth(cell) for cell in cells_after(adaptive(sampler=sampler, samples=60), workers=100)]
        assert sum(values[-12:]) / 12 > sum(values[:12]) / 12 + 0.2


def test_what_is_to_be_small_becomes_small() -> None:
    spec = adaptive(samples=60, direction="minimize")
    cells = cells_after(spec, workers=100)
    distance = [abs(cell["economy.ticket"] - 1.3) + abs(cell["economy.inflow"] - 0.4) for cell in cells]
    assert sum(distance[-12:]) > sum(distance[:12])


def test_levels_and_names_are_proposed_too_and_a_repeated_cell_is_not_run_again() -> None:
    factors = {
        "economy.ticket": [0.5, 1.3],
        "world": {"poor": {"economy.inflow": 0.1}, "rich": {"economy.inflow": 3.0}},
    }
    agenda = Agenda(adaptive(factors, samples=40))
    results = to_the_end(agenda, bowl, workers=100)
    cells = agenda.cells(results)
    assert len(cells) == 4  # of forty proposals
    assert len(results) == 8
    assert [cell.number for cell in cells] == [0, 1, 2, 3]


def test_a_cell_that_cannot_be_measured_is_a_failure_and_the_search_goes_on() -> None:
    agenda = Agenda(adaptive())
    results = to_the_end(agenda, lambda settings, seed: None, workers=100)
    assert len(agenda.cells(results)) == 12


def test_proposals_that_cannot_be_are_named_and_passed_over() -> None:
    factors = {"adapter.rank": [2, 8], "adapter.max_rank": [4, 8], "economy.ticket": RANGES["economy.ticket"]}
    agenda = Agenda(adaptive(factors, samples=24))
    results = to_the_end(agenda, bowl, workers=100)
    cells = agenda.cells(results)
    wrong = {cell.number for cell in cells if cell.levels["adapter.rank"] > cell.levels["adapter.max_rank"]}
    assert wrong
    assert agenda.refused.keys() == wrong
    assert len(results) == 2 * (len(cells) - len(wrong))


def test_without_optuna_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"optuna.* pip install 'evolora-mesa\[opt\]'"):
        Agenda(adaptive())
