"""Reading host weights from safetensors into fused tensors, and writing them back in Hugging Face's names."""

from __future__ import annotations

import json
from pathlib import Path, PureWindowsPath

import torch
from safetensors import SafetensorError, safe_open

from evolora_mesa.errors import HostError
from evolora_mesa.host.architecture import Architecture
from evolora_mesa.host.lean import GROUPS, Layer, LeanHost

__all__ = ["host_from_tensors", "read_tensors", "redrawn_weights", "tensors_from_host"]


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a Hugging Face folder by name, from one safetensors file or from the shards of an index.

    Raises:
        HostError: no safetensors file, or a damaged one, or a damaged index.
    """
    index = folder / "model.safetensors.index.json"
    files = _indexed_files(index) if index.is_file() else ["model.safetensors"]
    tensors: dict[str, torch.Tensor] = {}
    for name in files:
        path = folder / name
        if not path.is_file():
            raise HostError(
                "host weights not found",
                where=path,
                expected="safetensors",
                do="Convert the model to safetensors first.",
            )
        try:
            with safe_open(path, framework="pt") as file:
                tensors.update({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118 - not a dict
        except SafetensorError as error:
            raise HostError("host weights cannot be read", where=path, got=str(error)) from error
    return tensors


def _indexed_files(index: Path) -> list[str]:
    """The files that an index names, which must lie beside it."""
    try:
        found = json.loads(index.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise HostError("index of the host weights cannot be read", where=index, got=str(error)) from error
    weight_map = found.get("weight_map") if isinstance(found, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise HostError("index of the host weights names no files", where=index, expected="a weight_map")
    for name in weight_map.values():
        # Windows' rules know every separator, and drives.
        if not isinstance(name, str) or name in ("", "..") or PureWindowsPath(name).name != name:
            raise HostError(
                "index of the host weights names a file elsewhere", where=index, expected="plain file names", got=name
            )
    return sorted(set(weight_map.values()))


def host_from_tensors(
    arch: Architecture, tensors: dict[str, torch.Tensor], *, dtype: torch.dtype, device: torch.device
) -> LeanHost:
    """A `LeanHost` from tensors under Hugging Face's names.

    Raises:
        HostError: a weight is missing or has another shape than the config says.
    """

    def take(name: str) -> torch.Tensor:
        if name not in tensors:
            raise HostError("host weight missing", where=name, do="The safetensors file does not fit its config.json.")
        return tensors[name].to(device=device, dtype=dtype)

    def norm(name: str) -> torch.Tensor:
        return (1.0 + take(name).float()).to(dtype) if arch.gemma else take(name)

    def layer(index: int) -> Layer:
        prefix = f"model.layers.{index}."
        weights = {
            group: torch.cat([take(f"{prefix}{module}.weight") for module in modules]).contiguous()
            for group, modules in GROUPS.items()
        }
        biases = {
            group: torch.cat([take(f"{prefix}{module}.bias") for module in modules])
            for group, modules in GROUPS.items()
            if f"{prefix}{modules[0]}.bias" in tensors
        }
        qk_norm = None
        if f"{prefix}self_attn.q_norm.weight" in tensors:
            q, k = norm(f"{prefix}self_attn.q_norm.weight"), norm(f"{prefix}self_attn.k_norm.weight")
            qk_norm = torch.cat([q.expand(arch.heads, -1), k.expand(arch.kv_heads, -1)]).contiguous()
        if not arch.gemma:
            before_mlp = norm(f"{prefix}post_attention_layernorm.weight")
            return Layer(weights, biases, norm(f"{prefix}input_layernorm.weight"), before_mlp, qk_norm=qk_norm)
        return Layer(
            weights,
            biases,
            norm(f"{prefix}input_layernorm.weight"),
            norm(f"{prefix}pre_feedforward_layernorm.weight"),
            norm(f"{prefix}post_attention_layernorm.weight"),
            norm(f"{prefix}post_feedforward_layernorm.weight"),
            qk_norm,
        )

    embedding = take("model.embed_tokens.weight").contiguous()
    if embedding.shape != (arch.vocab_size, arch.hidden_size):
        raise HostError(
            "embedding has another shape than the config says",
            where="model.embed_tokens.weight",
            expected=str((arch.vocab_size, arch.hidden_size)),
            got=tuple(embedding.shape),
        )
    head = embedding if arch.tied or "lm_head.weight" not in tensors else take("lm_head.weight").contiguous()
    return LeanHost(arch, embedding, head, norm("model.norm.weight"), [layer(index) for index in range(arch.layers)])


def tensors_from_host(host: LeanHost) -> dict[str, torch.Tensor]:
    """The weights of a Qwen3 host under Hugging Face's names; the inverse of `host_from_tensors`."""
    arch = host.arch
    widths = {
        "qkv": [arch.heads * arch.head_dim, arch.kv_heads * arch.head_dim, arch.kv_heads * arch.head_dim],
        "o": [arch.hidden_size],
        "gate_up": [arch.intermediate_size, arch.intermediate_size],
        "down": [arch.hidden_size],
    }
    tensors = {"model.embed_tokens.weight": host.embedding, "model.norm.weight": host.final_norm}
    for index, layer in enumerate(host.layers):
        prefix = f"model.layers.{index}."
        for group, modules in GROUPS.items():
            for module, part in zip(modules, layer.weights[group].split(widths[group]), strict=True):
                tensors[f"{prefix}{module}.weight"] = part
        tensors[f"{prefix}input_layernorm.weight"] = layer.before_attention
        tensors[f"{prefix}post_attention_layernorm.weight"] = layer.before_mlp
        if layer.qk_norm is not None:
            tensors[f"{prefix}self_attn.q_norm.weight"] = layer.qk_norm[0]
            tensors[f"{prefix}self_attn.k_norm.weight"] = layer.qk_norm[-1]
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def redrawn_weights(tensors: dict[str, torch.Tensor], seed: int) -> dict[str, torch.Tensor]:
    """The negative control: the same host with every matrix redrawn as noise of the same mean and spread."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: tensor
        if tensor.dim() < 2
        else (torch.randn(tensor.shape, generator=generator) * tensor.float().std() + tensor.float().mean()).to(
            tensor.dtype
        )
        for name, tensor in sorted(tensors.items())
    }
