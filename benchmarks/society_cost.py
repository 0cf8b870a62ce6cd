"""What society costs: CPU seconds per episode of a world with every mechanism on, over those of one with all off.

    python benchmarks/society_cost.py [--generations 25] [--seeds 3] [--json FILE] [--csv FILE]

The two worlds of a seed take turns, generation by generation, so that other load on the machine hits both of them. The
frequencies are the defaults of each mechanism; what is on is in `EVERYTHING`. Wanted: at most .35 more, in the mean
over seeds. The interval is a 95 % t interval over seeds.

Exits with 1 when the bound is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from common import Gate, machine, show_gates, write

from evolora_mesa import EcologyModel
from evolora_mesa.host import HostService
from evolora_mesa.host.cpu import tuned_cpu
from evolora_mesa.study.statistics import t_interval

_BOUND: Final = 0.35
EVERYTHING: Final[dict[str, object]] = {
    "society.colonies.enabled": True,
    "society.board.enabled": True,
    "society.knowledge.enabled": True,
    "society.knowledge.form": "opening",
    "society.policy.enabled": True,
    "society.policy.sampled": True,  # greedy policies on petri forbid reading, and then no hint would cost anything
    "society.policy.least_budget": 1.0,  # and work as much as the other world
    "society.policy.most_reserve": 0.0,
    "society.router.enabled": True,
    "society.orchestrator.enabled": True,
    "society.judge.enabled": True,
    "society.judge.likes": {"right": 1.0},
    "society.skills.enabled": True,
}


def pair(host: HostService, seed: int, generations: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Seconds and episodes of both worlds, off first."""
    worlds = [EcologyModel("ecology", rng=seed, host=host, **settings) for settings in ({}, EVERYTHING)]
    seconds = [0.0, 0.0]
    for _ in range(generations):
        for place, world in enumerate(worlds):
            began = time.process_time()
            world.step()
            seconds[place] += time.process_time() - began
    off, on = (
        {
            "seed": seed,
            "society": name,
            "cpu_seconds": round(spent, 4),
            "episodes": int(world.totals["episodes"]),
            "cpu_ms_per_episode": round(1000 * spent / world.totals["episodes"], 4),
        }
        for name, spent, world in zip(("off", "on"), seconds, worlds, strict=True)
    )
    return off, on


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generations", type=int, default=25, help="of either world")
    parser.add_argument("--seeds", type=int, default=3, help="pairs of worlds")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    host = HostService.load("petri", device="cpu")
    with tuned_cpu(threads=1):
        pairs = [pair(host, seed, arguments.generations) for seed in range(arguments.seeds)]
    more = [on["cpu_ms_per_episode"] / off["cpu_ms_per_episode"] - 1 for off, on in pairs]
    found = t_interval(more)
    for (off, on), share in zip(pairs, more, strict=True):
        print(
            f"seed {off['seed']}: {off['cpu_ms_per_episode']:.2f} ms per episode off, "
            f"{on['cpu_ms_per_episode']:.2f} on: {100 * share:+.1f} %"
        )
    print(f"mean {100 * found.mean:+.1f} % [{100 * found.low:+.1f}, {100 * found.high:+.1f}]")
    gates = [Gate("more CPU per episode with everything on", found.mean, _BOUND, False)]
    rows = [row for both in pairs for row in both]
    write(rows, gates, machine(), json_file=arguments.json, csv_file=arguments.csv)
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
