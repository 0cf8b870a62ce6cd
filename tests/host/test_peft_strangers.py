"""A stranger's adapter is refused in one line, from little reading, and without a trace in the bank."""

from __future__ import annotations

import io
import json
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_hosts import ALL_SITES, DEFAULT_SITES, filled_bank, load_service

from evolora_mesa.errors import AdapterError
from evolora_mesa.host import AdapterBank, HostService
from evolora_mesa.host.peft_io import export_adapter, import_adapter

HEAD_A, HEAD_B = (f"base_model.model.lm_head.lora_{factor}.weight" for factor in "AB")
HUGE_NUMBER = "9" * 400
HOSTILE_PATTERN = "(a+)+$"  # takes time exponential in the length of a name
MOST_READ = 2**20  # bytes; the good folder has a tenth of it


@pytest.fixture
def bank(service: HostService) -> AdapterBank:
    return filled_bank(service)


@pytest.fixture
def folder(bank: AdapterBank, tmp_path: Path) -> Path:
    """A good adapter of rank 4, to be spoilt."""
    export_adapter(bank, 1, tmp_path / "stranger", base_model="petri")
    return tmp_path / "stranger"


def refused(bank: AdapterBank, folder: Path | str, **options: Any) -> str:
    """The one line that refuses ``folder``; slot 2 must stay as it was.

    What could take long must not be begun: reading much, or running the stranger's regular expression.
    """
    before = bank.read(2)
    sizes: list[int] = []
    patterns: list[object] = []

    class Metered(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            data = super().read(-1 if size is None else size) or b""
            sizes.append(len(data))
            return data

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(pattern: Any, *rest: Any, **flags: Any) -> Any:
            patterns.append(pattern)
            return function(pattern, *rest, **flags)

        return call

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "open", lambda path, mode: Metered(path, mode))
        for name in ("compile", "match", "fullmatch", "search"):
            patched.setattr(re, name, watched(getattr(re, name)))
        with pytest.raises(AdapterError) as caught:
            import_adapter(bank, 2, folder, **options)
    assert sum(sizes) <= MOST_READ
    assert HOSTILE_PATTERN not in patterns
    for name, (a, b) in bank.read(2).items():
        assert torch.equal(a, before[name][0])
        assert torch.equal(b, before[name][1])
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 1000
    return line


def change_config(folder: Path, **settings: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def change_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    path = folder / "adapter_model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def test_a_good_folder_is_accepted(bank: AdapterBank, folder: Path) -> None:
    (folder / "README.md").write_text("# An adapter")
    assert import_adapter(bank, 2, folder) > 0.0
    assert torch.equal(bank.read(2)["lm_head"][0], bank.read(1)["lm_head"][0])


def test_an_adapter_of_zeros_is_accepted_and_known_to_do_nothing(bank: AdapterBank, folder: Path) -> None:
    change_tensors(folder, lambda tensors: [tensor.zero_() for tensor in tensors.values()])
    assert import_adapter(bank, 2, folder) == 0.0
    assert float(bank.norms(torch.tensor([2])).sum()) == 0.0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_files_are_accepted(dtype: torch.dtype, bank: AdapterBank, folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors.update({name: t.to(dtype) for name, t in tensors.items()}))
    import_adapter(bank, 2, folder)
    assert torch.equal(bank.read(2)["lm_head"][1], bank.read(1)["lm_head"][1].to(dtype).float())


# ---------------------------------------------------------------------- the config


@pytest.mark.parametrize(
    "settings",
    [
        {"peft_type": "IA3"},
        {"peft_type": None},
        {"task_type": "SEQ_CLS"},
        {"r": 9},
        {"r": 200_000},
        {"r": 0},
        {"r": -1},
        {"r": "4"},
        {"r": 4.0},
        {"r": True},
        {"r": 3},
        {"lora_alpha": "4"},
        {"lora_alpha": True},
        {"lora_alpha": None},
        {"lora_alpha": 1e30},
        {"target_modules": HOSTILE_PATTERN},
        {"target_modules": "all-linear"},
        {"target_modules": [HOSTILE_PATTERN]},
        {"target_modules": [".*"]},
        {"target_modules": []},
        {"target_modules": ["lm_head"]},
        {"target_modules": ["down_proj", "lm_head", "q_proj"]},
        {"target_modules": ["down_proj"] * 5000},
        {"target_modules": {"lm_head": 1}},
        {"rank_pattern": {"lm_head": 3}},
        {"rank_pattern": {"lm_head": 200_000}},
        {"rank_pattern": {"(a+)+$": 4}},
        {"rank_pattern": {"lm_head": "4"}},
        {"alpha_pattern": {"lm_head": 1e30}},
        {"alpha_pattern": {"(a|a)*b": 1.0}},
        {"bias": "all"},
        {"use_dora": True},
        {"fan_in_fan_out": True},
        {"lora_bias": True},
        {"modules_to_save": ["lm_head"]},
        {"auto_mapping": {"base_model_class": "Evil", "parent_library": "os"}},
        {"layers_to_transform": [2]},
        {"layers_to_transform": 0},
        {"layer_replication": [[0, 2]]},
        {"trainable_token_indices": [1]},
        {"target_parameters": ["x"]},
        {"exclude_modules": HOSTILE_PATTERN},
        {"init_lora_weights": "pissa"},
        {"loftq_config": {"bits": 4}},
        {"megatron_config": {"x": 1}},
        {"lora_dropout": 2.0},
        {"a setting\nnobody knows": 1},
        {"base_model_name_or_path": ["x"]},
    ],
    ids=lambda settings: next(iter(settings)),
)
def test_a_config_that_is_not_plain_lora_is_refused(
    settings: dict[str, object], bank: AdapterBank, folder: Path
) -> None:
    change_config(folder, **settings)
    refused(bank, folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        "\ufeff{}",
        "[" * 100_000,
        '{"a":' * 40_000,
        '{"peft_type": "LORA"}',
        " " * 50_000_000,
    ],
    ids=["empty", "null", "list", "cut", "bom", "deep-list", "deep-object", "bare", "50-MB"],
)
def test_a_config_that_is_not_a_small_json_object_is_refused(text: str, bank: AdapterBank, folder: Path) -> None:
    (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    refused(bank, folder)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", HUGE_NUMBER, "9" * 5000, '4, "r": 4'])
def test_an_alpha_that_is_no_number_is_refused(value: str, bank: AdapterBank, folder: Path) -> None:
    path = folder / "adapter_config.json"
    text = path.read_text()
    assert '"lora_alpha": 4.0' in text
    path.write_text(text.replace('"lora_alpha": 4.0', f'"lora_alpha": {value}'))
    refused(bank, folder)


def test_bytes_that_are_no_utf8_are_refused(bank: AdapterBank, folder: Path) -> None:
    (folder / "adapter_config.json").write_bytes(b'{"peft_type": "\xff"}')
    refused(bank, folder)


def test_settings_that_are_switched_off_do_no_harm(bank: AdapterBank, folder: Path) -> None:
    change_config(folder, use_dora=False, eva_config=None, loftq_config={}, exclude_modules=[], peft_version="9.9")
    import_adapter(bank, 2, folder)


# ---------------------------------------------------------------------- the tensors


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1e38, 2e4])
@pytest.mark.parametrize("name", [HEAD_A, HEAD_B])
def test_weights_that_cannot_be_run_are_refused(name: str, value: float, bank: AdapterBank, folder: Path) -> None:
    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        tensors[name][1, 1] = value

    change_tensors(folder, spoil)
    refused(bank, folder)


def test_a_huge_factor_is_refused_even_when_the_product_is_zero(bank: AdapterBank, folder: Path) -> None:
    """1e38 · x overflows and infinity · 0 is NaN, though ΔW = 0."""

    def spoil(tensors: dict[str, torch.Tensor]) -> None:
        tensors[HEAD_A].fill_(1e38)
        tensors[HEAD_B].zero_()

    change_tensors(folder, spoil)
    assert "out of range" in refused(bank, folder)


def test_weights_that_are_all_denormal_are_refused(bank: AdapterBank, folder: Path) -> None:
    change_tensors(folder, lambda tensors: tensors[HEAD_B].fill_(1e-40))
    assert "out of range" in refused(bank, folder)


def test_the_norm_bound_counts_alpha_too(bank: AdapterBank, folder: Path) -> None:
    largest = float(bank.norms(torch.tensor([1])).max())
    import_adapter(bank, 3, folder, norm_bound=largest * 1.001)
    assert "too much" in refused(bank, folder, norm_bound=largest * 0.999)
    change_config(folder, lora_alpha=4 * 1.01)
    assert "too much" in refused(bank, folder, norm_bound=largest * 1.001)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop(HEAD_B),
        lambda tensors: tensors.update({"base_model.model.lm_head.lora_C.weight": torch.zeros(2)}),
        lambda tensors: tensors.update({"../../etc/passwd\0\n": torch.zeros(2)}),
        lambda tensors: tensors.update({"base_model.model.lm_head.base_layer.weight": torch.zeros(144, 48)}),
        lambda tensors: tensors.update({HEAD_A: tensors[HEAD_A].double()}),
        lambda tensors: tensors.update({HEAD_A: tensors[HEAD_A].to(torch.int64)}),
        lambda tensors: tensors.update({HEAD_A: tensors[HEAD_A].to(torch.float8_e4m3fn)}),
        lambda tensors: tensors.update({HEAD_A: tensors[HEAD_A].t().contiguous()}),
        lambda tensors: tensors.update({HEAD_A: tensors[HEAD_A][:, :-1].contiguous()}),
        lambda tensors: tensors.update({HEAD_A: tensors[HEAD_A].flatten()}),
        lambda tensors: tensors.update({HEAD_A: tensors[HEAD_A][None]}),
        lambda tensors: tensors.update({HEAD_B: tensors[HEAD_B][:, :2].contiguous()}),
        lambda tensors: tensors.update({f"t{number}": torch.zeros(0) for number in range(20_000)}),
        lambda tensors: tensors.clear(),
    ],
    ids=[
        "missing",
        "extra",
        "path",
        "host",
        "f64",
        "i64",
        "f8",
        "turned",
        "narrow",
        "flat",
        "3d",
        "rank",
        "many",
        "none",
    ],
)
def test_tensors_other_than_the_sites_want_are_refused(
    change: Callable[[dict[str, torch.Tensor]], object], bank: AdapterBank, folder: Path
) -> None:
    change_tensors(folder, change)
    refused(bank, folder)


def raw(header: bytes | dict[str, Any], payload: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + payload


def entry(shape: list[Any], start: int, end: int, dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


HEAD = {HEAD_A: entry([4, 48], 0, 768), HEAD_B: entry([144, 4], 768, 3072)}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        b"PK\x03\x04" + b"\0" * 100,
        raw(b"{}", length=2**62),
        raw(b"{}", length=2**64 - 1),
        raw(b"{}", length=200_000_000),
        raw(b"not json"),
        raw(b"[" * 60_000),
        raw(b'{"a": 1, "a": 2}'),
        raw({"__metadata__": "text", **HEAD}, b"\0" * 3072),
        raw(HEAD, b"\0" * 3071),
        raw(HEAD, b"\0" * 3073),
        raw(HEAD | {HEAD_B: entry([144, 4], 0, 2304)}, b"\0" * 3072),
        raw(HEAD | {HEAD_B: entry([144, 4], 800, 3104)}, b"\0" * 3104),
        raw(HEAD | {HEAD_A: entry([2**62, 0], 0, 0)}, b"\0" * 3072),
        raw(HEAD | {HEAD_A: entry([4, 2**62], 0, 768)}, b"\0" * 3072),
        raw(HEAD | {HEAD_A: entry([4.0, 48], 0, 768)}, b"\0" * 3072),
        raw(HEAD | {HEAD_A: entry([4, 48], 0, 768, dtype=["F32"])}, b"\0" * 3072),
        raw(HEAD | {HEAD_A: entry([4, 48], 0, 768, dtype={})}, b"\0" * 3072),
        raw(HEAD | {HEAD_A: 7}, b"\0" * 3072),
        raw(HEAD | {HEAD_A: {"dtype": "F32", "shape": [4, 48]}}, b"\0" * 3072),
    ],
    ids=lambda data: f"{len(data)}-{data[8:14].hex()}",
)
def test_damaged_files_are_refused(data: bytes, bank: AdapterBank, folder: Path) -> None:
    change_config(folder, target_modules=["lm_head"])
    path = folder / "adapter_model.safetensors"
    path.write_bytes(raw(HEAD, b"\0" * 3072))
    assert import_adapter(bank, 3, folder) == 0.0  # the undamaged file is fine
    path.write_bytes(data)
    refused(bank, folder)


def test_every_truncation_is_refused(bank: AdapterBank, folder: Path) -> None:
    path = folder / "adapter_model.safetensors"
    whole = path.read_bytes()
    for length in [*range(0, 64), *range(64, len(whole), 997), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refused(bank, folder)


def test_a_file_larger_than_any_adapter_of_the_bank_is_not_even_read(bank: AdapterBank, folder: Path) -> None:
    with (folder / "adapter_model.safetensors").open("r+b") as file:
        file.truncate(40 * 2**30)  # a hole, no disk is used
    assert "too large" in refused(bank, folder)


# ---------------------------------------------------------------------- the folder


@pytest.mark.parametrize("name", ["x.bin", "pytorch_model.PT", "a.pkl", "b.zip", "run.py", "old.pth", "c.ckpt"])
def test_files_that_run_code_are_refused(name: str, bank: AdapterBank, folder: Path) -> None:
    (folder / name).write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert "run code" in refused(bank, folder)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "other"])
def test_links_are_refused(name: str, bank: AdapterBank, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    if (folder / name).exists():
        (folder / name).rename(target)
    (folder / name).symlink_to(target)
    assert "link" in refused(bank, folder)


def test_a_linked_folder_is_refused(bank: AdapterBank, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(folder, target_is_directory=True)
    assert "link" in refused(bank, tmp_path / "linked")


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_missing_files_and_odd_ones_are_refused(name: str, bank: AdapterBank, folder: Path) -> None:
    (folder / name).unlink()
    refused(bank, folder)
    (folder / name).mkdir()
    refused(bank, folder)
    (folder / name).rmdir()
    os.mkfifo(folder / name)
    refused(bank, folder)


@pytest.mark.parametrize(
    "name",
    [
        "..",
        ".",
        "",
        "CON",
        "nul.txt",
        "x" * 300,
        "a\nb",
        "a\0b",
        "a\x1b[2J",
        "😀",
        "a\u202eb",
        " a",
        ".hidden",
        "a.",
        "-x",
        "/",
    ],
)
def test_unsafe_names_are_refused_on_the_way_in_and_out(name: str, bank: AdapterBank, tmp_path: Path) -> None:
    folder = tmp_path / name if name not in ("", ".") else Path(name)
    refused(bank, folder)
    with pytest.raises(AdapterError):
        export_adapter(bank, 1, folder, base_model="petri")
    assert not list(tmp_path.iterdir())


def test_only_the_last_name_is_judged(bank: AdapterBank, tmp_path: Path) -> None:
    folder = tmp_path / "a\nb" / " ü" / "7"
    export_adapter(bank, 1, folder, base_model="petri")
    import_adapter(bank, 2, folder)


def test_a_folder_that_is_not_there_is_refused(bank: AdapterBank, tmp_path: Path) -> None:
    assert "not an adapter folder" in refused(bank, tmp_path / "nowhere")
    with pytest.raises(AdapterError, match="too long"):
        import_adapter(bank, 2, tmp_path / ("deep/" * 2000) / "x")


def test_only_an_allocated_slot_is_written(bank: AdapterBank, folder: Path) -> None:
    for slot in (0, 6, 99, -1):
        with pytest.raises(AdapterError, match="not allocated"):
            import_adapter(bank, slot, folder)


def test_an_adapter_for_more_sites_than_the_bank_has_is_refused(
    host_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    service = load_service(host_folder("qwen3"))
    export_adapter(filled_bank(service, ALL_SITES), 1, tmp_path / "wide", base_model="petri")
    small = filled_bank(service, DEFAULT_SITES)
    assert "adapter.sites" in refused(small, tmp_path / "wide")
    change_config(tmp_path / "wide", target_modules=["down_proj", "lm_head"])
    assert "adapter.sites" in refused(small, tmp_path / "wide")


def test_an_adapter_for_another_width_is_refused(service: HostService, tmp_path: Path, bank: AdapterBank) -> None:
    from dataclasses import replace

    sites = [replace(site, d_in=site.d_in + 1) for site in bank.sites]
    other = AdapterBank(sites, capacity=2)
    other.allocate(1, 4, torch.Generator().manual_seed(0))
    export_adapter(other, 1, tmp_path / "other", base_model="petri")
    assert "another form" in refused(bank, tmp_path / "other")
