"""What is measured of a run: its figures over a window, its store by SQL, its survivors; mistakes name the metric."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from made_sweep import spec_of

from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.record.schema import create_statements
from evolora_mesa.study.sweep.metrics import Figures, curves_of, measure
from evolora_mesa.study.sweep.query import check_query, store_query
from evolora_mesa.study.sweep.spec import MetricSpec
from evolora_mesa.study.sweep.subject import subject_of

FIGURES = {"rate": [None, 1.0, None, 3.0, 8.0], "gini": [0.5, 0.25], "dead": [0.0, 2.0, math.nan]}


def nobody(*_: str) -> dict[str, float]:
    raise AssertionError("nobody asked for this")


def one(figures: Figures, **metric: object) -> float | None:
    return measure({"m": MetricSpec.model_validate(metric)}, figures, nobody, nobody)["m"]


# ---------------------------------------------------------------- figures


@pytest.mark.parametrize(
    ("reduce", "expected"),
    [("last", 8.0), ("first", 1.0), ("mean", 4.0), ("min", 1.0), ("max", 8.0), ("sum", 12.0), ("auc", 4.0 + 5.5)],
)
def test_a_figure_is_reduced_over_the_values_that_exist(reduce: str, expected: float) -> None:
    assert one(FIGURES, figure="rate", reduce=reduce) == expected


@pytest.mark.parametrize(("reduce", "expected"), [("first", 3.0), ("mean", 5.5), ("auc", 5.5), ("last", 8.0)])
def test_a_window_is_the_last_generations(reduce: str, expected: float) -> None:
    assert one(FIGURES, figure="rate", reduce=reduce, over=3) == expected
    assert one(FIGURES, figure="gini", over=100, reduce="mean") == 0.375


def test_the_last_value_of_a_dead_world_is_not_that_of_when_it_lived() -> None:
    assert one(FIGURES, figure="dead") is None
    assert one(FIGURES, figure="dead", reduce="max") == 2.0


@pytest.mark.parametrize("reduce", ["last", "first", "mean", "min", "max", "sum", "auc"])
def test_what_does_not_exist_is_none(reduce: str) -> None:
    assert one({"x": [None, math.nan, math.inf]}, figure="x", reduce=reduce) is None
    assert one({"x": []}, figure="x", reduce=reduce) is None


def test_a_single_value_has_no_area() -> None:
    assert one({"x": [None, 3.0]}, figure="x", reduce="auc") is None


def test_numbers_of_numpy_and_truths_are_numbers() -> None:
    assert one({"x": [np.float32(0.5), np.int64(2), True]}, figure="x", reduce="sum") == 3.5  # type: ignore[dict-item]


def test_an_unknown_figure_is_named_with_its_metric() -> None:
    with pytest.raises(ConfigError, match=r"no such figure \(metric m\).*Did you mean 'rate'"):
        one(FIGURES, figure="rates")


def test_a_figure_that_is_no_number_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"a metric is not a number \(metric m\)"):
        one({"x": ["high"]}, figure="x")  # type: ignore[list-item]


def test_curves_are_of_the_figures_that_metrics_read() -> None:
    specs = [MetricSpec(figure="dead"), MetricSpec(figure="dead", reduce="max"), MetricSpec(sql="SELECT 1")]
    assert curves_of(specs, FIGURES) == {"dead": [0.0, 2.0, None]}


# ---------------------------------------------------------------- survivors


def test_the_worth_of_a_pool_is_asked_for_once() -> None:
    asked: list[str] = []

    def worth(pool: str) -> dict[str, float]:
        asked.append(pool)
        return {"accuracy": 0.75, "tokens": 10.0}

    specs = {
        "seen": MetricSpec(worth="accuracy", pool="select"),
        "spent": MetricSpec(worth="tokens", pool="select"),
        "unseen": MetricSpec(worth="accuracy", pool="test"),
    }
    assert measure(specs, {}, nobody, worth) == {"seen": 0.75, "spent": 10.0, "unseen": 0.75}
    assert asked == ["select", "test"]
    with pytest.raises(ConfigError, match=r"no such worth of the survivors \(metric m\)"):
        measure({"m": MetricSpec(worth="acuracy")}, {}, nobody, worth)


# ---------------------------------------------------------------- SQL


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "run.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE gates (verdict TEXT, uplift REAL)")
        connection.executemany("INSERT INTO gates VALUES (?, ?)", [("accepted", 0.5), ("rejected", None)])
    connection.close()
    return path


def asked(store: Path, sql: str) -> float | None:
    return measure({"m": MetricSpec(sql=sql)}, {}, store_query(store), nobody)["m"]


def test_a_query_gives_its_one_value(store: Path) -> None:
    assert asked(store, "SELECT count(*) FROM gates WHERE verdict = 'accepted'") == 1.0
    assert asked(store, "WITH found AS (SELECT uplift FROM gates) SELECT avg(uplift) FROM found") == 0.5
    assert asked(store, "SELECT uplift FROM gates WHERE verdict = 'rejected'") is None
    assert asked(store, "SELECT uplift FROM gates WHERE verdict = 'deferred'") is None


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM gates",
        "DROP TABLE gates",
        "ATTACH 'other.sqlite' AS other",
        "PRAGMA user_version=7",
        "SELECT 1; DELETE FROM gates",
        "SELECT uplift FROM gate",
        "",
        "SELECT length(zeroblob(2000000))",
        "PRAGMA page_count",
    ],
)
def test_a_query_may_read_and_do_nothing_else(store: Path, sql: str) -> None:
    before = store.read_bytes()
    with pytest.raises(ConfigError, match=r"\(metric m\)"):
        asked(store, sql)
    assert store.read_bytes() == before and [path.name for path in store.parent.iterdir()] == ["run.sqlite"]


def test_a_query_without_an_end_is_ended(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolora_mesa.study.sweep.query._MOST_INSTRUCTIONS", 10**6)
    with pytest.raises(ConfigError, match="it does not end"):
        asked(store, "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n")


@pytest.mark.parametrize("sql", ["SELECT verdict, uplift FROM gates", "SELECT uplift FROM gates"])
def test_more_than_one_value_is_refused(store: Path, sql: str) -> None:
    with pytest.raises(ConfigError, match=r"more than one value \(metric m\)"):
        asked(store, sql)


def test_a_text_is_no_measurement(store: Path) -> None:
    with pytest.raises(ConfigError, match=r"not a number \(metric m\).*'accepted'"):
        asked(store, "SELECT verdict FROM gates WHERE uplift > 0")


def test_a_store_that_is_not_there_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot read the store"):
        asked(tmp_path / "none.sqlite", "SELECT 1")


def test_a_query_can_be_checked_before_any_run() -> None:
    tables = create_statements().values()
    check_query("SELECT count(*) FROM gates WHERE verdict = 'accepted'", tables)
    with pytest.raises(ConfigError, match=r"\(my.yaml:7\).*no such column: sucess_rate"):
        check_query("SELECT max(sucess_rate) FROM generations", tables, "my.yaml:7")


def test_a_sweep_of_worlds_is_refused_for_a_query_that_no_store_answers() -> None:
    with pytest.raises(ConfigError, match="no such table: gate"):
        subject_of(spec_of({"economy.ticket": [1.0]}, {"m": {"sql": "SELECT count(*) FROM gate"}}))
    subject_of(spec_of({"economy.ticket": [1.0]}, {"m": {"sql": "SELECT count(*) FROM gates"}}))
