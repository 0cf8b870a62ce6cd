"""What taking composite tasks apart is worth: learned and true decomposition against the whole to one, seed by seed.

``python -m evolora_mesa.study.society_orchestrator --out docs/results/society``

A small ecology lives with an orchestrator. When it is over, the same composites of the `test` pool are answered in
every way by the same organelles. The whole is answered as often as it takes to spend at least as many tokens, and voted
on.
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
from evolora_mesa.society.job import Job
from evolora_mesa.society.matching import match_steps, match_wholes
from evolora_mesa.society.questions import Questions
from evolora_mesa.society.rounds import finish
from evolora_mesa.study.baseline_table import markdown_table, save_texts, shown
from evolora_mesa.study.statistics import paired_difference, t_interval
from evolora_mesa.tasks import Pool
from evolora_mesa.tasks.composite import Composite, draw_composite

__all__ = ["WAYS", "LifeRow", "WayRow", "examine", "live_with", "orchestrator_page"]

_SMALL: Final[Mapping[str, object]] = {
    "society.router.enabled": False,
    "society.orchestrator.every": 2,
    "tasks.depths": 2,
    "population.initial": 12,
    "population.maximum": 20,
    "economy.inflow": 2.0,
    "reproduction.maturity": 6,
    "reproduction.cooldown": 2,
    "gate.most_trials": 3,
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
    """One life of an arm, and the world after it."""
    config = load_config("orchestrator", {**_SMALL, **ARMS[arm], **(settings or {}), "seed": seed})
    model = EcologyModel(config, host=host_for(config))
    began = time.process_time()
    for _ in range(generations):
        if model.running:
            model.step()
    seconds = time.process_time() - began
    figures = {name: np.array(list(values)[1:]) for name, values in model.datacollector.model_vars.items()}
    composite, quarter = figures["composite_success"], max(generations // 4, 1)
    off = arm == "off"
    return LifeRow(
        arm,
        seed,
        early=_mean(composite[:quarter]),
        late=_mean(composite[-quarter:]),
        known=0.0 if off else model.orchestrator.lexicon.known,
        success=float(np.nan_to_num(figures["success_rate"][generations // 2 :]).mean()),
        population=float(figures["population"][generations // 2 :].mean()),
        cpu_ms=1000 * seconds / max(model.totals["episodes"], 1),
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
    arms = {arm: [life for life in lives if life.arm == arm] for arm in dict.fromkeys(life.arm for life in lives)}
    off = [life.success for life in arms["off"]]
    living = []
    for arm, lived in arms.items():
        line = [arm]
        for name in ("early", "late", "known"):
            line.append("—" if arm == "off" else shown(t_interval([getattr(life, name) for life in lived]), 100, 1))
        own = [life.success for life in lived]
        line += [shown(t_interval(own), 100, 1), "—" if arm == "off" else shown(paired_difference(own, off), 100, 1)]
        line += [shown(t_interval([life.population for life in lived]), 1, 1)]
        living.append([*line, f"{np.mean([life.cpu_ms for life in lived]):.2f}"])
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


def _csv(rows: Sequence[WayRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(WayRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evolora_mesa.study.society_orchestrator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, 0, 1, 2, ...")
    parser.add_argument("--generations", type=int, default=48)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="lives; off is always one of them")
    parser.add_argument("--composites", type=int, default=96, help="that are answered at the end")
    parser.add_argument("--out", type=Path, help="folder for orchestrator.md and orchestrator.csv")
    given = parser.parse_args(arguments)
    lives, rows = [], []
    try:
        for seed in range(given.seeds):
            for arm in (arm for arm in ARMS if arm in (*given.arms, "off")):
                life, model = live_with(arm, seed, given.generations)
                lives.append(life)
                print(life, file=sys.stderr, flush=True)
                if arm == "step" and model.running:
                    rows += examine(model, seed, given.composites)
                    print(rows[-len(WAYS) :], file=sys.stderr, flush=True)
        command = f"{parser.prog} --seeds {given.seeds} --generations {given.generations} --arms {' '.join(given.arms)}"
        page = orchestrator_page(lives, rows, f"{command} --composites {given.composites}")
        if given.out is not None:
            save_texts(given.out, {"orchestrator.md": page, "orchestrator.csv": _csv(rows)})
    except EvoloraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    say(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
