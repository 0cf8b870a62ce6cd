"""How fast a whole world runs, against the bare host call and against its own size.

    python benchmarks/ecology_throughput.py [--rounds 5] [--json FILE]

Two ratios, each measured within one run and alternated, in CPU seconds of one thread:

* share: episodes per second of a whole generation (foraging, host, grading, energy, learning, turnover, records) over
  those of `HostService.answer` alone on the same prompts and adapters, at 64 organelles; wanted at least .60;
* growth: cost per episode with 512 organelles over that with 32; wanted at most 1.2.

Exits with 1 when a ratio is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import torch

from evolora_mesa import EcologyModel
from evolora_mesa.host import HostService, Request
from evolora_mesa.workload import Workload

SMALLEST_SHARE, LARGEST_GROWTH = 0.60, 1.2
SIZES = (32, 64, 512)
WARM_UP = 3  # generations: the first ones compile nothing but fill caches and tables


class Watched(EcologyModel):
    """A world that remembers its last workload and never changes its size."""

    last: Workload

    def work(self, cells):
        self.last = super().work(cells)
        return self.last


def world(host: HostService, organelles: int) -> Watched:
    """``organelles`` that neither die nor reproduce."""
    return Watched(
        "ecology",
        rng=0,
        host=host,
        **{
            "population.initial": organelles,
            "population.maximum": organelles,
            "reproduction.enabled": False,
            "economy.ticket": 0.0,
            "economy.endowment": 1000.0,
        },
    )


def seconds_per_episode(model: Watched) -> float:
    """CPU seconds of one whole generation over its episodes."""
    began = time.process_time()
    model.step()
    return (time.process_time() - began) / model.tally.episodes


def raw_seconds_per_episode(model: Watched) -> float:
    """CPU seconds of answering the last generation's prompts again, nothing else."""
    rows = list(zip(model.last.slots.tolist(), model.last.tasks, strict=True))
    requests = [Request(slot, task.prompt, number) for number, (slot, task) in enumerate(rows)]
    began = time.process_time()
    model.host.answer(requests, model.bank, temperature=1.0)
    return (time.process_time() - began) / len(requests)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    host = HostService.load("petri")
    worlds = {size: world(host, size) for size in SIZES}
    for model in worlds.values():
        for _ in range(WARM_UP):
            model.step()
    costs: dict[int, list[float]] = {size: [] for size in SIZES}
    shares, growths = [], []
    for _ in range(options.rounds):
        for size in SIZES:
            costs[size].append(seconds_per_episode(worlds[size]))
        shares.append(raw_seconds_per_episode(worlds[64]) / costs[64][-1])
        growths.append(costs[512][-1] / costs[32][-1])
    share, growth = statistics.median(shares), statistics.median(growths)
    result = {
        "share_of_raw_host": share,
        "growth_512_over_32": growth,
        "episodes_per_cpu_second": {size: 1 / statistics.median(values) for size, values in costs.items()},
        "rounds": options.rounds,
        "machine": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "processor": platform.machine(),
            "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        },
    }
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for size, rate in result["episodes_per_cpu_second"].items():
        print(f"{size:4d} organelles: {rate:7.0f} episodes per CPU second, everything included")
    print(f"share of the raw host at 64 organelles: {share:.2f} (wanted >= {SMALLEST_SHARE})")
    print(f"cost per episode, 512 over 32 organelles: {growth:.2f} (wanted <= {LARGEST_GROWTH})")
    return 0 if share >= SMALLEST_SHARE and growth <= LARGEST_GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
