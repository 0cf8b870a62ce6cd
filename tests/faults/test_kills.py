"""A run that is killed at any point goes on to the end that it would have had."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from fault_processes import WORLD, Ended, digest, ending, evolora, start
from repetitions import repeated

from evolora_mesa.errors import ConfigError
from evolora_mesa.record.faultpoints import POINTS, VARIABLE, reached
from evolora_mesa.record.interrupt import exit_code
from evolora_mesa.record.layout import ADAPTERS_FOLDER, CHECKPOINT_FOLDER, STORE_FILE, SUMMARY_FILE
from evolora_mesa.record.store import RunStore
from evolora_mesa.record.verification import verify

# How often a run of 4 generations with a checkpoint at every second one passes each point.
PASSES = {
    "folder.named": 1,
    "store.begun": 5,
    "store.filled": 5,
    "store.committed": 5,
    "checkpoint.begun": 3,
    "checkpoint.file": 9,
    "checkpoint.written": 3,
    "checkpoint.renamed": 3,
    "checkpoint.kept": 4,
    "finish.phylogeny": 1,
    "finish.adapters": 1,
}


def killed(folder: Path, fault: str, *arguments: str) -> None:
    ended = evolora(*(arguments or (*WORLD, "--out", str(folder))), said=folder.parent / "said.txt", fault=fault)
    assert ended == Ended(-signal.SIGKILL, ""), ended


def resumed(folder: Path) -> str:
    ended = evolora("resume", str(folder), "--quiet", said=folder.parent / "said.txt")
    assert ended.code == 0, ended.said
    return ended.said


def check_goes_on(folder: Path, unbroken: Path) -> None:
    """To the very same end, with nothing left over."""
    resumed(folder)
    assert ending(folder) == ending(unbroken)
    assert verify(folder).findings == []
    names = sorted(path.name for path in unbroken.iterdir())
    assert sorted(path.name for path in folder.iterdir()) == names
    assert {path.name for path in (folder / CHECKPOINT_FOLDER).iterdir()} == {
        path.name for path in (unbroken / CHECKPOINT_FOLDER).iterdir()
    }


def test_every_point_has_its_test() -> None:
    assert {*PASSES, "folder.made", "store.cut"} == set(POINTS)


TYPICAL = ("folder.named", "store.filled", "checkpoint.file", "finish.adapters")
HALFWAY = {point: f"{point}:{(last + 2) // 2}" for point, last in PASSES.items()}


@pytest.mark.parametrize(
    "fault", [*map(HALFWAY.get, TYPICAL), *repeated(*(HALFWAY[point] for point in PASSES if point not in TYPICAL))]
)
def test_a_kill_inside_a_phase_loses_at_most_the_generation_in_flight(
    unbroken: Path, tmp_path: Path, fault: str
) -> None:
    folder = tmp_path / "run"
    killed(folder, fault)
    point, number = fault.split(":")
    done = {"store.begun": int(number) - 2, "store.filled": int(number) - 2, "store.committed": int(number) - 1}
    with RunStore.open(folder / STORE_FILE) as store:
        assert store.generation == done.get(point, store.generation)
    check_goes_on(folder, unbroken)


@pytest.mark.slow
@pytest.mark.parametrize("point", PASSES)
def test_a_kill_at_every_pass_of_a_point_is_mended(unbroken: Path, tmp_path: Path, point: str) -> None:
    for number in range(1, PASSES[point] + 1):
        folder = tmp_path / str(number) / "run"
        folder.parent.mkdir()
        killed(folder, f"{point}:{number}")
        check_goes_on(folder, unbroken)


def test_a_point_is_passed_as_often_as_is_tried_here(unbroken: Path, tmp_path: Path) -> None:
    one_more = ",".join(f"{point}:{number + 1}" for point, number in PASSES.items())
    ended = evolora(*WORLD, "--out", str(tmp_path / "run"), said=tmp_path / "said.txt", fault=one_more)
    assert ended.code == 0, ended
    assert ending(tmp_path / "run") == ending(unbroken)


def test_a_run_that_is_killed_before_it_has_its_name_is_not_there(unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    killed(folder, "folder.made:1")
    assert not folder.exists() and len(list(tmp_path.glob(".run-*"))) == 1
    ended = evolora(*WORLD, "--out", str(folder), said=tmp_path / "said.txt")
    assert ended.code == 0, ended
    assert digest(folder) == digest(unbroken)
    assert not list(tmp_path.glob(".run-*"))  # what the dead one left is cleared away


@pytest.mark.parametrize("fault", ["folder.made:1", *repeated("folder.named:1")])
def test_a_kill_before_a_run_begins_does_not_spoil_the_folder_that_it_was_given(tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    killed(folder, fault)
    assert len(list(folder.glob(".run-*"))) == 1
    again = ("resume", str(folder), "--quiet") if fault == "folder.named:1" else (*WORLD, "--out", str(folder))
    ended = evolora(*again, said=tmp_path / "said.txt")
    assert ended.code == 0, ended
    assert not list(folder.glob(".run-*"))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["store.cut:1", "checkpoint.written:1", "finish.adapters:1"])
def test_a_run_whose_going_on_is_killed_too_goes_on(unbroken: Path, tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "run"
    killed(folder, "store.filled:4")
    killed(folder, fault, "resume", str(folder), "--quiet")
    check_goes_on(folder, unbroken)


def test_a_run_without_a_first_checkpoint_is_begun_anew_and_that_is_said(unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    killed(folder, "checkpoint.written:1")
    assert "begun anew" in resumed(folder).splitlines()[0]
    assert ending(folder) == ending(unbroken)


def test_founders_with_adapters_of_their_own_are_not_begun_anew(unbroken: Path, tmp_path: Path) -> None:
    """They lie elsewhere, and nobody knows whether they are still the same."""
    folder = tmp_path / "run"
    adapter = next(path for path in sorted((unbroken / ADAPTERS_FOLDER).iterdir()) if path.is_dir())
    killed(folder, "checkpoint.written:1", *WORLD, "--adapters", str(adapter), "--out", str(folder))
    ended = evolora("resume", str(folder), said=tmp_path / "said.txt")
    assert ended.code == 2
    assert ended.said.count("\n") == 1 and "the run has no checkpoint" in ended.said


def test_a_run_without_checkpoints_goes_on_from_its_founding(unbroken: Path, tmp_path: Path) -> None:
    """That one is always made: what was lived since is lived again, and nothing is lost."""
    folder = tmp_path / "run"
    killed(folder, "store.begun:4", *WORLD, "--set", "record.checkpoint_every=0", "--out", str(folder))
    assert [path.name for path in (folder / CHECKPOINT_FOLDER).iterdir()] == ["gen-000000"]
    resumed(folder)
    assert digest(folder) == digest(unbroken)


def test_a_run_that_had_come_further_is_not_begun_anew(unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    killed(folder, "store.begun:4", *WORLD, "--out", str(folder))
    shutil.rmtree(folder / CHECKPOINT_FOLDER)
    ended = evolora("resume", str(folder), said=tmp_path / "said.txt")
    assert ended.code == 2 and "the run has no checkpoint" in ended.said
    with RunStore.open(folder / STORE_FILE) as store:
        assert store.generation == 2


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 5))])
def test_a_run_that_is_killed_again_and_again_at_random_comes_to_its_end(
    unbroken: Path, tmp_path: Path, seed: int
) -> None:
    folder, draw = tmp_path / "run", random.Random(seed)
    arguments: tuple[str, ...] = (*WORLD, "--out", str(folder))
    for _ in range(3):
        process = start(arguments, tmp_path / "said.txt")
        while process.is_alive() and not folder.exists():
            time.sleep(0.002)
        process.join(draw.uniform(0.0, 0.8))
        process.kill()
        process.join()
        arguments = ("resume", str(folder), "--quiet")
    resumed(folder)
    assert ending(folder) == ending(unbroken)


# ---------------------------------------------------------------- signals that ask


@pytest.mark.parametrize(
    ("name", "point"),
    [
        ("SIGINT", "checkpoint.file:4"),
        *repeated(("SIGTERM", "store.filled:3"), ("SIGHUP", "checkpoint.written:2")),
    ],
)
def test_a_signal_while_files_are_written_ends_the_run_in_order(
    unbroken: Path, tmp_path: Path, name: str, point: str
) -> None:
    folder = tmp_path / "run"
    ended = evolora(*WORLD, "--out", str(folder), said=tmp_path / "said.txt", fault=f"{point}:{name}")
    assert ended.code == exit_code(name), ended
    assert (folder / SUMMARY_FILE).exists() and verify(folder).findings == []
    resumed(folder)
    assert ending(folder) == ending(unbroken)


@pytest.mark.slow
@pytest.mark.parametrize("second", ["checkpoint.file:5", *repeated("store.filled:3", "finish.adapters:1")])
def test_a_second_ctrl_c_leaves_at_once_and_loses_nothing(unbroken: Path, tmp_path: Path, second: str) -> None:
    folder = tmp_path / "run"
    fault = f"store.begun:3:SIGINT,{second}:SIGINT"
    ended = evolora(*WORLD, "--out", str(folder), said=tmp_path / "said.txt", fault=fault)
    assert ended.code == exit_code("SIGINT") and "Traceback" not in ended.said, ended
    assert not (folder / SUMMARY_FILE).exists()
    resumed(folder)
    assert ending(folder) == ending(unbroken)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in unbroken.iterdir())


# ---------------------------------------------------------------- the hook itself


@pytest.mark.parametrize("order", ["nowhere:1", "store.begun", "store.begun:0", "store.begun:1:SIGNOTHING", "x,y"])
def test_a_misspelt_order_is_refused(monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    monkeypatch.setenv(VARIABLE, order)
    with pytest.raises(ConfigError, match=r"no fault point \(EVOLORA_FAULT\)"):
        reached("folder.made")


def test_a_point_costs_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    began = time.process_time()
    for _ in range(100_000):
        reached("store.begun")
    assert time.process_time() - began < 1.0  # 10 µs each; a generation takes thousands of times as long
