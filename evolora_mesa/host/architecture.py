"""What kind of decoder a Hugging Face folder holds, read from its ``config.json`` alone."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from evolora_mesa.errors import HostError

__all__ = ["LEAN_KINDS", "Architecture", "read_config"]

LEAN_KINDS: Final = ("qwen3", "qwen2", "llama", "mistral", "gemma3_text")
_LAYER_TYPES: Final = ("full_attention", "sliding_attention")


def read_config(folder: Path) -> dict[str, Any]:
    """The parsed ``config.json`` of a host folder.

    Raises:
        HostError: no such folder, no ``config.json``, or not a JSON object.
    """
    if not folder.is_dir():
        raise HostError("host folder not found", where=folder, do="Check --host, or leave it out to use models/petri.")
    path = folder / "config.json"
    if not path.is_file():
        raise HostError(
            "not a host folder", where=folder, expected="a config.json", do="Give a Hugging Face model folder."
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise HostError("config.json cannot be read", where=path, got=str(error)) from error
    if not isinstance(config, dict) or "model_type" not in config:
        raise HostError("config.json names no model_type", where=path, do="Give a causal language model's folder.")
    return config


@dataclass(frozen=True)
class Architecture:
    """Shape of a decoder-only transformer of the Llama line (Llama, Mistral, Qwen2, Qwen3, Gemma 3 text).

    Attributes:
        rope: frequencies by layer type, each ``([head_dim / 2] inverse frequencies, attention scaling)``.
        layer_types: ``"full_attention"`` or ``"sliding_attention"`` for every layer.
        window: tokens that sliding layers can look back; `None` when no layer slides.
        attention_scale: factor on the attention scores.
        longest: most tokens of prompt and answer together; `None` when the config names no limit.
    """

    kind: str
    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate_size: int
    norm_epsilon: float
    tied: bool
    attention_scale: float
    layer_types: tuple[str, ...]
    rope: dict[str, tuple[torch.Tensor, float]]
    window: int | None
    longest: int | None

    @property
    def gemma(self) -> bool:
        """Gemma adds norms behind attention and MLP, scales embeddings, and stores norm weights less one."""
        return self.kind == "gemma3_text"

    @property
    def query_groups(self) -> int:
        """Query heads that share one key-value head."""
        return self.heads // self.kv_heads

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Architecture | None:
        """The architecture described by a Hugging Face config, or `None` when only the generic route can run it."""
        kind = config["model_type"]
        if kind not in LEAN_KINDS or not _plain(config, kind):
            return None
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        head_dim = config.get("head_dim") or hidden // heads
        layers = config["num_hidden_layers"]
        layer_types = _layer_types(config, kind, layers)
        if len(layer_types) != layers or not set(layer_types) <= set(_LAYER_TYPES):
            return None
        rope = {name: _rope(config, name, head_dim) for name in dict.fromkeys(layer_types)}
        if any(frequencies is None for frequencies in rope.values()):
            return None
        scale = config["query_pre_attn_scalar"] if kind == "gemma3_text" else head_dim
        return cls(
            kind=kind,
            vocab_size=config["vocab_size"],
            hidden_size=hidden,
            layers=layers,
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head_dim=head_dim,
            intermediate_size=config["intermediate_size"],
            norm_epsilon=config.get("rms_norm_eps", 1e-6),
            # Llama and Qwen write the flag whenever it is not their default, which is False; Gemma's default is True.
            tied=config.get("tie_word_embeddings", kind == "gemma3_text"),
            attention_scale=scale**-0.5,
            layer_types=layer_types,
            rope={name: found for name, found in rope.items() if found is not None},
            window=config.get("sliding_window") if "sliding_attention" in layer_types else None,
            longest=config.get("max_position_embeddings"),
        )


def _plain(config: dict[str, Any], kind: str) -> bool:
    """Whether activation, attention and logits are those that `LeanHost` computes."""
    if config.get("attn_logit_softcapping") or config.get("final_logit_softcapping"):
        return False
    activation = "gelu_pytorch_tanh" if kind == "gemma3_text" else "silu"
    if any(config.get(name, activation) != activation for name in ("hidden_act", "hidden_activation")):
        return False
    if config.get("use_bidirectional_attention"):
        return False
    # Which layers of a Qwen slide is then a rule of its own, with `max_window_layers`.
    return bool(config.get("layer_types")) or not (kind in ("qwen2", "qwen3") and config.get("use_sliding_window"))


def _layer_types(config: dict[str, Any], kind: str, layers: int) -> tuple[str, ...]:
    if config.get("layer_types"):
        return tuple(config["layer_types"])
    if kind == "gemma3_text":
        every = config.get("sliding_window_pattern", 6)
        return tuple("sliding_attention" if (layer + 1) % every else "full_attention" for layer in range(layers))
    slides = kind == "mistral" and config.get("sliding_window") is not None
    return ("sliding_attention" if slides else "full_attention",) * layers


def _rope(config: dict[str, Any], layer_type: str, head_dim: int) -> tuple[torch.Tensor, float] | None:
    """Inverse frequencies and attention scaling; `None` for a rope type that is not reproduced here."""
    parameters = config.get("rope_parameters") or config.get("rope_scaling") or {}
    parameters = parameters.get(layer_type, parameters)
    local = layer_type == "sliding_attention" and "rope_local_base_freq" in config
    theta = (
        config["rope_local_base_freq"] if local else parameters.get("rope_theta", config.get("rope_theta", 10_000.0))
    )
    if parameters.get("partial_rotary_factor", config.get("partial_rotary_factor", 1.0)) != 1.0:
        return None
    frequencies = 1.0 / theta ** (torch.arange(0, head_dim, 2, dtype=torch.int64).float() / head_dim)
    rope_type = "default" if local else parameters.get("rope_type", parameters.get("type", "default"))
    if rope_type == "linear":
        return frequencies / parameters["factor"], 1.0
    if rope_type == "llama3":
        return _llama3(frequencies, parameters), 1.0
    return (frequencies, 1.0) if rope_type == "default" else None


def _llama3(frequencies: torch.Tensor, parameters: dict[str, Any]) -> torch.Tensor:
    """Llama 3.1's scaling: long wavelengths are stretched, short ones kept, those between interpolated."""
    factor, original = parameters["factor"], parameters["original_max_position_embeddings"]
    low, high = parameters["low_freq_factor"], parameters["high_freq_factor"]
    wavelength = 2 * math.pi / frequencies
    smooth = ((original / wavelength - low) / (high - low)).clamp(0, 1)
    return (1 - smooth) * frequencies / factor + smooth * frequencies
