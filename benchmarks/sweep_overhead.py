"""What a sweep adds to its runs: seconds per run, and what a second worker gains; beside the real `mesa.batch_run`.

    python benchmarks/sweep_overhead.py [--rounds 3] [--generations 60] [--json FILE] [--csv FILE]

The eight runs of the shipped sweep `smoke`, or their model alone where Mesa runs it:

* overhead: seconds from one end to the next with one worker, less those of the run itself, after the first;
  wanted at most .5;
* speed-up: runs per second with two workers over those with one, in longer runs, without the start; wanted at least
  1.8, on a machine that does nothing else;
* the same eight runs by `mesa.batch_run` and by `evolora_mesa.batch_run`, seconds for all, start included.

Exits with 1 when a bound is missed.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from common import Gate, machine, show_gates, write

from evolora_mesa import EcologyModel, batch_run
from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.job import Job
from evolora_mesa.study.sweep.local import LocalEngine
from evolora_mesa.study.sweep.reading import read_spec


def ends(jobs: Sequence[Job], workers: int) -> tuple[list[float], list[float]]:
    """When each run ended, in seconds since all were asked for, and how long it took by itself."""
    moments: list[float] = []
    alone: list[float] = []
    waiting = [*jobs]
    with tempfile.TemporaryDirectory() as aside, LocalEngine(workers) as engine:
        began = time.perf_counter()
        while len(moments) < len(jobs):
            while waiting and engine.free:
                job = waiting.pop(0)
                engine.begin(job, Path(aside) / job.key)
            for job, result in engine.wait(1.0):
                if result.failure is not None:
                    raise SystemExit(f"run {job.key} failed: {result.error}")
                moments.append(time.perf_counter() - began)
                alone.append(result.wall_seconds)
    return moments, alone


def overhead(jobs: Sequence[Job]) -> tuple[float, float]:
    """Seconds per run that are not the run's, after the first; and seconds until the first had ended."""
    moments, alone = ends(jobs, 1)
    return (moments[-1] - moments[0] - sum(alone[1:])) / (len(jobs) - 1), moments[0]


def throughput(jobs: Sequence[Job], workers: int) -> float:
    """Runs per second, without the start: from the end of the run by which all workers were at work."""
    moments, _ = ends(jobs, workers)
    return (len(moments) - workers) / (moments[-1] - moments[workers - 1])


def batches(workers: int) -> dict[str, float]:
    """Seconds for eight smoke runs of three steps by either function."""
    import mesa

    given = {"config": "smoke", "host.threads": 1, "economy.ticket": [0.5, 1.5], "rng": [0, 1, 2, 3]}
    seconds: dict[str, float] = {}
    for name, batch, steps in (("mesa", mesa.batch_run, 2), ("ours", batch_run, 3)):  # Mesa runs one more
        began = time.perf_counter()
        batch(EcologyModel, given, number_processes=workers, max_steps=steps, display_progress=False)
        seconds[name] = time.perf_counter() - began
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--generations", type=int, default=60, help="of the runs that two workers share")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    jobs = Agenda(read_spec("smoke")).ready({})
    added, first = overhead(jobs)
    long = [dataclasses.replace(job, generations=arguments.generations) for job in jobs]
    gains = []
    for _ in range(arguments.rounds):
        one, two = (throughput(long, workers) for workers in (1, 2))
        gains.append(two / one)
    seconds = batches(2)
    gates = [
        Gate("seconds per run after the first that are not the run's", added, 0.5, False),
        Gate("runs per second with two workers over one", statistics.median(gains), 1.8, True),
        Gate(
            "seconds of mesa.batch_run over evolora_mesa.batch_run, two processes",
            seconds["mesa"] / seconds["ours"],
            1,
            True,
        ),
    ]
    results = [
        *({"figure": gate.what, "value": gate.value} for gate in gates),
        {"figure": "seconds until the first run had ended", "value": first},
        *(
            {"figure": f"seconds for eight smoke runs, batch_run of {name}", "value": value}
            for name, value in seconds.items()
        ),
    ]
    write(results, gates, machine(), json_file=arguments.json, csv_file=arguments.csv)
    for result in results[len(gates) :]:
        print(f"       {result['figure']}: {result['value']:.2f}")
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
