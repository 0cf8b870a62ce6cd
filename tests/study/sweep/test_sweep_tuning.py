"""Tuning: who searches does not see what he is judged by, neither the tasks nor the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import lived, measured, spec_of, to_the_end

from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.job import Result
from evolora_mesa.study.sweep.reading import read_spec
from evolora_mesa.study.sweep.results import Row
from evolora_mesa.study.sweep.spec import SweepSpec
from evolora_mesa.study.sweep.tuning import (
    EPISODES,
    FACTOR,
    TUNED,
    UNTUNED,
    best_of,
    comparison_of,
    cost_of,
    search_of,
    settings_text,
)
from evolora_mesa.study.sweep.work import run_job
from evolora_mesa.tasks import Pool, TaskSource

pytest.importorskip("optuna")

RANGES = {"economy.ticket": {"low": 0.1, "high": 2.0}, "economy.inflow": {"low": 0.1, "high": 3.0, "scale": "log"}}
WORTH = {"success": {"worth": "unrouted", "pool": "select"}, "price": {"figure": "mean_price", "better": "lower"}}
LEVELS = {"economy.ticket": 0.7, "economy.inflow": 2.5}


def asked(metrics: Mapping[str, Any] = WORTH, design: Mapping[str, Any] = {}, **given: Any) -> SweepSpec:
    whole = {"method": "adaptive", "objective": "success", "samples": 6, "batch": 3, **design}
    return spec_of(**{"factors": RANGES, "metrics": metrics, "design": whole, **given})


def rows_of(agenda: Agenda, results: Mapping[str, Result]) -> list[Row]:
    return [
        Row(run.cell.number, run.cell.levels, run.seed, run.key, results.get(run.key)) for run in agenda.runs(results)
    ]


def ticket(settings: Mapping[str, Any], seed: int) -> float:
    return float(settings["economy"]["ticket"])


# ---------------------------------------------------------------------- what a search may be


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"design": {"method": "random"}}, "tuning is a search"),
        ({"metrics": {**WORTH, "end": {"worth": "routed", "pool": "test"}}}, r"may not look at test \(metrics.end\)"),
        ({"design": {"direction": "minimize"}}, "disagree on what is better"),
        ({"design": {"objective": "price"}}, "disagree on what is better"),
    ],
)
def test_what_is_no_honest_search_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        search_of(asked(**change))


def test_test_cannot_be_the_objective() -> None:
    with pytest.raises(ConfigError, match="nothing may be tuned on test"):
        asked(metrics={"success": {"worth": "routed"}})


def test_as_many_cells_are_tried_as_are_asked_for() -> None:
    assert Agenda(search_of(asked())).most == 12
    assert Agenda(search_of(asked(), trials=9)).most == 18


# ---------------------------------------------------------------------- tasks and seeds


def test_a_search_never_asks_for_test_and_the_comparison_asks_first_of_all() -> None:
    search = search_of(asked())
    agenda = Agenda(search)
    results = to_the_end(agenda, ticket)
    pools = {metric["pool"] for run in agenda.runs(results) for metric in run.job.metrics.values() if metric["worth"]}
    assert pools == {"select"}
    metrics = comparison_of(search, LEVELS, 3).metrics
    assert list(metrics) == ["success on test", "success", EPISODES, "price"]
    assert (metrics["success on test"].worth, metrics["success on test"].pool) == ("unrouted", "test")
    assert metrics["success"].pool == "select"  # on fresh seeds: what the search promised


def test_a_world_that_was_tuned_on_a_figure_is_judged_on_test_all_the_same() -> None:
    search = search_of(asked(metrics={"success": {"figure": "success_rate"}}))
    judged = next(iter(comparison_of(search, LEVELS, 3).metrics.values()))
    assert (judged.worth, judged.pool) == ("lived", "test")


def test_the_pool_test_stays_locked_while_runs_of_a_search_are_lived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: set[Pool] = set()
    draw = TaskSource.draw

    def watched(source: TaskSource, pool: Pool, *rest: Any) -> Any:
        drawn.add(pool)
        return draw(source, pool, *rest)

    monkeypatch.setattr(TaskSource, "draw", watched)
    tiny = {"population.episodes": 1, "tasks.depths": 1, "host.device": "cpu"}
    search = search_of(asked(generations=1, set=tiny, seeds=1))
    (job, *_) = Agenda(search).ready({})
    found = run_job(job, tmp_path / "search")
    assert found.failure is None and found.metrics["success"] is not None and (found.metrics[EPISODES] or 0) > 0
    assert Pool.SELECT in drawn and Pool.TEST not in drawn
    (job, *_) = Agenda(comparison_of(search, LEVELS, 2)).ready({})
    assert run_job(job, tmp_path / "report").metrics["success on test"] is not None
    assert Pool.TEST in drawn  # or this test would see nothing


@pytest.mark.parametrize("root", [0, 1, 7, 2**63 - 1])
def test_the_seeds_of_the_comparison_are_none_that_the_search_saw(root: int) -> None:
    search = search_of(asked(root_seed=root, seeds=50))
    few, many = (Agenda(comparison_of(search, LEVELS, number)).seeds for number in (5, 60))
    assert set(many).isdisjoint(Agenda(search).seeds)
    assert len(set(many)) == 60 and many[:5] == few


def test_the_same_fresh_seeds_are_lived_untuned_and_tuned() -> None:
    search = search_of(asked(set={"population.episodes": 2}, stop={"half_width": {"metric": "success", "below": 9}}))
    agenda = Agenda(comparison_of(search, LEVELS, 4))
    runs = agenda.runs(lived(agenda.ready({}), lambda settings, seed: 0.5))
    by_level = {level: [run for run in runs if run.cell.levels[FACTOR] == level] for level in (UNTUNED, TUNED)}
    assert [run.seed for run in by_level[UNTUNED]] == [run.seed for run in by_level[TUNED]]
    assert len(by_level[TUNED]) == 4  # a fixed number, whatever the search stopped at
    base = load_config("smoke").economy
    economies = [
        (run.job.settings["economy"]["ticket"], run.job.settings["economy"]["inflow"])
        for run in (by_level[UNTUNED][0], by_level[TUNED][0])
    ]
    assert economies == [(base.ticket, base.inflow), (0.7, 2.5)]
    assert all(run.job.settings["population"]["episodes"] == 2 for run in runs)


def test_a_baseline_says_what_untuned_means() -> None:
    search = search_of(asked(baseline={"economy.ticket": 1.75}))
    (job, *_) = Agenda(comparison_of(search, LEVELS, 2)).ready({})
    assert job.settings["economy"]["ticket"] == 1.75


# ---------------------------------------------------------------------- the best


def test_the_best_is_one_that_was_measured_in_every_run() -> None:
    agenda = Agenda(search_of(asked(seeds=3)))
    results = to_the_end(agenda, ticket)
    best = max(agenda.cells(results), key=lambda cell: cell.levels["economy.ticket"])
    assert best_of(agenda.spec, rows_of(agenda, results)).levels == best.levels
    lucky = next(run.key for run in agenda.runs(results) if run.cell == best)
    found = best_of(agenda.spec, rows_of(agenda, {**results, lucky: Result(failure="killed")}))
    assert found.levels != best.levels and found.interval.n == 3


def test_what_is_to_be_small_is_best_when_small() -> None:
    small = {"success": {"figure": "success_rate", "better": "lower"}}
    agenda = Agenda(search_of(asked(metrics=small, design={"direction": "minimize"})))
    results = to_the_end(agenda, ticket)
    least = min(cell.levels["economy.ticket"] for cell in agenda.cells(results))
    assert best_of(agenda.spec, rows_of(agenda, results)).levels["economy.ticket"] == least


def test_a_search_in_which_everything_failed_has_no_best() -> None:
    agenda = Agenda(search_of(asked()))
    results = to_the_end(agenda, lambda settings, seed: None)
    with pytest.raises(RunError, match="the search has found nothing"):
        best_of(agenda.spec, rows_of(agenda, results))


@pytest.mark.parametrize("base", ["smoke", "mine.yaml"])
def test_the_best_settings_are_a_world_that_can_be_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("extends: smoke\npopulation: {maximum: 6}\n", encoding="utf-8")
    factors = {
        **RANGES,
        "tasks.styles.word.count": ["sentence"],
        "learning": {"off": {"plasticity.rule": "none", "adapter": {"rank": 2}}},
    }
    spec = asked(factors=factors, base=str(Path(base).resolve()) if base == "mine.yaml" else base, generations=2)
    agenda = Agenda(search_of(spec))
    results = to_the_end(agenda, ticket)
    best = best_of(agenda.spec, rows_of(agenda, results))
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "best.yaml"
    path.write_text(settings_text(agenda.spec, best), encoding="utf-8")
    world = load_config(path)
    job = next(run.job for run in agenda.runs(results) if run.cell.number == best.cell)
    assert world.model_dump(mode="json", exclude={"name", "seed", "generations"}) == job.settings
    assert (world.generations, world.name) == (2, "sweep-best")
    assert world.plasticity.rule == "none" and world.adapter.rank == 2


def test_the_cost_counts_every_run_once_and_failed_ones_too() -> None:
    done = measured(0.5, cpu_seconds=2.0)
    ours = Result(metrics={"success": 0.5, EPISODES: 12.0}, cpu_seconds=1.0)
    rows = [Row(0, {}, 1, "a", ours), Row(1, {}, 1, "a", ours), Row(2, {}, 1, "b", Result(failure="killed"))]
    assert cost_of(rows) == (2, 1, 12, 1.0)
    assert cost_of([Row(0, {}, 1, "a", done), Row(0, {}, 2, "b", None)]) == (1, 0, None, 2.0)


@pytest.mark.parametrize("name", ["tune_smoke", "tune_ecology"])
def test_every_shipped_tuning_can_be_begun(name: str) -> None:
    search = search_of(read_spec(name))
    assert Agenda(search).ready({})
    levels = Agenda(search).cells({})[0].levels
    assert not Agenda(comparison_of(search, levels, 2)).refused
