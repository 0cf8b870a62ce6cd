"""The host service: one frozen model that answers everybody's prompts in one batch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

import torch

from evolora_mesa.errors import ConfigError, HostError
from evolora_mesa.host.architecture import Architecture, read_config
from evolora_mesa.host.bank import BARE, AdapterBank
from evolora_mesa.host.cpu import tune_cpu
from evolora_mesa.host.decode import Decoded, Rows, decode_rows
from evolora_mesa.host.generic import GenericHost, decode_generic, load_generic
from evolora_mesa.host.lean import LeanHost
from evolora_mesa.host.sites import Site, lean_sites, resolve_sites
from evolora_mesa.host.text import TextCodec
from evolora_mesa.host.trace import FlatTrace, TokenTrace
from evolora_mesa.host.weights import host_from_tensors, read_tensors, redrawn_weights
from evolora_mesa.shipped import shipped_folder

__all__ = ["Answers", "Host", "HostService", "Request", "Route"]

Host = LeanHost | GenericHost
Route = Literal["auto", "lean", "generic"]

_SELF_TEST_PROMPT = "What is: 3+4\nAnswer:"
_DTYPES: Final = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class Request:
    """One prompt for one adapter.

    Attributes:
        slot: of the adapter bank; `BARE` is the bare host.
        prompt: text.
        key: integer that names the random stream of this row; equal keys draw equal numbers.
    """

    slot: int
    prompt: str
    key: int = 0


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
            ConfigError: no such route.
            HostError: the folder is missing, incomplete, not a causal language model, or not one for the route; or the
                device is not there.
        """
        if route not in get_args(Route):
            raise ConfigError("no such route", expected=" or ".join(get_args(Route)), got=route)
        chosen = _find_device(device)
        folder = find_host(path)
        config = read_config(folder)
        if chosen.type == "cpu" and tuned:
            tune_cpu(threads=threads)
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
            return cls(generic, codec, generic.sites, name=str(path), max_rows=max_rows, memory_mb=memory_mb)
        codec = TextCodec.from_folder(folder, config, stop_at_newline=stop_at_newline)
        tensors = read_tensors(folder)
        if random_weights:
            tensors = redrawn_weights(tensors, seed=0)
        number_format = _DTYPES.get(dtype) or tensors["model.embed_tokens.weight"].dtype
        host = host_from_tensors(arch, tensors, dtype=number_format, device=chosen)
        return cls(host, codec, lean_sites(arch), name=str(path), max_rows=max_rows, memory_mb=memory_mb)

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

    def answer(
        self,
        requests: Sequence[Request],
        bank: AdapterBank | None = None,
        *,
        temperature: float = 0.0,
        max_new_tokens: int = 28,
        trace: TokenTrace | None = None,
    ) -> Answers:
        """Answer every request; which rows ride together changes no token of any of them.

        Args:
            bank: the adapters; may be left out when every slot is `BARE`.
            temperature: 0 is greedy.
            max_new_tokens: longest answer.
            trace: filled with the activities that a local learning rule needs.

        Raises:
            HostError: a slot other than `BARE` without a bank, or a prompt that leaves no room for the answer.
        """
        if not requests:
            return Answers([], [], [], torch.zeros(0))
        slots = torch.tensor([request.slot for request in requests])
        if bank is None and bool((slots != BARE).any()):
            raise HostError("requests name adapter slots but there is no bank", expected="bank=...")
        prompts = self.codec.encode([request.prompt for request in requests])
        keys = torch.tensor([request.key for request in requests])
        tokens, log_probability = self.decode(
            slots, prompts, keys, bank, temperature=temperature, max_new_tokens=max_new_tokens, trace=trace
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
    ) -> Decoded:
        """The token level of `answer`: ``slots [rows]``, token lists, ``keys [rows]`` -> `Decoded`.

        Raises:
            HostError: prompt and answer are longer than the host can read.
        """
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
            if isinstance(self.host, GenericHost):
                done = decode_generic(self.host, adapters, rows, **options)
            else:
                done = decode_rows(self.host, adapters, rows, **options)
            tokens[chunk], log_probability[chunk] = done.tokens.cpu(), done.log_probability.cpu()
        return Decoded(tokens, log_probability)

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


def find_host(path: str | Path) -> Path:
    """The folder of a host: of a shipped one by its bare name, as given (``./petri`` is never the shipped one), or of a
    hub id.

    Raises:
        HostError: there is no such folder and no such id.
    """
    name = str(path)
    shipped = shipped_folder("models") / name
    if Path(name).name == name and shipped.is_dir():  # ahead of a folder that happens to have the name
        return shipped
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    parts = name.split("/")
    if len(parts) != 2 or not all(parts) or parts[0] in (".", "..", "~"):
        raise HostError("host folder not found", where=path, do="Check --host, or leave it out to use petri.")
    from huggingface_hub import snapshot_download

    wanted = ["*.json", "*.safetensors", "tokenizer.model"]
    try:
        return Path(snapshot_download(str(path), allow_patterns=wanted))
    except (OSError, ValueError) as error:
        raise HostError(
            "host is neither a folder nor a hub model that can be had", where=path, do="Check the name and the network."
        ) from error
