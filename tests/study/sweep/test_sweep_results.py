"""The table of a sweep is tidy, the same bytes for the same runs, and read back as it was written."""

from __future__ import annotations

import contextlib
import csv
import io
import random
import sqlite3
from pathlib import Path

import pytest
from made_sweep import done, failed, rows_of, spec_of, write_sweep

from evolora_mesa.errors import RunError
from evolora_mesa.study.sweep.job import Result
from evolora_mesa.study.sweep.results import (
    STORE_FILE,
    Row,
    headings,
    read_results,
    results_csv,
    write_results,
    write_text,
    written,
)


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_a_run_in_the_order_of_cells_and_seeds() -> None:
    spec = spec_of()
    rows = rows_of(spec, lambda levels, seed: levels["ticket"] + seed / 100)
    random.Random(1).shuffle(rows)
    found = table(results_csv(spec, rows))
    assert list(found[0]) == [
        *("run", "cell", "seed", "status", "ticket", "world", "accuracy"),
        *("generations", "outcome", "digest", "code", "error"),
    ]
    assert [(row["cell"], row["seed"]) for row in found] == [(str(c), str(s)) for c in range(4) for s in (11, 22, 33)]
    assert found[0] == {
        **{"run": rows_of(spec, lambda *_: 0.0)[0].key, "cell": "0", "seed": "11", "status": "done"},
        **{"ticket": "0.5", "world": "static", "accuracy": "0.61", "generations": "4", "outcome": "finished"},
        **{"digest": "d1", "code": "0.1.0+abc", "error": ""},
    }


def test_equal_runs_make_equal_bytes_whatever_came_first_and_however_long_it_took() -> None:
    spec = spec_of()
    quick = rows_of(spec, lambda levels, seed: done({"accuracy": 0.1 + seed}, wall_seconds=1.0, peak_mib=7.0))
    slow = rows_of(spec, lambda levels, seed: done({"accuracy": 0.1 + seed}, wall_seconds=9.0, cpu_seconds=3.0))
    assert results_csv(spec, quick) == results_csv(spec, slow[::-1])


def test_a_failed_run_keeps_its_row_with_the_reason_and_no_numbers() -> None:
    spec = spec_of()
    bad = Result(failure="timeout", error="over 3 s,\n  \x1b[2J killed", metrics={"accuracy": 0.9}, generations=2)
    rows = rows_of(spec, lambda levels, seed: bad if (levels["ticket"], seed) == (0.5, 22) else 1.0)
    found = table(results_csv(spec, rows))[1]
    assert (found["status"], found["outcome"], found["accuracy"], found["generations"]) == (
        "failed",
        "timeout",
        "",
        "2",
    )
    assert found["error"] == "over 3 s, \\x1b[2J killed"


def test_runs_that_have_not_ended_have_no_row_yet() -> None:
    spec = spec_of()
    rows = rows_of(spec, lambda levels, seed: None if seed == 33 else 1.0)
    assert {row["seed"] for row in table(results_csv(spec, rows))} == {"11", "22"}


def test_a_number_that_does_not_exist_is_an_empty_field() -> None:
    spec = spec_of(metrics={"a": {"figure": "a"}, "b": {"figure": "b"}})
    found = table(results_csv(spec, rows_of(spec, lambda levels, seed: {"a": None, "b": 0.0})))
    assert {(row["a"], row["b"]) for row in found} == {("", "0.0")}


def test_columns_of_one_name_are_told_apart() -> None:
    spec = spec_of({"Seed": [1], "x": [2]}, {"X": {"figure": "a"}, "error": {"figure": "b"}})
    assert headings(spec)[4:8] == ("factor:Seed", "x", "metric:X", "metric:error")


@pytest.mark.parametrize(
    ("level", "text"),
    [(True, "true"), (None, "null"), (3, "3"), (0.1, "0.1"), ("on", "on"), (["math", "logic"], '["math", "logic"]')],
)
def test_levels_are_written_as_in_the_spec(level: object, text: str) -> None:
    assert written(level) == text  # type: ignore[arg-type]


# ---------------------------------------------------------------- files


def test_a_table_is_replaced_whole_and_leaves_nothing_aside(tmp_path: Path) -> None:
    spec = spec_of()
    rows = rows_of(spec, lambda levels, seed: 1.0)
    (tmp_path / ".results.csv.aside").write_text("what a killed process left", encoding="utf-8")
    write_results(tmp_path, spec, rows[:1])
    write_results(tmp_path, spec, rows)
    assert (tmp_path / "results.csv").read_bytes() == results_csv(spec, rows).encode()
    assert [path.name for path in tmp_path.iterdir()] == ["results.csv"]
    assert b"\r" not in (tmp_path / "results.csv").read_bytes()


def test_a_table_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot write a sweep's table"):
        write_text(tmp_path / "gone" / "results.csv", "")


# ---------------------------------------------------------------- the store


def test_a_sweep_is_read_back_as_it_was_stored(tmp_path: Path) -> None:
    spec = spec_of(
        {"ticket": [0.5, 2], "world": {"a": {}, "b": {}}, "on": [True, False], "pair": [["x", 1], ["y", 2]]}, seeds=3
    )
    results = {11: done({"accuracy": 0.5}, curves={"accuracy": [None, 0.5]}), 22: failed(), 33: None}
    rows = rows_of(spec, lambda levels, seed: results[seed])
    write_sweep(tmp_path, spec, rows[::-1])
    assert read_results(tmp_path) == (spec, tuple(rows))
    assert [row.status for row in rows[:3]] == ["done", "failed", "waiting"]


def test_the_store_has_the_table_too_with_numbers_as_numbers(tmp_path: Path) -> None:
    spec = spec_of({"ticket": [0.5, 2], "on": [True, False]})
    rows = rows_of(spec, lambda levels, seed: 0.25)
    write_sweep(tmp_path, spec, rows)
    write_sweep(tmp_path, spec, rows)
    with contextlib.closing(sqlite3.connect(tmp_path / "sweep.sqlite")) as connection:
        found = connection.execute('SELECT ticket, "on", avg(accuracy), count(*) FROM results GROUP BY cell').fetchall()
    assert found == [(0.5, "true", 0.25, 3), (0.5, "false", 0.25, 3), (2, "true", 0.25, 3), (2, "false", 0.25, 3)]


def test_cells_that_come_to_the_same_share_a_run(tmp_path: Path) -> None:
    spec = spec_of({"world": {"a": {}, "b": {}}})
    rows = [Row(cell, {"world": name}, 1, "same", done({"accuracy": 1.0})) for cell, name in enumerate("ab")]
    write_sweep(tmp_path, spec, rows)
    assert read_results(tmp_path)[1] == tuple(rows)


def test_a_folder_without_a_sweep_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no sweep there"):
        read_results(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "sweep.sqlite")) as connection:
        connection.execute("CREATE TABLE runs (key TEXT PRIMARY KEY, result TEXT)")
    with pytest.raises(RunError, match="no run of the sweep has ended yet"):
        read_results(tmp_path)
    (tmp_path / "sweep.sqlite").write_text("not a database, but long enough to be taken for one" * 9)
    with pytest.raises(RunError, match="it is damaged, or no store"):
        read_results(tmp_path)


@pytest.mark.parametrize("column", ["asked.spec", "placed.levels", "runs.result"])
def test_a_store_of_another_version_is_told_in_one_line(tmp_path: Path, column: str) -> None:
    spec = spec_of()
    write_sweep(tmp_path, spec, rows_of(spec, lambda levels, seed: 1.0))
    table, _, name = column.partition(".")
    with contextlib.closing(sqlite3.connect(tmp_path / STORE_FILE)) as connection, connection:
        connection.execute(f"UPDATE {table} SET {name} = '{{\"unheard\": 1'")
    with pytest.raises(RunError, match="another version, or damaged"):
        read_results(tmp_path)
