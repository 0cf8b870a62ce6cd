"""What writing everything down costs a run, and whether its memory stays flat.

    python benchmarks/record_overhead.py [--generations 60] [--long 5000] [--json FILE] [--csv FILE]

Three figures, in CPU seconds of one thread:

* overhead: seconds in the recorder and in checkpoints over those of the rest of the run, the world `ecology` with
  every episode and every transfer kept; wanted at most .05;
* rows: rows per second into the store, digest included, in generations of 512; wanted at least 100,000;
* memory: growth of the resident set between generation 500 and the last one of a small world; wanted at most 10 MiB.

Exits with 1 when one is missed.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from common import Gate, machine, show_gates, write

from evolora_mesa import EcologyModel
from evolora_mesa.configfile import load_config
from evolora_mesa.host import HostService
from evolora_mesa.host.cpu import tuned_cpu
from evolora_mesa.record.runfolder import RunFolder
from evolora_mesa.record.schema import figure_columns
from evolora_mesa.record.store import GenerationRows, RunStore

_SETTLED = 500  # generations after which memory is to stay as it is
SMALL = {
    "tasks.families": ["word.count", "math"],
    "tasks.depths": 1,
    "population.initial": 4,
    "population.minimum": 2,
    "population.maximum": 6,
    "population.episodes": 2,
    "gate.most_trials": 2,
    "economy.ticket": 0.3,
    "economy.grace": 6,
    "economy.inflow": 8.0,
    "economy.pool_limit": 16.0,
    "host.max_new_tokens": 4,
}


def overhead(host: HostService, generations: int, folder: Path) -> float:
    """Recording over everything else."""
    model = EcologyModel("ecology", rng=0, host=host)
    spent = 0.0
    with RunFolder(folder, model.config) as run:
        run.attach(model)
        assert model.recorder is not None
        take = model.recorder.take

        def timed(world: EcologyModel) -> None:
            nonlocal spent
            began = time.process_time()
            take(world)
            run.checkpoint(world, due=False)
            spent += time.process_time() - began

        model.recorder.take = timed  # type: ignore[method-assign]
        began = time.process_time()
        while model.running and model.tick < generations:
            model.step()
        return spent / (time.process_time() - began - spent)


def rows_per_second(path: Path) -> float:
    """Rows of episodes and transfers, as a world of 32 organelles makes them."""
    figures = dict.fromkeys(figure_columns(), 0.5)
    episodes = [
        (row, row // 8, 1, 2, "3", f"What is {row} + 2, and then 3 more?\nAnswer:", f"{row + 5}", 1, 1.0, 21, 3, -0.5)
        for row in range(256)
    ]
    transfers = [("reward", "cell", row % 36, "organelle", 40 + row // 8, 123_456) for row in range(256)]
    count = 0
    with RunStore.create(path, load_config("ecology")) as store:
        began = time.process_time()
        for generation in range(400):
            store.append(GenerationRows(generation, figures, episodes=episodes, ledger=transfers))
            count += len(episodes) + len(transfers)
        return count / (time.process_time() - began)


def resident() -> float:
    """MiB of memory that this process holds now."""
    gc.collect()
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this system does not tell how much memory a process holds")


def growth(host: HostService, last: int, folder: Path) -> tuple[float, int]:
    """MiB between generation 500 and ``last``, and the generation that was reached."""
    model = EcologyModel("ecology", rng=0, host=host, **SMALL)
    early = 0.0
    with RunFolder(folder, model.config) as run:
        run.attach(model)
        while model.running and model.tick < last:
            model.step()
            run.checkpoint(model, due=False)
            if model.tick == min(_SETTLED, last // 2):
                early = resident()
        if model.tick < last:
            raise SystemExit(f"the small world died out in generation {model.tick}: nothing was measured")
        return resident() - early, model.tick


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generations", type=int, default=60, help="of the world whose overhead is measured")
    parser.add_argument("--long", type=int, default=5000, help="generations of the world whose memory is measured")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--csv", type=Path)
    arguments = parser.parse_args()
    host = HostService.load("petri", device="cpu")
    with tempfile.TemporaryDirectory() as aside, tuned_cpu(threads=1):
        folder = Path(aside)
        share = overhead(host, arguments.generations, folder / "overhead")
        rows = rows_per_second(folder / "rows.sqlite")
        grown, reached = growth(host, arguments.long, folder / "memory")
    gates = [
        Gate("seconds of recording over those of the rest of a run", share, 0.05, False),
        Gate("rows per second into the store", rows, 100_000, True),
        Gate(f"MiB of growth from generation {min(_SETTLED, reached // 2)} to {reached}", grown, 10.0, False),
    ]
    results = [{"figure": gate.what, "value": gate.value} for gate in gates]
    write(results, gates, machine(), json_file=arguments.json, csv_file=arguments.csv)
    return 0 if show_gates(gates) else 1


if __name__ == "__main__":
    sys.exit(main())
