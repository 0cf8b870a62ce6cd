"""A store whose last write was torn, and records of other times and programs."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path

import pytest
from fault_processes import WORLD, contents, ending, evolora
from made_run import make_run

from evolora_mesa.cli import main
from evolora_mesa.record.invariants import check
from evolora_mesa.record.layout import CHECKPOINT_FOLDER, LOCK_FILE, MANIFEST_FILE, STORE_FILE
from evolora_mesa.record.schema import SCHEMA
from evolora_mesa.record.store import RunStore

LAST = 3  # generation of the made-up run
FRAME_HEADER = 24  # bytes; of SQLite's log, before each page


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, int, list[str]]:
    """A store as a killed writer leaves it: the file, its log, the bytes of a frame, the digests."""
    path = make_run(tmp_path_factory.mktemp("torn") / "run", LAST) / STORE_FILE
    log = Path(f"{path}-wal")
    with sqlite3.connect(path) as keeper:  # while it is open nobody folds the log into the file
        (page,) = keeper.execute("PRAGMA page_size").fetchone()
        with RunStore.open(path) as store:
            digests = [row["digest"] for row in store.tail(-1)]
        keeper.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with RunStore.open_for_append(path, LAST - 1):
            pass
        keeper.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        before = path.read_bytes()
        again = make_run(tmp_path_factory.mktemp("again") / "run", LAST) / STORE_FILE
        with sqlite3.connect(again) as other:
            for table in ("generations", "cells", "organelles", "episodes", "events", "gates", "ledger", "archive"):
                rows = other.execute(f'SELECT * FROM "{table}" WHERE generation = ?', (LAST,)).fetchall()
                if rows:
                    keeper.executemany(f'INSERT INTO "{table}" VALUES ({",".join("?" * len(rows[0]))})', rows)
        keeper.commit()
        made = before, log.read_bytes(), FRAME_HEADER + page, digests
    keeper.close()
    return made


def opened(path: Path, store: bytes, log: bytes) -> tuple[int, str]:
    path.write_bytes(store)
    Path(f"{path}-wal").write_bytes(log)
    Path(f"{path}-shm").unlink(missing_ok=True)
    with RunStore.open(path) as found:
        return found.position


def test_the_log_alone_holds_the_last_generation(torn: tuple[bytes, bytes, int, list[str]], tmp_path: Path) -> None:
    store, log, _, digests = torn
    assert opened(tmp_path / STORE_FILE, store, log) == (LAST, digests[LAST])
    assert opened(tmp_path / STORE_FILE, store, b"") == (LAST - 1, digests[LAST - 1])


@pytest.mark.parametrize("stride", [29, pytest.param(1, marks=pytest.mark.slow)])
def test_a_log_that_is_cut_at_any_byte_of_its_last_frame_loses_the_last_generation_and_nothing_else(
    torn: tuple[bytes, bytes, int, list[str]], tmp_path: Path, stride: int
) -> None:
    store, log, frame, digests = torn
    for place in range(len(log) - frame, len(log), stride):
        found = opened(tmp_path / STORE_FILE, store, log[:place])
        assert found == (LAST - 1, digests[LAST - 1]), place
        broken = log[:place] + bytes([log[place] ^ 0x10]) + log[place + 1 :]
        found = opened(tmp_path / STORE_FILE, store, broken)
        assert found == (LAST - 1, digests[LAST - 1]), place
    with RunStore.open(tmp_path / STORE_FILE) as left:
        assert [finding for finding in check(left) if "digest" in finding.invariant] == []


# ---------------------------------------------------------------- other times and programs


COMMANDS = (["resume"], ["verify"], ["export"], ["watch", "--once"], ["report"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_store_of_a_newer_schema_is_refused_and_left_alone(
    run: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    with sqlite3.connect(run / STORE_FILE) as store:
        store.execute(f"PRAGMA user_version={SCHEMA + 1}")
    store.close()
    before = contents(run)
    name, *options = command
    assert main([name, str(run), *options]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and "a newer schema" in line
    assert contents(run) == before


def test_checkpoints_of_a_newer_schema_are_refused_and_left_alone(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for manifest in (run / CHECKPOINT_FOLDER).glob(f"*/{MANIFEST_FILE}"):
        manifest.write_text(manifest.read_text().replace('"schema": 1', '"schema": 2'))
    before = contents(run)
    assert main(["resume", str(run), "--generations", "9"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: no checkpoint can be used") and line.count("newer version") == 2
    assert contents(run) == before


@pytest.mark.slow
def test_a_torn_log_and_a_clock_that_went_back_lead_to_the_same_end(unbroken: Path, tmp_path: Path) -> None:
    """Checkpoints go by their generation, and the lock by who holds it."""
    folder = tmp_path / "run"
    ended = evolora(*WORLD, "--out", str(folder), said=tmp_path / "said.txt", fault="store.committed:4")
    assert ended.code == -signal.SIGKILL
    log = folder / f"{STORE_FILE}-wal"
    log.write_bytes(log.read_bytes()[:-1000])
    for number, path in enumerate(sorted((folder / CHECKPOINT_FOLDER).iterdir())):
        for file in (*path.iterdir(), path):
            os.utime(file, (4e9 - number * 1e8,) * 2)  # in the future, and the oldest last
    (folder / LOCK_FILE).write_text(f"process {os.getpid()} since 2099-01-01T00:00:00+00:00")
    ended = evolora("resume", str(folder), "--quiet", said=tmp_path / "said.txt", before=_turn_back)
    assert ended.code == 0, ended
    assert ending(folder) == ending(unbroken)


def _turn_back() -> None:
    """From now on the clock on the wall runs backwards."""
    import time
    from itertools import count

    seconds = count(2_000_000_000, -60)
    time.time = lambda: float(next(seconds))


# ---------------------------------------------------------------- odd names


NAMES = ("", "..", "a/b", "/nowhere/at/all", "CON", "x" * 300, "a\nb", "nul\0", "🦠", "\u202egnp.exe", "\udcff")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_run_of_an_odd_name_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    name, *options = command
    for odd in NAMES:
        assert main([name, odd, *options]) == 2, odd
        output = capsys.readouterr()
        [line] = output.err.splitlines()
        assert line.startswith("error: ") and line.isprintable() and output.out == "", odd
    assert [path.name for path in tmp_path.rglob("*")] == ["inside"]
