"""Training an embedded host: Muon on the matrices, AdamW on embedding and norms, deterministic on one thread.

Muon: K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F

from evolora_mesa.host.architecture import Architecture
from evolora_mesa.host.cpu import tuned_cpu
from evolora_mesa.host.lean import LeanHost
from evolora_mesa.host.weights import host_from_tensors
from evolora_mesa.petri.corpus import batches
from evolora_mesa.petri.recipe import HostRecipe
from evolora_mesa.petri.tokenizer import BOS, EOS, PAD, build_tokenizer, vocabulary

__all__ = ["Progress", "TrainingRecord", "hf_config", "train_host"]

_MOMENTUM = 0.95
_MATRIX_DECAY = 0.01
_LAST_SCALE = 0.01


class Progress(NamedTuple):
    """``loss`` is a running mean of the weighted cross-entropy, in nats per answer token."""

    step: int
    steps: int
    loss: float
    cpu_seconds: float


class TrainingRecord(NamedTuple):
    """What a training did, for the model card."""

    steps: int
    tokens: int
    loss: float
    cpu_seconds: float
    torch_version: str


def hf_config(recipe: HostRecipe) -> dict[str, object]:
    """The ``config.json`` of the host in Hugging Face's terms."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "vocab_size": len(vocabulary()),
        "hidden_size": recipe.hidden_size,
        "intermediate_size": recipe.intermediate_size,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.kv_heads,
        "head_dim": recipe.head_dim,
        "max_position_embeddings": 512,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": True,
        "attention_bias": False,
        "hidden_act": "silu",
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "dtype": "float32",
    }


def train_host(
    recipe: HostRecipe, on_progress: Callable[[Progress], None] | None = None
) -> tuple[LeanHost, TrainingRecord]:
    """Train a host from noise.

    Same recipe, torch version and kind of CPU: same weights, bit for bit (one thread, fixed number of steps, every
    draw from the recipe's seed).

    Args:
        on_progress: called every 100 steps.
    """
    with tuned_cpu(threads=1, wide=True):  # batches of one shape; and the shipped host was made so
        return _train(recipe, on_progress)


def _train(recipe: HostRecipe, on_progress: Callable[[Progress], None] | None) -> tuple[LeanHost, TrainingRecord]:
    host = _first_host(recipe)
    matrices = [weight for layer in host.layers for weight in layer.weights.values()]
    taken = {id(weight) for weight in matrices}
    others = [tensor for tensor in host.tensors() if id(tensor) not in taken]
    for tensor in host.tensors():
        tensor.requires_grad_(True)
    momenta = [torch.zeros_like(weight) for weight in matrices]
    adam = torch.optim.AdamW(others, lr=recipe.vector_learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
    began, running, tokens = time.process_time(), math.nan, 0
    for step, batch in zip(range(recipe.steps), batches(recipe, build_tokenizer()), strict=False):
        scale = _schedule(step, recipe)
        loss = _loss(host, batch.ids, batch.weights)
        loss.backward()
        _tie_heads(host)
        tokens += batch.ids.numel()
        for group in adam.param_groups:
            group["lr"] = recipe.vector_learning_rate * scale
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        adam.step()
        adam.zero_grad()
        _muon_step(matrices, momenta, recipe.matrix_learning_rate * scale)
        value = float(loss.detach())
        running = value if step == 0 else 0.98 * running + 0.02 * value
        if on_progress is not None and (step + 1) % 100 == 0:
            on_progress(Progress(step + 1, recipe.steps, running, time.process_time() - began))
    for tensor in host.tensors():
        tensor.requires_grad_(False)
    return host, TrainingRecord(recipe.steps, tokens, running, time.process_time() - began, torch.__version__)


def _first_host(recipe: HostRecipe) -> LeanHost:
    """Weights of variance 1/in; what writes to the residual stream starts at .3 of that."""
    arch = Architecture.from_config(hf_config(recipe))
    assert arch is not None  # qwen3 with plain rope always is
    generator = torch.Generator().manual_seed(recipe.seed)
    width, inner = recipe.hidden_size, recipe.intermediate_size
    query, key = recipe.heads * recipe.head_dim, recipe.kv_heads * recipe.head_dim
    shapes = {
        "self_attn.q_proj": (query, width),
        "self_attn.k_proj": (key, width),
        "self_attn.v_proj": (key, width),
        "self_attn.o_proj": (width, query),
        "mlp.gate_proj": (inner, width),
        "mlp.up_proj": (inner, width),
        "mlp.down_proj": (width, inner),
    }
    tensors = {
        "model.embed_tokens.weight": 0.02 * torch.randn(arch.vocab_size, width, generator=generator),
        "model.norm.weight": torch.ones(width),
    }
    for index in range(recipe.layers):
        prefix = f"model.layers.{index}."
        for name, (rows, columns) in shapes.items():
            gain = 0.3 if name in ("self_attn.o_proj", "mlp.down_proj") else 1.0
            noise = torch.randn(rows, columns, generator=generator)
            tensors[f"{prefix}{name}.weight"] = noise * gain / math.sqrt(columns)
        for name, size in (("input_layernorm", width), ("post_attention_layernorm", width)):
            tensors[f"{prefix}{name}.weight"] = torch.ones(size)
        for name in ("q_norm", "k_norm"):
            tensors[f"{prefix}self_attn.{name}.weight"] = torch.ones(recipe.head_dim)
    host = host_from_tensors(arch, tensors, dtype=torch.float32, device=torch.device("cpu"))
    return host


def _schedule(step: int, recipe: HostRecipe) -> float:
    """Warm-up, constant, then linear down to 1 %."""
    done = step / recipe.steps
    cooling = 1.0 if done < recipe.constant_share else (1 - done) / (1 - recipe.constant_share)
    return min(1.0, step / recipe.warm_up_steps) * max(_LAST_SCALE, cooling)


def _loss(host: LeanHost, ids: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    logits = host.forward(ids[:, :-1])
    losses = F.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return (losses * weights.flatten()).sum() / weights.sum()


def _tie_heads(host: LeanHost) -> None:
    """All query heads share one norm vector, and all key heads another: their copies get one common gradient."""
    for layer in host.layers:
        assert layer.qk_norm is not None and layer.qk_norm.grad is not None  # qwen3 has one; backward has just run
        for copies in layer.qk_norm.grad.split([host.arch.heads, host.arch.kv_heads]):
            copies.copy_(copies.sum(0).expand_as(copies))


@torch.no_grad()
def _muon_step(matrices: list[torch.Tensor], momenta: list[torch.Tensor], rate: float) -> None:
    """Move every matrix along its orthogonalised Nesterov momentum."""
    for matrix, momentum in zip(matrices, momenta, strict=True):
        assert matrix.grad is not None
        momentum.mul_(_MOMENTUM).add_(matrix.grad)
        direction = _orthogonalised(matrix.grad + _MOMENTUM * momentum)
        tall = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
        matrix.mul_(1 - rate * _MATRIX_DECAY).add_(direction, alpha=-rate * tall)
        matrix.grad = None


def _orthogonalised(matrix: torch.Tensor, rounds: int = 5) -> torch.Tensor:
    """Newton–Schulz iteration towards the nearest semi-orthogonal matrix; the quintic's constants are Muon's."""
    x = matrix / (matrix.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    for _ in range(rounds):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.T if tall else x
