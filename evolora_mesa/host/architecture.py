"""What kind of decoder a Hugging Face folder holds, read from its ``config.json`` alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from evolora_mesa.errors import HostError
from evolora_mesa.host.config_json import Settings
from evolora_mesa.host.folder import read_json

__all__ = ["LEAN_KINDS", "Architecture", "read_config"]

LEAN_KINDS: Final = ("qwen3", "qwen2", "llama", "mistral", "gemma3_text")
_LAYER_TYPES: Final = ("full_attention", "sliding_attention")
# Far beyond any host there is; they keep a slip in a config from asking for terabytes.
_MOST_LAYERS, _MOST_WIDTH, _MOST_WORDS = 4096, 2**20, 2**26


def read_config(folder: Path) -> dict[str, Any]:
    """The parsed ``config.json`` of a host folder.

    Raises:
        HostError: no such folder, no ``config.json``, not a JSON object, or one of a quantised model.
    """
    path = folder / "config.json"
    try:
        found, has_config = folder.is_dir(), path.is_file()
    except OSError as error:
        raise HostError("host folder cannot be read", where=folder, got=str(error)) from error
    if not found:
        raise HostError("host folder not found", where=folder, do="Check --host, or leave it out to use models/petri.")
    if not has_config:
        raise HostError(
            "not a host folder", where=folder, expected="a config.json", do="Give a Hugging Face model folder."
        )
    config = read_json(path, "an object that names a model_type")
    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise HostError(
            "config.json names no model_type",
            where=path,
            expected="a text",
            got=kind,
            do="Give a causal language model's folder.",
        )
    if config.get("quantization_config") is not None:
        raise HostError(
            "host is quantised",
            where=path,
            expected="no quantization_config",
            do="Take the unquantised weights: float32, bfloat16 or float16.",
        )
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
        """The architecture described by a Hugging Face config, or `None` when only the generic route can run it.

        Raises:
            HostError: a setting is missing, of the wrong type, out of range, or contradicts another.
        """
        kind, settings = config["model_type"], Settings(config)
        if kind not in LEAN_KINDS or not _plain(config, kind):
            return None
        hidden = settings.whole("hidden_size", most=_MOST_WIDTH)
        heads = settings.whole("num_attention_heads", most=_MOST_WIDTH)
        kv_heads = settings.whole("num_key_value_heads", heads, most=heads)
        if heads % kv_heads:
            raise _contradiction("num_key_value_heads", f"a divisor of the {heads} attention heads", kv_heads)
        if not settings.has("head_dim") and hidden % heads:
            raise _contradiction("num_attention_heads", f"a divisor of hidden_size = {hidden}", heads)
        head_dim = settings.whole("head_dim", hidden // heads, most=_MOST_WIDTH)
        if head_dim % 2:
            raise _contradiction("head_dim", "an even number, as positions turn pairs", head_dim)
        layers = settings.whole("num_hidden_layers", most=_MOST_LAYERS)
        layer_types = _layer_types(settings, kind, layers)
        if len(layer_types) != layers or not set(layer_types) <= set(_LAYER_TYPES):
            return None
        rope = {name: _rope(settings, name, head_dim) for name in dict.fromkeys(layer_types)}
        if any(frequencies is None for frequencies in rope.values()):
            return None
        scale = settings.real("query_pre_attn_scalar") if kind == "gemma3_text" else head_dim
        return cls(
            kind=kind,
            vocab_size=settings.whole("vocab_size", most=_MOST_WORDS),
            hidden_size=hidden,
            layers=layers,
            heads=heads,
            kv_heads=kv_heads,
            head_dim=head_dim,
            intermediate_size=settings.whole("intermediate_size", most=_MOST_WIDTH),
            norm_epsilon=settings.real("rms_norm_eps", 1e-6),
            # Llama and Qwen write the flag whenever it is not their default, which is False; Gemma's default is True.
            tied=settings.flag("tie_word_embeddings", kind == "gemma3_text"),
            attention_scale=scale**-0.5,
            layer_types=layer_types,
            rope={name: found for name, found in rope.items() if found is not None},
            window=settings.whole("sliding_window") if "sliding_attention" in layer_types else None,
            longest=settings.whole("max_position_embeddings", None),
        )


def _contradiction(name: str, expected: str, got: int) -> HostError:
    return HostError("settings contradict each other", where=f"config.json, {name}", expected=expected, got=got)


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


def _layer_types(settings: Settings, kind: str, layers: int) -> tuple[str, ...]:
    if (named := settings.words("layer_types")) is not None:
        return named
    if kind == "gemma3_text":
        every = settings.whole("sliding_window_pattern", 6)
        return tuple("sliding_attention" if (layer + 1) % every else "full_attention" for layer in range(layers))
    slides = kind == "mistral" and settings.has("sliding_window")
    return ("sliding_attention" if slides else "full_attention",) * layers


def _rope(settings: Settings, layer_type: str, head_dim: int) -> tuple[torch.Tensor, float] | None:
    """Inverse frequencies and attention scaling; `None` for a rope type that is not reproduced here."""
    parameters = settings.section("rope_parameters") or settings.section("rope_scaling") or Settings({})
    parameters = parameters.section(layer_type) or parameters
    local = layer_type == "sliding_attention" and settings.has("rope_local_base_freq")
    if local:
        theta = settings.real("rope_local_base_freq")
    else:
        theta = (parameters if parameters.has("rope_theta") else settings).real("rope_theta", 10_000.0)
    turned = parameters if parameters.has("partial_rotary_factor") else settings
    if turned.real("partial_rotary_factor", 1.0) != 1.0:
        return None
    frequencies = 1.0 / theta ** (torch.arange(0, head_dim, 2, dtype=torch.int64).float() / head_dim)
    rope_type = "default" if local else parameters.word("rope_type", parameters.word("type", "default"))
    if rope_type == "linear":
        return frequencies / parameters.real("factor"), 1.0
    if rope_type == "llama3":
        return _llama3(frequencies, parameters), 1.0
    return (frequencies, 1.0) if rope_type == "default" else None


def _llama3(frequencies: torch.Tensor, parameters: Settings) -> torch.Tensor:
    """Llama 3.1's scaling: long wavelengths are stretched, short ones kept, those between interpolated."""
    factor, original = parameters.real("factor"), parameters.whole("original_max_position_embeddings")
    low = parameters.real("low_freq_factor")
    high = parameters.real("high_freq_factor", above=low)
    wavelength = 2 * math.pi / frequencies
    smooth = ((original / wavelength - low) / (high - low)).clamp(0, 1)
    return (1 - smooth) * frequencies / factor + smooth * frequencies
