"""What a team router is worth: the success of those it would send tasks to, as it learns.

``python -m evolora_mesa.study.society_router --out docs/results/society``

Now and then everybody in a small ecology answers fresh tasks of every cell. On the `select` pool the oracle finds the
best of each cell, and the best single one over all; on the `test` pool all are read, the router too.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from evolora_mesa.configfile import load_config
from evolora_mesa.host import BARE
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.questions import Questions
from evolora_mesa.study.arms import (
    SMALL,
    Column,
    by_arm,
    carry_out,
    gain_of,
    live,
    lives_of,
    mean_of,
    rows_csv,
    settings_of,
    study_parser,
)
from evolora_mesa.study.baseline_table import markdown_table, shown
from evolora_mesa.study.statistics import paired_difference, t_interval
from evolora_mesa.tasks import Pool
from evolora_mesa.workload import grade

__all__ = ["LifeRow", "RouterRow", "live_with", "router_page"]

_SMALL: Final[Mapping[str, object]] = {**SMALL, "society.orchestrator.enabled": False}
# By arm, its settings: the router at work, its control, one that may send to colonies too, and the world without one.
ARMS: Final[Mapping[str, Mapping[str, object]]] = {
    "router": {},
    "uniform": {"society.router.choice": "uniform"},
    "with colonies": {"society.colonies.enabled": True},
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
    """One life.

    Attributes:
        success, routed: of all episodes and of routed tasks, in the second half.
        population: mean of the second half.
        sent: routed tasks of the whole life that organelles, colonies and the bare host got, and those of them that
            were paid in full.
        cpu_ms: milliseconds of CPU per episode.
    """

    arm: str
    seed: int
    success: float
    routed: float
    population: float
    sent: Mapping[str, tuple[int, int]]
    cpu_ms: float


def live_with(
    arm: str,
    seed: int,
    generations: int,
    every: int,
    per_cell: int,
    settings: Mapping[str, object] | None = None,
) -> tuple[LifeRow, list[RouterRow]]:
    """A life, examined ``every`` so many generations in the arm that is called after the router.

    Raises:
        ConfigError: no such arm.
    """
    config = load_config("orchestrator", {**_SMALL, **settings_of(ARMS, arm), **(settings or {}), "seed": seed})
    model = EcologyModel(config, host=host_for(config))
    examined, sent, right = [], Counter[str](), Counter[str]()

    def look() -> None:
        if arm == "router" and model.running and model.tick % every == 0:
            examined.append(_examine(model, seed, per_cell))
        for _, _, facts in (event for event in model.events if event[0] == "routed"):
            for _, _, kind, _, success in facts["tasks"]:
                sent[kind] += 1
                right[kind] += success

    lived, late = live(model, generations, look), generations // 2
    life = LifeRow(
        arm,
        seed,
        success=lived.mean("success_rate", late),
        routed=lived.mean("routed_success", late),
        population=lived.mean("population", late),
        sent={kind: (count, right[kind]) for kind, count in sorted(sent.items())},
        cpu_ms=lived.cpu_ms,
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
    arms, own = by_arm(lives), Column("success")
    living = [
        [
            arm,
            mean_of(found, own),
            "—" if arm == "off" else mean_of(found, Column("routed")),
            "—" if arm == "off" else gain_of(found, arms["off"], own),
            mean_of(found, Column("population", 1)),
            f"{np.mean([life.cpu_ms for life in found]):.2f}",
        ]
        for arm, found in arms.items()
    ]
    takers = [
        [arm, *(_taken(found, kind) for kind in ("organelle", "colony", "bare"))]
        for arm, found in arms.items()
        if arm != "off"
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
            "Who got the routed tasks of whole lives, and how many of these were paid in full:",
            "",
            *markdown_table(["arm", "organelles", "colonies", "bare host"], takers),
            "",
        ]
    )


def _taken(lives: Sequence[LifeRow], kind: str) -> str:
    """Share of the tasks, and success % over seeds where there were any."""
    taken = [life.sent.get(kind, (0, 0)) for life in lives]
    share = sum(count for count, _ in taken) / max(sum(count for life in lives for count, _ in life.sent.values()), 1)
    rates = [right / count for count, right in taken if count]
    return f"{100 * share:.1f} %: {shown(t_interval(rates), 100, 1)}" if rates else "none"


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = study_parser("society_router", generations=40)
    parser.add_argument("--every", type=int, default=8, help="generations between examinations")
    parser.add_argument("--per-cell", type=int, default=12, help="tasks per cell, pool and examination")

    def study(given: argparse.Namespace, command: str) -> dict[str, str]:
        jobs = [
            (arm, seed, given.generations, given.every, given.per_cell) for seed in range(given.seeds) for arm in ARMS
        ]
        found = lives_of(live_with, jobs, given.jobs)
        rows = [row for _, examined in found for row in examined]
        return {"router.md": router_page([life for life, _ in found], rows, command), "router.csv": rows_csv(rows)}

    return carry_out(parser, study, arguments, say)


if __name__ == "__main__":
    raise SystemExit(main())
