"""The lists of runs and sweeps tell what is there, and what cannot be read."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
from made_run import make_run
from made_sweep import done, failed, rows_of, spec_of, write_sweep

from evolora_mesa.record.lock import RunLock
from evolora_mesa.view import library as room
from evolora_mesa.view.library import Library


def library(folder: Path) -> Library:
    return Library(folder / "runs", folder / "sweeps")


def test_nothing_there_is_no_fault(tmp_path: Path) -> None:
    assert library(tmp_path).runs() == () and library(tmp_path).sweeps() == ()


def test_runs_tell_how_they_stand_the_latest_first(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "old", 6, seed=3)
    make_run(tmp_path / "runs" / "dead", 4, extinct=True)
    (tmp_path / "runs" / "notes.txt").write_text("no run")
    os.utime(tmp_path / "runs" / "old" / "run.sqlite", (1, 1))
    dead, old = library(tmp_path).runs()
    assert (old.name, old.state, old.generation, old.asked, old.seed) == ("old", "finished", 6, 6, "3")
    assert old.population == 4 and old.success == pytest.approx(6 / 7)
    assert (dead.name, dead.state, dead.population) == ("dead", "extinct", 0)


def test_a_run_that_somebody_writes_is_running_and_one_that_was_left_has_stopped(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "runs" / "half", 2)
    with sqlite3.connect(folder / "run.sqlite") as store:
        store.execute("UPDATE meta SET value = '9' WHERE key = 'asked_generations'")
    shelf = library(tmp_path)
    assert shelf.runs()[0].state == "stopped"
    with RunLock(folder):
        assert shelf.runs()[0].state == "running"


def test_a_damaged_store_says_why_and_hides_no_other(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "good", 2)
    bad = make_run(tmp_path / "runs" / "bad", 2) / "run.sqlite"
    bad.write_bytes(b"not a database " * 100)
    entries = {entry.name: entry for entry in library(tmp_path).runs()}
    assert entries["good"].state == "finished"
    assert entries["bad"].state == "unreadable" and entries["bad"].trouble and "\n" not in entries["bad"].trouble


def test_only_what_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "runs" / "one", 2)
    shelf = library(tmp_path)
    first = shelf.runs()
    monkeypatch.setattr(room.RunStore, "open", lambda path: pytest.fail(f"{path} was read again"))
    assert shelf.runs() == first


def test_a_sweep_tells_its_runs_and_its_failures(tmp_path: Path) -> None:
    spec = spec_of()
    rows = rows_of(
        spec, lambda levels, seed: failed() if seed == 33 else None if seed == 22 else done({"accuracy": 0.5})
    )
    write_sweep(tmp_path / "sweeps" / "made", spec, rows)
    (entry,) = library(tmp_path).sweeps()
    assert (entry.name, entry.state, entry.done, entry.failed, entry.total) == ("made", "stopped", 4, 4, 12)
    assert entry.findings is not None and entry.seconds_left is None


def test_a_sweep_goes_as_fast_as_its_latest_runs(tmp_path: Path) -> None:
    spec = spec_of()
    rows = rows_of(spec, lambda levels, seed: None if seed == 33 else done({"accuracy": 0.5}))
    folder = tmp_path / "sweeps" / "made"
    write_sweep(folder, spec, rows)
    with sqlite3.connect(folder / "sweep.sqlite") as store:
        store.execute("ALTER TABLE runs ADD COLUMN ended TEXT")
        for second, row in enumerate(row for row in rows if row.result is not None):
            ended = f"2026-01-01T00:00:{3 * second:02d}.000+00:00"
            store.execute("UPDATE runs SET ended = ? WHERE key = ?", (ended, row.key))
    with RunLock(folder, room.SWEEP_LOCK, "sweep"):
        (entry,) = library(tmp_path).sweeps()
    assert entry.state == "running" and entry.seconds_left == pytest.approx(3 * 4)
