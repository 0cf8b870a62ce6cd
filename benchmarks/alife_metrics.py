"""How long metrics take on a log of a million events.

    python benchmarks/alife_metrics.py [--events 1000000] [--rounds 3] [--json FILE] [--csv FILE]

A neutral world of 1,000 agents, of whom 50 give birth and 50 die in every step; one child in twenty has a genotype of
its own. Wanted: at most 10 s for reading the log, all of activity without shadows, Hill numbers and MODES together; and
for 20 shadows of a log of 43,000 events a few seconds. CPU seconds of one thread, median over rounds.

Exits with 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from common import Gate, machine, show_gates, write

from evolora_mesa.alife.history import Clock, History
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics.activity import Waves
from evolora_mesa.alife.metrics.census import Census
from evolora_mesa.alife.metrics.diversity import hill_series
from evolora_mesa.alife.metrics.modes import modes
from evolora_mesa.alife.metrics.trend import trend
from evolora_mesa.alife.shadow import shadows

AGENTS, TURNED_OVER, MUTANTS = 1000, 50, 0.05


def neutral_log(events: int, *, agents: int = AGENTS, turned_over: int = TURNED_OVER, seed: int = 0) -> EventLog:
    """A log of about ``events`` births and deaths, not closed."""
    rng = np.random.default_rng(seed)
    log = EventLog(("birth", "death", "heredity"))
    ids, kinds, born, known = np.arange(agents), np.zeros(agents, int), agents, 1
    log.births(0, 0.0, ids)
    log.snapshot(0, 0.0, ids)
    for step in range(1, events // (2 * turned_over) + 1):
        now = step * turned_over / agents
        parents = rng.integers(agents, size=turned_over)
        children, theirs = np.arange(born, born + turned_over), kinds[parents]
        mutant = rng.random(turned_over) < MUTANTS
        theirs[mutant] = np.arange(known, known + mutant.sum())
        log.births(step, now, children, ids[parents], op=np.where(mutant, 2, 1), geno=theirs)
        victims = rng.choice(agents, turned_over, replace=False)
        log.deaths(step, now, ids[victims])
        ids[victims], kinds[victims] = children, theirs
        born, known = born + turned_over, known + int(mutant.sum())
        if step % 1000 == 0:
            log.snapshot(step, now, ids, geno=kinds)
    return log


def seconds(work: Callable[[], object], rounds: int) -> float:
    """CPU seconds of ``work``, median over rounds."""
    taken = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return statistics.median(taken)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    log = neutral_log(arguments.events)
    small = neutral_log(43_000, agents=400, turned_over=15).close()
    log.so_far()
    history = History.of(log.close(), "geno")
    clock = Clock.of(history)
    census = Census.of(history, clock)

    def activity() -> None:
        waves = Waves.of(history, clock, census=Census.of(history, clock))
        for series in (waves.diversity, waves.mean, waves.median):
            trend(waves.time, series)

    parts = {
        "closing the log": lambda: log_again(log),
        "history of the log": lambda: History.of(log, "geno"),
        "activity and its trends": activity,
        "Hill numbers 0, 1, 2": lambda: [hill_series(history, clock, q, census=census) for q in (0, 1, 2)],
        "MODES": lambda: modes(history, filter=100, resolution=5),
        "20 shadows of 43,000 events": lambda: list(shadows(History.of(small, "geno"), 20)),
    }
    taken = {what: seconds(work, arguments.rounds) for what, work in parts.items()}
    together = sum(list(taken.values())[1:5])
    gates = [
        Gate(f"seconds for activity, Hill numbers and MODES of {len(log):,} events", together, 10, False),
        Gate("seconds for 20 shadows of 43,000 events", taken["20 shadows of 43,000 events"], 5, False),
    ]
    rows = [{"figure": what, "cpu_seconds": value} for what, value in taken.items()]
    write(rows, gates, machine(), json_file=arguments.json, csv_file=arguments.csv)
    for row in rows:
        print(f"       {row['figure']}: {row['cpu_seconds']:.2f} s")
    return 0 if show_gates(gates) else 1


def log_again(log: EventLog) -> None:
    """Check all invariants once more."""
    log.closed = False
    log.close()


if __name__ == "__main__":
    sys.exit(main())
