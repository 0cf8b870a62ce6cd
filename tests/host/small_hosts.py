"""Small random hosts of every architecture that the lean route knows, and adapters to put on them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)
from transformers.utils import logging

from evolora_mesa.host import BARE, AdapterBank, HostService, Request
from evolora_mesa.petri.tokenizer import save_tokenizer, vocabulary

logging.set_verbosity_error()

DEFAULT_SITES = ("last.down_proj", "lm_head")
ALL_SITES = ("all-linear", "lm_head")
MIXED_RANKS = (4, 2, 8, 1, 3)
PROMPTS = (
    "What is: 3+4\nAnswer:",
    "Count the words in: the cat sat on a mat\nAnswer:",
    "true and false",
    "What is: 3+4\nAnswer:",
    "abc",
    "Sort: zebra apple",
    "0",
)
_SHAPE: dict[str, Any] = {
    "vocab_size": len(vocabulary()),
    "hidden_size": 48,
    "intermediate_size": 72,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 12,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
    "initializer_range": 0.25,  # ten times the usual: a model whose logits differ by more than rounding
}
_LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
KINDS = ("qwen3", "gemma3", "llama", "qwen2", "mistral", "llama3_rope", "untied_qwen3")
WINDOW = 96  # tokens that gemma3's sliding layers see


def _config(kind: str) -> PretrainedConfig:
    match kind:
        case "qwen3":
            return Qwen3Config(**_SHAPE, tie_word_embeddings=True)
        case "untied_qwen3":
            return Qwen3Config(**_SHAPE, tie_word_embeddings=False)
        case "gemma3":
            return Gemma3TextConfig(
                **_SHAPE, sliding_window=WINDOW, layer_types=["sliding_attention"] * 2 + ["full_attention"]
            )
        case "llama":
            return LlamaConfig(**_SHAPE, tie_word_embeddings=False)
        case "llama3_rope":
            return LlamaConfig(**_SHAPE, rope_parameters=_LLAMA3_ROPE)
        case "qwen2":
            return Qwen2Config(**_SHAPE)
        case "mistral":
            return MistralConfig(**_SHAPE, sliding_window=None)
        case _:
            raise ValueError(kind)


def make_host(folder: Path, kind: str) -> Path:
    """A Hugging Face folder with a random model of one kind and the petri tokenizer."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(_config(kind)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:  # norms start at one and biases at zero, which would hide a forgotten one
                parameter += 0.1 * torch.randn_like(parameter)
        if kind == "gemma3":  # it multiplies embeddings by the root of the width: random layers would not be heard
            model.get_input_embeddings().weight *= 0.3
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


def reference(folder: Path) -> torch.nn.Module:
    """The same model as transformers runs it."""
    return AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()


def load_service(folder: Path, **options: Any) -> HostService:
    return HostService.load(folder, device="cpu", tuned=False, **options)


def filled_bank(
    service: HostService,
    sites: Sequence[str] = DEFAULT_SITES,
    ranks: Sequence[int] = MIXED_RANKS,
    *,
    scaling: float = 1.0,
    max_rank: int = 8,
    spread: float = 0.3,
) -> AdapterBank:
    """A bank whose slots 1, 2, ... hold random adapters of the given ranks that change answers."""
    bank = service.new_bank(sites, capacity=len(ranks) + 2, max_rank=max_rank, scaling=scaling)
    generator = torch.Generator().manual_seed(1)
    for rank in ranks:
        slot = bank.allocate(1, rank, generator)
        for b in bank.b.values():
            b[slot, :, :rank] = (spread * torch.randn(1, b.shape[1], rank, generator=generator)).to(b.dtype)
    return bank


def mixed_requests(count: int = 24, owners: int = 5) -> list[Request]:
    """Rows of all owners and of the bare host, out of order, with repeated prompts and a stream each."""
    return [
        Request(
            (5 * row + row // 3) % (owners + 1),
            PROMPTS[(row * row + row) % len(PROMPTS)],
            key=1000 + 7919 * row,
        )
        for row in range(count)
    ]


def stop_often(service: HostService) -> None:
    """Let every fourth token end an answer, so that answers differ in length as a trained host's do."""
    service.codec.stop = service.codec.stop.clone()
    service.codec.stop[3::4] = True


def naive_logits(
    service: HostService, ids: Sequence[int], bank: AdapterBank | None = None, slot: int = BARE
) -> torch.Tensor:
    """``[length, vocab]`` by teacher forcing of one row, without cache or batch."""
    bound = None if bank is None else bank.fused(torch.tensor([slot])).bind(torch.tensor([0]))
    with torch.no_grad():
        return service.host.forward(torch.tensor([list(ids)]), bound)[0]
