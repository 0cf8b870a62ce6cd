"""The lean route takes only the configs that it fully understands, and texts of any length that they allow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_hosts import KINDS, load_service, reference

from evolora_mesa.host.architecture import Architecture, read_config
from evolora_mesa.host.lean import LeanHost

Folders = Callable[[str], Path]


@pytest.mark.parametrize("kind", KINDS)
def test_the_longest_position_is_read_from_the_config(kind: str, host_folder: Folders) -> None:
    config = read_config(host_folder(kind))
    arch = Architecture.from_config(config)
    assert arch is not None and arch.longest == 512
    del config["max_position_embeddings"]
    arch = Architecture.from_config(config)
    assert arch is not None and arch.longest is None


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("llama", {"hidden_act": "gelu"}),
        ("qwen3", {"hidden_act": "gelu_pytorch_tanh"}),
        ("mistral", {"hidden_act": None}),
        ("gemma3", {"hidden_activation": "silu"}),
        ("gemma3", {"hidden_act": "gelu"}),
        ("gemma3", {"use_bidirectional_attention": True}),
        ("gemma3", {"final_logit_softcapping": 30.0}),
        ("llama", {"layer_types": ["full_attention", "chunked_attention", "full_attention"]}),
        ("qwen3", {"layer_types": ["linear_attention"] * 3}),
        ("qwen3", {"layer_types": ["full_attention"] * 2}),
        ("qwen2", {"use_sliding_window": True, "layer_types": None}),
        ("qwen3", {"use_sliding_window": True, "layer_types": None}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_what_is_not_fully_understood_is_left_to_the_generic_route(
    kind: str, settings: dict[str, Any], host_folder: Folders
) -> None:
    config = read_config(host_folder(kind))
    assert Architecture.from_config(config) is not None
    assert Architecture.from_config(config | settings) is None


def test_gemma_by_either_name_of_its_activation(host_folder: Folders) -> None:
    config = read_config(host_folder("gemma3"))
    config["hidden_act"] = config.pop("hidden_activation")
    assert Architecture.from_config(config) is not None


@pytest.mark.parametrize("kind", ["qwen3", "llama3_rope"])
def test_rotations_reach_as_far_as_the_text(kind: str, host_folder: Folders, tmp_path: Path) -> None:
    """A prompt just short of the first table and an answer beyond it, beside transformers."""
    folder = Path(shutil.copytree(host_folder(kind), tmp_path / "host"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"max_position_embeddings": 4096}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    service = load_service(folder)
    assert isinstance(service.host, LeanHost)
    service.codec.stop = torch.zeros_like(service.codec.stop)
    prompt = torch.randint(4, 140, (2040,), generator=torch.Generator().manual_seed(5)).tolist()
    slots, keys = torch.zeros(2, dtype=torch.long), torch.zeros(2, dtype=torch.long)
    options: dict[str, Any] = {"temperature": 0.0, "max_new_tokens": 20}
    tokens = service.decode(slots, [prompt, prompt[:9]], keys, None, **options).tokens[0].tolist()
    ids = torch.tensor([prompt + tokens])
    with torch.no_grad():
        theirs, ours = reference(folder)(ids).logits, service.host.forward(ids)
        far = load_service(folder).host.forward(torch.cat([ids, ids[:, :20]], 1))  # its first text is a long one
    assert (theirs - ours).abs().max() <= 5e-4
    assert tokens == theirs[0, 2039:-1].argmax(-1).tolist()
    assert (far[:, : ids.shape[1]] - ours).abs().max() <= 1e-4
