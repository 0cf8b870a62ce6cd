"""How fast the host service is, against its own loop without adapters, transformers, and PEFT.

    python benchmarks/host_throughput.py [--quick] [--rounds 5] [--only PART] [--json FILE] [--csv FILE]

The work is the same for everybody: 256 prompts for 32 adapters, 24 new tokens each, greedy, no stop token.

* t128: a random Qwen3 of 0.8 million weights, prompts of 20 to 60 random tokens, adapters on all linear
  layers (rank 8) and on attention alone (rank 4). What must hold is checked here and in `trace`; when it does
  not, the exit code is 1.
* trace: the same with sampling, with and without the trace that learning rules read.
* petri: the shipped host, its default sites at rank 4, prompts of real tasks.
* growth: more organelles at 8 rows each, and more rows.

CPU seconds of one thread, routes alternated, ratios paired by round, medians over rounds. "stock" is torch as
it comes, with fused attention (SDPA) for transformers and PEFT; "tuned" has our CPU settings, with plain
("eager") attention for them, because those settings slow the fused one down. PEFT's routes that use one
adapter at a time are run for some of the adapters and scaled up. `--quick` runs the first two parts,
transformers and PEFT stock only and once each; it takes 35 seconds of one core.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

import peft
import torch
import transformers
from common import Gate, Route, Timing, alternate, machine, ratio, show_gates, show_timings, write
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from evolora_mesa.config import WorldConfig
from evolora_mesa.host import AdapterBank, HostService, TokenTrace
from evolora_mesa.host.architecture import Architecture
from evolora_mesa.host.sites import lean_sites
from evolora_mesa.host.text import TextCodec
from evolora_mesa.host.weights import host_from_tensors
from evolora_mesa.shipped import shipped_folder
from evolora_mesa.tasks import SHIPPED, Pool, TaskSource

ADAPTERS, ROWS_EACH, NEW_TOKENS = 32, 8, 24
PARTS = ("t128", "trace", "petri", "growth")
OURS, OURS_ATTENTION = "service, all linear r8", "service, attention r4"
BARE_LOOP = "own loop, no adapters"
ATTENTION = ["all.q_proj", "all.k_proj", "all.v_proj", "all.o_proj"]
VOCABULARY = 264


@dataclass(frozen=True)
class Work:
    """Token lists, and the slot (from 1) of the adapter that answers each."""

    prompts: list[list[int]]
    slots: torch.Tensor

    @property
    def tokens(self) -> int:
        return len(self.prompts) * NEW_TOKENS

    @classmethod
    def random(cls, adapters: int, rows_each: int) -> Work:
        """Prompts of 20 to 60 tokens."""
        rng = random.Random(2)
        count = adapters * rows_each
        prompts = [[rng.randrange(1, 256) for _ in range(rng.randint(20, 60))] for _ in range(count)]
        return cls(prompts, torch.arange(1, adapters + 1).repeat_interleave(rows_each))

    @classmethod
    def of_tasks(cls, codec: TextCodec) -> Work:
        """Prompts of all shipped families at depths 1 to 4."""
        rng, source, families = random.Random(2), TaskSource(SHIPPED), list(SHIPPED)
        texts = [
            source.draw(Pool.LIVE, rng.choice(families), rng.randint(1, 4), rng).prompt
            for _ in range(ADAPTERS * ROWS_EACH)
        ]
        return cls(codec.encode(texts), torch.arange(1, ADAPTERS + 1).repeat_interleave(ROWS_EACH))


# ---------------------------------------------------------------------- hosts and adapters


def random_host() -> tuple[HostService, Any]:
    """The 0.8M benchmark host, and the transformers model it was made from."""
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=128,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        intermediate_size=384,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.09,  # large enough for answers that depend on the prompt
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = transformers.Qwen3ForCausalLM(config)
    arch = Architecture.from_config(config.to_dict())
    host = host_from_tensors(arch, model.state_dict(), dtype=torch.float32, device=torch.device("cpu"))
    codec = TextCodec(Tokenizer(WordLevel({"?": 0}, "?")), [], VOCABULARY, stop_at_newline=False)
    return HostService(host, codec, lean_sites(arch), name="t128"), model


def filled_bank(service: HostService, sites: Sequence[str], rank: int, adapters: int = ADAPTERS) -> AdapterBank:
    """Slots 1 to ``adapters`` with a random adapter each."""
    bank = service.new_bank(sites, capacity=adapters + 1, max_rank=rank, scaling=2.0)
    generator = torch.Generator().manual_seed(1)
    slots = bank.allocate(adapters, rank, generator)
    for b in bank.b.values():
        b[slots] = 0.05 * torch.randn(b[slots].shape, generator=generator)
    return bank


def peft_model(model: Any, bank: AdapterBank, rank: int) -> Any:
    """The same adapters as a PEFT model; they are named by slot."""
    options = {
        "r": rank,
        "lora_alpha": bank.scaling * rank,
        "target_modules": [site.name for site in bank.sites],
    }
    settings = peft.LoraConfig(task_type="CAUSAL_LM", **options)
    wrapped = peft.get_peft_model(model, settings, adapter_name="1")
    for slot in bank.used_slots()[1:]:
        wrapped.add_adapter(str(slot), settings)
    layers = dict(wrapped.base_model.model.named_modules())
    with torch.no_grad():
        for slot in bank.used_slots():
            for name, (a, b) in bank.read(slot).items():
                layers[name].lora_A[str(slot)].weight.copy_(a)
                layers[name].lora_B[str(slot)].weight.copy_(b)
    return wrapped.eval()


# ---------------------------------------------------------------------- the routes


def ours(
    service: HostService,
    work: Work,
    bank: AdapterBank | None,
    temperature: float = 0.0,
    trace: TokenTrace | None = None,
) -> torch.Tensor:
    """``[rows, NEW_TOKENS]`` tokens from the host service."""
    slots = work.slots if bank is not None else torch.zeros_like(work.slots)
    options = {"temperature": temperature, "max_new_tokens": NEW_TOKENS, "trace": trace}
    answered = service.decode(slots, work.prompts, torch.arange(slots.numel()), bank, **options)
    if trace is not None:
        trace.flatten()
    return answered.tokens


@torch.no_grad()
def theirs(model: Any, prompts: Sequence[list[int]], attention: str, **options: Any) -> torch.Tensor:
    """The same from `generate` of transformers or PEFT; prompts left padded into one batch."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    model.config._attn_implementation = attention
    out = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=NEW_TOKENS, do_sample=False, **options)
    return out[:, longest:]


def one_adapter_at_a_time(wrapped: Any, work: Work, attention: str, adapters: int, batched: bool) -> None:
    """`set_adapter` for each of the first ``adapters``, then its prompts, together or one by one."""
    for slot in range(1, adapters + 1):
        wrapped.set_adapter(str(slot))
        mine = [work.prompts[row] for row in (work.slots == slot).nonzero().flatten().tolist()]
        for prompts in [mine] if batched else [[prompt] for prompt in mine]:
            theirs(wrapped, prompts, attention)


def their_routes(model: Any, bank: AdapterBank, rank: int, work: Work, quick: bool) -> list[Route]:
    """transformers without adapters, and PEFT in its three ways, each as it comes and tuned."""
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = None, 0
    model.eval()
    # PEFT changes the model in place, so the bare one is a copy.
    bare = type(model)(model.config).eval()
    bare.load_state_dict(model.state_dict())
    bare.generation_config = model.generation_config
    wrapped = peft_model(model, bank, rank)
    names = [str(slot) for slot in work.slots.tolist()]
    batches, singles = (4, 1) if quick else (8, 2)  # adapters in the samples
    routes = []
    for tuned, attention in ((False, "sdpa"), (True, "eager")):
        word = "tuned" if tuned else "stock"

        def add(name: str, run: Callable[[], object], adapters: int = ADAPTERS, tuned: bool = tuned) -> None:
            routes.append(Route(name, run, work.tokens, tuned, ADAPTERS / adapters))

        add(f"transformers, no adapters, {word}", lambda a=attention: theirs(bare, work.prompts, a))
        if tuned and quick:
            continue
        add(
            f"PEFT mixed batch, {word}",
            lambda a=attention: theirs(wrapped, work.prompts, a, adapter_names=names),
        )
        add(
            f"PEFT set_adapter, 8 rows together, {word}",
            lambda a=attention: one_adapter_at_a_time(wrapped, work, a, batches, True),
            batches,
        )
        add(
            f"PEFT set_adapter, batch 1, {word}",
            lambda a=attention: one_adapter_at_a_time(wrapped, work, a, singles, False),
            singles,
        )
    return routes


def agreement(service: HostService, bank: AdapterBank, routes: Sequence[Route], work: Work) -> float:
    """Share of rows that PEFT's mixed batch answers with the same tokens as we do; warms both up."""
    mixed = next(route for route in routes if route.name == "PEFT mixed batch, stock")
    return float((ours(service, work, bank) == mixed.run()).all(1).float().mean())


# ---------------------------------------------------------------------- the parts


def show_peft(timings: dict[str, Timing]) -> None:
    """How far PEFT is behind with its own settings and with ours; the gates look at the former."""
    for name in ("PEFT mixed batch", "PEFT set_adapter, batch 1"):
        for word, peer in (("stock", OURS), ("stock", f"{OURS}, stock"), ("tuned", OURS)):
            if f"{name}, {word}" in timings:
                print(f"{name}, {word}, over {peer}: {ratio(timings[f'{name}, {word}'], timings[peer]):.2f}")


def table(part: str, timings: dict[str, Timing], reference: str) -> list[dict[str, Any]]:
    """Rows of one part, printed."""
    rows = [timing.row(part, timings[reference]) for timing in timings.values()]
    show_timings(part, rows, reference)
    return rows


def measure_t128(rounds: int, quick: bool) -> tuple[list[dict[str, Any]], list[Gate]]:
    """Everybody on the benchmark host."""
    service, model = random_host()
    work = Work.random(ADAPTERS, ROWS_EACH)
    all_linear, attention = filled_bank(service, ["all-linear"], 8), filled_bank(service, ATTENTION, 4)
    our_routes = [
        Route(BARE_LOOP, lambda: ours(service, work, None), work.tokens),
        Route(OURS_ATTENTION, lambda: ours(service, work, attention), work.tokens),
        Route(OURS, lambda: ours(service, work, all_linear), work.tokens),
    ]
    routes = their_routes(model, all_linear, 8, work, quick)
    same = agreement(service, all_linear, routes, work)
    untuned = Route(f"{OURS}, stock", lambda: ours(service, work, all_linear), work.tokens, tuned=False)
    # Ours differ by tens of per cent, theirs by hundreds, so ours get more rounds. First, which warms them.
    close = alternate(our_routes, 4 if quick else 2 * rounds)
    timings = alternate([*our_routes, untuned, *routes], 1 if quick else rounds, warm=not quick)
    rows = table("t128", timings, OURS) + table("t128, ours alone", close, BARE_LOOP)
    bare = min(ratio(timings[f"transformers, no adapters, {word}"], timings[OURS]) for word in ("stock", "tuned"))
    show_peft(timings)
    gates = [
        Gate("rows that PEFT answers with the same tokens", same, 0.98, True),
        Gate(
            "PEFT mixed batch (stock) over service",
            ratio(timings["PEFT mixed batch, stock"], timings[OURS]),
            5,
            True,
        ),
        Gate(
            "PEFT batch 1 (stock) over service",
            ratio(timings["PEFT set_adapter, batch 1, stock"], timings[OURS]),
            30,
            True,
        ),
        Gate("transformers without adapters (the faster of stock and tuned) over service", bare, 1, True),
        Gate("all linear r8 over own loop without adapters", ratio(close[OURS], close[BARE_LOOP]), 1.35, False),
        Gate(
            "attention r4 over own loop without adapters",
            ratio(close[OURS_ATTENTION], close[BARE_LOOP]),
            1.15,
            False,
        ),
    ]
    return rows, gates


def measure_trace(rounds: int, quick: bool) -> tuple[list[dict[str, Any]], list[Gate]]:
    """Sampled answers with and without what a learning rule wants to see."""
    service, _ = random_host()
    work = Work.random(ADAPTERS, ROWS_EACH)
    bank = filled_bank(service, ["all-linear"], 8)
    without, with_trace = "sampled, all linear r8", "with inputs and probabilities"
    variants = {
        without: lambda: None,
        with_trace: TokenTrace,
        "with outputs too": lambda: TokenTrace(wants_output=True),
    }
    routes = [
        Route(name, lambda make=make: ours(service, work, bank, 1.0, make()), work.tokens)
        for name, make in variants.items()
    ]
    timings = alternate(routes, 3 if quick else 2 * rounds, warm=not quick)
    gate = Gate("trace over generation without", ratio(timings[with_trace], timings[without]), 1.10, False)
    return table("trace", timings, without), [gate]


def measure_petri(rounds: int, quick: bool) -> tuple[list[dict[str, Any]], list[Gate]]:
    """Everybody on the shipped host, if it is there."""
    folder = shipped_folder("models") / "petri"
    if not folder.is_dir():
        print(f"no host at {folder}, so no petri table")
        return [], []
    service = HostService.load(folder)
    service.codec.stop = torch.zeros_like(service.codec.stop)  # everybody writes all 24 tokens
    sites, rank = WorldConfig().adapter.sites, WorldConfig().adapter.rank
    bank, work = filled_bank(service, sites, rank), Work.of_tasks(service.codec)
    name = f"service, r{rank}"
    our_routes = [
        Route(BARE_LOOP, lambda: ours(service, work, None), work.tokens),
        Route(name, lambda: ours(service, work, bank), work.tokens),
        Route(f"{name}, sampled", lambda: ours(service, work, bank, 1.0), work.tokens),
        Route(f"{name}, sampled, traced", lambda: ours(service, work, bank, 1.0, TokenTrace()), work.tokens),
    ]
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    routes = their_routes(model, bank, rank, work, quick)
    print(f"petri: {agreement(service, bank, routes, work):.0%} of rows answered with the same tokens as PEFT")
    timings = alternate([*our_routes, *routes], 1 if quick else rounds, warm=not quick)
    print(f"petri: adapters at {', '.join(sites)}")
    return table("petri", timings, name), []


def measure_growth(rounds: int, quick: bool) -> tuple[list[dict[str, Any]], list[Gate]]:
    """Tokens per second against the number of organelles and of rows."""
    service, _ = random_host()
    banks = {count: filled_bank(service, ATTENTION, 4, count) for count in (1, 8, ADAPTERS, 128, 512)}
    sizes = [(count, ROWS_EACH, f"{count} organelles x 8 rows") for count in banks if count > 1]
    sizes += [(min(rows, ADAPTERS), -(-rows // ADAPTERS), f"rows: {rows}") for rows in (1, 8, 64, 512, 4096)]
    routes = []
    for adapters, rows_each, name in sizes:
        work, bank = Work.random(adapters, rows_each), banks[adapters]
        routes.append(Route(name, lambda work=work, bank=bank: ours(service, work, bank), work.tokens))
    return table("growth", alternate(routes, 1 if quick else rounds), "8 organelles x 8 rows"), []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="under 45 seconds: parts t128 and trace, few rounds")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of every route (default 5)")
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--json", type=Path, help="write rows, gates and the machine here")
    parser.add_argument("--csv", type=Path, help="write the rows here")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: expected at least 1")
    warnings.filterwarnings("ignore", module="peft|transformers")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)  # two threads on a busy machine wait for one another
    facts = machine()
    measures = {
        "t128": measure_t128,
        "trace": measure_trace,
        "petri": measure_petri,
        "growth": measure_growth,
    }
    parts = [options.only] if options.only else PARTS[:2] if options.quick else PARTS
    rows: list[dict[str, Any]] = []
    gates: list[Gate] = []
    for part in parts:
        found, checked = measures[part](options.rounds, options.quick)
        rows += found
        gates += checked
    write(rows, gates, facts, json_file=options.json, csv_file=options.csv)
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
