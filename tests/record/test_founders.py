"""Adapters of an earlier run, or of anybody, found a new world, if they are fit for it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from evolora_mesa import EcologyModel
from evolora_mesa.cli import main
from evolora_mesa.errors import AdapterError
from evolora_mesa.host import HostService
from evolora_mesa.host.peft_io import export_adapter
from evolora_mesa.record.founders import found_with

SMALL = {"population.initial": 3, "population.maximum": 3}


@pytest.fixture
def lived(petri: HostService, tmp_path: Path) -> tuple[EcologyModel, Path]:
    """A world after two generations, and the folder of its adapters."""
    model = EcologyModel("smoke", rng=1, host=petri, **SMALL)
    model.step()
    model.step()
    for organelle in model.organelles():
        export_adapter(model.bank, organelle.slot, tmp_path / str(organelle.unique_id), base_model="petri")
    return model, tmp_path


def test_the_first_founders_get_the_adapters_in_order(petri: HostService, lived: tuple[EcologyModel, Path]) -> None:
    old, folder = lived
    new = EcologyModel("smoke", rng=2, host=petri, **{**SMALL, "population.initial": 3})
    assert found_with(new, folder) == 3
    for before, after in zip(old.organelles(), new.organelles(), strict=True):
        for name, (a, b) in old.bank.read(before.slot).items():
            found = new.bank.read(after.slot)[name]
            assert torch.allclose(found[1] @ found[0], b @ a, atol=1e-6)
    assert any(b.any() for _, b in new.bank.read(new.organelles()[0].slot).values())


def test_too_many_or_no_adapters_are_refused(petri: HostService, lived: tuple[EcologyModel, Path]) -> None:
    small = EcologyModel("smoke", rng=2, host=petri, **{"population.initial": 2, "population.maximum": 2})
    with pytest.raises(AdapterError, match="more adapters than founders"):
        found_with(small, lived[1])
    (lived[1] / "empty").mkdir()
    with pytest.raises(AdapterError, match="no adapters found"):
        found_with(small, lived[1] / "empty")
    for name in ("nowhere", "x" * 5000):
        with pytest.raises(AdapterError, match="cannot look for adapters"):
            found_with(small, lived[1] / name)


def test_one_peft_folder_is_one_founder(
    petri: HostService, lived: tuple[EcologyModel, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, folder = lived
    (folder / "link").symlink_to("1")
    for way in (folder / "1", folder / "link", Path()):
        monkeypatch.chdir(folder / "1")
        new = EcologyModel("smoke", rng=2, host=petri, **SMALL)
        assert found_with(new, way) == 1
        first = new.bank.read(new.organelles()[0].slot)
        for name, (a, b) in old.bank.read(old.organelles()[0].slot).items():
            assert torch.allclose(first[name][1] @ first[name][0], b @ a, atol=1e-6)


def test_the_folder_of_a_run_is_told_from_that_of_its_adapters(
    petri: HostService, lived: tuple[EcologyModel, Path], tmp_path: Path
) -> None:
    (tmp_path / "run" / "adapters").mkdir(parents=True)
    with pytest.raises(AdapterError, match="Give the adapters/ in it"):
        found_with(lived[0], tmp_path / "run")


def test_a_poisoned_adapter_file_ends_the_command_before_anything_is_written(
    lived: tuple[EcologyModel, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = lived[1] / "1" / "adapter_model.safetensors"
    tensors = load_file(path)
    next(iter(tensors.values()))[0, 0] = float("nan")
    save_file(tensors, path)
    out = tmp_path / "out"
    code = main(["run", "smoke", "--set=host.tune_cpu=false", "--adapters", str(lived[1]), "--out", str(out)])
    message = capsys.readouterr().err.splitlines()
    assert code == 2 and len(message) == 1 and message[0].startswith("error: ")
    assert "NaN" in message[0] or "finite" in message[0]
    assert not out.exists()
