"""What a child costs at the shapes of Qwen3-0.6B: merge and change of rank, against the full SVD of every ΔW.

    python benchmarks/merge_cost.py [--rounds 5] [--json FILE] [--csv FILE]

One adapter of rank 8 on the seven linear layers of each of 28 decoder layers, 196 sites, in CPU seconds of one thread.
The full SVD is run on the seven layers of one decoder layer and multiplied by 28; all decoder layers have the same
shapes. Our routes work on all 196 sites, and include reading the bank, checking for NaN and writing the child.

Exits with 1 when a merge or a change of rank takes 0.2 CPU seconds or more.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

import torch
from common import Gate, Route, alternate, machine, show_gates, write

from evolora_mesa.evolution.crossover import cross
from evolora_mesa.evolution.merging import MERGES, merge
from evolora_mesa.evolution.mutation import MUTATIONS, mutate
from evolora_mesa.host import AdapterBank
from evolora_mesa.host.sites import Site

LAYERS, RANK = 28, 8
HIDDEN, QUERY, KEY, INNER = 1024, 2048, 1024, 3072
SHAPES = {  # d_in, d_out
    "q_proj": (HIDDEN, QUERY),
    "k_proj": (HIDDEN, KEY),
    "v_proj": (HIDDEN, KEY),
    "o_proj": (QUERY, HIDDEN),
    "gate_proj": (HIDDEN, INNER),
    "up_proj": (HIDDEN, INNER),
    "down_proj": (INNER, HIDDEN),
}
MOST_SECONDS = 0.2
FULL = "merge by full SVD"


def qwen_bank() -> AdapterBank:
    """Two parents in slots 1 and 2, room for a child in slot 3."""
    sites = [
        Site(f"model.layers.{layer}.{name}", layer, name, 0, d_out, d_in, d_out)
        for layer in range(LAYERS)
        for name, (d_in, d_out) in SHAPES.items()
    ]
    bank = AdapterBank(sites, capacity=4, max_rank=RANK)
    generator = torch.Generator().manual_seed(0)
    bank.allocate(3, RANK, generator)
    for site in sites:
        bank.b[site.name][1:3] = torch.randn(2, site.d_out, RANK, generator=generator)
    return bank


def full_svd(bank: AdapterBank) -> None:
    """The svd merge of one decoder layer the direct way: form the sum of both ΔW, decompose, cut."""
    for name in SHAPES:
        a, b = bank.a[f"model.layers.0.{name}"], bank.b[f"model.layers.0.{name}"]
        left, values, right = torch.linalg.svd(0.5 * (b[1] @ a[1] + b[2] @ a[2]), full_matrices=False)
        a[3], b[3] = right[:RANK], left[:, :RANK] * values[:RANK]


def routes(bank: AdapterBank) -> list[Route]:
    """Every operator on the whole adapter; the full SVD on one layer of 28."""
    both, child, generator = torch.tensor([[1, 2]]), torch.tensor([3]), torch.Generator().manual_seed(0)

    def merged(operator: str) -> None:
        merge(bank, both, child, operator=operator, generator=generator)

    def mutated(kind: str) -> None:
        mutate(bank, both[:, 0], child, kinds=[kind], strength=torch.tensor([0.03]), seeds=[0])

    def crossed(operator: str) -> None:
        cross(bank, both, child, operator=operator, generator=generator)

    found = [Route(FULL, lambda: full_svd(bank), 0, scale=LAYERS)]
    found += [Route(f"merge: {name}", lambda name=name: merged(name), 0) for name in MERGES if name != "concat"]
    found += [Route(f"mutation: {name}", lambda name=name: mutated(name), 0) for name in MUTATIONS]
    found.append(Route("crossover: rank_component", lambda: crossed("rank_component"), 0))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    everything = routes(qwen_bank())
    timings = alternate(everything[1:], options.rounds) | alternate(everything[:1], 1, warm=False)
    full = statistics.median(timings[FULL].cpu)
    rows = []
    for name, timing in timings.items():
        seconds = statistics.median(timing.cpu)
        rows.append(
            {
                "route": name,
                "cpu_seconds": round(seconds, 4),
                "full_svd_over_it": round(full / seconds, 1),
                "rounds": len(timing.cpu),
                "scaled_by": timing.scale,
            }
        )
        note = "  (one decoder layer, times 28)" if timing.scale != 1 else ""
        print(f"{name:<28} {seconds:8.3f} CPU s{note}")
    cost = {row["route"]: row["cpu_seconds"] for row in rows}
    gates = [
        Gate("CPU seconds of an svd merge of one adapter, 196 sites", cost["merge: svd"], MOST_SECONDS, False),
        Gate("CPU seconds of a change of rank of one adapter", cost["mutation: rank"], MOST_SECONDS, False),
        Gate("full SVD over svd merge", full / cost["merge: svd"], 100, True),
    ]
    write(rows, gates, machine(), json_file=options.json, csv_file=options.csv)
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
