"""What taking composite tasks apart is worth: learned and true decomposition against the whole to one, seed by seed.

``python -m evolora_mesa.study.society_orchestrator --out docs/results/society``

A small ecology lives with an orchestrator. When it is over, the same composites of the `test` pool are answered in
every way by the same organelles. The whole is answered as often as it takes to spend at least as many tokens, and voted
on.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from evolora_mesa.configfile import load_config
from evolora_mesa.host import BARE
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.job import Job
from evolora_mesa.society.matching import match_steps, match_wholes
from evolora_mesa.society.questions import Questions
from evolora_mesa.society.rounds import finish
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
from evolora_mesa.tasks import SHIPPED, Pool
from evolora_mesa.tasks.composite import Composite, draw_composite

__all__ = ["WAYS", "LifeRow", "WayRow", "examine", "live_with", "orchestrator_page"]

_SMALL: Final[Mapping[str, object]] = {
    **SMALL,
    "tasks.families": list(SHIPPED),
    "population.initial": 12,
    "population.maximum": 20,
    "society.router.enabled": False,
    "society.orchestrator.every": 2,
}
# By arm, its settings: words learned from every step, from the end alone, and a world without composite tasks.
ARMS: Final[Mapping[str, Mapping[str, object]]] = {
    "step": {},
    "end": {"society.orchestrator.credit": "end"},
    "off": {"society.orchestrator.enabled": False},
}
WAYS: Final = {
    "given": "the true families of all steps",
    "learned": "the families that the words are believed to mean",
    "chance": "any families",
    "whole, best organelle": "everything to the organelle that expects most of the true steps",
    "whole, bare host": "everything to the host without an adapter",
}


@dataclass(frozen=True)
class WayRow:
    """One way of answering the composites of one seed: shares right of wholes and of steps, tokens of each whole."""

    seed: int
    way: str
    right: float
    steps: float
    tokens: float


@dataclass(frozen=True)
class LifeRow:
    """One life.

    Attributes:
        early, late: share of composites right in the first and the last quarter of the generations.
        known: share of the words whose meaning is believed in the end.
        success, population: of the organelles' own episodes, in the second half.
        cpu_ms: milliseconds of CPU per episode of their own.
    """

    arm: str
    seed: int
    early: float
    late: float
    known: float
    success: float
    population: float
    cpu_ms: float


def live_with(
    arm: str, seed: int, generations: int, settings: Mapping[str, object] | None = None
) -> tuple[LifeRow, EcologyModel]:
    """One life of an arm, and the world after it.

    Raises:
        ConfigError: no such arm.
    """
    config = load_config("orchestrator", {**_SMALL, **settings_of(ARMS, arm), **(settings or {}), "seed": seed})
    model = EcologyModel(config, host=host_for(config))
    lived, late = live(model, generations), generations // 2
    composite, quarter = lived.figures["composite_success"], max(generations // 4, 1)
    off = arm == "off"
    return LifeRow(
        arm,
        seed,
        early=_mean(composite[:quarter]),
        late=_mean(composite[-quarter:]),
        known=0.0 if off else model.orchestrator.lexicon.known,
        success=lived.mean("success_rate", late),
        population=lived.mean("population", late),
        cpu_ms=lived.cpu_ms,
    ), model


def _mean(shares: np.ndarray) -> float:
    """Of the generations that had composite tasks; 0 where none had."""
    known = shares[np.isfinite(shares)]
    return float(known.mean()) if known.size else 0.0


def examine(model: EcologyModel, seed: int, count: int) -> list[WayRow]:
    """All ways on the same fresh composites of the test pool, sampled as in life; nobody is paid or learns."""
    orchestrator, organelles = model.orchestrator, model.organelles()
    batch = orchestrator.settings.composites
    rng = random.Random(seed)
    composites = [
        draw_composite(model.tasks, orchestrator.chains, model.grid.depths, Pool.TEST, rng) for _ in range(count)
    ]
    true = [[step.family for step in composite.steps] for composite in composites]
    lexicon, families = orchestrator.lexicon, orchestrator.families
    believed = [[families[one] for one in lexicon.believed(lexicon.describe(steps)).tolist()] for steps in true]
    guessed = [[rng.choice(families) for _ in steps] for steps in true]
    rows = []
    for way, taken_for in (("given", true), ("learned", believed), ("chance", guessed)):
        jobs = []
        for start in range(0, count, batch):  # load has a price, and in life it is that of one generation
            some = slice(start, start + batch)
            jobs += match_steps(model, organelles, composites[some], taken_for[some], orchestrator.settings)
        finish(model, jobs, f"study.{way}")
        rows.append(_row(seed, way, jobs))
    jobs = match_wholes(model, organelles, composites, orchestrator.settings)
    slot_of = {organelle.unique_id: organelle.slot for organelle in organelles}
    slots = [slot_of[job.bidders[0][0]] if job.bidders[0] else BARE for job in jobs]
    for way, askers in (("whole, best organelle", slots), ("whole, bare host", [BARE] * count)):
        rows.append(_answer_whole(model, seed, way, composites, askers, rows[0].tokens))
    return rows


def _row(seed: int, way: str, jobs: Sequence[Job]) -> WayRow:
    steps = [attempt.right for job in jobs for attempt in job.attempts]
    tokens = float(np.mean([job.tokens for job in jobs]))
    return WayRow(
        seed, way, float(np.mean([job.success for job in jobs])), float(np.mean(steps)) if steps else 0.0, tokens
    )


def _answer_whole(
    model: EcologyModel, seed: int, way: str, composites: Sequence[Composite], slots: Sequence[int], tokens: float
) -> WayRow:
    """Every composite as a whole, again and again until it has cost at least ``tokens`` on average; then a vote."""
    jobs = [Job(composite, [], [], [[0]], True, 0) for composite in composites]
    texts: list[list[str]] = [[] for _ in jobs]
    spent, turn = 0, 0
    while spent < tokens * len(jobs):
        turn += 1
        questions = Questions()
        questions.ask(slots, [composite.prompt for composite in composites])
        replies = questions.put(model, f"study.{way}.{turn}")
        spent += int(replies.read.sum() + replies.written.sum())
        for found, text in zip(texts, replies.texts, strict=True):
            found.append(text)
    for job, found in zip(jobs, texts, strict=True):
        job.take(0, found)
    right = float(np.mean([job.success for job in jobs]))
    return WayRow(seed, way, right, right, spent / len(jobs))


def orchestrator_page(lives: Sequence[LifeRow], rows: Sequence[WayRow], command: str) -> str:
    """All ways beside one another, and the lives that they come from."""
    given = [row.right for row in rows if row.way == "given"]
    ways = []
    for way, meaning in WAYS.items():
        found = [row for row in rows if row.way == way]
        right = [row.right for row in found]
        ways.append(
            [
                way,
                meaning,
                shown(t_interval(right), 100, 1),
                "—" if way == "given" else shown(paired_difference(right, given), 100, 1),
                f"{100 * np.mean([row.steps for row in found]):.1f}" if not way.startswith("whole") else "—",
                f"{np.mean([row.tokens for row in found]):.0f}",
            ]
        )
    arms = by_arm(lives)
    own, living = Column("success"), []
    for arm, lived in arms.items():
        line = [arm, *("—" if arm == "off" else mean_of(lived, Column(name)) for name in ("early", "late", "known"))]
        line += [mean_of(lived, own), "—" if arm == "off" else gain_of(lived, arms["off"], own)]
        line += [mean_of(lived, Column("population", 1)), f"{np.mean([life.cpu_ms for life in lived]):.2f}"]
        living.append(line)
    return "\n".join(
        [
            "# Composite tasks in a small ecology on `petri`",
            "",
            f"Made by `{command}`.",
            "",
            "9 families × 2 depths, 12 founders; pipelines of 2 and 3 steps. At the end of each life the same"
            " composites of the test pool are answered in all ways by the same organelles. % right in the end: mean"
            " [95 % t interval over seeds], differences in points, paired by seed; steps: % right of what was answered"
            " on the way.",
            "",
            *markdown_table(["way", "steps are taken for", "right %", "− given", "steps %", "tokens"], ways),
            "",
            "The lives: words learned from every step, or from the end alone; off is without composite tasks.",
            "",
            *markdown_table(
                [
                    *("credit", "right %, first quarter", "last quarter", "words known %"),
                    *("own success %", "− off", "population", "CPU ms per own episode"),
                ],
                living,
            ),
            "",
        ]
    )


def _examined(arm: str, seed: int, generations: int, composites: int) -> tuple[LifeRow, list[WayRow]]:
    """One life, and what its organelles can do at the end, if it has learned from every step."""
    life, model = live_with(arm, seed, generations)
    return life, examine(model, seed, composites) if arm == "step" and model.running else []


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = study_parser("society_orchestrator", generations=48)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="lives; off is always one of them")
    parser.add_argument("--composites", type=int, default=96, help="that are answered at the end")

    def study(given: argparse.Namespace, command: str) -> dict[str, str]:
        arms = [arm for arm in ARMS if arm in (*given.arms, "off")]
        jobs = [(arm, seed, given.generations, given.composites) for seed in range(given.seeds) for arm in arms]
        found = lives_of(_examined, jobs, given.jobs)
        rows = [row for _, ways in found for row in ways]
        page = orchestrator_page([life for life, _ in found], rows, command)
        return {"orchestrator.md": page, "orchestrator.csv": rows_csv(rows)}

    return carry_out(parser, study, arguments, say)


if __name__ == "__main__":
    raise SystemExit(main())
