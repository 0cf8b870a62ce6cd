"""A run that was cut off goes on to the same end: the same events and the same weights, to the bit."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from processes import PATIENCE, environment, wait_until

from evolora_mesa.cli import main
from evolora_mesa.record import continuing
from evolora_mesa.record.layout import (
    ADAPTERS_FOLDER,
    CHECKPOINT_FOLDER,
    CONFIG_FILE,
    LOG_FILE,
    STATE_FILE,
    STORE_FILE,
    SUMMARY_FILE,
    TENSORS_FILE,
)
from evolora_mesa.record.lock import RunLock
from evolora_mesa.record.store import RunStore

_GENERATIONS = 10
_WORLD = ["run", "smoke", "--generations", str(_GENERATIONS), "--quiet", "--set", "record.checkpoint_every=2"]


def evolora(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "evolora_mesa.cli", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "unbroken"
    assert main([*_WORLD, "--out", str(folder)]) == 0
    return folder


@pytest.fixture
def finished(unbroken: Path, tmp_path: Path) -> Path:
    """A copy of the unbroken run."""
    return Path(shutil.copytree(unbroken, tmp_path / "run"))


@pytest.fixture
def cut(finished: Path) -> Path:
    """The same as if it had been killed after the last but one checkpoint, a generation later."""
    shutil.rmtree(finished / CHECKPOINT_FOLDER / f"gen-{_GENERATIONS:06}")
    shutil.rmtree(finished / ADAPTERS_FOLDER)
    (finished / SUMMARY_FILE).unlink()
    with RunStore.open_for_append(finished / STORE_FILE, _GENERATIONS - 1):
        pass
    return finished


def digest(folder: Path) -> str | None:
    with RunStore.open(folder / STORE_FILE) as store:
        return store.digest_of(_GENERATIONS)


def adapters(folder: Path) -> dict[str, bytes]:
    """Everything in ``adapters/``."""
    inside = folder / ADAPTERS_FOLDER
    return {str(path.relative_to(inside)): path.read_bytes() for path in inside.rglob("*") if path.is_file()}


def state(folder: Path) -> list[bytes]:
    """The files of the last checkpoint, without the seconds in it."""
    inside = folder / CHECKPOINT_FOLDER / f"gen-{_GENERATIONS:06}"
    plain = json.loads((inside / STATE_FILE).read_bytes())
    for name in ("host_seconds", "step_seconds"):
        del plain["figures"]["generations"][name]
    return [json.dumps(plain).encode(), (inside / TENSORS_FILE).read_bytes()]


def is_the_same_run(folder: Path, other: Path) -> bool:
    return digest(folder) == digest(other) and adapters(folder) == adapters(other) and state(folder) == state(other)


def everything(folder: Path) -> dict[str, bytes]:
    """Files that matter; SQLite's own beside the store come and go."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("run.lock", f"{STORE_FILE}-wal", f"{STORE_FILE}-shm")
    }


# ---------------------------------------------------------------- to the same end


def test_a_run_that_was_cut_off_goes_on_to_the_same_end(
    cut: Path, unbroken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert digest(cut) is None
    assert main(["resume", str(cut)]) == 0
    assert is_the_same_run(cut, unbroken)
    output = capsys.readouterr()
    assert f"{_GENERATIONS} generations, " in output.out and "of them now" in output.out
    assert output.err == ""
    one, other = (json.loads((folder / SUMMARY_FILE).read_text()) for folder in (cut, unbroken))
    assert one["digest"] == other["digest"] == digest(unbroken)
    assert one["totals"] == other["totals"]
    assert one["success_first"] == other["success_first"]


SOME_SLOW = [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SOME_SLOW)
def test_a_run_that_is_killed_at_any_moment_goes_on_to_the_same_end(unbroken: Path, tmp_path: Path, seed: int) -> None:
    folder, draw = tmp_path / "run", random.Random(seed)
    process = evolora([*_WORLD, "--out", str(folder)])
    # Any checkpoint will do: the first can be forgotten before we look, or the run be over.
    checkpoints = folder / CHECKPOINT_FOLDER
    wait_until(lambda: process.poll() is not None or any(checkpoints.glob("gen-*")), "a checkpoint")
    time.sleep(draw.random())
    process.kill()
    said = process.communicate()[0]
    assert process.returncode in (0, -signal.SIGKILL), said
    assert main(["resume", str(folder), "--quiet"]) == 0
    assert is_the_same_run(folder, unbroken)


@pytest.mark.slow
def test_a_run_that_is_asked_to_end_goes_on_to_the_same_end(unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = [*_WORLD, "--set", "record.checkpoint_every=0", "--out", str(folder)]
    process = evolora(arguments)
    wait_until(lambda: process.poll() is not None or (folder / STORE_FILE).exists(), "the run to begin")
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=PATIENCE)[0]
    if process.returncode == 0:
        pytest.skip("the run was over before the signal came")
    assert process.returncode == 128 + signal.SIGTERM, said
    assert main(["resume", str(folder), "--quiet"]) == 0
    assert adapters(folder) == adapters(unbroken)
    assert digest(folder) == digest(unbroken)


@pytest.mark.slow
def test_a_run_is_made_longer_in_steps(unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert main([*_WORLD, "--generations", "3", "--out", str(folder)]) == 0
    for length in ("4", str(_GENERATIONS)):
        assert main(["resume", str(folder), "--quiet", "--generations", length]) == 0
    assert is_the_same_run(folder, unbroken)
    assert main(["resume", str(folder)]) == 0  # the new length is the one that is asked for


def test_a_run_that_is_over_is_left_alone(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = everything(finished)
    assert main(["resume", str(finished)]) == 0
    assert "is over" in capsys.readouterr().out
    assert everything(finished) == before


def test_a_run_that_lacks_only_its_results_gets_them(finished: Path, unbroken: Path) -> None:
    (finished / SUMMARY_FILE).unlink()
    shutil.rmtree(finished / ADAPTERS_FOLDER)
    assert main(["resume", str(finished), "--quiet"]) == 0
    assert is_the_same_run(finished, unbroken)
    assert (finished / SUMMARY_FILE).exists()


def test_the_damaged_newest_checkpoint_is_named_and_the_one_before_taken(
    finished: Path, unbroken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (finished / CHECKPOINT_FOLDER / f"gen-{_GENERATIONS:06}" / STATE_FILE).write_bytes(b"{}")
    assert main(["resume", str(finished), "--quiet"]) == 0
    assert f"left out a checkpoint, gen-{_GENERATIONS:06}: state.json has another size" in capsys.readouterr().err
    assert is_the_same_run(finished, unbroken)
    assert "left out a checkpoint" in (finished / LOG_FILE).read_text()


def test_a_checkpoint_ahead_of_the_store_is_passed_over(
    finished: Path, unbroken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after a power failure that took the last transactions."""
    with RunStore.open_for_append(finished / STORE_FILE, _GENERATIONS - 1):
        pass
    assert main(["resume", str(finished), "--quiet"]) == 0
    assert f"the store ends with generation {_GENERATIONS - 1}" in capsys.readouterr().err
    assert is_the_same_run(finished, unbroken)


def test_other_surroundings_are_said_in_one_line(
    cut: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = continuing.surroundings
    monkeypatch.setattr(continuing, "surroundings", lambda device: real(device) | {"torch": "99.0", "threads": "7"})
    assert main(["resume", str(cut), "--quiet"]) == 0
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("no longer bit-identical: torch 99.0 (was ")
    assert "threads 7 (was 1)" in line


# ---------------------------------------------------------------- refused, and nothing touched


def refused(folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """What is said; one line, and nothing has changed."""
    before = everything(folder) if folder.is_dir() else {}
    capsys.readouterr()
    assert main(["resume", str(folder), *options]) == 2
    output = capsys.readouterr()
    [line] = output.err.splitlines()
    assert line.startswith("error: ") and output.out == ""
    assert (everything(folder) if folder.is_dir() else {}) == before
    return line


def test_all_checkpoints_are_damaged(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (cut / CHECKPOINT_FOLDER).iterdir():
        (path / TENSORS_FILE).write_bytes(b"")
    assert "no checkpoint can be used" in refused(cut, capsys)


def test_there_is_no_checkpoint(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(cut / CHECKPOINT_FOLDER)
    assert "the run has no checkpoint" in refused(cut, capsys)


def test_another_process_writes_the_run(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLock(cut):
        assert f"process {os.getpid()} since" in refused(cut, capsys)


def test_the_settings_were_changed(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = cut / CONFIG_FILE
    path.write_text(path.read_text().replace("temperature: 1.0", "temperature: 2.0"))
    assert "settings are not those" in refused(cut, capsys)


def test_the_run_is_longer_than_what_is_asked_for(cut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is longer than that already" in refused(cut, capsys, "--generations", "3")
    assert "generations" in refused(cut, capsys, "--generations", "-1")


def test_the_host_is_another(cut: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("evolora_mesa.host.lean.LeanHost.weight_hash", lambda self: "0" * 64)
    assert "not the host that the run began with" in refused(cut, capsys)


@pytest.mark.parametrize("kind", ["nowhere", "a file", "empty", "a store alone", "not a store"])
def test_it_is_no_run(unbroken: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    folder = tmp_path / "run"
    if kind == "a file":
        folder.write_text("")
    elif kind != "nowhere":
        folder.mkdir()
    if kind == "a store alone":
        shutil.copy(unbroken / STORE_FILE, folder)
    if kind == "not a store":
        shutil.copy(unbroken / CONFIG_FILE, folder)
        (folder / STORE_FILE).write_bytes(b"x" * 5000)
    said = refused(folder, capsys)
    assert ("not the folder of a run" in said) == (kind != "not a store")
    assert kind == "not a store" or not (folder / "run.lock").exists()


def test_threads_of_torch_are_one_here() -> None:
    assert torch.get_num_threads() == 1  # or the runs above were not to be compared
