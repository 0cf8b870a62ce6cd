"""What a team router is worth: the success of those it would send tasks to, as it learns.

``python -m evolora_mesa.study.society_router --out docs/results/society``

Now and then everybody in a small ecology answers fresh tasks of every cell. On the `select` pool the oracle finds the
best of each cell, and the best single one over all; on the `test` pool all are read, the router too.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from evolora_mesa.configfile import load_config
from evolora_mesa.errors import EvoloraError
from evolora_mesa.host import BARE
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.questions import Questions
from evolora_mesa.study.baseline_table import markdown_table, save_texts, shown
from evolora_mesa.study.statistics import paired_difference, t_interval
from evolora_mesa.tasks import Pool
from evolora_mesa.workload import grade

__all__ = ["LifeRow", "RouterRow", "live_with", "router_page"]

_SMALL: Final[Mapping[str, object]] = {
    "society.orchestrator.enabled": False,
    "tasks.families": ["word.count", "logic", "string.sort", "code.format"],
    "tasks.depths": 2,
    "population.initial": 8,
    "population.maximum": 16,
    "economy.inflow": 2.0,
    "reproduction.maturity": 6,
    "reproduction.cooldown": 2,
    "gate.most_trials": 3,
}
# By arm, its settings: the router at work, its control, and the world without one.
ARMS: Final[Mapping[str, Mapping[str, object]]] = {
    "router": {},
    "uniform": {"society.router.choice": "uniform"},
    "off": {"society.router.enabled": False},
}
_DRAWS: Final = 400  # of the router's choices, for the mean of what it samples


@dataclass(frozen=True)
class RouterRow:
    """One examination: shares of test tasks, all cells alike, that were right and in the paid style.

    Attributes:
        routed: of those that the router would send tasks to, in the proportions in which it samples them.
        greedy: of those that it believes best.
        mean: of everybody, the bare host left out.
        single: of the organelle that was best over all cells of the select pool.
        oracle: of those that were best in each cell of the select pool.
        bare: of the bare host.
    """

    seed: int
    generation: int
    routed: float
    greedy: float
    mean: float
    single: float
    oracle: float
    bare: float


@dataclass(frozen=True)
class LifeRow:
    """One life: success of all episodes and of routed tasks in the second half, and milliseconds of CPU per episode."""

    arm: str
    seed: int
    success: float
    routed: float
    population: float
    cpu_ms: float


def live_with(
    arm: str,
    seed: int,
    generations: int,
    every: int,
    per_cell: int,
    settings: Mapping[str, object] | None = None,
) -> tuple[LifeRow, list[RouterRow]]:
    """A life, examined ``every`` so many generations where the router is at work."""
    config = load_config("orchestrator", {**_SMALL, **ARMS[arm], **(settings or {}), "seed": seed})
    model = EcologyModel(config, host=host_for(config))
    seconds, examined = 0.0, []
    for generation in range(1, generations + 1):
        if not model.running:
            break
        began = time.process_time()
        model.step()
        seconds += time.process_time() - began
        if arm == "router" and model.running and generation % every == 0:
            examined.append(_examine(model, seed, per_cell))
    figures = {name: np.array(list(values)[1:]) for name, values in model.datacollector.model_vars.items()}
    late = generations // 2
    success, routed = (np.nan_to_num(figures[name][late:]) for name in ("success_rate", "routed_success"))
    life = LifeRow(
        arm,
        seed,
        success=float(success.mean()),
        routed=float(routed.mean()),
        population=float(figures["population"][late:].mean()),
        cpu_ms=1000 * seconds / max(model.totals["episodes"], 1),
    )
    return life, examined


def _examine(model: EcologyModel, seed: int, per_cell: int) -> RouterRow:
    router, slots = model.router, {organelle.unique_id: organelle.slot for organelle in model.organelles()}
    router.meet(model, model.organelles())
    select = _success(model, slots, Pool.SELECT, seed, per_cell)
    test = _success(model, slots, Pool.TEST, seed, per_cell)  # [1 + organelles, cells]
    number = {arm.number: row for row, arm in enumerate(router.arms)}  # the bare host's is 0
    order = np.array([number[one] for one in (0, *slots)])
    cells = np.arange(test.shape[1])
    rng = np.random.default_rng(seed)
    sampled = router.appeal(np.tile(cells, _DRAWS), rng)[:, order].argmax(1)
    believed = router.success()[order].argmax(0)
    return RouterRow(
        seed,
        model.tick,
        routed=float(test[sampled, np.tile(cells, _DRAWS)].mean()),
        greedy=float(test[believed, cells].mean()),
        mean=float(test[1:].mean()),
        single=float(test[1 + select[1:].mean(1).argmax()].mean()),
        oracle=float(test[select.argmax(0), cells].mean()),
        bare=float(test[0].mean()),
    )


def _success(model: EcologyModel, slots: Mapping[int, int], pool: Pool, seed: int, per_cell: int) -> np.ndarray:
    """``[1 + organelles, cells]`` success of the bare host and of everybody, sampled as in life, on the same tasks."""
    rng = random.Random(f"{seed}.{model.tick}.{pool}")
    cells = len(model.cell_accounts)
    tasks = [model.draw_task(pool, cell, rng) for cell in range(cells) for _ in range(per_cell)]
    askers = [BARE, *slots.values()]
    questions = Questions()
    for slot in askers:
        questions.ask([slot] * len(tasks), [task.prompt for task in tasks])
    replies = questions.put(model, f"study.{model.tick}.{pool}")
    marks = grade(tasks * len(askers), replies.texts, model.tasks, model.contracts)
    return marks.success.reshape(len(askers), cells, per_cell).mean(2)


def router_page(lives: Sequence[LifeRow], rows: Sequence[RouterRow], command: str) -> str:
    """The curve of the regret, and the lives with and without a router."""
    table = []
    for generation in sorted({row.generation for row in rows}):
        now = [row for row in rows if row.generation == generation]
        line = [str(generation), str(len(now))]
        for name in ("routed", "greedy", "mean", "single", "oracle", "bare"):
            line.append(f"{100 * np.mean([getattr(row, name) for row in now]):.1f}")
        routed = [row.routed for row in now]
        for better, worse in (
            ([row.oracle for row in now], routed),
            (routed, [row.mean for row in now]),
            (routed, [row.single for row in now]),
        ):
            line.append(shown(paired_difference(better, worse), 100, 1))
        table.append(line)
    arms = {arm: [life for life in lives if life.arm == arm] for arm in dict.fromkeys(life.arm for life in lives)}
    living = [
        [
            arm,
            shown(t_interval([life.success for life in found]), 100, 1),
            "—" if arm == "off" else shown(t_interval([life.routed for life in found]), 100, 1),
            *_less_off(found, arms["off"]),
            shown(t_interval([life.population for life in found]), 1, 1),
            f"{np.mean([life.cpu_ms for life in found]):.2f}",
        ]
        for arm, found in arms.items()
    ]
    return "\n".join(
        [
            "# The team router in a small ecology on `petri`",
            "",
            f"Made by `{command}`.",
            "",
            "4 families × 2 depths, 8 founders, 12 routed tasks per generation. Success % of test tasks, all cells"
            " alike, sampled as in life; the oracle and the best single organelle are found on select tasks.",
            "",
            *markdown_table(
                [
                    *("generation", "n", "routed", "believed best", "mean", "best single", "oracle", "bare host"),
                    *("regret (oracle − routed)", "routed − mean", "routed − best single"),
                ],
                table,
            ),
            "",
            "The same worlds with a router that sends tasks to anybody, and without one; second half of the"
            " generations. Mean [95 % t interval over seeds], differences in points, paired by seed.",
            "",
            *markdown_table(
                ["arm", "success %", "of routed tasks", "success − off", "population", "CPU ms per episode"], living
            ),
            "",
        ]
    )


def _less_off(found: Sequence[LifeRow], off: Sequence[LifeRow]) -> list[str]:
    if found is off:
        return ["—"]
    return [shown(paired_difference([life.success for life in found], [life.success for life in off]), 100, 1)]


def _csv(rows: Sequence[RouterRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(RouterRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evolora_mesa.study.society_router", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, 0, 1, 2, ...")
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--every", type=int, default=8, help="generations between examinations")
    parser.add_argument("--per-cell", type=int, default=12, help="tasks per cell, pool and examination")
    parser.add_argument("--out", type=Path, help="folder for router.md and router.csv")
    given = parser.parse_args(arguments)
    command = f"{parser.prog} --seeds {given.seeds} --generations {given.generations} --every {given.every}"
    lives, rows = [], []
    try:
        for seed in range(given.seeds):
            for arm in ARMS:
                life, examined = live_with(arm, seed, given.generations, given.every, given.per_cell)
                lives.append(life)
                rows += examined
                print(life, file=sys.stderr, flush=True)
        page = router_page(lives, rows, f"{command} --per-cell {given.per_cell}")
        if given.out is not None:
            save_texts(given.out, {"router.md": page, "router.csv": _csv(rows)})
    except EvoloraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    say(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
