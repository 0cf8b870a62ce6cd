"""How fast digital organisms are executed, and the long experiment that needs it.

    python benchmarks/alife_vm.py [--updates 1000] [--rounds 3] [--json FILE] [--csv FILE]
    python benchmarks/alife_vm.py --lenski 50 [--updates 100000] [--first-seed 0]

* speed: millions of instructions per CPU second in worlds of 20 × 20 and 60 × 60 that have grown full, log and all;
  wanted at least 3 on 20 × 20. Avida itself did 5.8 and 3.2 on the machine of our research note. Without numba a world
  of 12 × 12 is timed, and nothing wanted.
* `--lenski K`: Lenski, Ofria, Pennock & Adami (2003), K populations of 3,600 organisms over 100,000 updates with all
  nine tasks rewarded, and K with EQU alone. Published: EQU evolved in 23 of 50, and in 0 of 50. An hour a population.

Exits with 1 when the bound is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from common import Gate, machine, show_gates, write

from evolora_mesa.alife.digital_organisms import DigitalOrganisms
from evolora_mesa.alife.digital_organisms.genome import ancestor
from evolora_mesa.alife.digital_organisms.jit import COMPILED
from evolora_mesa.alife.digital_organisms.tasks import TASKS

_FULL = 300  # updates until every cell is taken
_LOOK_EVERY = 100  # updates


def speed(side: int, updates: int, seed: int) -> float:
    """Millions of instructions per CPU second in a full world."""
    model = DigitalOrganisms(rng=seed, width=side, height=side)
    while model.tick < _FULL:
        model.step()
    executed, began = model.executed, time.process_time()
    while model.tick < _FULL + updates:
        model.step()
    return (model.executed - executed) / (time.process_time() - began) / 1e6


def lenski(seed: int, updates: int, rewarded: tuple[str, ...]) -> int | None:
    """The update by which somebody was seen to solve EQU; None if nobody was."""
    model = DigitalOrganisms(
        rng=seed, record=False, width=60, height=60, genome=ancestor(50), copy_mutation=0.0025, rewarded=rewarded
    )
    while model.tick < updates and model.running:
        model.step()
        if model.tick % _LOOK_EVERY == 0 and model.solvers("EQU"):
            return model.tick
    return None


def experiment(populations: int, updates: int, first_seed: int) -> None:
    """Both treatments, a line a population as soon as it is known."""
    for name, rewarded in (("all tasks", TASKS), ("EQU alone", ("EQU",))):
        evolved = 0
        for seed in range(first_seed, first_seed + populations):
            found = lenski(seed, updates, rewarded)
            evolved += found is not None
            print(f"{name}, seed {seed}: " + ("no EQU" if found is None else f"EQU by update {found}"), flush=True)
        print(f"{name}: EQU in {evolved} of {populations}", flush=True)


def main() -> int:
    """Measure, print, compare with the bound."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--updates", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lenski", type=int, metavar="K")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    asked = parser.parse_args()
    if asked.lenski:
        experiment(asked.lenski, asked.updates or 100_000, asked.first_seed)
        return 0
    facts, rows = machine(), []
    updates, sides = asked.updates or (1000 if COMPILED else 20), (20, 60) if COMPILED else (12,)
    for side in sides:
        shared = max(updates * sides[0] ** 2 // side**2, 10)  # as many instructions in each world
        rounds = [speed(side, shared, seed) for seed in range(asked.rounds)]
        rows.append({"world": f"{side} × {side}", "numba": COMPILED, "millions": round(statistics.median(rounds), 2)})
        print(f"{side} × {side}: {rows[-1]['millions']} million instructions per CPU second")
    gates = [Gate("million instructions per CPU second, 20 × 20", rows[0]["millions"], 3.0, True)] if COMPILED else []
    write(rows, gates, facts, json_file=asked.json, csv_file=asked.csv)
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
