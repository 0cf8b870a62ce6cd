"""The ledger of a sweep: what was written in it is there again, and it is not taken for another."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from jobs import HEIGHT, odd_job

from evolora_mesa.errors import RunError
from evolora_mesa.study.sweep.job import Result
from evolora_mesa.study.sweep.ledger import Ledger, results_in
from evolora_mesa.study.sweep.results import STORE_FILE

JOB = odd_job("Counter")
DONE = Result(outcome="finished", generations=5, digest="ab", metrics={"height": 5.0, "luck": None}, code="1")
FAILED = Result(failure="raised", error="ValueError: no", traceback="Traceback")


def state_of(folder: Path, key: str) -> tuple[str, int]:
    with closing(sqlite3.connect(folder / STORE_FILE)) as connection:
        state, begun = connection.execute("SELECT state, begun FROM runs WHERE key = ?", (key,)).fetchone()
        return state, begun


def test_what_has_ended_is_known_when_the_ledger_is_opened_again(tmp_path: Path) -> None:
    other = odd_job("Counter", seed=4)
    with Ledger(tmp_path) as ledger:
        for job in (JOB, other):
            ledger.begin(job)
        ledger.end(JOB, DONE)
        ledger.end(other, FAILED)
    with Ledger(tmp_path) as ledger:
        assert ledger.results == {JOB.key: DONE, other.key: FAILED}
    assert state_of(tmp_path, JOB.key) == ("done", 1) and state_of(tmp_path, other.key) == ("failed", 1)


def test_a_run_that_was_only_begun_has_no_result(tmp_path: Path) -> None:
    for times in (1, 2):
        with Ledger(tmp_path) as ledger:
            ledger.begin(JOB)
        with Ledger(tmp_path) as ledger:
            assert ledger.results == {} and ledger.keys == {JOB.key}
        assert state_of(tmp_path, JOB.key) == ("running", times)


def test_a_forgotten_run_is_to_be_run_again(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.begin(JOB)
        ledger.end(JOB, FAILED)
        ledger.forget([JOB.key])
        assert ledger.results == {}
    with Ledger(tmp_path) as ledger:
        assert ledger.results == {}
    assert state_of(tmp_path, JOB.key) == ("waiting", 1)


def test_a_result_counts_if_it_holds_every_metric_as_it_is_asked_for_now(tmp_path: Path) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.begin(JOB)
        ledger.end(JOB, DONE)
    with Ledger(tmp_path) as ledger:
        assert ledger.measured_as(HEIGHT) == ledger.measured_as({"luck": HEIGHT["luck"]}) == {JOB.key: DONE}
        assert ledger.measured_as({**HEIGHT, "new": {"figure": "luck"}}) == {}
        assert ledger.measured_as({"luck": {**HEIGHT["luck"], "reduce": "mean"}}) == {}


def test_whoever_only_looks_finds_the_same_and_leaves_nothing(tmp_path: Path) -> None:
    assert results_in(tmp_path / "nowhere", HEIGHT) == {} and list(tmp_path.iterdir()) == []
    (tmp_path / STORE_FILE).touch()  # killed as it was made
    assert results_in(tmp_path, HEIGHT) == {}
    with Ledger(tmp_path) as ledger:
        ledger.begin(JOB)
        assert results_in(tmp_path, HEIGHT) == {}
        ledger.end(JOB, DONE)
    assert results_in(tmp_path, HEIGHT) == {JOB.key: DONE}
    assert results_in(tmp_path, {**HEIGHT, "new": {"figure": "luck"}}) == {}


def test_results_of_any_size_and_sign_come_back_as_they_were(tmp_path: Path) -> None:
    result = replace(DONE, metrics={"height": 0.1 + 0.2, "luck": -1e-300}, curves={"height": [None, 1e308, 0.0]})
    with Ledger(tmp_path) as ledger:
        ledger.begin(JOB)
        ledger.end(JOB, result)
    with Ledger(tmp_path) as ledger:
        assert ledger.results[JOB.key] == result


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version=99", "another version"),
        ("PRAGMA application_id=7", "not the ledger of a sweep"),
    ],
)
def test_another_file_is_not_written_into(tmp_path: Path, statement: str, said: str) -> None:
    Ledger(tmp_path).__exit__(None, None, None)
    with closing(sqlite3.connect(tmp_path / STORE_FILE)) as connection:
        connection.execute(statement)
    with pytest.raises(RunError, match=said):
        Ledger(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"unheard": 1}'])
def test_results_of_another_version_are_told_in_one_line(tmp_path: Path, text: str) -> None:
    with Ledger(tmp_path) as ledger:
        ledger.begin(JOB)
        ledger.end(JOB, DONE)
    with closing(sqlite3.connect(tmp_path / STORE_FILE)) as connection, connection:
        connection.execute("UPDATE runs SET result = ?", (text,))
    for look in (Ledger, lambda folder: results_in(folder, {})):
        with pytest.raises(RunError, match="the sweep's store is of another version, or damaged"):
            look(tmp_path)


def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / STORE_FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(RunError, match="cannot open the ledger"):
        Ledger(tmp_path)
    assert (tmp_path / STORE_FILE).read_bytes() == b"not a database" * 100
