"""Sites: the linear layers of a host that carry adapters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from evolora_mesa.errors import ConfigError
from evolora_mesa.host.architecture import Architecture
from evolora_mesa.host.lean import GROUPS

__all__ = ["HEAD_LAYER", "Site", "lean_sites", "resolve_sites"]

HEAD_LAYER: Final = -1  # the layer number of the unembedding


@dataclass(frozen=True)
class Site:
    """One adapted linear layer.

    Attributes:
        name: Hugging Face module name, e.g. ``"model.layers.3.mlp.down_proj"``.
        layer: decoder layer, or `HEAD_LAYER`.
        group: fused group that the layer belongs to, a key of `GROUPS`, or ``"head"``.
        offset: first output column of this layer inside its group.
        group_width: output columns of the whole group.
        d_in: input width.
        d_out: output width.
    """

    name: str
    layer: int
    group: str
    offset: int
    group_width: int
    d_in: int
    d_out: int


def lean_sites(arch: Architecture) -> list[Site]:
    """Every linear layer of a lean host, in order of computation."""
    query, key = arch.heads * arch.head_dim, arch.kv_heads * arch.head_dim
    inputs = {"qkv": arch.hidden_size, "o": query, "gate_up": arch.hidden_size, "down": arch.intermediate_size}
    outputs = {
        "qkv": (query, key, key),
        "o": (arch.hidden_size,),
        "gate_up": (arch.intermediate_size, arch.intermediate_size),
        "down": (arch.hidden_size,),
    }
    sites = [
        Site(
            f"model.layers.{layer}.{module}",
            layer,
            group,
            sum(outputs[group][:place]),
            sum(outputs[group]),
            inputs[group],
            outputs[group][place],
        )
        for layer in range(arch.layers)
        for group, modules in GROUPS.items()
        for place, module in enumerate(modules)
    ]
    return [*sites, Site("lm_head", HEAD_LAYER, "head", 0, arch.vocab_size, arch.hidden_size, arch.vocab_size)]


def resolve_sites(available: Iterable[Site], wanted: Iterable[str]) -> list[Site]:
    """The sites meant by short names, in order of computation.

    Understood are ``last.down_proj`` (of the last layer), ``all.q_proj`` (of every layer), ``layers.2.o_proj``,
    ``all-linear`` (everything but the head, as in PEFT), ``lm_head`` (the head, whatever the host calls it), and full
    module names.

    Raises:
        ConfigError: a name that matches no linear layer of the host.
    """
    sites = list(available)
    last = max((site.layer for site in sites), default=0)
    chosen: set[str] = set()
    for short in wanted:
        found = {site.name for site in sites if _is_meant(site, short, last)}
        if not found:
            leaves = sorted({site.name.rsplit(".", 1)[-1] for site in sites})
            raise ConfigError(
                "no such adapter site",
                where="adapter.sites",
                expected=f"last.<layer>, all.<layer>, layers.<n>.<layer>, all-linear or lm_head; <layer> is one of "
                f"{', '.join(leaves)}",
                got=short,
            )
        chosen |= found
    return [site for site in sites if site.name in chosen]


def _is_meant(site: Site, short: str, last: int) -> bool:
    if short in ("all-linear", "lm_head"):
        return (site.layer == HEAD_LAYER) == (short == "lm_head")
    if short == site.name:
        return True
    scope, _, leaf = short.rpartition(".")
    in_scope = {"last": site.layer == last, "all": site.layer != HEAD_LAYER, f"layers.{site.layer}": True}
    return in_scope.get(scope, False) and site.name.endswith(f".{leaf}")
