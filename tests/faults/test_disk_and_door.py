"""Disks that fill up, folders that cannot be written, and two processes that want one run."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_processes import GENERATIONS, WORLD, contents, ending, evolora, start

from evolora_mesa.configfile import load_config
from evolora_mesa.record.checkpoint import StorePosition, faults
from evolora_mesa.record.layout import (
    ADAPTERS_FOLDER,
    CHECKPOINT_FOLDER,
    CONFIG_FILE,
    STORE_FILE,
    SUMMARY_FILE,
    checkpoint_name,
)
from evolora_mesa.record.store import RunStore
from evolora_mesa.record.verification import verify

# ---------------------------------------------------------------- a full disk


def _fill_disk_when_told() -> None:
    """From the signal on no file grows beyond 1000 bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    signal.signal(signal.SIGUSR1, lambda *_: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard)))


@pytest.mark.parametrize(
    ("point", "told"),
    [
        pytest.param("store.begun:4", "cannot write a generation", marks=pytest.mark.slow),
        pytest.param("checkpoint.begun:1", "cannot write a checkpoint", marks=pytest.mark.slow),
        pytest.param("checkpoint.begun:2", "cannot write a checkpoint", marks=pytest.mark.slow),
        pytest.param("checkpoint.file:7", "cannot write a checkpoint", marks=pytest.mark.slow),
        ("finish.phylogeny:1", f"cannot be written ({{run}}/{ADAPTERS_FOLDER}/"),
    ],
)
def test_a_disk_that_fills_up_ends_the_run_in_one_line_and_it_goes_on_when_there_is_room(
    unbroken: Path, tmp_path: Path, point: str, told: str
) -> None:
    folder = tmp_path / "run"
    ended = evolora(
        *(*WORLD, "--out", str(folder)),
        said=tmp_path / "said.txt",
        fault=f"{point}:SIGUSR1",
        before=_fill_disk_when_told,
    )
    assert ended.code == 2, ended
    [line] = ended.said.splitlines()
    assert line.startswith("error: ") and told.format(run=folder) in line
    assert "/." not in line  # no name of a hidden folder that is gone by now
    assert not (folder / SUMMARY_FILE).exists()
    assert verify(folder).findings == []  # of what is there
    ended = evolora("resume", str(folder), "--quiet", said=tmp_path / "said.txt")
    assert ended.code == 0, ended
    assert ending(folder) == ending(unbroken)


# ---------------------------------------------------------------- no right to write


@pytest.fixture
def locked_up(unbroken: Path) -> Iterator[Path]:
    """A run that others may read and nobody may write."""
    with tempfile.TemporaryDirectory() as shared:  # pytest's own folders are closed to others
        Path(shared).chmod(0o755)
        folder = Path(shutil.copytree(unbroken, Path(shared) / "run"))
        for path in (*folder.rglob("*"), folder):
            path.chmod(0o555 if path.is_dir() else 0o444)
        yield folder
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755)


def _become_nobody() -> None:
    "".encode("utf-8-sig")  # looked up now, for Python itself can lie where nobody may go
    if os.geteuid() == 0:  # for whom rights count nothing
        os.setegid(65534)
        os.seteuid(65534)


def test_a_run_that_may_not_be_written_is_not_gone_on_with(locked_up: Path, tmp_path: Path) -> None:
    before = contents(locked_up)
    arguments = ("resume", str(locked_up), "--generations", str(GENERATIONS + 1))
    ended = evolora(*arguments, said=tmp_path / "said.txt", before=_become_nobody)
    assert ended.code == 2
    [line] = ended.said.splitlines()
    assert line.startswith("error: the run cannot be locked") and "Permission denied" in line
    assert contents(locked_up) == before


def test_a_run_that_may_not_be_written_can_be_verified(locked_up: Path, tmp_path: Path) -> None:
    ended = evolora("verify", str(locked_up), said=tmp_path / "said.txt", before=_become_nobody)
    assert ended.code == 0, ended


# ---------------------------------------------------------------- two processes


@pytest.mark.slow
def test_while_one_process_writes_a_run_others_are_refused_and_may_read(unbroken: Path, tmp_path: Path) -> None:
    folder, said = tmp_path / "run", tmp_path / "said.txt"
    arguments = (*WORLD, "--out", str(folder))
    writer = start((*arguments, "--generations", "100000"), tmp_path / "writer.txt")
    try:
        while writer.is_alive() and not (folder / CHECKPOINT_FOLDER / "gen-000000").exists():
            time.sleep(0.01)
        ended = evolora("resume", str(folder), said=said)
        assert ended.code == 2
        assert f"the run is being written ({folder}): got 'process {writer.pid} since" in ended.said
        assert ended.said.count("\n") == 1
        ended = evolora(*arguments, said=said)
        assert ended.code == 2 and "the output folder is not empty" in ended.said
        assert evolora("verify", str(folder), said=said).code == 0
        assert writer.is_alive()
    finally:
        writer.kill()
        writer.join()
    with RunStore.open(folder / STORE_FILE) as store:
        reached = max(store.generation, GENERATIONS)
    ended = evolora("resume", str(folder), "--quiet", "--generations", str(reached), said=said)
    assert ended.code == 0, ended  # the lock of the dead was nobody's
    with RunStore.open(folder / STORE_FILE) as store, RunStore.open(unbroken / STORE_FILE) as other:
        assert store.generation == reached
        assert store.digest_of(GENERATIONS) == other.digest_of(GENERATIONS)


def test_a_checkpoint_that_a_writer_forgets_while_it_is_verified_is_no_fault(run: Path) -> None:
    def overtaken(position: StorePosition) -> str:
        shutil.rmtree(run / CHECKPOINT_FOLDER / checkpoint_name(position.generation))
        return "gone"

    assert faults(run / CHECKPOINT_FOLDER, load_config(run / CONFIG_FILE), overtaken) == {}
    assert not any((run / CHECKPOINT_FOLDER).iterdir())
