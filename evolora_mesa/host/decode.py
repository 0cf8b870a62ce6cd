"""The decoding loop: many prompts of many owners through one frozen host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from evolora_mesa.errors import HostError
from evolora_mesa.host.cache import KeyValueCache
from evolora_mesa.host.constrained import Guidance
from evolora_mesa.host.factors import BoundAdapters, Capture, FusedAdapters, Key
from evolora_mesa.host.lean import LeanHost
from evolora_mesa.host.sampling import choose_tokens
from evolora_mesa.host.tiles import choose_tile_size, tile_rows
from evolora_mesa.host.trace import TokenTrace

__all__ = ["Decoded", "Rows", "decode_rows"]

# None of them changes what is answered. Measured with the 0.8M host, 256 rows and adapters on all linear layers; the
# figures are the time of another value over that of the one kept, and 0.02 is noise.
_PREFILL_ROWS = 32  # prompts read together, sorted by length so that few are padded; 8: 1.2, 16: 1.04, 64: 1.0
_PREFILL_TILE = 2  # rows of one owner side by side; 1: 1.0, 4, which pads more: 1.04
_ROOM = 8  # cache columns added at a time: unused ones cost attention, adding them a copy; 6 and 12: 1.03, 23: 1.01
_SHRINK_AT = 0.7  # finished rows leave when fewer than this share is still writing


class Rows(NamedTuple):
    """What to answer.

    Attributes:
        owners: ``[rows]`` index into the fused adapters.
        prompts: token lists, at least one token each.
        keys: ``[rows]`` int64, the random stream of each row.
    """

    owners: torch.Tensor
    prompts: Sequence[Sequence[int]]
    keys: torch.Tensor


class Decoded(NamedTuple):
    """``tokens [rows, max_new]``, -1 behind the stop token; ``log_probability [rows]`` of all of a row's tokens."""

    tokens: torch.Tensor
    log_probability: torch.Tensor


# Which prompts are read together, the owners of their tiles (`None` without adapters), and False at fillers.
_Chunk = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]


class _Prompts(NamedTuple):
    """State behind the prompts: the cache, and the last layer's input and attention output at each last token."""

    cache: KeyValueCache
    x: torch.Tensor
    attended: torch.Tensor


@torch.no_grad()
def decode_rows(
    host: LeanHost,
    adapters: FusedAdapters | None,
    rows: Rows,
    *,
    max_new: int,
    stop: torch.Tensor,
    temperature: float,
    trace: TokenTrace | None = None,
    guidance: Guidance | None = None,
) -> Decoded:
    """Answer every row; row ``i`` of the result belongs to row ``i`` of the input, whatever the layout between.

    Args:
        adapters: of all owners; `None` for the bare host.
        stop: ``[vocab]`` True for tokens that end an answer.
        guidance: of these rows, where some may not write everything.

    Raises:
        HostError: a prompt leaves no room in a sliding attention window.
    """
    lengths = torch.tensor([len(prompt) for prompt in rows.prompts], device=host.device)
    _check_window(host, int(lengths.max()) + max_new)
    owners, keys = rows.owners.to(host.device), rows.keys.to(host.device)
    places, tile_owners, real = tile_rows(owners, choose_tile_size(owners), lengths.argsort(stable=True))
    capture = trace.capture if trace is not None else None
    wants_output = trace is not None and trace.wants_output

    def bind(tiles: torch.Tensor) -> BoundAdapters | None:
        return None if adapters is None else adapters.bind(tiles, capture, wants_output)

    bound = bind(tile_owners)
    state = _read_prompts(host, adapters, owners, rows.prompts, lengths, places, trace)
    cache = state.cache
    residual = host.after_attention(host.arch.layers - 1, state.x, state.attended, bound)
    logits = host.logits(residual, bound)
    out = torch.full((owners.numel(), max_new), -1, dtype=torch.long, device=host.device)
    log_probability = torch.zeros(owners.numel(), device=host.device)
    row, position, writing = places, lengths[places], real
    for step in range(max_new):
        allowed = logits if guidance is None else guidance.masked(logits, row)
        choice = choose_tokens(allowed, temperature, keys[row], step)
        tokens = choice.tokens
        if trace is not None:
            trace.commit(row, writing, tokens, choice.probabilities, residual)
        live = writing.nonzero().squeeze(1)
        out[row[live], step] = tokens[live]
        log_probability[row[live]] += choice.log_probability[live]
        if guidance is not None:
            guidance.advance(row[live], tokens[live])
        writing = writing & ~stop[tokens]
        still = int(writing.sum())
        if still == 0 or step == max_new - 1:
            break
        room = min(_ROOM, max_new - 1 - step)
        if still <= _SHRINK_AT * writing.numel():
            live = writing.nonzero().squeeze(1)
            kept, tile_owners, writing = tile_rows(owners[row[live]], 2 if adapters else 1)
            kept = live[kept]
            cache.keep(kept, room)
            row, tokens, position = row[kept], tokens[kept], position[kept]
            bound = bind(tile_owners)
        elif cache.full:
            cache.keep(None, room)
        column = cache.open_column()
        residual = host.decode(tokens, position, column, cache.keys, cache.values, cache.bias, bound)
        logits = host.logits(residual, bound)
        position = position + 1
    return Decoded(out, log_probability)


def _check_window(host: LeanHost, longest: int) -> None:
    if host.arch.window is not None and longest > host.arch.window:
        raise HostError(
            "prompt and answer do not fit the host's sliding attention window",
            expected=f"at most {host.arch.window} tokens",
            got=longest,
            do="Lower host.max_new_tokens or shorten the prompts.",
        )


def _read_prompts(
    host: LeanHost,
    adapters: FusedAdapters | None,
    owners: torch.Tensor,
    prompts: Sequence[Sequence[int]],
    lengths: torch.Tensor,
    places: torch.Tensor,
    trace: TokenTrace | None,
) -> _Prompts:
    """Read every different prompt once and deal its keys and values out to all places that need them.

    Two rows share a reading when their prompts are equal and either their owners are too, or no adapter sits early
    enough to change what a prompt leaves in the cache.
    """
    shared = adapters is None or adapters.leaves_prompt_alone(host.arch.layers)
    owner_list = owners.tolist()
    number: dict[object, int] = {}
    first_row: list[int] = []
    reading = []
    for row, prompt in enumerate(prompts):
        key = tuple(prompt) if shared else (owner_list[row], *prompt)
        if key not in number:
            number[key] = len(first_row)
            first_row.append(row)
        reading.append(number[key])
    reading_at = torch.tensor(reading, device=host.device)[places]
    rows = torch.tensor(first_row, device=host.device)

    cache = KeyValueCache(host, lengths[places], _ROOM)
    x = torch.empty(rows.numel(), host.arch.hidden_size, dtype=host.dtype, device=host.device)
    attended = x.new_empty(rows.numel(), host.arch.heads * host.arch.head_dim)
    where = torch.full((rows.numel(),), -1, device=host.device)
    early = None if shared or trace is None else _EarlyActivity(rows.numel(), trace.wants_output)
    for chunk, tiles, real in _prefill_chunks(owners[rows], lengths[rows], None if shared else _PREFILL_TILE):
        where.fill_(-1)
        where[chunk[real]] = real.nonzero().squeeze(1)
        target = (where[reading_at] >= 0).nonzero().squeeze(1)
        source, by_source = where[reading_at[target]].sort()
        target = target[by_source]
        # No reading is shared and none is a filler, so what was read can be stored as it stands.
        one_to_one = source.numel() == chunk.numel() and bool(real.all())
        ids, chunk_lengths = _pad([prompts[first_row[index]] for index in chunk.tolist()], host.device)
        length = ids.shape[1]

        def write(
            layer: int,
            keys: torch.Tensor,
            values: torch.Tensor,
            target: torch.Tensor = target,
            source: torch.Tensor = source,
            length: int = length,
            one_to_one: bool = one_to_one,
        ) -> None:
            cache.keys[layer][target, :, :, :length] = keys if one_to_one else keys[source]
            cache.values[layer][target, :, :length] = values if one_to_one else values[source]

        bound = None
        if tiles is not None and adapters is not None:
            capture = None if early is None else early.at(chunk, chunk_lengths)
            bound = adapters.bind(tiles, capture, early is not None and early.wants_output)
        chunk_x, chunk_attended = host.prefill(ids, chunk_lengths, bound, write)
        x[chunk], attended[chunk] = chunk_x, chunk_attended
    if early is not None and trace is not None:
        early.hand_over(trace, reading_at)
    return _Prompts(cache, x[reading_at], attended[reading_at])


class _EarlyActivity:
    """What early adapters see at each prompt's last token, which writes the first answer token."""

    def __init__(self, readings: int, wants_output: bool) -> None:
        self.wants_output, self._readings = wants_output, readings
        self._seen: dict[Key, tuple[torch.Tensor, torch.Tensor]] = {}

    def at(self, chunk: torch.Tensor, lengths: torch.Tensor) -> Capture:
        """A capture for the readings ``chunk`` with prompts of ``lengths``."""

        def capture(key: Key, x: torch.Tensor, y: torch.Tensor) -> None:
            length = x.shape[0] // chunk.numel()
            last = torch.arange(chunk.numel(), device=x.device) * length + lengths - 1
            if key not in self._seen:
                self._seen[key] = (
                    x.new_empty(self._readings, x.shape[1]),
                    y.new_empty(self._readings, y.shape[1]),
                )
            self._seen[key][0][chunk] = x[last]
            if self.wants_output:
                self._seen[key][1][chunk] = y[last]

        return capture

    def hand_over(self, trace: TokenTrace, reading_at: torch.Tensor) -> None:
        """Give every place its reading's activity."""
        for key, (x, y) in self._seen.items():
            trace.capture(key, x[reading_at], y[reading_at])


def _prefill_chunks(owners: torch.Tensor, lengths: torch.Tensor, tile: int | None) -> Iterator[_Chunk]:
    """Yield (readings, tile owners, real) of prompts of similar length; tiled by owner when ``tile`` is given."""
    if tile is None:
        order = lengths.argsort(stable=True)
        for chunk in order.split(_PREFILL_ROWS):
            yield chunk, None, torch.ones_like(chunk, dtype=torch.bool)
        return
    places, tile_owners, real = tile_rows(owners, tile, lengths.argsort(stable=True))
    places, real = places.view(-1, tile), real.view(-1, tile)
    by_length = lengths[places].amax(1).argsort(stable=True)
    for tiles in by_length.split(_PREFILL_ROWS // tile):
        yield places[tiles].flatten(), tile_owners[tiles], real[tiles].flatten()


def _pad(prompts: list[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """``ids [prompts, length]`` right padded with token 0, and ``lengths [prompts]``."""
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    ids = torch.zeros(len(prompts), int(lengths.max()), dtype=torch.long)
    filled = torch.arange(ids.shape[1])[None] < lengths[:, None]
    ids[filled] = torch.tensor([token for prompt in prompts for token in prompt])
    return ids.to(device), lengths.to(device)
