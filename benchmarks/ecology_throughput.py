"""How fast a whole world runs, against the bare host call and against its own size.

    python benchmarks/ecology_throughput.py [--rounds 5] [--json FILE] [--csv FILE]

Three ratios, each measured within one run and alternated, in CPU seconds of one thread:

* share: episodes per second of a whole generation (foraging, host, grading, energy, learning, turnover, records) over
  those of `HostService.answer` alone on the same prompts and adapters, at 64 organelles; wanted at least .60;
* living: the same share in a world that bears children and tests them, with answers to gate prompts counted as episodes
  and reported apart; wanted at least .60;
* growth: cost per episode with 512 organelles over that with 32; wanted at most 1.2.

Exits with 1 when a ratio is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from common import Gate, machine, show_gates, write

from evolora_mesa import EcologyModel
from evolora_mesa.host import HostService, Request
from evolora_mesa.workload import Workload

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


class Living:
    """A world of 64 that bears children and judges them; every host call is made once more, bare, and timed apart."""

    def __init__(self) -> None:
        host = HostService.load("petri")
        self.model = EcologyModel(
            "ecology",
            rng=0,
            host=host,
            **{
                "population.initial": 64,
                "population.maximum": 80,
                "reproduction.births": 8,
                "reproduction.cooldown": 0,
                "reproduction.maturity": 0,
                "gate.most_trials": 8,
                "gate.screen": False,
                "gate.grant_inflow": 40.0,
                "gate.grant_limit": 1000.0,
                "economy.ticket": 0.0,
                "economy.endowment": 1000.0,
                "diversity.tuning": False,
            },
        )
        self.raw, self.calls, self._answer = 0.0, 0, host.answer
        host.answer = self._twice

    def _twice(self, requests, bank=None, *, trace=None, **options):
        self.calls += 1
        first = self.calls % 2  # whoever comes second finds the caches warm
        if first:
            self._bare(requests, bank, options)
        answers = self._answer(requests, bank, trace=trace, **options)
        if not first:
            self._bare(requests, bank, options)
        return answers

    def _bare(self, requests, bank, options) -> None:
        began = time.process_time()
        self._answer(requests, bank, **options)
        self.raw += time.process_time() - began

    def step(self) -> tuple[float, int, int]:
        """Share of the bare host's speed, episodes, and answers to gate prompts of one generation."""
        self.raw = 0.0
        began = time.process_time()
        self.model.step()
        spent = time.process_time() - began - self.raw
        return self.raw / spent, self.model.tally.episodes, self.model.tally.gate_rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    host = HostService.load("petri")
    worlds = {size: world(host, size) for size in SIZES}
    for model in worlds.values():
        for _ in range(WARM_UP):
            model.step()
    costs: dict[int, list[float]] = {size: [] for size in SIZES}
    shares, growths, lives = [], [], []
    living = Living()
    for _ in range(WARM_UP + 5):  # until trials are under way
        living.step()
    for _ in range(options.rounds):
        for size in SIZES:
            costs[size].append(seconds_per_episode(worlds[size]))
        shares.append(raw_seconds_per_episode(worlds[64]) / costs[64][-1])
        growths.append(costs[512][-1] / costs[32][-1])
        lives.append(living.step())
    rows = [
        {"organelles": size, "episodes_per_cpu_second": 1 / statistics.median(values), "rounds": len(values)}
        for size, values in costs.items()
    ]
    for row in rows:
        print(f"{row['organelles']:4d} organelles: {row['episodes_per_cpu_second']:7.0f} episodes per CPU second")
    episodes, gate_answers = (round(statistics.mean(column)) for column in list(zip(*lives, strict=True))[1:])
    print(f"  64 organelles with children on trial: {episodes} episodes and {gate_answers} gate answers a generation")
    gates = [
        Gate("share of the raw host's episodes per second at 64 organelles", statistics.median(shares), 0.60, True),
        Gate("the same share with births, trials and gates", statistics.mean(row[0] for row in lives), 0.60, True),
        Gate("cost per episode, 512 over 32 organelles", statistics.median(growths), 1.2, False),
    ]
    write(rows, gates, machine(), json_file=options.json, csv_file=options.csv)
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
