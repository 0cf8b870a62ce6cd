"""The lean route: a Llama-line decoder as flat fused weights and plain functions.

Rows of a batch are tokens, never padded rectangles of modules: every linear layer is one matrix product over all
rows, whoever owns them, and adapters are added by `BoundAdapters`, one batched product per site. The same functions
serve prefill, decoding, teacher forcing and (with gradients) the training of the embedded host.

Attention is written as batched products instead of ``scaled_dot_product_attention``: with the matrix backend that
`host.cpu` selects, the latter is 5 to 39 times slower at these sizes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import torch
import torch.nn.functional as F

from evolora_mesa.host.architecture import Architecture

if TYPE_CHECKING:
    from evolora_mesa.host.factors import BoundAdapters

__all__ = ["GROUPS", "Layer", "LeanHost", "rms_norm"]

# Linear layers that share their input are one fused product: group -> Hugging Face module names inside a layer.
GROUPS: Final = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}

_FIRST_POSITIONS: Final = 2048  # of the rotation tables, which double when a longer text comes

WriteCache = Callable[[int, torch.Tensor, torch.Tensor], None]
# By layer type, cosine and signed sine ``[rows, 1, head_dim]`` of a pass's positions; made once for all layers.
Turns = dict[str, tuple[torch.Tensor, torch.Tensor]]


def rms_norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Root-mean-square norm over the last axis, computed in float32."""
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)).to(x.dtype).mul_(weight)


@dataclass
class Layer:
    """Fused weights of one decoder layer, all ``[out, in]``; norms are ``[hidden]``, already ``1 + w`` for Gemma."""

    weights: dict[str, torch.Tensor]
    biases: dict[str, torch.Tensor]
    before_attention: torch.Tensor
    before_mlp: torch.Tensor
    after_attention: torch.Tensor | None = None
    after_mlp: torch.Tensor | None = None
    qk_norm: torch.Tensor | None = None  # [heads + kv_heads, head_dim]


@dataclass
class LeanHost:
    """A frozen decoder. All methods are pure functions of their arguments and the weights.

    Attributes:
        embedding: ``[vocab, hidden]``.
        head: ``[vocab, hidden]``; the same tensor as ``embedding`` when tied.
        final_norm: ``[hidden]``.
    """

    arch: Architecture
    embedding: torch.Tensor
    head: torch.Tensor
    final_norm: torch.Tensor
    layers: list[Layer]
    _rope_tables: dict[str, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict, repr=False)
    _masks: dict[int, torch.Tensor] = field(default_factory=dict, repr=False)

    @property
    def device(self) -> torch.device:
        return self.embedding.device

    @property
    def dtype(self) -> torch.dtype:
        return self.embedding.dtype

    @property
    def longest(self) -> int | None:
        """Most tokens of prompt and answer together; `None` when the config names no limit."""
        return self.arch.longest

    @property
    def kv_bytes_per_token(self) -> int:
        """Memory that one token of one row takes in the key-value cache."""
        arch = self.arch
        return 2 * arch.layers * arch.kv_heads * arch.head_dim * (torch.finfo(self.dtype).bits // 8)

    def tensors(self) -> list[torch.Tensor]:
        """Every weight once, in a fixed order."""
        found = [self.embedding, self.final_norm]
        if self.head is not self.embedding:
            found.append(self.head)
        for layer in self.layers:
            found += [*layer.weights.values(), *layer.biases.values(), layer.before_attention, layer.before_mlp]
            found += [t for t in (layer.after_attention, layer.after_mlp, layer.qk_norm) if t is not None]
        return found

    def parameter_count(self) -> int:
        """Number of weights, tied ones once."""
        return sum(t.numel() for t in self.tensors())

    def weight_hash(self) -> str:
        """SHA-256 over the bytes of every weight."""
        digest = hashlib.sha256()
        for tensor in self.tensors():
            digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        return digest.hexdigest()

    # ------------------------------------------------------------------ pieces

    def linear(
        self,
        index: int,
        group: str,
        x: torch.Tensor,
        adapters: BoundAdapters | None,
        residual: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """``x [rows, in] -> [rows, out]`` through a fused group and its adapters, plus ``residual`` when given."""
        weight, bias = self.layers[index].weights[group], self.layers[index].biases.get(group)
        adapted = adapters if adapters is not None and adapters.has(index, group) else None
        if residual is not None and bias is None and not (adapted is not None and adapted.wants_output):
            y = torch.addmm(residual, x, weight.t())
            return y if adapted is None else adapted.add(index, group, x, y)
        y = F.linear(x, weight, bias)
        if adapted is not None:
            y = adapted.add(index, group, x, y)
        return y if residual is None else residual + y

    def embed(self, ids: torch.Tensor) -> torch.Tensor:
        """Token ids of any shape -> the same shape with ``hidden`` behind it."""
        x = F.embedding(ids, self.embedding)
        if self.arch.gemma:
            x = x * torch.tensor(self.arch.hidden_size**0.5, dtype=x.dtype, device=x.device)
        return x

    def queries_keys_values(
        self, index: int, x: torch.Tensor, turns: Turns, adapters: BoundAdapters | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Turned queries and keys ``[rows, heads + kv_heads, head_dim]`` and values ``[rows, kv_heads * head_dim]``."""
        arch, layer = self.arch, self.layers[index]
        y = self.linear(index, "qkv", rms_norm(x, layer.before_attention, arch.norm_epsilon), adapters)
        width = (arch.heads + arch.kv_heads) * arch.head_dim
        qk = y[:, :width].reshape(-1, arch.heads + arch.kv_heads, arch.head_dim)
        if layer.qk_norm is not None:
            qk = rms_norm(qk, layer.qk_norm, arch.norm_epsilon)
        cos, sin = turns[arch.layer_types[index]]
        half = arch.head_dim // 2
        # The sign of the rotation lives in `sin`, so rotating is one swap of halves.
        swapped = torch.cat([qk[..., half:], qk[..., :half]], -1)
        return (qk * cos).addcmul_(swapped, sin), y[:, width:]

    def after_attention(
        self, index: int, x: torch.Tensor, attended: torch.Tensor, adapters: BoundAdapters | None
    ) -> torch.Tensor:
        """The rest of a layer: output projection, MLP, both residuals. ``x [rows, hidden]`` is its input."""
        arch, layer = self.arch, self.layers[index]
        if layer.after_attention is not None:
            out = self.linear(index, "o", attended, adapters)
            x = x + rms_norm(out, layer.after_attention, arch.norm_epsilon)
        else:
            x = self.linear(index, "o", attended, adapters, residual=x)
        gate_up = self.linear(index, "gate_up", rms_norm(x, layer.before_mlp, arch.norm_epsilon), adapters)
        gate, up = gate_up[:, : arch.intermediate_size], gate_up[:, arch.intermediate_size :]
        inner = (F.gelu(gate, approximate="tanh") if arch.gemma else F.silu(gate)).mul_(up)
        if layer.after_mlp is not None:
            return x + rms_norm(self.linear(index, "down", inner, adapters), layer.after_mlp, arch.norm_epsilon)
        return self.linear(index, "down", inner, adapters, residual=x)

    def logits(self, x: torch.Tensor, adapters: BoundAdapters | None) -> torch.Tensor:
        """Residual stream ``[rows, hidden] -> [rows, vocab]``."""
        hidden = rms_norm(x, self.final_norm, self.arch.norm_epsilon)
        y = F.linear(hidden, self.head)
        if adapters is not None and adapters.has(-1, "head"):
            y = adapters.add(-1, "head", hidden, y)
        return y

    # ------------------------------------------------------------------ whole passes

    def prefill(
        self,
        ids: torch.Tensor,
        lengths: torch.Tensor,
        adapters: BoundAdapters | None,
        write: WriteCache,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Read prompts up to the last layer's output projection at the last prompt token.

        The rest of the last layer is left to the caller: it is all that depends on the adapter when these sit in the
        last layer only, so equal prompts of different owners can share this pass.

        Args:
            ids: ``[prompts, length]``, right padded; with causal attention padding needs no mask.
            lengths: ``[prompts]`` tokens of each.
            write: called per layer with keys ``[prompts, kv_heads, head_dim, length]`` and values
                ``[prompts, kv_heads, length, head_dim]``.

        Returns:
            The last layer's input and attention output at the last token, ``[prompts, hidden]`` and
            ``[prompts, heads * head_dim]``.
        """
        prompts, length = ids.shape
        arch, last_layer = self.arch, self.arch.layers - 1
        turns = self.turns(torch.arange(length, device=ids.device).repeat(prompts), length)
        x = self.embed(ids.reshape(-1))
        for index in range(last_layer):
            attended = self._attend(index, x, turns, prompts, length, adapters, write)
            x = self.after_attention(index, x, attended, adapters)
        qk, values = self.queries_keys_values(last_layer, x, turns, adapters)
        qk = qk.view(prompts, length, arch.heads + arch.kv_heads, arch.head_dim)
        keys = qk[:, :, arch.heads :].permute(0, 2, 3, 1).contiguous()
        values = values.view(prompts, length, arch.kv_heads, arch.head_dim).transpose(1, 2).contiguous()
        write(last_layer, keys, values)
        last = torch.arange(prompts, device=ids.device) * length + lengths - 1
        query = qk.reshape(prompts * length, -1, arch.head_dim)[last, : arch.heads]
        beyond = torch.arange(length, device=ids.device)[None] >= lengths[:, None]
        bias = torch.zeros(prompts, 1, length, dtype=x.dtype, device=x.device)
        bias = bias.masked_fill(beyond[:, None], float("-inf")).repeat_interleave(arch.kv_heads, 0)
        attended = self._attention(
            query.reshape(prompts * arch.kv_heads, arch.query_groups, arch.head_dim),
            keys.view(prompts * arch.kv_heads, arch.head_dim, length),
            values.view(prompts * arch.kv_heads, length, arch.head_dim),
            bias,
        )
        return x.index_select(0, last), attended.view(prompts, -1)

    def decode(
        self,
        tokens: torch.Tensor,
        positions: torch.Tensor,
        column: int,
        keys: list[torch.Tensor],
        values: list[torch.Tensor],
        bias: torch.Tensor,
        adapters: BoundAdapters | None,
    ) -> torch.Tensor:
        """One token per row: ``tokens [rows]`` at ``positions [rows]``, kept in cache column ``column``.

        Args:
            keys: per layer ``[rows, kv_heads, head_dim, columns]``, written in place.
            values: per layer ``[rows, kv_heads, columns, head_dim]``, written in place.
            bias: ``[rows, kv_heads, 1, columns]``, 0 on columns in use and -inf elsewhere.

        Returns:
            The residual stream behind the last layer, ``[rows, hidden]``.
        """
        arch, rows = self.arch, tokens.shape[0]
        x, turns = self.embed(tokens), self.turns(positions, column + 1)  # no row is ahead of its column
        flat_bias = bias.view(rows * arch.kv_heads, 1, -1)
        for index in range(arch.layers):
            qk, value = self.queries_keys_values(index, x, turns, adapters)
            keys[index][:, :, :, column] = qk[:, arch.heads :]
            values[index][:, :, column] = value.view(rows, arch.kv_heads, arch.head_dim)
            attended = self._attention(
                qk[:, : arch.heads].reshape(rows * arch.kv_heads, arch.query_groups, arch.head_dim),
                keys[index].view(rows * arch.kv_heads, arch.head_dim, -1),
                values[index].view(rows * arch.kv_heads, -1, arch.head_dim),
                flat_bias,
            )
            x = self.after_attention(index, x, attended.view(rows, -1), adapters)
        return x

    def forward(self, ids: torch.Tensor, adapters: BoundAdapters | None = None) -> torch.Tensor:
        """Teacher forcing: ``ids [rows, length]``, right padded -> logits ``[rows, length, vocab]``. Differentiable."""
        rows, length = ids.shape
        turns = self.turns(torch.arange(length, device=ids.device).repeat(rows), length)
        x = self.embed(ids.reshape(-1))
        for index in range(self.arch.layers):
            attended = self._attend(index, x, turns, rows, length, adapters, None)
            x = self.after_attention(index, x, attended, adapters)
        return self.logits(x, adapters).view(rows, length, -1)

    # ------------------------------------------------------------------ attention

    def _attend(
        self,
        index: int,
        x: torch.Tensor,
        turns: Turns,
        rows: int,
        length: int,
        adapters: BoundAdapters | None,
        write: WriteCache | None,
    ) -> torch.Tensor:
        """Causal attention of one layer over ``rows`` sequences of ``length``; ``[rows * length, heads * dim]``."""
        arch = self.arch
        qk, values = self.queries_keys_values(index, x, turns, adapters)
        qk = qk.view(rows, length, arch.heads + arch.kv_heads, arch.head_dim)
        # Contiguous once, for the cache as for the products.
        keys = qk[:, :, arch.heads :].permute(0, 2, 3, 1).contiguous()
        values = values.view(rows, length, arch.kv_heads, arch.head_dim).transpose(1, 2).contiguous()
        if write is not None:
            write(index, keys, values)
        queries = qk[:, :, : arch.heads].transpose(1, 2)
        attended = self._attention(
            queries.reshape(rows * arch.kv_heads, arch.query_groups * length, arch.head_dim),
            keys.view(rows * arch.kv_heads, arch.head_dim, length),
            values.view(rows * arch.kv_heads, length, arch.head_dim),
            self._causal_mask(length),
        )
        return (
            attended.view(rows, arch.heads, length, arch.head_dim)
            .transpose(1, 2)
            .reshape(rows * length, arch.heads * arch.head_dim)
        )

    def _attention(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bias: torch.Tensor
    ) -> torch.Tensor:
        scores = torch.baddbmm(bias, queries, keys, alpha=self.arch.attention_scale)
        return torch.bmm(scores.softmax(-1), values)

    def _causal_mask(self, length: int) -> torch.Tensor:
        """``[query_groups * length, length]`` additive mask."""
        if length not in self._masks:
            mask = torch.full((length, length), float("-inf"), device=self.device, dtype=self.dtype).triu(1)
            self._masks[length] = mask.repeat(self.arch.query_groups, 1)
        return self._masks[length]

    def turns(self, positions: torch.Tensor, length: int) -> Turns:
        """The rotations at the given ``positions [rows]``, all below ``length``."""
        return {kind: self._turns_of(kind, positions, length) for kind in dict.fromkeys(self.arch.layer_types)}

    def _turns_of(self, layer_type: str, positions: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        table = self._rope_tables.get(layer_type)
        if table is None or table[0].shape[0] < length:
            table = self._rope_tables[layer_type] = self._rope_table(layer_type, length)
        cos, sin = table
        return cos[positions].unsqueeze(1), sin[positions].unsqueeze(1)

    def _rope_table(self, layer_type: str, length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Cosine and signed sine ``[positions, head_dim]`` for at least ``length`` positions."""
        frequencies, scaling = self.arch.rope[layer_type]
        positions = max(_FIRST_POSITIONS, 1 << (length - 1).bit_length())
        angles = torch.outer(torch.arange(positions).float(), frequencies.float())
        cos, sin = angles.cos() * scaling, angles.sin() * scaling
        return (
            torch.cat([cos, cos], -1).to(self.device, self.dtype),
            torch.cat([-sin, sin], -1).to(self.device, self.dtype),
        )
