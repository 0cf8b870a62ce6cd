"""The comparison: every column against its own shadows, nothing that was not validated, nothing where it is n/a."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest

from evolora_mesa.alife.compare.cells import cell_of, class_of, dominance, median_of
from evolora_mesa.alife.compare.columns import COLUMNS, Column, chosen, matched
from evolora_mesa.alife.compare.crew import Comparison
from evolora_mesa.alife.compare.outcome import Outcome
from evolora_mesa.alife.compare.report import report_of
from evolora_mesa.alife.compare.table import MAIN, as_csv, metric_table
from evolora_mesa.alife.compare.work import run_column
from evolora_mesa.alife.metrics import METRICS
from evolora_mesa.errors import ConfigError
from evolora_mesa.record.report.markdown import to_markdown
from evolora_mesa.record.report.page import to_html

DRIFT = ("activity_mean", "activity_new", "change", "novelty", "ecology")


def outcome(value: float | None, shadows: list[float], *, dynamics: str = "1", seed: int = 0) -> Outcome:
    findings = {"activity_new": (value, shadows, "" if value is not None else "no heredity")}
    return Outcome("a", "full", seed, ["heredity"], findings, dynamics)


def runs_of(name: str, seeds: int, folder: Path, **settings: object) -> list[Outcome]:
    column = next(column for column in COLUMNS if column.name == name)
    smaller = Column(column.name, column.model, {**column.settings, **settings}, 120)
    return [run_column(smaller, seed, shadows=6, folder=folder) for seed in range(seeds)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Outcome]]:
    """Three seeds of three columns, in worlds of a few agents."""
    folder = tmp_path_factory.mktemp("runs")
    found = {name: runs_of(name, 3, folder, population=20) for name in ("NKWorld base", "NKWorld random")}
    return found | {"WolfSheep": runs_of("WolfSheep", 3, folder, width=25, height=25, sheep=30, wolves=12)}


def compared(small: dict[str, list[Outcome]], *, valid: bool = True) -> Comparison:
    columns = tuple(column for column in COLUMNS if column.name in small)
    outcomes = tuple(run for runs in small.values() for run in runs)
    target = {"name": "height", "passed": valid}
    checks = {"NKWorld": {"passed": valid, "targets": [target]}, "WolfSheep": {"passed": True, "targets": [target]}}
    return Comparison(columns, 3, 6, outcomes, checks, 20, 35, from_evolora=False)


# ---------------------------------------------------------------- cells


def test_an_interval_holds_the_median_and_one_seed_has_none() -> None:
    span = median_of([1.0, 2.0, 3.0, 4.0, 10.0])
    assert span.middle == 3.0 and span.low < 3.0 < span.high
    assert math.isnan(median_of([1.0]).low)


def test_delta_is_1_where_all_of_one_side_are_larger() -> None:
    assert dominance([5.0, 6.0, 7.0], [1.0, 2.0]).middle == 1.0
    assert dominance([1.0, 2.0], [1.0, 2.0]).middle == 0.0
    assert math.isnan(dominance([], [1.0]).middle)


def test_seeds_far_above_their_shadows_are_above_drift() -> None:
    cell = cell_of([outcome(9.0 + seed, [1.0, 2.0, 1.5], seed=seed) for seed in range(4)], "activity_new")
    assert (cell.verdict, cell.delta.middle, cell.n) == ("above", 1.0, 4)


def test_a_trifle_above_every_shadow_is_like_drift() -> None:
    cell = cell_of([outcome(1.02, [1.0, 1.01], seed=seed) for seed in range(4)], "activity_new")
    assert cell.delta.middle == 1.0 and cell.verdict == "like drift"


def test_two_seeds_decide_nothing() -> None:
    assert cell_of([outcome(9.0, [1.0, 2.0]), outcome(9.0, [1.0])], "activity_new").verdict == "undecided"


def test_what_a_model_lacks_is_not_available_and_never_0() -> None:
    cell = cell_of([outcome(None, [])], "activity_new")
    assert cell.value is None and cell.why == "no heredity"


def test_a_class_that_means_adaptation_needs_new_activity_above_drift() -> None:
    lucky = [outcome(1.0, [1.0, 1.1, 0.9], dynamics="4a", seed=seed) for seed in range(4)]
    assert class_of(lucky) == "undecided"
    adaptive = [outcome(9.0, [1.0, 1.1, 0.9], dynamics="4a", seed=seed) for seed in range(4)]
    assert class_of(adaptive) == "4a (4 of 4)"
    assert class_of([outcome(1.0, [1.0], dynamics=name) for name in ("1", "2")]) == "undecided"


# ---------------------------------------------------------------- traps


def test_random_selection_is_not_reported_as_evolution(small: dict[str, list[Outcome]]) -> None:
    runs = small["NKWorld random"]
    assert {cell_of(runs, name).verdict for name in DRIFT} <= {"like drift", ""}
    assert class_of(runs)[0] not in "34"


def test_complexity_tells_selection_from_drift(small: dict[str, list[Outcome]]) -> None:
    sides = [[run.findings["complexity"][0] for run in small[name]] for name in ("NKWorld base", "NKWorld random")]
    assert dominance(*sides).middle == 1.0  # type: ignore[arg-type]  # all of them have it


def test_without_heredity_there_is_no_evolution(small: dict[str, list[Outcome]]) -> None:
    runs = small["WolfSheep"]
    assert class_of(runs) == "none (no heredity)"
    needs = [name for name, metric in METRICS.items() if "heredity" in metric.needs]
    assert needs and all(cell_of(runs, name).value is None for name in needs)


def test_a_run_whose_log_fails_counts_as_failed(tmp_path: Path) -> None:
    run = run_column(Column("a", "NKWorld", {"population": 1}), 0, shadows=2, folder=tmp_path)
    assert "population" in run.error and not run.findings


# ---------------------------------------------------------------- columns


def test_models_are_chosen_in_any_case_and_single_columns_too() -> None:
    assert {column.model for column in chosen(["nkworld"])} == {"NKWorld"}
    assert [column.name for column in chosen(["NKWorld sharing"])] == ["NKWorld sharing"]
    assert chosen([]) == COLUMNS
    with pytest.raises(ConfigError, match="no such model"):
        chosen(["Tierra"])


@pytest.mark.parametrize("name", ["NKWorld base", "HostSymbiont VT 1", "Sugarscape S", "WolfSheep"])
def test_matched_runs_have_about_evoloras_agents_and_births(name: str, tmp_path: Path) -> None:
    column = next(column for column in COLUMNS if column.name == name)
    run = run_column(matched(column, 24, 30), 0, shadows=1, folder=tmp_path)
    assert run.size == "matched" and 8 <= run.population <= 48
    assert run.births >= 30 or run.extinct


# ---------------------------------------------------------------- the report


def test_a_column_whose_model_misses_a_target_is_left_out(small: dict[str, list[Outcome]]) -> None:
    table = metric_table(compared(small, valid=False), "full", MAIN, "")
    assert table.columns == ("metric", "WolfSheep")
    assert "Left out: NKWorld base, NKWorld random" in to_markdown(report_of(compared(small, valid=False)))
    assert "NKWorld" not in as_csv(compared(small, valid=False))


def test_the_page_needs_no_network_and_the_table_has_every_metric(small: dict[str, list[Outcome]]) -> None:
    found = compared(small)
    page = to_html(report_of(found))
    assert "http" not in page.replace("http-equiv", "") and page.count("<svg") > 6
    rows = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert {row["metric"] for row in rows} == set(METRICS) and len(rows) == 3 * len(METRICS)
    shaded = next(row for row in rows if row["metric"] == "activity_mean" and row["column"] == "NKWorld base")
    assert shaded["shadow"] and shaded["delta"] and shaded["n"] == "3"


def test_an_outcome_survives_its_file(small: dict[str, list[Outcome]]) -> None:
    run = small["NKWorld base"][0]
    again = Outcome.from_json(run.as_json())
    assert again.sketch["hill"] == run.sketch["hill"] and cell_of([again], "change").n == cell_of([run], "change").n
