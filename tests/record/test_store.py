"""The store keeps what it was given, a generation at a time, and says so by a digest."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from evolora_mesa.configfile import load_config
from evolora_mesa.errors import RunError
from evolora_mesa.record.invariants import check
from evolora_mesa.record.schema import EVENT_KINDS, TABLES, figure_columns
from evolora_mesa.record.store import GenerationRows, RunStore, config_hash

CONFIG = load_config("smoke")
EPISODE = (0, 1, 0, 1, "3", "What is 1 + 2?\nAnswer:", "3", True, 1.0, 12, 2, -0.25)


def generation(number: int, **rows: Any) -> GenerationRows:
    return GenerationRows(number, dict.fromkeys(figure_columns(), 0.0), **rows)


def full(number: int) -> GenerationRows:
    """A row or two in every table."""
    return generation(
        number,
        cells=[(0, 1, 0.5, 2.0, 0.25, 0.0, 1), (0, 0, 0.5, 2.0, 0.25, 0.0, 0)],
        organelles=[(1, 0, 1, 0, 1, 2.0, 1.5, number, False, 4, 2)],
        episodes=[EPISODE],
        events=[("moved", 1, {"to": [0, 1], "from": [0, 0]})],
        gates=[(2, "merge", "svd", "1 3", 24, float("nan"), -0.0, 1, 0.1, 0.2, 0.3, "deferred", "low_power")],
        ledger=[("inflow", "sun", 0, "cell", 3, 1_200_000)],
        archive=[(1, 0, 1, 0.5, 7.5, 1)],
        phylogeny=[(1, "", 0, None, None, "founder", "ab" * 32, 1, "founder", "")],
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    with RunStore.create(tmp_path / "run.sqlite", CONFIG, host={"weights": "ab"}) as store:
        yield store


def test_it_gives_back_what_it_got(store: RunStore) -> None:
    for number in range(3):
        store.append(full(number))
    for name in TABLES:
        assert list(store.columns(name))[1:] == list(TABLES[name].columns)
        assert {row[0] for row in store.table(name)} == {0, 1, 2}
    assert next(store.table("episodes")) == (0, *EPISODE)
    gate = next(store.table("gates"))
    assert gate[:8] == (0, 0, 2, "merge", "svd", "1 3", 24, None)  # what is not finite is nothing
    assert str(gate[8]) == "0.0"  # SQLite would lose the sign of minus zero
    assert [row[:3] for row in store.table("cells", first=2)] == [(2, 0, 0), (2, 0, 1)]
    assert next(store.table("events"))[-1] == '{"from":[0,0],"to":[0,1]}'
    assert store.frame("organelles", last=1)["age"].tolist() == [0, 1]
    assert [row["generation"] for row in store.tail(0)] == [1, 2]
    assert store.meta["config_hash"] == config_hash(CONFIG) and store.meta["host"] == '{"weights":"ab"}'


def test_every_kind_of_event_is_a_word_once() -> None:
    assert len(set(EVENT_KINDS)) == len(EVENT_KINDS)


@pytest.mark.parametrize("answer", ["\ud800 half a pair", "nul \0 inside", "ü 界 🦠", "'; DROP TABLE episodes; --"])
def test_whatever_a_host_says_is_kept(store: RunStore, answer: str) -> None:
    store.append(generation(0, episodes=[(*EPISODE[:6], answer, *EPISODE[7:])]))
    kept = next(store.table("episodes"))[7]
    assert kept == answer.encode("utf-8", "backslashreplace").decode("utf-8")
    assert [finding for finding in check(store) if "digest" in finding.invariant] == []


def test_the_digest_is_of_the_rows_and_of_nothing_else(tmp_path: Path) -> None:
    digests = []
    for name, seconds, answer in (("a", 1.0, "3"), ("b", 2.0, "3"), ("c", 1.0, "4")):
        with RunStore.create(tmp_path / name, CONFIG, started=name) as store:
            rows = full(0)
            rows.figures = {**rows.figures, "step_seconds": seconds}  # no clock tells the same twice
            rows.episodes = [(*EPISODE[:6], answer, *EPISODE[7:])]
            digests.append(store.append(rows))
    assert digests[0] == digests[1] != digests[2]


def test_the_digest_is_a_chain(tmp_path: Path) -> None:
    ends = []
    for name, first in (("a", full(0)), ("b", generation(0))):
        with RunStore.create(tmp_path / name, CONFIG) as store:
            store.append(first)
            ends.append(store.append(full(1)))
    assert ends[0] != ends[1]


@pytest.mark.parametrize("table", [*TABLES, "generations"])
def test_a_row_that_was_changed_later_is_found(store: RunStore, table: str) -> None:
    for number in range(3):
        store.append(full(number))
    column = "population" if table == "generations" else list(TABLES[table].columns)[-1]
    with sqlite3.connect(store.path) as other:
        other.execute(f'UPDATE "{table}" SET "{column}" = 77 WHERE generation = 1')
    assert ("the digest chain is intact", 1) in [finding[:2] for finding in check(store)]


def test_a_row_that_was_taken_out_or_put_in_is_found(store: RunStore) -> None:
    for number in range(3):
        store.append(full(number))
    with sqlite3.connect(store.path) as other:
        other.execute("DELETE FROM ledger WHERE generation = 1")
        other.execute("INSERT INTO events VALUES (9, 0, 'birth', 3, '{}')")
    found = [finding[:2] for finding in check(store)]
    assert ("the digest chain is intact", 1) in found and ("generations follow each other", 9) in found


def test_settings_that_were_changed_later_are_found(store: RunStore) -> None:
    assert check(store) == []
    with sqlite3.connect(store.path) as other:
        other.execute("UPDATE meta SET value = replace(value, 'seed: 0', 'seed: 1') WHERE key = 'config'")
    assert [finding.invariant for finding in check(store)] == ["settings match their hash"]
    assert config_hash(CONFIG) == config_hash(CONFIG.model_copy(update={"generations": 99}))


def test_going_back_forgets_what_came_later(store: RunStore, tmp_path: Path) -> None:
    births = ("birth", 2, {"parents": [1]})
    lives = [
        [(1, "", 0, None, None, "founder", "ab" * 32, 1, "founder", "")],
        [(2, "1", 1, None, None, "svd", "cd" * 32, 1, "trial", "")],
        [(2, "1", 1, 2, None, "svd", "cd" * 32, 1, "accepted", "")],
        [(1, "", 0, None, 3, "founder", "ab" * 32, 1, "founder", "bankrupt")],
    ]
    for number, changed in enumerate(lives):
        store.append(generation(number, phylogeny=changed, events=[births] if number == 1 else []))
    digests = [store.digest_of(number) for number in range(4)]
    store.close()
    for number in (2, 1, 0, -1):
        with RunStore.open_for_append(store.path, number) as again:
            assert again.position == (number, again.digest_of(number))
            known = {row[0]: row for row in again.table("phylogeny")}
            assert sorted(known) == [1, 2][: max(number + 1, 0)]
            if number >= 0:
                assert known[1][4] is None and known[1][-1] == ""
            if number == 1:
                assert known[2][3] is None and known[2][-2] == "trial"
    with RunStore.open_for_append(store.path, -1) as again:  # the same once more has the same digests
        for number, changed in enumerate(lives):
            again.append(generation(number, phylogeny=changed, events=[births] if number == 1 else []))
        assert [again.digest_of(number) for number in range(4)] == digests


def test_generations_come_in_their_order_and_whole(store: RunStore) -> None:
    store.append(full(0))
    before = store.position
    for wrong in (full(0), full(2)):
        with pytest.raises(RunError, match="follow each other"):
            store.append(wrong)
    with pytest.raises(RunError, match="cannot write a generation"):
        store.append(generation(1, episodes=[EPISODE, EPISODE]))  # one row twice
    store.refresh()
    assert store.position == before and [row[0] for row in store.table("episodes")] == [0]
    store.append(full(1))


def test_another_process_can_read_while_it_is_written(store: RunStore) -> None:
    with RunStore.open(store.path) as reader:
        assert reader.position == (-1, bytes(32).hex())
        store.append(full(0))
        assert [row["generation"] for row in reader.tail(-1)] == [0]
        with reader.snapshot():
            assert len(list(reader.table("events"))) == 1
            store.append(full(1))
            assert len(list(reader.table("events"))) == 1
        assert len(list(reader.table("events"))) == 2
        with pytest.raises(RunError, match="cannot write"):
            reader.append(full(0))
    store.close()
    assert [path.name for path in store.path.parent.iterdir()] == ["run.sqlite"]


def test_a_killed_writer_loses_nothing_that_was_written(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]; from test_store import *\n"
        "store = RunStore.create(sys.argv[1], CONFIG)\n"
        "for number in range(10**6): store.append(full(number)); print(number, flush=True)"
    )
    path = tmp_path / "run.sqlite"
    folders = [str(Path(__file__).parents[2]), str(Path(__file__).parent)]
    with subprocess.Popen([sys.executable, "-c", code, str(path), *folders], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        told = [int(line) for line in process.stdout.read().splitlines()]
    with RunStore.open(path) as store:
        assert store.generation >= max(told, default=49)
        assert [finding.invariant for finding in check(store) if "digest" in finding.invariant] == []


def damaged(path: Path, kind: str) -> None:
    with RunStore.create(path, CONFIG) as store:
        store.append(full(0))
    if kind == "text":
        path.write_text("generation,population\n" * 100, encoding="utf-8")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(path.read_bytes()[:5000])
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "missing":
        path.unlink()
    else:
        with sqlite3.connect(path) as other:
            other.execute({"foreign": "PRAGMA application_id=1", "newer": "PRAGMA user_version=2"}[kind])


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("text", "damaged, or no store"),
        ("empty", "not the store of a run"),
        ("cut", "damaged, or no store"),
        ("folder", "no store of a run here"),
        ("missing", "no store of a run here"),
        ("foreign", "not the store of a run"),
        ("newer", "a newer schema"),
    ],
)
def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path, kind: str, told: str) -> None:
    path = tmp_path / "run.sqlite"
    damaged(path, kind)
    before = path.read_bytes() if path.is_file() else None
    for opened in (RunStore.open, lambda path: RunStore.open_for_append(path, 0)):
        with pytest.raises(RunError, match=told) as refused:
            opened(path)
        assert "\n" not in str(refused.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_a_column_of_another_name_is_missed(store: RunStore) -> None:
    """SQLite would read a name in quotes that it does not know as a text, and nobody would notice."""
    store.append(full(0))
    store.close()
    with sqlite3.connect(store.path) as other:
        other.execute("ALTER TABLE ledger RENAME COLUMN reason TO season")
    with pytest.raises(RunError, match="damaged"):
        RunStore.open(store.path)


def test_a_store_that_ends_too_early_is_refused(store: RunStore) -> None:
    store.append(full(0))
    with pytest.raises(RunError, match="ends before the checkpoint"):
        RunStore.open_for_append(store.path, 3)


def test_a_store_is_never_overwritten(store: RunStore) -> None:
    with pytest.raises(RunError, match="there already"):
        RunStore.create(store.path, CONFIG)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_in_a_folder_that_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    with RunStore.create(tmp_path / "run.sqlite", CONFIG) as store:
        store.append(full(0))
    tmp_path.chmod(0o500)
    with RunStore.open(tmp_path / "run.sqlite") as store:
        assert store.generation == 0
    tmp_path.chmod(0o700)


def test_it_takes_many_rows_a_second(store: RunStore) -> None:
    """The floor is far below what `benchmarks/record_overhead.py` measures; shared machines are slow at times."""
    episodes = [(row, *EPISODE[1:]) for row in range(2000)]
    began = time.process_time()
    for number in range(5):
        store.append(generation(number, episodes=episodes))
    assert 10_000 / (time.process_time() - began) > 30_000


def test_a_reader_that_leaves_does_not_take_the_log_from_the_writer(tmp_path: Path) -> None:
    """Only another process shows it: closing a file of one's own on the database would drop SQLite's locks."""
    program = """
import os, subprocess, sys
from pathlib import Path
from evolora_mesa.record.store import RunStore
path = Path(sys.argv[1])
store = RunStore.open_for_append(path, int(sys.argv[2]))
store.ask_for(7)
store.sync()
log = path.with_name(path.name + "-wal")
before = log.stat().st_ino
reader = "import sys; from pathlib import Path; from evolora_mesa.record.store import RunStore\\n" \\
         "with RunStore.open(Path(sys.argv[1])): pass"
subprocess.run([sys.executable, "-c", reader, str(path)], check=True)
assert log.exists() and log.stat().st_ino == before, "the log is gone"
store.ask_for(9)
os._exit(0)
"""
    path = tmp_path / "run.sqlite"
    with RunStore.create(path, CONFIG, host={"weights": "ab"}) as made:
        made.append(full(0))
    done = subprocess.run([sys.executable, "-c", program, str(path), "0"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with RunStore.open(path) as found:
        assert found.meta["asked_generations"] == "9"
