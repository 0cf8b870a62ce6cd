"""What must not matter to a run, does not: how it is started, watched, recorded, cut into pieces."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fault_processes import GENERATIONS, WORLD, digest, ending, evolora
from processes import environment
from repetitions import repeated
from world_fixtures import NOBODY_CAN_PAY, grade_all, lively_world, tiny_world

from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.checkpoint import load
from evolora_mesa.record.invariants import check
from evolora_mesa.record.layout import CHECKPOINT_FOLDER, STATE_FILE
from evolora_mesa.record.lock import RunLock
from evolora_mesa.record.runfolder import RunFolder
from evolora_mesa.record.state import restore

# ---------------------------------------------------------------- whole runs


@pytest.mark.slow
def test_another_hash_seed_goes_on_to_the_same_end(unbroken: Path, tmp_path: Path) -> None:
    """Begun by a process with seed 0, as the unbroken run was, and ended by one with seed 1."""
    folder = tmp_path / "run"
    ended = evolora(*WORLD, "--out", str(folder), said=tmp_path / "said.txt", fault="checkpoint.renamed:1")
    assert ended.code == -signal.SIGKILL
    done = subprocess.run(
        [sys.executable, "-m", "evolora_mesa.cli", "resume", str(folder), "--quiet"],
        env=environment(PYTHONHASHSEED="1"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and done.stderr == ""
    assert ending(folder) == ending(unbroken)


def test_threads_that_were_set_elsewhere_have_no_say(unbroken: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    ended = evolora(
        *(*WORLD, "--out", str(folder)), said=tmp_path / "said.txt", before=torch.set_num_threads, given=(2,)
    )
    assert ended.code == 0, ended
    assert ending(folder) == ending(unbroken)


@pytest.mark.slow
def test_a_run_on_two_threads_goes_on_to_its_own_end(tmp_path: Path) -> None:
    """It need not be that of one thread: sums over several differ in the last bit."""
    arguments = (*WORLD, "--set", "host.threads=2", "--set", "host.tune_cpu=false", "--out")
    ended = evolora(*arguments, str(tmp_path / "unbroken"), said=tmp_path / "said.txt")
    assert ended.code == 0, ended
    folder = tmp_path / "run"
    ended = evolora(*arguments, str(folder), said=tmp_path / "said.txt", fault="store.begun:4")
    assert ended.code == -signal.SIGKILL
    ended = evolora("resume", str(folder), "--quiet", said=tmp_path / "said.txt")
    assert ended.code == 0 and "bit-identical" not in ended.said, ended
    assert ending(folder) == ending(tmp_path / "unbroken")


def test_looking_on_and_other_checkpoints_and_a_short_memory_change_nothing(unbroken: Path, tmp_path: Path) -> None:
    watched = tuple(argument for argument in WORLD if argument != "--quiet")
    others = ("--set", "record.checkpoint_every=1", "--set", "record.memory=8", "--set", "record.keep=1")
    ended = evolora(*watched, *others, "--out", str(tmp_path / "run"), said=tmp_path / "said.txt")
    assert ended.code == 0 and f"generation {GENERATIONS}/{GENERATIONS}" in ended.said
    assert digest(tmp_path / "run") == digest(unbroken)


# ---------------------------------------------------------------- any order of mishaps


class Life:
    """A recorded world in this process, to which everything can happen."""

    def __init__(self, path: Path, model: EcologyModel) -> None:
        self.path, self.model = path, model
        self.folder = RunFolder(path, model.config, model.host.fingerprint())
        self.folder.attach(model)
        self.folder.checkpoint(model)

    def step(self) -> None:
        self.model.step()

    def checkpoint(self) -> None:
        self.folder.checkpoint(self.model)

    def crash(self) -> None:
        """All that is in memory is gone."""
        host, config = self.model.host, self.model.config
        with self.folder:
            pass
        with RunLock(self.path):
            found = load(self.path / CHECKPOINT_FOLDER, config)
            self.model = restore(config, found.tree, host)
            self.folder = RunFolder.reopen(self.path, config, found.position.generation)
        self.folder.attach(self.model)

    def damage(self) -> None:
        """The newest checkpoint is no good any more, if there is a good one before it."""
        newest = sorted((self.path / CHECKPOINT_FOLDER).iterdir())
        if len(newest) > 1 and (newest[0] / STATE_FILE).stat().st_size > 1:
            (newest[-1] / STATE_FILE).write_bytes(b"x")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 12))])
def test_any_order_of_steps_checkpoints_crashes_and_damage_is_the_same_past(
    petri: HostService, tmp_path: Path, seed: int
) -> None:
    length, draw = 8, random.Random(seed)
    plain = Life(tmp_path / "plain", lively_world(petri))
    for _ in range(length):
        plain.step()
    told = [row["digest"] for row in plain.folder.store.tail(-1)]
    life = Life(tmp_path / "run", lively_world(petri))
    for _ in range(30):
        happens = draw.choices(["step", "checkpoint", "crash", "damage"], [6, 2, 2, 1])[0]
        if happens != "step" or life.model.tick < length:
            getattr(life, happens)()
        assert life.folder.store.position == (life.model.tick, told[life.model.tick])
        assert life.model.ledger.total() == 0
    assert check(life.folder.store) == []
    for end in (plain, life):
        with end.folder:
            pass


# ---------------------------------------------------------------- worlds at the edge

WORLDS: dict[str, dict[str, object]] = {
    "nobody can pay": NOBODY_CAN_PAY,
    "one alone": {"population.initial": 1, "population.minimum": 1, "population.maximum": 2},
    "all fail": {},
    "all succeed": {},
    "one price": {"economy.price_low": 1.0, "economy.price_high": 1.0},
}


@pytest.mark.parametrize("name", ["nobody can pay", "all fail", "all succeed", *repeated("one alone", "one price")])
def test_a_world_at_the_edge_goes_on_from_its_checkpoint(
    petri: HostService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name.startswith("all"):
        grade_all(monkeypatch, lambda task: name == "all succeed")
    life = Life(tmp_path / "run", tiny_world(petri, **WORLDS[name]))
    told = []
    for broken in (False, True):
        while life.model.running and life.model.tick < 5:
            life.step()
            if life.model.tick == 2 and not broken:
                life.checkpoint()
        assert life.model.ledger.total() == 0
        assert check(life.folder.store) == []
        told.append(life.folder.store.position)
        life.crash()
        assert life.model.tick < told[0][0] or not life.model.running
    assert told[0] == told[1]
    assert (told[0][0] < 5) == (name == "nobody can pay")
    with life.folder:
        pass
