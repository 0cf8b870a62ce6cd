"""The generic route: any causal language model that transformers can load, adapted through forward hooks.

Slower than the lean route, and used only where that does not know the architecture. Nothing about a model
is taken on trust: when it is loaded, a small probe finds out which linear layers see every token of every
row, and whether its cache and its left padding leave the logits alone.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from evolora_mesa.errors import EvoloraError, HostError
from evolora_mesa.host.constrained import Guidance
from evolora_mesa.host.decode import Decoded, Rows
from evolora_mesa.host.factors import BoundAdapters, Capture, FusedAdapters, Key
from evolora_mesa.host.sampling import choose_tokens
from evolora_mesa.host.sites import HEAD_LAYER, Site
from evolora_mesa.host.tiles import choose_tile_size, tile_rows
from evolora_mesa.host.trace import TokenTrace

__all__ = ["GenericHost", "decode_generic"]

Shapes = dict[str, list[tuple[int, ...]]]  # module name -> shape of its input at every call

_SHRINK_AT = 0.7  # finished rows leave when fewer than this share is still writing
_PROBE_LENGTHS = (7, 4)  # tokens of the probe's two prompts
# Largest difference of the probe's logits, as a share of the largest logit. Measured on small random hosts:
# below 1e-6 in float32, 0.4 and more for one that reads its padding. bfloat16 keeps 8 bits, hence its margin.
_PROBE_TOLERANCE, _PROBE_TOLERANCE_HALF = 1e-3, 0.08


@dataclass
class _Pass:
    """What the hooks need to know about the forward pass under way."""

    rows: int
    length: int  # tokens read of each row
    bound: BoundAdapters | None
    head_input: torch.Tensor | None = None  # [rows, 1 or length, hidden]


class GenericHost:
    """A frozen transformers model. One pass at a time, others wait: the hooks read the one under way from this object.

    Args:
        model: an ``AutoModelForCausalLM``; frozen here.

    Attributes:
        kind: the config's ``model_type``.
        sites: every linear layer that sees all tokens of a batch, in order of computation.
        final_norm: always `None`: what stands between the residual stream and the head is not known.
        vocab_size: width of the logits.
        longest: most tokens of prompt and answer together; `None` when the config names no limit.
        kv_bytes_per_token: memory that one token of one row takes in the cache.

    Raises:
        HostError: no linear output embedding, no key-value cache, or logits that depend on padding.
    """

    final_norm = None

    def __init__(self, model: Any) -> None:
        self._model = model.requires_grad_(False).eval()
        self.kind: str = model.config.model_type
        self.longest: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._accepted = frozenset(inspect.signature(model.forward).parameters)
        self._pass: _Pass | None = None
        self._turn = threading.Lock()
        self._head = model.get_output_embeddings()
        if self._head is None or _widths(self._head) is None:
            raise HostError("host has no linear output embedding", where=self.kind, do="Choose another host.")
        self._head.register_forward_pre_hook(self._before_head)
        self.sites: list[Site] = []
        self.vocab_size = self.kv_bytes_per_token = 0
        self._probe()
        for site in self.sites:
            model.get_submodule(site.name).register_forward_hook(self._adapting_hook(site))

    @property
    def device(self) -> torch.device:
        return self._model.get_input_embeddings().weight.device

    @property
    def dtype(self) -> torch.dtype:
        return self._model.get_input_embeddings().weight.dtype

    def __deepcopy__(self, memo: object) -> GenericHost:
        """Copies share a frozen host: the hooks belong to this object."""
        return self

    def tensors(self) -> list[torch.Tensor]:
        """Every weight once, tied ones too, in a fixed order."""
        return list(self._model.parameters())

    def parameter_count(self) -> int:
        """Number of weights, tied ones once."""
        return sum(tensor.numel() for tensor in self.tensors())

    def weight_hash(self) -> str:
        """SHA-256 over the bytes of every weight."""
        digest = hashlib.sha256()
        for tensor in self.tensors():
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def forward(self, ids: torch.Tensor, adapters: BoundAdapters | None = None) -> torch.Tensor:
        """Teacher forcing: ``ids [rows, length]``, right padded -> logits ``[rows, length, vocab]``.

        Differentiable with respect to the adapters.
        """
        return self.run(ids, adapters)[0].logits

    def run(
        self,
        ids: torch.Tensor,
        adapters: BoundAdapters | None,
        mask: torch.Tensor | None = None,
        cache: Any = None,
    ) -> tuple[Any, torch.Tensor]:
        """One pass of the model.

        Args:
            ids: ``[rows, length]``.
            mask: ``[rows, cached + length]``, 0 on padding and 1 on tokens. When given, keys and values are
                kept and the last token's logits are enough; `None` is a whole pass without a cache.
            cache: of the pass before; the model makes one when it is `None`.

        Returns:
            The model's output, and the head's input at the last token, ``[rows, hidden]``.

        Raises:
            HostError: an adapted layer saw only some of the tokens.
        """
        rows, length = ids.shape
        wanted = {"input_ids": ids, "use_cache": mask is not None}
        if mask is not None:
            positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -length:]
            wanted |= dict(attention_mask=mask, position_ids=positions, past_key_values=cache, logits_to_keep=1)
        with self._turn:
            self._pass = _Pass(rows, length, adapters)
            try:
                out = self._model(**{name: value for name, value in wanted.items() if name in self._accepted})
                entered = self._pass.head_input
            finally:
                self._pass = None
        if entered is None:
            raise HostError("host does not call its output embedding", where=self.kind)
        return out, entered[:, -1]

    # ------------------------------------------------------------------ hooks

    def _before_head(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor]:
        """Note the head's input, and copy it when it is a slice.

        A product with a slice of a larger tensor may be run as a batched one with a copy of the weights for
        every row: measured, 48 of 50 seconds in bfloat16 with 152,000 tokens.
        """
        x = inputs[0].contiguous()
        if self._pass is not None:
            self._pass.head_input = x.view(self._pass.rows, -1, x.shape[-1])
        return (x,)

    def _adapting_hook(self, site: Site) -> Callable[..., torch.Tensor | None]:
        """A forward hook that adds the adapters of the pass under way to a layer's output."""

        def hook(module: nn.Module, inputs: tuple[torch.Tensor, ...], y: torch.Tensor) -> torch.Tensor | None:
            now = self._pass
            if now is None or now.bound is None or not now.bound.has(site.layer, site.group):
                return None
            x = inputs[0]
            if not _sees_all_rows(x.shape, now.rows, now.length):
                cure = "Take it out of adapter.sites."
                raise HostError("an adapted layer saw only some of the tokens", where=site.name, do=cure)
            x, flat = x.reshape(-1, site.d_in), y.reshape(-1, site.d_out)
            return now.bound.add(site.layer, site.group, x, flat).view(y.shape)

        return hook

    # ------------------------------------------------------------------ finding out

    def _probe(self) -> None:
        """`_find_out`, with one error for all that a stranger's config can bring about."""
        try:
            self._find_out()
        except EvoloraError:
            raise
        except Exception as error:  # another for every architecture and every setting of it
            raise HostError(
                "host cannot read a short prompt", where=self.kind, got=f"{type(error).__name__}: {error}"
            ) from error

    @torch.no_grad()
    def _find_out(self) -> None:
        """Find sites, sizes, and an attention that answers padded, cached and reordered rows as if alone."""
        embeddings = self._model.get_input_embeddings().num_embeddings
        numbers = torch.arange(1, sum(_PROBE_LENGTHS) + 1) * 7919 % embeddings
        prompts = [part.tolist() for part in numbers.split(list(_PROBE_LENGTHS))]
        alone = [self.forward(torch.tensor([prompt], device=self.device))[:, -1] for prompt in prompts]
        expected = torch.cat(alone).float()
        if not bool(expected.isfinite().all()):
            raise HostError("host computes NaN or infinity", where=self.kind, do="Choose another host.")
        self.vocab_size = expected.shape[1]
        allowed = _PROBE_TOLERANCE if self.dtype == torch.float32 else _PROBE_TOLERANCE_HALF
        config, native, off = self._model.config, self._model.config._attn_implementation, 0.0
        # torch's fused attention is several times slower with the matrix route of `host.cpu`; but the plain
        # one is not the same for every model (Falcon's adds its position bias twice), so the logits decide.
        for attention in dict.fromkeys(("eager", native) if self.device.type == "cpu" else (native,)):
            if attention != config._attn_implementation:
                self._model.set_attn_implementation(attention)
            off = float((self._together(prompts) - expected).abs().max() / expected.abs().max())
            if off <= allowed:
                return
        raise HostError(
            "host cannot answer padded prompts together",
            where=self.kind,
            expected=f"logits within {allowed} of those of each prompt alone",
            got=round(off, 4),
            do="Choose another host.",
        )

    def _together(self, prompts: list[list[int]]) -> torch.Tensor:
        """Logits ``[2, vocab]`` behind two prompts that are read in one batch, but for their last tokens."""
        ids, mask = _pad_left([prompt[:-1] for prompt in prompts], self.device)
        shapes: Shapes = {}

        def watcher(name: str) -> Callable[..., None]:
            return lambda module, inputs, y: shapes.setdefault(name, []).append(tuple(inputs[0].shape))

        linear = {name: module for name, module in self._model.named_modules() if _widths(module)}
        hooks = [module.register_forward_hook(watcher(name)) for name, module in linear.items()]
        cache: Any = getattr(self.run(ids, None, mask)[0], "past_key_values", None)
        for hook in hooks:
            hook.remove()
        self.sites = _sites(shapes, linear, self._head, *ids.shape)
        if not hasattr(cache, "reorder_cache") or not hasattr(cache, "layers"):
            raise HostError("host keeps no key-value cache", where=self.kind, do="Choose another host.")
        kept = [getattr(layer, name, None) for layer in cache.layers for name in ("keys", "values")]
        stored = sum(tensor.numel() * tensor.element_size() for tensor in kept if tensor is not None)
        self.kv_bytes_per_token = -(-stored // ids.numel())
        turned = torch.tensor([1, 0], device=self.device)
        cache.reorder_cache(turned)
        last = torch.tensor([prompt[-1:] for prompt in prompts], device=self.device)
        out, _ = self.run(last[turned], None, _one_more(mask[turned]), cache)
        return out.logits[turned, -1].float()


@torch.no_grad()
def decode_generic(
    host: GenericHost,
    adapters: FusedAdapters | None,
    rows: Rows,
    *,
    max_new: int,
    stop: torch.Tensor,
    temperature: float,
    trace: TokenTrace | None = None,
    guidance: Guidance | None = None,
) -> Decoded:
    """`decode_rows` for a generic host: the same answers from the same arguments.

    A trace's ``residual`` is the input of the head.
    """
    owners, keys = rows.owners.to(host.device), rows.keys.to(host.device)
    row, tile_owners, writing = tile_rows(owners, choose_tile_size(owners))

    def bind(tiles: torch.Tensor, count: int) -> BoundAdapters | None:
        if adapters is None:
            return None
        return adapters.bind(tiles, _capture(trace, count), trace is not None and trace.wants_output)

    bound = bind(tile_owners, row.numel())
    ids, mask = _pad_left([rows.prompts[number] for number in row.tolist()], host.device)
    seen, entered = host.run(ids, bound, mask)
    cache = seen.past_key_values
    out = torch.full((owners.numel(), max_new), -1, dtype=torch.long, device=host.device)
    log_probability = torch.zeros(owners.numel(), device=host.device)
    for step in range(max_new):
        allowed = seen.logits[:, -1] if guidance is None else guidance.masked(seen.logits[:, -1], row)
        choice = choose_tokens(allowed, temperature, keys[row], step)
        tokens = choice.tokens
        if trace is not None:
            trace.commit(row, writing, tokens, choice.probabilities, entered)
        live = writing.nonzero().squeeze(1)
        out[row[live], step] = tokens[live]
        log_probability[row[live]] += choice.log_probability[live]
        if guidance is not None:
            guidance.advance(row[live], tokens[live])
        writing = writing & ~stop[tokens]
        still = int(writing.sum())
        if still == 0 or step == max_new - 1:
            break
        if still <= _SHRINK_AT * writing.numel():
            live = writing.nonzero().squeeze(1)
            kept, tile_owners, writing = tile_rows(owners[row[live]], 2 if adapters else 1)
            kept = live[kept]
            cache.reorder_cache(kept)
            row, tokens, mask = row[kept], tokens[kept], mask[kept]
            bound = bind(tile_owners, row.numel())
        mask = _one_more(mask)
        seen, entered = host.run(tokens[:, None], bound, mask, cache)
    return Decoded(out, log_probability)


def _capture(trace: TokenTrace | None, rows: int) -> Capture | None:
    """Give a trace the last token of each of ``rows``; copied, as a model may change activations in place."""
    if trace is None:
        return None

    def last(x: torch.Tensor) -> torch.Tensor:
        return x.view(rows, -1, x.shape[-1])[:, -1].clone()

    def capture(key: Key, x: torch.Tensor, y: torch.Tensor) -> None:
        trace.capture(key, last(x), last(y) if trace.wants_output else y)

    return capture


def _pad_left(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """``ids [prompts, length]`` left padded with token 0, and ``mask``, 0 on padding and 1 on tokens."""
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    longest = int(lengths.max())
    mask = torch.arange(longest)[None] >= longest - lengths[:, None]
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    ids[mask] = torch.tensor([token for prompt in prompts for token in prompt])
    return ids.to(device), mask.long().to(device)


def _one_more(mask: torch.Tensor) -> torch.Tensor:
    """The mask with a column for the next token."""
    return torch.cat([mask, mask.new_ones(mask.shape[0], 1)], 1)


def _widths(module: nn.Module) -> tuple[int, int] | None:
    """Input and output width of a linear layer, `None` for anything else."""
    from transformers.pytorch_utils import Conv1D  # GPT-2's linear layer, with a transposed weight

    if isinstance(module, nn.Linear):
        return module.in_features, module.out_features
    return (module.weight.shape[0], module.weight.shape[1]) if isinstance(module, Conv1D) else None


def _sees_all_rows(shape: tuple[int, ...], rows: int, length: int) -> bool:
    """Whether an input holds all tokens in their order, or, near the head, the last one of every row."""
    return shape[:-1] in ((rows, length), (rows * length,), (rows, 1))


def _sites(shapes: Shapes, linear: dict[str, nn.Module], head: nn.Module, rows: int, length: int) -> list[Site]:
    """Linear layers that were called once, for all ``rows``.

    A mixture's experts see some tokens only; of a layer that blocks share, only one call would be traced.
    """
    sites = []
    for name, seen in shapes.items():
        widths = _widths(linear[name])
        if widths is None or len(seen) != 1 or not _sees_all_rows(seen[0], rows, length):
            continue
        number = re.search(r"\.(\d+)\.", name)
        is_head = linear[name] is head
        layer = HEAD_LAYER if is_head else int(number[1]) if number else 0
        sites.append(Site(name, layer, "head" if is_head else name, 0, widths[1], *widths))
    return sites
