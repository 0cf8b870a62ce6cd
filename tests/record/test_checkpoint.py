"""Checkpoints are whole or do not count: whatever breaks, the one before is taken, and that is said."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from processes import environment
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from world_fixtures import adapters, history, live, lively_world, tiny_world

from evolora_mesa.errors import RunError
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.record import checkpoint
from evolora_mesa.record.checkpoint import StorePosition, load, save
from evolora_mesa.record.layout import LOCK_FILE, MANIFEST_FILE, STATE_FILE, TENSORS_FILE
from evolora_mesa.record.lock import RunLock
from evolora_mesa.record.state import restore

FILES = (MANIFEST_FILE, STATE_FILE, TENSORS_FILE)


def at(generation: int) -> tuple[int, str]:
    return generation, f"{generation:064x}"


@pytest.fixture(scope="module")
def world(petri: HostService) -> EcologyModel:
    """A small world with some past."""
    return live(tiny_world(petri), 1)


@pytest.fixture(scope="module")
def saved(petri: HostService, tmp_path_factory: pytest.TempPathFactory) -> tuple[EcologyModel, Path]:
    """A world after two generations, with a checkpoint of each."""
    folder = tmp_path_factory.mktemp("run") / "checkpoint"
    model = tiny_world(petri)
    for generation in (1, 2):
        live(model, 1)
        save(folder, model, at(generation))
    return model, folder


@pytest.fixture
def copied(saved: tuple[EcologyModel, Path], tmp_path: Path) -> tuple[EcologyModel, Path]:
    """The same in a folder that may be damaged."""
    shutil.copytree(saved[1], tmp_path / "checkpoint")
    return saved[0], tmp_path / "checkpoint"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# ---------------------------------------------------------------- there and back


def test_a_world_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(petri: HostService, tmp_path: Path) -> None:
    model = live(lively_world(petri), 3)
    save(tmp_path / "checkpoint", model, at(3))
    live(model, 3)
    found = load(tmp_path / "checkpoint", model.config)
    assert found.position == at(3) and found.skipped == ()
    again = live(restore(model.config, found.tree, petri), 3)
    assert history(again) == history(model)
    weights = adapters(model)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in adapters(again).items())


def test_the_same_state_is_the_same_bytes(copied: tuple[EcologyModel, Path], tmp_path: Path) -> None:
    model, folder = copied
    save(tmp_path / "other", model, at(2))
    assert contents(tmp_path / "other" / "gen-000002") == contents(folder / "gen-000002")


def test_the_length_of_a_run_may_change_and_no_other_setting(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    longer = model.config.model_copy(update={"generations": 1000})
    assert load(folder, longer).position == at(2)
    with pytest.raises(RunError, match="other settings"):
        load(folder, model.config.model_copy(update={"seed": 5}))


def test_the_last_two_are_kept(petri: HostService, tmp_path: Path) -> None:
    model = tiny_world(petri)
    for generation in range(4):
        save(tmp_path, model, at(generation))
        live(model, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gen-000002", "gen-000003"]
    save(tmp_path, model, at(4), keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["gen-000004"]


def test_a_past_that_was_taken_back_is_removed_with_the_next_save(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    shutil.copytree(folder / "gen-000002", folder / "gen-000009")
    save(folder, model, at(2))
    assert sorted(path.name for path in folder.iterdir()) == ["gen-000001", "gen-000002"]


def test_what_is_there_already_is_left_alone_unless_it_is_damaged(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    target = folder / "gen-000002" / STATE_FILE
    before = target.stat().st_ino
    save(folder, model, at(2))
    assert target.stat().st_ino == before
    target.write_bytes(b"{}")
    save(folder, model, at(2))
    assert load(folder, model.config).skipped == ()
    save(folder, model, (2, "f" * 64))  # the same generation of another past
    assert load(folder, model.config).position == (2, "f" * 64)


def test_a_store_that_is_elsewhere_is_refused(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    with pytest.raises(RunError, match="not where the world is"):
        save(folder, model, at(7))


def test_debris_of_killed_processes_is_cleared_away_and_never_loaded(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    for name in ("gen-000003.tmp-99", "gen-000002.old-99"):
        shutil.copytree(folder / "gen-000002", folder / name)
    (folder / "notes.txt").write_text("mine")
    assert load(folder, model.config).position == at(2)
    save(folder, model, at(2))
    assert sorted(path.name for path in folder.iterdir()) == ["gen-000001", "gen-000002", "notes.txt"]


# ---------------------------------------------------------------- damage


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["missing", "empty", "truncated", "longer", "a link", "a folder", "a pipe"])
def test_the_newest_is_damaged_and_the_one_before_is_taken(
    copied: tuple[EcologyModel, Path], name: str, how: str
) -> None:
    model, folder = copied
    target = folder / "gen-000002" / name
    data = target.read_bytes()
    target.unlink()
    match how:
        case "empty" | "truncated" | "longer":
            target.write_bytes({"empty": b"", "truncated": data[:-1], "longer": data + b"\n"}[how])
        case "a link":
            elsewhere = folder / "elsewhere"
            elsewhere.write_bytes(data)
            target.symlink_to(elsewhere)
        case "a folder":
            target.mkdir()
        case "a pipe":
            os.mkfifo(target)
    found = load(folder, model.config)
    assert found.position == at(1)
    [reason] = found.skipped
    assert reason.startswith("gen-000002: ") and "\n" not in reason


@pytest.mark.slow
def test_no_flipped_bit_and_no_cut_goes_unnoticed(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    draw = random.Random(5)
    for trial in range(200):
        target = folder / "gen-000002" / FILES[trial % 3]
        data = target.read_bytes()
        place = draw.randrange(len(data))
        if draw.random() < 0.7:
            broken = data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]
        else:
            broken = data[:place]
        target.write_bytes(broken)
        assert load(folder, model.config).position == at(1)
        target.write_bytes(data)
    assert load(folder, model.config).position == at(2)


def test_every_bit_of_the_manifest_counts(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    target = folder / "gen-000002" / MANIFEST_FILE
    data = target.read_bytes()
    for place in range(len(data)):
        target.write_bytes(data[:place] + bytes([data[place] ^ 1 << place % 8]) + data[place + 1 :])
        with pytest.raises(RunError):
            checkpoint._read(folder / "gen-000002", model.config)


def test_when_all_are_damaged_nothing_is_touched_and_each_is_named(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    for path in folder.iterdir():
        (path / STATE_FILE).write_bytes(b"x")
    before = contents(folder)
    with pytest.raises(RunError, match=r"no checkpoint can be used.*gen-000002.*gen-000001"):
        load(folder, model.config)
    assert contents(folder) == before


def test_a_checkpoint_moved_to_another_generation_is_refused(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    (folder / "gen-000002").rename(folder / "gen-000005")
    found = load(folder, model.config)
    assert found.position == at(1) and "another generation" in found.skipped[0]


def test_one_that_the_store_cannot_go_on_from_is_passed_over(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied

    def fits(position: StorePosition) -> str | None:
        return "the store ends before it" if position.generation > 1 else None

    found = load(folder, model.config, fits=fits)
    assert found.position == at(1)
    assert found.skipped == ("gen-000002: the store ends before it",)


def test_no_checkpoint_at_all_is_said(world: EcologyModel, tmp_path: Path) -> None:
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(RunError, match="no checkpoint"):
            load(folder, world.config)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be read"):
        load(tmp_path / "file", world.config)


def forge(folder: Path, **changes: object) -> None:
    """Sign a manifest that says something else."""
    path = folder / MANIFEST_FILE
    manifest = json.loads(path.read_bytes())
    del manifest["sha256"]
    path.write_bytes(checkpoint._signed({**manifest, **changes}))


def test_a_newer_schema_is_refused_as_such(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    forge(folder / "gen-000002", schema=checkpoint.SCHEMA + 1)
    assert "newer version" in load(folder, model.config).skipped[0]


def test_tensors_that_are_signed_but_of_another_shape_are_refused(copied: tuple[EcologyModel, Path]) -> None:
    model, folder = copied
    path = folder / "gen-000002" / TENSORS_FILE
    tensors = load_tensors(path.read_bytes())
    first = next(iter(tensors))
    for other in ({**tensors, "odd": torch.zeros(1)}, {**tensors, first: torch.zeros(1, dtype=torch.float16)}):
        path.write_bytes(save_tensors(other))
        described = {name: checkpoint._described((path.parent / name).read_bytes()) for name in FILES[1:]}
        forge(path.parent, files=described)
        found = load(folder, model.config)
        assert found.position == at(1) and "saved tensors" in found.skipped[0]


# ---------------------------------------------------------------- faults while writing


class Crash(BaseException):
    """The process ends here: nothing that it would still do is done."""


CHANGES = ("fsync", "rename", "mkdir", "unlink", "rmdir")


@contextlib.contextmanager
def fault_at(call: int, fault: BaseException) -> Iterator[list[str]]:
    """The ``call``-th call that changes the disk fails, after a crash also all later ones; gives the calls."""
    made: list[str] = []

    def watched(name: str) -> Callable[..., object]:
        real = getattr(os, name)

        def counted(*arguments: object, **options: object) -> object:
            made.append(name)
            if len(made) == call or (len(made) > call and isinstance(fault, Crash)):
                raise fault
            return real(*arguments, **options)

        return counted

    with pytest.MonkeyPatch.context() as patch:
        for name, function in {name: watched(name) for name in CHANGES}.items():
            patch.setattr(os, name, function)
        yield made


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), Crash()], ids=["disk full", "crash"])
@pytest.mark.parametrize("damaged", [False, True], ids=["new", "in the place of a damaged one"])
def test_a_fault_at_any_step_leaves_a_checkpoint_to_go_on_from(
    saved: tuple[EcologyModel, Path], petri: HostService, tmp_path: Path, fault: BaseException, damaged: bool
) -> None:
    model = live(restore(saved[0].config, load(saved[1], saved[0].config).tree, petri), 1)
    for call in range(1, 100):
        folder = tmp_path / str(call)
        shutil.copytree(saved[1], folder)
        if damaged:
            shutil.copytree(folder / "gen-000002", folder / "gen-000003")
        with fault_at(call, fault) as made:
            try:
                save(folder, model, at(3))
            except RunError as error:
                assert "No space left" in str(error) and "\n" not in str(error)
            except Crash:
                pass
        found = load(folder, model.config)
        assert found.position in (at(2), at(3))
        assert damaged or found.skipped == ()
        save(folder, model, at(3))  # the next attempt clears up
        assert sorted(path.name for path in folder.iterdir()) == ["gen-000002", "gen-000003"]
        if len(made) < call:
            break
    assert len(made) > 8


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limit on the size of files here")
def test_a_file_that_cannot_grow_is_one_line_and_leaves_no_debris(copied: tuple[EcologyModel, Path]) -> None:
    import resource

    model, folder = copied
    before = contents(folder)
    shutil.rmtree(folder / "gen-000002")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(RunError, match="cannot write a checkpoint"):
            save(folder, model, at(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert contents(folder) == {name: data for name, data in before.items() if name.startswith("gen-000001")}
    assert [path.name for path in folder.iterdir()] == ["gen-000001"]


# ---------------------------------------------------------------- the lock


HOLDER = """
import sys, time
from pathlib import Path
from evolora_mesa.record.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_process_is_refused_and_the_lock_of_a_killed_one_heals(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=rf"being written.*process {holder.pid} since") as refused, RunLock(tmp_path):
            pass
        assert "\n" not in str(refused.value)
    finally:
        holder.kill()
        holder.wait()
    with RunLock(tmp_path):
        assert f"process {os.getpid()} since" in (tmp_path / LOCK_FILE).read_text()
        with pytest.raises(RunError, match="being written"), RunLock(tmp_path):
            pass
    with RunLock(tmp_path):
        pass


@pytest.mark.parametrize("kind", ["nowhere", "a folder", "a link"])
def test_a_lock_that_cannot_be_taken_is_one_line(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "run"
    if kind != "nowhere":
        folder.mkdir()
    if kind == "a folder":
        (folder / LOCK_FILE).mkdir()
    if kind == "a link":
        (tmp_path / "precious").write_text("kept")
        (folder / LOCK_FILE).symlink_to(tmp_path / "precious")
    with pytest.raises(RunError, match="cannot be locked"), RunLock(folder):
        pass
    assert kind != "a link" or (tmp_path / "precious").read_text() == "kept"
