"""The baseline comparison: a well-formed table, honest pools, and no success where there is none."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import random

import pytest

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.host import HostService
from evolora_mesa.study.baseline_table import ArmRow
from evolora_mesa.study.baselines import DEFAULT_ARMS, BaselineTable, run_baselines
from evolora_mesa.tasks import Pool, Task, TaskSource

SEEDS = (0, 1)
SMALL = {"seeds": SEEDS, "episodes": 256, "per_cell_select": 6, "per_cell_test": 12}
CLAIMS = ("better", "learned", "success")


@pytest.fixture(scope="module")
def table(petri: HostService, small_world: WorldConfig) -> BaselineTable:
    return run_baselines(petri, small_world, **SMALL)


def row(arm: str, seed: int, routed: float, roi: float | None = None) -> ArmRow:
    return ArmRow(arm, seed, routed, routed, roi, 256, 10, 5, 1.0, 0.5, 2, {"math": routed})


def table_of(*rows: ArmRow) -> BaselineTable:
    arms, seeds = dict.fromkeys(row.arm for row in rows), dict.fromkeys(row.seed for row in rows)
    return BaselineTable("ecology", "petri", 256, 8, 8, tuple(arms), tuple(seeds), rows)


def test_the_table_has_a_row_for_every_arm_and_seed(table: BaselineTable) -> None:
    expected = [(seed, arm) for seed in SEEDS for arm in DEFAULT_ARMS]
    assert [(row.seed, row.arm) for row in table.rows] == expected
    assert all(0 <= row.routed <= 1 and 0 <= row.best_single <= 1 for row in table.rows)
    assert table.summary("ecology", "routed").n == 2


def test_arms_that_learn_beat_the_frozen_host(table: BaselineTable) -> None:
    frozen = table.summary("frozen", "routed").mean
    for arm in ("one_adapter", "supervised", "ecology"):
        assert table.summary(arm, "routed").mean > frozen + 0.05, arm


def test_everybody_gets_at_least_the_episodes_of_the_ecology(table: BaselineTable) -> None:
    for seed in SEEDS:
        episodes = {row.arm: row.episodes for row in table.rows if row.seed == seed}
        assert episodes["frozen"] == 0
        assert 256 <= episodes["ecology"] <= min(episodes["one_adapter"], episodes["supervised"])


def test_costs_are_counted_where_they_arise(table: BaselineTable) -> None:
    for found in table.rows:
        trained = found.arm != "frozen"
        assert (found.training_tokens > 0) == (found.training_seconds > 0) == trained
        assert (found.selection_tokens > 0) == trained


def test_return_on_investment_exists_only_where_there_is_an_economy(table: BaselineTable) -> None:
    assert table.summary("ecology", "mean_roi").n == 2
    for arm in ("frozen", "one_adapter", "supervised"):
        assert table.summary(arm, "mean_roi") is None
        line = next(line for line in table.markdown().splitlines() if line.startswith(f"| {arm} |"))
        assert "| n/a |" in line
    assert json.loads(table.to_json())["summary"]["frozen"]["mean_roi"] is None


def test_a_table_survives_json(table: BaselineTable) -> None:
    assert BaselineTable.from_json(table.to_json()) == table


def test_a_table_is_written_in_three_forms(table: BaselineTable, tmp_path) -> None:
    paths = table.save(tmp_path / "results", command="evolora baselines")
    _, page, figures = (path.read_text(encoding="utf-8") for path in paths)
    assert "Made by `evolora baselines`" in page
    rows = list(csv.DictReader(io.StringIO(figures)))
    assert [row["arm"] for row in rows] == [row.arm for row in table.rows]
    assert rows[0]["mean_roi"] == ""
    with pytest.raises(RunError, match="cannot write"):
        table.save(tmp_path / "results" / "baselines.md")


def test_a_table_prints_in_a_terminal(table: BaselineTable) -> None:
    from rich.console import Console

    console = Console(width=200, file=io.StringIO())
    console.print(table.rich())
    assert all(arm in console.file.getvalue() for arm in DEFAULT_ARMS)


def test_differences_are_paired_by_seed_whatever_the_order_of_the_rows() -> None:
    rows = [row("ecology", 7, 0.9), row("ecology", 3, 0.3), row("frozen", 3, 0.2), row("frozen", 7, 0.8)]
    interval = table_of(*rows).differences()["frozen"]
    assert interval.mean == pytest.approx(0.1)
    assert interval.high - interval.low == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("ecology", "words"),
    [((0.8, 0.81), "better"), ((0.1, 0.11), "worse"), ((0.4, 0.9), "no difference shown")],
)
def test_a_conclusion_needs_an_interval_without_zero(ecology: tuple[float, float], words: str) -> None:
    frozen = [row("frozen", seed, 0.5) for seed in SEEDS]
    (line,) = table_of(*frozen, *(row("ecology", seed, ecology[seed]) for seed in SEEDS)).conclusions()
    assert words in line


def test_one_seed_claims_nothing() -> None:
    (line,) = table_of(row("ecology", 0, 0.9), row("frozen", 0, 0.1)).conclusions()
    assert "nothing is claimed" in line


def test_training_reads_only_live_tasks_and_the_test_pool_comes_last(
    petri: HostService, small_world: WorldConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, drawn = TaskSource.draw, []

    def noted(self: TaskSource, pool: Pool, family: str, depth: int, rng: random.Random) -> Task:
        drawn.append(pool)
        return draw(self, pool, family, depth, rng)

    monkeypatch.setattr(TaskSource, "draw", noted)
    stages = []

    def finished(row: ArmRow) -> None:
        stages.append((row.arm, list(drawn)))
        drawn.clear()

    run_baselines(
        petri,
        small_world,
        seeds=[0],
        episodes=64,
        arms=("one_adapter", "supervised", "ecology"),
        per_cell_select=1,
        per_cell_test=1,
        on_progress=finished,
    )
    assert sorted(arm for arm, _ in stages) == ["ecology", "one_adapter", "supervised"]
    for arm, pools in stages:
        training = pools[:-8]
        assert len(training) >= 64 and set(training) == {Pool.LIVE}, arm
        assert pools[-8:] == [Pool.SELECT] * 4 + [Pool.TEST] * 4, arm


@pytest.mark.slow
def test_on_random_weights_nothing_works_and_nothing_claims_to(
    random_petri: HostService, small_world: WorldConfig
) -> None:
    found = run_baselines(random_petri, small_world, **{**SMALL, "episodes": 128, "per_cell_select": 2})
    assert all(row.routed < 0.03 for row in found.rows)
    assert not any(claim in line for line in found.conclusions() for claim in CLAIMS)


def test_the_random_host_rides_along_as_an_arm(petri: HostService, small_world: WorldConfig) -> None:
    arms = ("frozen", "random_host")
    found = run_baselines(petri, small_world, seeds=[0], episodes=64, arms=arms, per_cell_select=2, per_cell_test=8)
    frozen, control = found.rows
    assert control.routed < 0.03 < frozen.routed


@pytest.mark.slow
def test_the_same_seed_gives_the_same_figures(petri: HostService, small_world: WorldConfig) -> None:
    options = {"seeds": [5], "episodes": 64, "per_cell_select": 2, "per_cell_test": 4}
    timeless = [
        [dataclasses.replace(row, training_seconds=0.0, selection_seconds=0.0) for row in found.rows]
        for found in (run_baselines(petri, small_world, **options) for _ in range(2))
    ]
    assert timeless[0] == timeless[1]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"arms": ("frosen",)}, "unknown arm"),
        ({"arms": ()}, "no arm"),
        ({"arms": ("frozen", "frozen")}, "twice"),
        ({"seeds": []}, "no such seeds"),
        ({"seeds": [-1]}, "no such seeds"),
        ({"seeds": [1, 1]}, "twice"),
        ({"episodes": 0}, "nothing to learn from"),
    ],
)
def test_bad_requests_are_refused(petri: HostService, wrong: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        run_baselines(petri, "ecology", **{"seeds": [0], **wrong})
