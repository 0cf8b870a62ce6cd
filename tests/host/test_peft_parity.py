"""An exported adapter is a PEFT adapter, and one that PEFT saved is ours, to the last bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from small_hosts import ALL_SITES, DEFAULT_SITES, PROMPTS, filled_bank, load_service, naive_logits, reference

from evolora_mesa.errors import AdapterError
from evolora_mesa.host import HostService, Request
from evolora_mesa.host.peft_io import export_adapter, import_adapter

HOSTS = ("qwen3", "gemma3", "llama")


def vary_ranks(bank: object, slot: int) -> None:
    """Give the sites of one slot different ranks."""
    adapter = bank.read(slot)  # type: ignore[attr-defined]
    for place, (name, (a, b)) in enumerate(adapter.items()):
        rank = 1 + (place + 3) % len(a)
        adapter[name] = (a[:rank], b[:, :rank])
    bank.write(slot, adapter)  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore::UserWarning")  # PEFT warns that tied hosts cannot be merged
@pytest.mark.parametrize("sites", [DEFAULT_SITES, ALL_SITES], ids=["default", "all"])
@pytest.mark.parametrize("kind", HOSTS)
def test_peft_computes_from_an_exported_folder_what_the_bank_computes(
    kind: str, sites: tuple[str, ...], host_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    service = load_service(host_folder(kind))
    bank = filled_bank(service, sites, ranks=(4, 8), scaling=0.7)
    vary_ranks(bank, 2)
    assert len(set(bank.ranks[2].tolist())) > 1
    asked = PROMPTS[:3]
    answers = service.answer([Request(slot, prompt) for slot in (1, 2) for prompt in asked], bank, max_new_tokens=8)
    for slot in (1, 2):
        folder = tmp_path / f"organelle-{slot}"
        export_adapter(bank, slot, folder, base_model=kind)
        theirs = PeftModel.from_pretrained(reference(host_folder(kind)), folder).eval()
        for row in range(3 * (slot - 1), 3 * slot):
            ids, greedy = list(answers.prompts[row]), []
            with torch.no_grad():
                logits = theirs(torch.tensor([ids])).logits[0]
                ours = naive_logits(service, ids, bank, slot)
                assert (logits - ours).abs().max() <= 1e-4
                assert (ours - naive_logits(service, ids)).abs().max() > 0.1  # the adapter does something
                while len(greedy) < 8 and not (greedy and service.codec.stop[greedy[-1]]):
                    greedy.append(int(theirs(torch.tensor([ids + greedy])).logits[0, -1].argmax()))
            assert greedy == answers.tokens[row]


def peft_folder(service_folder: Path, folder: Path, **settings: object) -> dict[str, torch.Tensor]:
    """Let PEFT save a random adapter; its tensors by file name."""
    config = LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **settings)  # type: ignore[arg-type]
    torch.manual_seed(3)
    get_peft_model(reference(service_folder), config).save_pretrained(folder, save_embedding_layers=False)
    return load_file(folder / "adapter_model.safetensors")


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("kind", HOSTS)
def test_what_peft_saves_is_imported_tensor_for_tensor(
    kind: str, host_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = tmp_path / "from-peft"
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "lm_head"]
    stored = peft_folder(
        host_folder(kind),
        folder,
        r=4,
        lora_alpha=4,
        target_modules=targets,
        rank_pattern={"down_proj": 7, "model.layers.1.self_attn.q_proj": 1},
        alpha_pattern={"down_proj": 7, "model.layers.1.self_attn.q_proj": 1},
    )
    service = load_service(host_folder(kind))
    bank = filled_bank(service, ALL_SITES, ranks=(5,))
    norm = import_adapter(bank, 1, folder)
    assert norm == pytest.approx(float(bank.norms(torch.tensor([1])).norm()), rel=1e-4)
    adapter = bank.read(1)
    assert len(stored) == 2 * len(adapter)
    for name, (a, b) in adapter.items():
        assert torch.equal(a, stored[f"base_model.model.{name}.lora_A.weight"])
        assert torch.equal(b, stored[f"base_model.model.{name}.lora_B.weight"])


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("rslora", [False, True])
def test_another_scaling_is_folded_into_b(rslora: bool, host_folder: Callable[[str], Path], tmp_path: Path) -> None:
    """The file says alpha 12 at rank 3 and alpha 5 at rank 2; the bank scales by 0.5."""
    folder = tmp_path / "scaled"
    settings = {"rank_pattern": {"lm_head": 2}, "alpha_pattern": {"lm_head": 5}, "use_rslora": rslora}
    peft_folder(
        host_folder("qwen3"),
        folder,
        r=3,
        lora_alpha=12,
        target_modules=["model.layers.2.mlp.down_proj", "lm_head"],
        **settings,
    )
    service = load_service(host_folder("qwen3"))
    bank = filled_bank(service, DEFAULT_SITES, scaling=0.5)
    import_adapter(bank, 3, folder)
    theirs = PeftModel.from_pretrained(reference(host_folder("qwen3")), folder).eval()
    ids = service.codec.encode([PROMPTS[1]])[0]
    with torch.no_grad():
        logits = theirs(torch.tensor([ids])).logits[0]
    assert (logits - naive_logits(service, ids, bank, 3)).abs().max() <= 1e-4


@pytest.mark.parametrize("scaling", [1.0, 0.1, 0.7, 16.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_export_and_import_give_back_the_same_bits(
    scaling: float, dtype: torch.dtype, service: HostService, tmp_path: Path
) -> None:
    bank = filled_bank(service, ALL_SITES, ranks=(3, 7), scaling=scaling, spread=0.05)
    vary_ranks(bank, 2)
    for weights in (bank.a, bank.b):
        for name in weights:
            weights[name] = weights[name].to(dtype)
    wanted = bank.read(2)
    export_adapter(bank, 2, tmp_path / "round", base_model="petri")
    import_adapter(bank, 1, tmp_path / "round")
    found = bank.read(1)
    for name, (a, b) in wanted.items():
        assert torch.equal(a, found[name][0])
        assert torch.equal(b, found[name][1])
    assert torch.equal(bank.ranks[1], bank.ranks[2])


def test_exporting_twice_writes_the_same_bytes(service: HostService, tmp_path: Path) -> None:
    bank = filled_bank(service)
    for name in ("one", "two"):
        export_adapter(bank, 1, tmp_path / "adapters" / name, base_model="petri")
    for file in ("adapter_config.json", "adapter_model.safetensors"):
        assert (tmp_path / "adapters/one" / file).read_bytes() == (tmp_path / "adapters/two" / file).read_bytes()
    assert json.loads((tmp_path / "adapters/one/adapter_config.json").read_text())["base_model_name_or_path"] == "petri"


def test_a_site_without_an_adapter_is_left_out_and_comes_back_empty(service: HostService, tmp_path: Path) -> None:
    bank = filled_bank(service)
    head = bank.read(1)["lm_head"]
    bank.write(1, {"lm_head": head})
    export_adapter(bank, 1, tmp_path / "head-only", base_model="petri")
    assert import_adapter(bank, 2, tmp_path / "head-only") > 0
    assert torch.equal(bank.read(2)["lm_head"][1], head[1])
    assert bank.ranks[2].tolist() == [0, head[0].shape[0]]


def test_a_failed_export_leaves_nothing_behind(service: HostService, tmp_path: Path) -> None:
    bank = filled_bank(service)
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("a file, not a folder")
    for folder in (taken, tmp_path / "file" / "inside", tmp_path / "file"):
        with pytest.raises(AdapterError, match="cannot be written"):
            export_adapter(bank, 1, folder, base_model="petri")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "taken"]
    assert [entry.name for entry in taken.iterdir()] == ["notes.txt"]


def test_what_an_import_would_refuse_is_not_exported(service: HostService, tmp_path: Path) -> None:
    bank = filled_bank(service)
    bank.b["lm_head"][1, 0, 0] = float("nan")
    bank.write(3, {})
    for slot, why in (
        (1, "NaN"),
        (3, "no weights"),
        (6, "not allocated"),
        (0, "not allocated"),
        (-1, "not allocated"),
    ):
        with pytest.raises(AdapterError, match=why):
            export_adapter(bank, slot, tmp_path / "out", base_model="petri")
    assert not list(tmp_path.iterdir())
