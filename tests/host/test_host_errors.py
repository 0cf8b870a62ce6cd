"""A host that cannot be used is refused in one line that says what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_hosts import DEFAULT_SITES, WINDOW, filled_bank, load_service

from evolora_mesa.errors import HostError
from evolora_mesa.host import HostService, Request


@pytest.fixture
def folder(host_folder: Callable[[str], Path], tmp_path: Path) -> Path:
    """A good host, to be spoilt."""
    return Path(shutil.copytree(host_folder("qwen3"), tmp_path / "host"))


def refused(folder: Path | str) -> str:
    with pytest.raises(HostError) as caught:
        load_service(folder)  # type: ignore[arg-type]
    line = str(caught.value)
    assert "\n" not in line
    return line


def change_config(folder: Path, **settings: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize("path", ["nowhere", "/no/such/folder", "", "~/none/of/this", "../x"])
def test_a_missing_folder(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "--host" in refused(path) or path == ""


def test_a_hub_name_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert "network" in refused("nobody/no-such-model")


@pytest.mark.parametrize(
    ("text", "why"),
    [(None, "config.json"), ("{", "cannot be read"), ("[]", "model_type"), ("{}", "model_type")],
)
def test_a_folder_without_a_usable_config(text: str | None, why: str, folder: Path) -> None:
    (folder / "config.json").unlink()
    if text is not None:
        (folder / "config.json").write_text(text)
    assert why in refused(folder)


def test_a_folder_without_a_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    assert "tokenizer" in refused(folder)


def test_a_damaged_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    assert "tokenizer cannot be read" in refused(folder)


def test_a_folder_without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n")
    assert "safetensors" in refused(folder)


@pytest.mark.parametrize("length", [0, 7, 8, 100, 5000, -1])
def test_truncated_weights(length: int, folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    assert "cannot be read" in refused(folder)


@pytest.mark.parametrize(
    "name",
    [
        "model.embed_tokens.weight",
        "model.norm.weight",
        "model.layers.2.mlp.down_proj.weight",
        "model.layers.0.input_layernorm.weight",
    ],
)
def test_a_missing_tensor(name: str, folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors.pop(name))
    assert name in refused(folder)


def test_a_vocabulary_other_than_the_config_says(folder: Path) -> None:
    change_config(folder, vocab_size=150)
    assert "shape" in refused(folder)


def test_no_end_of_text_token(folder: Path) -> None:
    change_config(folder, eos_token_id=None)
    (folder / "generation_config.json").unlink(missing_ok=True)
    assert "end-of-text" in refused(folder)


def test_a_shard_that_is_missing(folder: Path) -> None:
    index = {"weight_map": {"model.norm.weight": "model-00001-of-00001.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "model-00001-of-00001" in refused(folder)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("[]", "weight_map"),
        ("{}", "weight_map"),
        ('{"weight_map": []}', "weight_map"),
        ('{"weight_map": {}}', "weight_map"),
    ],
    ids=["cut", "deep", "list", "bare", "no-map", "empty-map"],
)
def test_a_damaged_index(text: str, why: str, folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(text)
    assert why in refused(folder)


@pytest.mark.parametrize(
    "name", ["../host/model.safetensors", "..", ".", "", "/etc/passwd", "a\\b", "C:b", "./a", 3, ["a"]]
)
def test_an_index_that_names_files_elsewhere(name: object, folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"model.norm.weight": name}}))
    assert "plain file names" in refused(folder)


def test_shards_are_read_as_one(folder: Path) -> None:
    whole = load_service(folder).fingerprint()
    tensors = load_file(folder / "model.safetensors")
    names = sorted(tensors)
    shards = {"a.safetensors": names[::2], "b.safetensors": names[1::2]}
    for file, part in shards.items():
        save_file({name: tensors[name] for name in part}, folder / file)
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {name: file for file, part in shards.items() for name in part}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert load_service(folder).fingerprint() == whole


def test_a_prompt_that_overflows_the_sliding_window(host_folder: Callable[[str], Path]) -> None:
    service = load_service(host_folder("gemma3"))
    bank = filled_bank(service, DEFAULT_SITES)
    room = WINDOW - len(service.codec.encode(["x" * 50])[0])
    service.answer([Request(0, "a"), Request(1, "x" * 50)], bank, max_new_tokens=room)
    with pytest.raises(HostError, match="sliding") as caught:
        service.answer([Request(0, "a"), Request(1, "x" * 50)], bank, max_new_tokens=room + 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("route", ["lean", "generic"])
def test_a_prompt_that_leaves_no_room_for_the_answer(
    route: str, host_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = load_service(host_folder("qwen3"), route=route)
    assert service.host.longest == 512
    requests = [Request(0, "a"), Request(0, "x" * 50)]
    room = 512 - max(map(len, service.codec.encode([request.prompt for request in requests])))
    service.codec.stop = torch.ones_like(service.codec.stop)  # the first token ends every answer
    service.answer(requests, max_new_tokens=room)
    monkeypatch.setattr(service, "_chunks", lambda *arguments: pytest.fail("it was begun"))
    with pytest.raises(HostError, match="at most 512 tokens, got 513") as caught:
        service.answer(requests, max_new_tokens=room + 1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("device", ["cuda:99", "meta", "tpu", "", "cuda", "mps"])
def test_a_device_that_is_not_there(device: str, folder: Path) -> None:
    if (device == "cuda" and torch.cuda.is_available()) or (device == "mps" and torch.backends.mps.is_available()):
        pytest.skip(f"{device} is there")
    with pytest.raises(HostError, match=r"\(host\.device\).*Set host\.device to auto\.") as caught:
        HostService.load(folder, device=device)
    assert "\n" not in str(caught.value)
