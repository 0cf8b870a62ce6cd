"""Reading host weights from safetensors into fused tensors, and writing them back in Hugging Face's names."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open

from evolora_mesa.errors import HostError
from evolora_mesa.host.architecture import Architecture
from evolora_mesa.host.folder import read_json
from evolora_mesa.host.lean import GROUPS, Layer, LeanHost
from evolora_mesa.host.sites import lean_sites

__all__ = [
    "check_finite",
    "check_stored_formats",
    "host_from_tensors",
    "read_tensors",
    "redrawn_weights",
    "tensors_from_host",
]

# Other formats need scales beside them: read as plain numbers they are another model.
_NUMBER_FORMATS: Final = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.float64: "F64"}
_BIASED: Final = {("qwen2", "qkv")}  # kinds and groups that always have biases; elsewhere the file decides
_UNREAD: Final = re.compile(r".*\.rotary_emb\.inv_freq")  # older hosts store what follows from the config
_NORMED: Final = ("qwen3", "gemma3_text")  # kinds that normalise queries and keys


def read_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a Hugging Face folder by name, from one safetensors file or from the shards of an index.

    Raises:
        HostError: no safetensors file, or a damaged one, or a damaged index.
    """
    tensors: dict[str, torch.Tensor] = {}
    for path in _files(folder):
        with _opened(path) as file:
            tensors.update({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118 - not a dict
    return tensors


def _files(folder: Path) -> list[Path]:
    """The weight files of a folder."""
    index = folder / "model.safetensors.index.json"
    return [folder / name for name in (_indexed_files(index) if index.is_file() else ["model.safetensors"])]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file."""
    if not path.is_file():
        raise HostError(
            "host weights not found",
            where=path,
            expected="safetensors",
            do="Convert the model to safetensors first.",
        )
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise HostError("host weights cannot be read", where=path, got=str(error)) from error


def _indexed_files(index: Path) -> list[str]:
    """The files that an index names, which must lie beside it."""
    weight_map = read_json(index, "a weight_map").get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise HostError("index of the host weights names no files", where=index, expected="a weight_map")
    for name in weight_map.values():
        # Windows' rules know every separator, and drives.
        if not isinstance(name, str) or name in ("", "..") or PureWindowsPath(name).name != name:
            raise HostError(
                "index of the host weights names a file elsewhere", where=index, expected="plain file names", got=name
            )
    return sorted(set(weight_map.values()))


def check_stored_formats(folder: Path) -> None:
    """Refuse quantised matrices by the heads of the weight files; nothing is read but these.

    Raises:
        HostError: as of `read_tensors`, or for a matrix of anything but plain floating-point numbers.
    """
    for path in _files(folder):
        with _opened(path) as file:
            for name in file.keys():  # noqa: SIM118 - not a dict
                stored = file.get_slice(name).get_dtype()
                if name.endswith(".weight") and stored not in _NUMBER_FORMATS.values():
                    raise _quantised(name, stored)


def check_finite(name: str, weights: torch.Tensor) -> None:
    """Refuse weights that hold NaN or infinity.

    Raises:
        HostError: they do.
    """
    if not bool(weights.isfinite().all()):
        raise HostError("host weight holds NaN or infinity", where=name, do="Restore or download the host again.")


def _quantised(name: str, stored: object) -> HostError:
    return HostError(
        "host weight is quantised",
        where=name,
        expected="float32, bfloat16 or float16",
        got=str(stored),
        do="Take the unquantised weights.",
    )


def host_from_tensors(
    arch: Architecture, tensors: dict[str, torch.Tensor], *, dtype: torch.dtype | None, device: torch.device
) -> LeanHost:
    """A `LeanHost` from tensors under Hugging Face's names.

    Args:
        dtype: of the host; `None` for that of the embedding.

    Raises:
        HostError: a weight is missing, has another shape than the config says, is not a finite plain number, or belongs
            to something that the config does not name, such as a further layer.
    """
    shapes = {site.name: (site.d_out, site.d_in) for site in lean_sites(arch)}
    stored = tensors.get("model.embed_tokens.weight")
    number_format = stored.dtype if dtype is None and stored is not None else dtype
    taken = set()

    def take(name: str, *shape: int) -> torch.Tensor:
        if name not in tensors:
            raise HostError("host weight missing", where=name, do="The safetensors file does not fit its config.json.")
        taken.add(name)
        if tensors[name].dtype not in _NUMBER_FORMATS:
            raise _quantised(name, tensors[name].dtype)
        if tensors[name].shape != shape:
            raise HostError(
                "host weight has another shape than the config says",
                where=name,
                expected=str(shape),
                got=tuple(tensors[name].shape),
            )
        weights = tensors[name].to(device=device, dtype=number_format)
        check_finite(name, weights)  # in the format of the host, which may not reach as far as the stored one
        return weights

    def norm(name: str, size: int = arch.hidden_size) -> torch.Tensor:
        weights = take(name, size)
        return (1.0 + weights.float()).to(number_format) if arch.gemma else weights

    def linear(name: str) -> torch.Tensor:
        return take(f"{name}.weight", *shapes[name])

    def layer(index: int) -> Layer:
        prefix = f"model.layers.{index}."
        weights = {
            group: torch.cat([linear(f"{prefix}{module}") for module in modules]).contiguous()
            for group, modules in GROUPS.items()
        }
        biases = {
            group: torch.cat([take(f"{prefix}{module}.bias", shapes[f"{prefix}{module}"][0]) for module in modules])
            for group, modules in GROUPS.items()
            if (arch.kind, group) in _BIASED or f"{prefix}{modules[0]}.bias" in tensors
        }
        qk_norm = None
        if arch.kind in _NORMED:
            q, k = (norm(f"{prefix}self_attn.{name}_norm.weight", arch.head_dim) for name in "qk")
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

    embedding = take("model.embed_tokens.weight", arch.vocab_size, arch.hidden_size).contiguous()
    head = embedding if arch.tied else linear("lm_head").contiguous()
    final_norm = norm("model.norm.weight")
    layers = [layer(index) for index in range(arch.layers)]
    spare = {"lm_head.weight"} if arch.tied else set()
    left = sorted(name for name in set(tensors) - taken - spare if not _UNREAD.fullmatch(name))
    if left:
        raise HostError(
            "host has weights that its config.json does not tell of",
            where=left[0],
            expected=f"those of a {arch.kind} with {arch.layers} layers",
            do="Give the config.json that the weights were saved with.",
        )
    return LeanHost(arch, embedding, head, final_norm, layers)


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
