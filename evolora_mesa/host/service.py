"""The host service: one frozen model that answers everybody's prompts in one batch."""

from __future__ import annotations

import hashlib
import math
import operator
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import torch

from evolora_mesa.errors import AdapterError, ConfigError, HostError
from evolora_mesa.host.architecture import Architecture, read_config
from evolora_mesa.host.bank import BARE, AdapterBank
from evolora_mesa.host.constrained import Guidance, Guide
from evolora_mesa.host.cpu import WIDE, tune_cpu
from evolora_mesa.host.decode import Decoded, Rows, decode_rows
from evolora_mesa.host.folder import find_host
from evolora_mesa.host.generic import GenericHost, decode_generic
from evolora_mesa.host.lean import LeanHost
from evolora_mesa.host.pretrained import load_generic
from evolora_mesa.host.sites import Site, lean_sites, resolve_sites
from evolora_mesa.host.text import TextCodec
from evolora_mesa.host.trace import FlatTrace, TokenTrace
from evolora_mesa.host.weights import host_from_tensors, read_tensors, redrawn_weights

__all__ = ["Answers", "Host", "HostService", "Request", "Route"]

Host = LeanHost | GenericHost
Route = Literal["auto", "lean", "generic"]

_SELF_TEST_PROMPT = "What is: 3+4\nAnswer:"
# Finer distributions than this are greedy answers, and dividing by what float32 rounds to 0 gives none.
_LEAST_TEMPERATURE: Final = 0.001
_DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt for one adapter.

    Attributes:
        slot: of the adapter bank; `BARE` is the bare host.
        prompt: text.
        key: integer that names the random stream of this row; equal keys draw equal numbers.
        guided: the answer is a word of the guide's language.
    """

    slot: int
    prompt: str
    key: int = 0
    guided: bool = False


@dataclass(frozen=True)
class Answers:
    """What came back, in the order of the requests.

    Attributes:
        texts: without special tokens.
        prompts: token lists that were read.
        tokens: token lists that were written, end token included when there was one.
        log_probability: ``[requests]`` of the whole answer under the distribution it was chosen from.
        trace: present when asked for; its rows number the requests.
    """

    texts: list[str]
    prompts: list[list[int]]
    tokens: list[list[int]]
    log_probability: torch.Tensor
    trace: FlatTrace | None = None


class HostService:
    """A frozen host with its text codec.

    Args:
        host: the decoder.
        codec: its tokenizer.
        available_sites: its linear layers.
        name: how it was asked for.
        max_rows: most rows decoded together.
        memory_mb: bound on the key-value cache of one chunk, in MiB.
    """

    def __init__(
        self,
        host: Host,
        codec: TextCodec,
        available_sites: Sequence[Site],
        *,
        name: str = "host",
        max_rows: int = 512,
        memory_mb: int = 512,
    ) -> None:
        self.host, self.codec, self.name = host, codec, name
        self.available_sites = list(available_sites)
        self._site_set = frozenset(available_sites)
        self.max_rows, self.memory_mb = max_rows, memory_mb

    @classmethod
    def load(
        cls,
        path: str | Path = "petri",
        *,
        device: str = "auto",
        dtype: str = "float32",
        threads: int | None = 1,
        tuned: bool = True,
        stop_at_newline: bool = True,
        random_weights: bool = False,
        max_rows: int = 512,
        memory_mb: int = 512,
        route: Route = "auto",
    ) -> HostService:
        """Load a Hugging Face folder of a causal language model.

        Args:
            path: a folder, the name of a shipped host, or a hub id that is already in the local cache (or may be
                downloaded, when there is a network and nothing forbids it).
            device: ``"cpu"``, ``"cuda"``, ... or ``"auto"``: CUDA when there is one.
            dtype: ``"float32"``, ``"bfloat16"``, or ``"auto"`` for the one that the weights are stored in.
            threads: torch threads on a CPU; `None` leaves them alone.
            tuned: apply `host.cpu.tune_cpu` when on a CPU.
            random_weights: the negative control, `redrawn_weights`.
            route: ``"lean"`` is our own decoder, ``"generic"`` the one of transformers, ``"auto"`` the lean one
                where it knows the architecture.

        Raises:
            ConfigError: no such route, number format or number of threads.
            HostError: the folder is missing, incomplete, damaged, not a causal language model, or not one for the
                route; or the device is not there.
        """
        if route not in get_args(Route):
            raise ConfigError("no such route", expected=" or ".join(get_args(Route)), got=route)
        if dtype not in (*_DTYPES, "auto"):
            raise ConfigError("no such number format", expected=" or ".join((*_DTYPES, "auto")), got=dtype)
        if threads is not None and threads < 1:
            raise ConfigError("no such number of threads", expected="at least 1", got=threads)
        chosen = _find_device(device)
        folder = find_host(path)
        config = read_config(folder)
        if chosen.type == "cpu" and tuned:
            tune_cpu(threads=threads, wide=_is_wide(config))
        elif chosen.type == "cpu" and threads is not None:
            torch.set_num_threads(threads)
        arch = None if route == "generic" else Architecture.from_config(config)
        if arch is None:
            if route == "lean":
                raise HostError(
                    "the lean route does not know this architecture",
                    where=folder,
                    got=config["model_type"],
                    do='Leave route at "auto".',
                )
            generic = load_generic(folder, dtype=_DTYPES.get(dtype), device=chosen, random_weights=random_weights)
            config = {**config, "vocab_size": generic.vocab_size}  # some configs keep it one level down
            codec = TextCodec.from_folder(folder, config, stop_at_newline=stop_at_newline)
            service = cls(generic, codec, generic.sites, name=str(path), max_rows=max_rows, memory_mb=memory_mb)
            service._try_out()
            return service
        codec = TextCodec.from_folder(folder, config, stop_at_newline=stop_at_newline)
        tensors = read_tensors(folder)
        if random_weights:
            tensors = redrawn_weights(tensors, seed=0)
        host = host_from_tensors(arch, tensors, dtype=_DTYPES.get(dtype), device=chosen)
        service = cls(host, codec, lean_sites(arch), name=str(path), max_rows=max_rows, memory_mb=memory_mb)
        service._try_out()
        return service

    def _try_out(self) -> None:
        """Read every printable character of ASCII once, and one short prompt.

        Raises:
            HostError: the tokenizer or the host cannot.
        """
        self.codec.encode([string.printable])
        prompt = self.codec.encode([_SELF_TEST_PROMPT])[0][: self.host.longest]
        with torch.no_grad():
            logits = self.host.forward(torch.tensor([prompt], device=self.host.device))
        if not bool(logits.isfinite().all()):
            raise HostError(
                "host computes NaN or infinity",
                where=self.name,
                do="Restore or download the host again, or set host.dtype to float32.",
            )

    # ------------------------------------------------------------------ adapters

    def new_bank(self, sites: Sequence[str], *, capacity: int, max_rank: int = 8, scaling: float = 1.0) -> AdapterBank:
        """An empty bank for adapters of this host; ``sites`` as for `resolve_sites`."""
        return AdapterBank(
            resolve_sites(self.available_sites, sites),
            capacity=capacity,
            max_rank=max_rank,
            scaling=scaling,
            device=self.host.device,
            dtype=self.host.dtype,
        )

    # ------------------------------------------------------------------ answering

    def guide(self, chain: Sequence[Sequence[str]]) -> Guide:
        """What keeps answers inside a language: a text of each link of ``chain``, in order.

        Raises:
            HostError: the host's tokens cannot write a single word of it.
        """
        return Guide(chain, self.codec.token_texts(), self.codec.stop.to(self.host.device))

    def answer(
        self,
        requests: Sequence[Request],
        bank: AdapterBank | None = None,
        *,
        temperature: float = 0.0,
        max_new_tokens: int = 28,
        trace: TokenTrace | None = None,
        guide: Guide | None = None,
    ) -> Answers:
        """Answer every request; which rows ride together changes no token of any of them.

        Args:
            bank: the adapters; may be left out when every slot is `BARE`.
            temperature: 0 is greedy.
            max_new_tokens: longest answer, at least 1.
            trace: filled with the activities that a local learning rule needs.
            guide: from `guide`, for the requests that are guided.

        Raises:
            AdapterError: a slot that is not allocated, or a bank made for another host.
            HostError: a slot other than `BARE` without a bank, a prompt that is no text or leaves no room for the
                answer, or an argument out of range.
        """
        if not requests:
            return Answers([], [], [], torch.zeros(0))
        slots = _whole_numbers("slot", [request.slot for request in requests])
        keys = _whole_numbers("key", [request.key for request in requests])
        for request in requests:
            if not isinstance(request.prompt, str):
                raise HostError("prompt is not a text", where="Request.prompt", expected="str", got=request.prompt)
        prompts = self.codec.encode([request.prompt for request in requests])
        guided = torch.tensor([request.guided for request in requests])
        if guide is None and bool(guided.any()):
            raise HostError("requests are guided but there is no guide", expected="guide=...")
        tokens, log_probability = self.decode(
            slots,
            prompts,
            keys,
            bank,
            temperature=temperature,
            max_new_tokens=max_new_tokens,
            trace=trace,
            guidance=None if guide is None else (guide, guided),
        )
        written = [row[: row.index(-1)] if -1 in row else row for row in tokens.tolist()]
        return Answers(
            self.codec.decode(written),
            prompts,
            written,
            log_probability.cpu(),
            trace.flatten() if trace is not None else None,
        )

    def decode(
        self,
        slots: torch.Tensor,
        prompts: Sequence[Sequence[int]],
        keys: torch.Tensor,
        bank: AdapterBank | None,
        *,
        temperature: float,
        max_new_tokens: int,
        trace: TokenTrace | None = None,
        guidance: tuple[Guide, torch.Tensor] | None = None,
    ) -> Decoded:
        """The token level of `answer`: ``slots [rows]``, token lists, ``keys [rows]`` -> `Decoded`.

        Args:
            guidance: a guide, and ``[rows]`` which of them it guides.

        Raises:
            AdapterError: a slot that is not allocated, or a bank made for another host.
            HostError: a slot other than `BARE` without a bank, prompt and answer longer than the host can read, or an
                argument out of range.
        """
        if not (temperature == 0 or _LEAST_TEMPERATURE <= temperature < math.inf):
            expected = f"0, which is greedy, or at least {_LEAST_TEMPERATURE}"
            raise HostError("no such temperature", where="temperature", expected=expected, got=temperature)
        if max_new_tokens < 1:
            raise HostError("answers of no length", where="max_new_tokens", expected="at least 1", got=max_new_tokens)
        self._check_owners(slots, bank)
        length = max(map(len, prompts)) + max_new_tokens
        if self.host.longest is not None and length > self.host.longest:
            raise HostError(
                "prompt and answer are longer than the host can read",
                expected=f"at most {self.host.longest} tokens",
                got=length,
                do="Lower host.max_new_tokens or shorten the prompts.",
            )
        tokens = torch.full((slots.numel(), max_new_tokens), -1)
        log_probability = torch.zeros(slots.numel())
        for chunk in self._chunks(slots, prompts, max_new_tokens):
            owners, adapters = slots[chunk], None
            if bank is not None and bool((owners != BARE).any()):
                present, owners = torch.unique(owners, return_inverse=True)
                adapters = bank.fused(present)
            rows = Rows(owners, [prompts[row] for row in chunk.tolist()], keys[chunk])
            if trace is not None:
                trace.begin(chunk)
            options: dict[str, Any] = {
                "max_new": max_new_tokens,
                "stop": self.codec.stop.to(self.host.device),
                "temperature": temperature,
                "trace": trace,
            }
            if guidance is not None:
                options["guidance"] = Guidance(guidance[0], guidance[1][chunk].to(self.host.device))
            if isinstance(self.host, GenericHost):
                done = decode_generic(self.host, adapters, rows, **options)
            else:
                done = decode_rows(self.host, adapters, rows, **options)
            tokens[chunk], log_probability[chunk] = done.tokens.cpu(), done.log_probability.cpu()
        return Decoded(tokens, log_probability)

    def _check_owners(self, slots: torch.Tensor, bank: AdapterBank | None) -> None:
        if bank is None:
            if bool((slots != BARE).any()):
                raise HostError("requests name adapter slots but there is no bank", expected="bank=...")
            return
        foreign = [site.name for site in bank.sites if site not in self._site_set]
        if foreign or (bank.device, bank.dtype) != (self.host.device, self.host.dtype):
            raise AdapterError(
                "adapter bank was made for another host",
                expected=f"{self.host.dtype} on {self.host.device}, sites of {self.name}",
                got=f"{bank.dtype} on {bank.device}, {', '.join(foreign) or 'sites that fit'}",
                do="Make it with this host's new_bank.",
            )
        bank.require(slots)

    def _chunks(self, slots: torch.Tensor, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[torch.Tensor]:
        """Requests in runs of neighbouring owners that fit the row and memory bounds; a pure function of the list."""
        lengths = torch.tensor([len(prompt) for prompt in prompts])
        row_bytes = self.host.kv_bytes_per_token * (int(lengths.max()) + max_new_tokens)
        most = max(1, min(self.max_rows, self.memory_mb * 2**20 // row_bytes))
        order = torch.argsort(slots, stable=True)
        pieces = -(-order.numel() // most)
        return list(order.tensor_split(pieces))

    # ------------------------------------------------------------------ identity

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of the weights, and of 20 logits rounded to three decimals, which survives a change of machine."""
        prompt = self.codec.encode([_SELF_TEST_PROMPT])
        with torch.no_grad():
            logits = self.host.forward(torch.tensor(prompt, device=self.host.device))[0, -1, :20].float().cpu()
        rounded = ",".join(f"{value:.3f}" for value in logits.tolist())
        return {"weights": self.host.weight_hash(), "logits": hashlib.sha256(rounded.encode()).hexdigest()}


def _whole_numbers(name: str, values: Sequence[int]) -> torch.Tensor:
    """``[values]`` int64."""
    try:
        return torch.tensor([operator.index(value) for value in values], dtype=torch.int64)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:  # torch's for too large a number varies
        expected = f"whole numbers below 2**63, got {error}"
        raise HostError("not a whole number", where=f"Request.{name}", expected=expected) from error


def _is_wide(config: dict[str, Any]) -> bool:
    text = config.get("text_config")  # some configs keep what concerns text one level down
    found = text if isinstance(text, dict) else config
    sizes = [found.get(name) for name in ("hidden_size", "n_embd", "d_model")]  # as architectures call it
    return any(isinstance(size, int) and size >= WIDE for size in sizes)


def _find_device(name: str) -> torch.device:
    """The device of a name that `HostService.load` takes, tried out."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ImportError) as error:  # AssertionError: a build of torch without CUDA
        raise HostError("no such device here", where="host.device", got=name, do="Set host.device to auto.") from error
    return device
