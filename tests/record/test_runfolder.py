"""A run folder appears whole, grows by rows that are on disk at once, and is read back by strict loaders."""

from __future__ import annotations

import csv
import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from processes import environment
from safetensors.torch import load_file, save_file
from world_fixtures import live, tiny_world

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import AdapterError, RunError
from evolora_mesa.host import HostService
from evolora_mesa.host.peft_io import import_adapter
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.invariants import check
from evolora_mesa.record.live import summarise
from evolora_mesa.record.lock import RunLock
from evolora_mesa.record.runfolder import RunFolder, check_vacant, check_writable, default_folder
from evolora_mesa.record.store import RunStore, config_hash
from evolora_mesa.record.verification import verify


@pytest.fixture(scope="module")
def model() -> EcologyModel:
    world = EcologyModel("smoke", rng=1, **{"host.tune_cpu": False, "generations": 2})
    world.step()
    world.step()
    return world


@pytest.fixture
def config() -> WorldConfig:
    return load_config("smoke")


def test_it_appears_with_its_settings_and_an_empty_store(tmp_path: Path, config: WorldConfig) -> None:
    with RunFolder(tmp_path / "new" / "run", config) as folder:
        assert load_config(folder.path / "config.yaml") == config
        assert folder.store.position == (-1, bytes(32).hex())
        assert folder.store.meta["config_hash"] == config_hash(config)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run"]


def test_a_generation_is_on_disk_when_its_step_returns(tmp_path: Path, petri: HostService) -> None:
    world = tiny_world(petri)
    with RunFolder(tmp_path / "run", world.config) as folder:
        folder.attach(world)
        for generation in range(3):
            with RunStore.open(folder.path / "run.sqlite") as store:
                assert store.position == (generation, folder.store.digest)
            world.step()


def test_two_processes_cannot_write_one_run(tmp_path: Path, config: WorldConfig) -> None:
    with RunFolder(tmp_path / "run", config), pytest.raises(RunError, match="being written"), RunLock(tmp_path / "run"):
        pass
    with RunLock(tmp_path / "run"), RunFolder.reopen(tmp_path / "run", config, -1):
        pass


def test_a_run_that_goes_on_is_not_over_any_more(tmp_path: Path, petri: HostService) -> None:
    world = tiny_world(petri)
    with RunFolder(tmp_path / "run", world.config) as folder:
        folder.attach(world)
        live(world, 2)
        folder.finish(world, {})
    with RunFolder.reopen(tmp_path / "run", world.config.model_copy(update={"generations": 9}), 2) as folder:
        assert not (folder.path / "summary.json").exists()
        assert folder.store.meta["asked_generations"] == "9"
        folder.attach(world)
        live(world, 1)
        folder.finish(world, {})
    assert sorted(path.name for path in (tmp_path / "run").glob("[!r]*")) == [
        "adapters",
        "config.yaml",
        "log.txt",
        "phylogeny.csv",
        "summary.json",
    ]


def test_while_a_run_goes_on_its_earlier_results_are_told_as_such(tmp_path: Path, petri: HostService) -> None:
    world, run = tiny_world(petri), tmp_path / "run"
    with RunFolder(run, world.config) as folder:
        folder.attach(world)
        live(world, 2)
        folder.checkpoint(world)
        folder.finish(world, summarise(world, "finished", {}, folder.store))
    assert verify(run).results == "" and verify(run).ok
    with RunFolder.reopen(run, world.config.model_copy(update={"generations": 9}), 2) as folder:
        folder.attach(world)
        live(world, 1)
        found = verify(run)
        assert found.ok and not found.finished
        assert found.results.startswith("adapters/ and phylogeny.csv are of generation 2, ")
        (run / "earlier_summary.json").write_text("{}")
        assert verify(run).results.startswith("adapters/ and phylogeny.csv are of an earlier end; ")
        folder.checkpoint(world)
        folder.finish(world, summarise(world, "finished", {}, folder.store))
    assert verify(run).results == "" and verify(run).finished and not (run / "earlier_summary.json").exists()


def test_a_checkpoint_of_the_founding_is_made_in_any_case(tmp_path: Path, petri: HostService) -> None:
    world = tiny_world(petri, **{"record.checkpoint_every": 0})
    with RunFolder(tmp_path / "run", world.config) as folder:
        folder.attach(world)
        for _ in range(3):
            folder.checkpoint(world, due=False)
            world.step()
    assert [path.name for path in (tmp_path / "run" / "checkpoint").iterdir()] == ["gen-000000"]


def test_checkpoints_are_made_when_they_are_due(tmp_path: Path, petri: HostService) -> None:
    world = tiny_world(petri, **{"record.checkpoint_every": 2})
    made = []
    with RunFolder(tmp_path / "run", world.config) as folder:
        folder.attach(world)
        for _ in range(5):
            folder.checkpoint(world, due=False)
            made.append(sorted(path.name[-1] for path in (folder.path / "checkpoint").iterdir()))
            world.step()
        folder.checkpoint(world)
    assert made == [["0"], ["0"], ["0", "2"], ["0", "2"], ["2", "4"]]
    assert (tmp_path / "run" / "checkpoint" / "gen-000005").is_dir()


def test_an_empty_folder_may_be_used_and_one_with_content_may_not(tmp_path: Path, config: WorldConfig) -> None:
    (tmp_path / "run").mkdir()
    with RunFolder(tmp_path / "run", config):
        pass
    with pytest.raises(RunError, match="not empty"):
        RunFolder(tmp_path / "run", config)
    with pytest.raises(RunError, match="not empty"):
        check_vacant(tmp_path / "run")


def test_a_full_disk_while_it_is_made_leaves_nothing(
    tmp_path: Path, config: WorldConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **options: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RunError, match="No space left on device"):
        RunFolder(tmp_path / "run", config)
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_is_used_where_it_stands(
    tmp_path: Path, config: WorldConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Renaming onto it would fail for a link or the working folder, or where its parent is locked."""
    for name in ("here", "behind"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("behind")
    monkeypatch.chdir(tmp_path / "here")
    for path in (Path(), tmp_path / "link"):
        number = path.stat().st_ino
        with RunFolder(path, config):
            pass
        assert path.stat().st_ino == number
    assert (tmp_path / "link").is_symlink()
    for name in ("here", "behind"):
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
            "config.yaml",
            "log.txt",
            "run.lock",
            "run.sqlite",
        ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("file", "the output folder is a file"),
        ("file/a/b", "would be below a file"),
        ("dangling", "the output folder is a link to nothing"),
        ("dangling/a", "would be below a link to nothing"),
        ("a\nb", "cannot be printed"),
        ("a\x1b[2J", "cannot be printed"),
        ("\udcff", "cannot be printed"),
        ("x" * 300, "File name too long"),
        ("界" * 86, "File name too long"),
        ("/dev/null/a", "would be below a file"),
    ],
)
def test_an_impossible_folder_is_refused_and_nothing_is_made(tmp_path: Path, name: str, told: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    for refuse in (check_vacant, check_writable):
        with pytest.raises(RunError, match=told) as refused:
            refuse(tmp_path / name)
        assert str(refused.value).isprintable()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "file"]


def test_a_locked_disk_is_noticed_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("evolora_mesa.record.runfolder.tempfile.TemporaryFile", locked)
    with pytest.raises(RunError, match="Read-only file system"):
        check_vacant(tmp_path / "new" / "run")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of a process")
def test_a_full_disk_is_told_as_what_it_is_and_keeps_what_was_written(tmp_path: Path) -> None:
    code = (
        "import resource, signal, sys; from evolora_mesa.cli import main;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (400_000,) * 2);"
        "sys.exit(main(sys.argv[1:]))"
    )
    arguments = ["run", "smoke", "--generations", "500", "--quiet", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--set", "record.checkpoint_every=0"],
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot write a generation (") and done.stderr.count("\n") == 1
    with RunStore.open(tmp_path / "run" / "run.sqlite") as store:
        assert store.generation > 5
        assert check(store) == []


def test_leaving_while_the_adapters_are_written_leaves_none_of_them(
    tmp_path: Path, model: EcologyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evolora_mesa.record import results

    written: list[Path] = []

    def interrupted(bank: Any, slot: int, folder: Path, **options: Any) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(folder)
        export_adapter(bank, slot, folder, **options)

    export_adapter = results.export_adapter
    monkeypatch.setattr(results, "export_adapter", interrupted)
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path / "run", model.config) as folder:
        folder.finish(model, {})
    assert len(written) == 1
    found = sorted(path.name for path in folder.path.iterdir())
    assert found == ["config.yaml", "log.txt", "phylogeny.csv", "run.lock", "run.sqlite"]


def test_a_run_below_a_folder_with_an_odd_name_keeps_its_results(
    tmp_path: Path, model: EcologyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a\nb").mkdir()
    monkeypatch.chdir(tmp_path / "a\nb")
    with RunFolder("run", model.config) as folder:
        folder.finish(model, {})
    assert Path("run/summary.json").is_file()


def test_a_long_world_name_fits_into_a_folder_name(tmp_path: Path, config: WorldConfig) -> None:
    folder = default_folder(config.model_copy(update={"name": "界" * 100, "seed": 2**63 - 1}), tmp_path)
    assert folder.name == "界" * 33 + f"-seed{2**63 - 1}-1"
    check_vacant(folder)
    folder.mkdir()


def test_the_default_folder_counts_past_what_is_there(tmp_path: Path, config: WorldConfig) -> None:
    assert default_folder(config, tmp_path).name == "smoke-seed0-1"
    for name in ("smoke-seed0-9", "smoke-seed0-10", "smoke-seed0-x", "smoke-seed01-77"):
        (tmp_path / name).mkdir()
    assert default_folder(config, tmp_path).name == "smoke-seed0-11"


@pytest.mark.parametrize(
    ("name", "stem"), [("a/../b c", "a-..-b-c"), ("..", "world"), ("größer", "größer"), (".hidden", "hidden")]
)
def test_a_strange_world_name_makes_a_plain_folder_name(
    tmp_path: Path, config: WorldConfig, name: str, stem: str
) -> None:
    found = default_folder(config.model_copy(update={"name": name}), tmp_path)
    assert (found.name, found.parent) == (f"{stem}-seed0-1", tmp_path)


def test_tables_and_adapters_are_those_of_the_world(tmp_path: Path, model: EcologyModel) -> None:
    with RunFolder(tmp_path / "run", model.config) as folder:
        folder.finish(model, {"outcome": "finished", "nothing": math.nan, "inner": {"infinite": math.inf}})
    summary = json.loads((folder.path / "summary.json").read_text(encoding="utf-8"))
    assert summary == {"outcome": "finished", "nothing": None, "inner": {"infinite": None}}
    with (folder.path / "adapters" / "organelles.csv").open(encoding="utf-8", newline="") as file:
        rows = {int(found["unique_id"]): found for found in csv.DictReader(file)}
    assert sorted(rows) == [organelle.unique_id for organelle in model.organelles()]
    for organelle in model.organelles():
        found = rows[organelle.unique_id]
        assert float(found["energy"]) == organelle.energy
        assert found["cell"] in {f"{family}:{depth}" for family in model.grid.families for depth in (1, 2)}
        bank = model.host.new_bank(model.config.adapter.sites, capacity=2)
        slot = int(bank.allocate(1, 1, torch.Generator())[0])
        import_adapter(bank, slot, folder.path / "adapters" / str(organelle.unique_id))
        for name, factors in model.bank.read(organelle.slot).items():
            for ours, back in zip(factors, bank.read(slot)[name], strict=True):
                assert torch.equal(ours, back)


def test_an_adapter_file_with_nan_is_refused_in_one_line(tmp_path: Path, model: EcologyModel) -> None:
    with RunFolder(tmp_path / "run", model.config) as folder:
        folder.finish(model, {})
    adapter = folder.path / "adapters" / str(model.organelles()[0].unique_id)
    weights = load_file(adapter / "adapter_model.safetensors")
    name = min(weights)
    weights[name][0, 0] = math.nan
    save_file(weights, adapter / "adapter_model.safetensors")
    bank = model.host.new_bank(model.config.adapter.sites, capacity=2)
    slot = int(bank.allocate(1, 2, torch.Generator().manual_seed(0))[0])
    before = bank.read(slot)
    with pytest.raises(AdapterError, match="NaN") as refused:
        import_adapter(bank, slot, adapter)
    assert "\n" not in str(refused.value)
    after = bank.read(slot)
    assert all(torch.equal(a, b) for site in before for a, b in zip(before[site], after[site], strict=True))
