"""What society costs: CPU seconds per episode of a world with every mechanism on, over those of one with all off.

    python benchmarks/society_cost.py [--generations 32] [--seeds 4] [--json FILE] [--csv FILE]

The two worlds of a seed take turns, generation by generation, so that other load on the machine hits both of them. The
frequencies are the defaults of each mechanism; what is on is in `EVERYTHING`. Wanted: at most .35 more, in the mean
over seeds, without the trials of children: these are no part of society, and how many there are differs between any two
worlds by chance. The figure with them is printed too. Intervals are 95 % t intervals over seeds.

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


class Meter:
    """A world, and the CPU seconds that it took, with and without the trials of children."""

    def __init__(self, host: HostService, seed: int, settings: dict[str, object]) -> None:
        self.world = EcologyModel("ecology", rng=seed, host=host, **settings)
        self.all = self.at_gate = 0.0
        self._judge = self.world.gatehouse.judge
        self.world.gatehouse.judge = self._timed  # type: ignore[method-assign]

    def _timed(self, world: EcologyModel) -> None:
        began = time.process_time()
        self._judge(world)
        self.at_gate += time.process_time() - began

    def step(self) -> None:
        began = time.process_time()
        self.world.step()
        self.all += time.process_time() - began

    def row(self, seed: int, society: str) -> dict[str, Any]:
        """A line of the results, in CPU milliseconds per episode."""
        episodes = int(self.world.totals["episodes"])
        return {
            "seed": seed,
            "society": society,
            "episodes": episodes,
            "ms": round(1000 * (self.all - self.at_gate) / episodes, 4),
            "ms_with_trials": round(1000 * self.all / episodes, 4),
        }


def pair(host: HostService, seed: int, generations: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Rows of both worlds, off first."""
    off, on = (Meter(host, seed, settings) for settings in ({}, EVERYTHING))
    for _ in range(generations):
        off.step()
        on.step()
    rows = off.row(seed, "off"), on.row(seed, "on")
    for row in rows:
        print(f"seed {seed}, {row['society']}: {row['ms']:.2f} ms per episode, {row['ms_with_trials']:.2f} with trials")
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--generations", type=int, default=32, help="of either world; the rarest mechanism acts every 32"
    )
    parser.add_argument("--seeds", type=int, default=4, help="pairs of worlds")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    host = HostService.load("petri", device="cpu")
    with tuned_cpu(threads=1):
        pairs = [pair(host, seed, arguments.generations) for seed in range(arguments.seeds)]
    share = {name: t_interval([on[name] / off[name] - 1 for off, on in pairs]) for name in ("ms", "ms_with_trials")}
    for name, found in share.items():
        print(f"{name}: {100 * found.mean:+.1f} % [{100 * found.low:+.1f}, {100 * found.high:+.1f}] more")
    gates = [Gate("more CPU per episode with everything on", share["ms"].mean, _BOUND, False)]
    rows = [row for both in pairs for row in both]
    write(rows, gates, machine(), json_file=arguments.json, csv_file=arguments.csv)
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
