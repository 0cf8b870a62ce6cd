"""Do colonies pay? Planted answers against Condorcet's prediction, and worlds with colonies beside worlds without.

    python -m evolora_mesa.study.society_colonies --seeds 5 --out docs/results/society

Every arm lives through the same seeds. Colonies alive at the end answer fresh `test` prompts of their own cells once
more, beside controls that they were not selected against: the best member of each single cell, and greedy answers.
"""

from __future__ import annotations

import argparse
import csv
import io
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.host import HostService, Request
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.colony import Colony
from evolora_mesa.society.colony_gate import slots_of
from evolora_mesa.society.joint import answer_keys, choose_answers, condorcet
from evolora_mesa.study.statistics import Interval, paired_difference, t_interval
from evolora_mesa.tasks import Pool, Task
from evolora_mesa.workload import grade

__all__ = ["ARMS", "Examined", "Life", "live_through", "main", "planted_success", "report"]

ARMS: Final[dict[str, dict[str, object]]] = {
    "off": {"society.colonies.enabled": False},
    "best member": {"society.colonies.rival": "member"},
    "best in cell": {"society.colonies.rival": "cell"},
}
_PLANTED: Final = ((2, 0.7), (3, 0.6), (3, 0.7), (3, 0.8), (4, 0.7))
_PROMPTS: Final = 4000  # planted, per seed
_EXAMINED: Final = 96  # test prompts of a colony that lives at the end
_LATE: Final = 16  # generations whose success is reported


@dataclass
class Examined:
    """Successes of one colony and of its controls on the same fresh prompts; all but the greedy ones cost as much."""

    prompts: int
    joint: int
    best_member: int
    best_in_cell: int
    greedy_member: int
    greedy_in_cell: int


@dataclass
class Life:
    """One world.

    Attributes:
        lived: generations that colonies lived, from founding to dissolution or to the end.
        tasks, right, rival_right: joint tasks at paid work, and successes of both sides.
        success: of all episodes in the last generations.
        seconds: CPU seconds per 1000 episodes.
        rungs: of every trial of one: its name, whether it passed, prompts, successes and tokens of the one adapter,
            and those of the ensemble.
    """

    seed: int
    arm: str
    proposed: int = 0
    founded: int = 0
    dissolved: int = 0
    joined: int = 0
    children: int = 0
    lived: list[int] = field(default_factory=list)
    tasks: int = 0
    right: int = 0
    rival_right: int = 0
    tokens: int = 0
    rival_tokens: int = 0
    success: float = float("nan")
    seconds: float = float("nan")
    examined: list[Examined] = field(default_factory=list)
    rungs: list[tuple[str, bool, int, int, int, int, int]] = field(default_factory=list)


# ---------------------------------------------------------------- planted


def planted_success(members: int, chance: float, prompts: int, seed: int) -> float:
    """Share of prompts that a vote of members with independent errors has right; yes or no is asked."""
    rng = np.random.default_rng(seed)
    right = rng.random((prompts, members)) < chance
    shape = (prompts, members)
    columns = choose_answers(right.astype(np.int64), rng.normal(size=shape), np.full(shape, chance), "vote")
    return float(right[np.arange(prompts), columns].mean())


# ---------------------------------------------------------------- in vivo


def live_through(host: HostService, config: WorldConfig | str, arm: str, seed: int, **settings: object) -> Life:
    """One world from founding to end."""
    model = EcologyModel(config, host=host, rng=seed, **{**settings, **ARMS[arm]})
    life, seconds, episodes = Life(seed, arm), 0.0, 0
    late: list[float] = []
    for _ in range(model.config.generations):
        model.step()
        seconds, episodes = seconds + model.tally.step_seconds, episodes + model.tally.episodes
        late.append(model.tally.succeeded / max(model.tally.episodes, 1))
        for kind, _, facts in model.events:
            _take(life, kind, facts)
        if not model.running:
            break
    life.lived += [model.tick - (colony.founded or 0) for colony in model.colonies.founded]
    life.success, life.seconds = float(np.mean(late[-_LATE:])), 1000 * seconds / max(episodes, 1)
    life.examined = [examine(model, colony) for colony in model.colonies.founded if colony.rung == "ensemble"]
    return life


def _take(life: Life, kind: str, facts: dict[str, Any]) -> None:
    match kind:
        case "colony_proposed":
            life.proposed += 1
        case "colony_founded":
            life.founded += 1
        case "colony_joined":
            life.joined += 1
        case "colony_child":
            life.children += 1
        case "colony_dissolved":
            life.dissolved += 1
            life.lived.append(facts["lived"])
        case "colony_worked" if facts["rung"] == "ensemble":
            for name in ("tasks", "right", "rival_right", "tokens", "rival_tokens"):
                setattr(life, name, getattr(life, name) + facts[name])
    purpose = facts.get("purpose", facts.get("rung")) if kind in ("colony_tried", "colony_climbed") else None
    if purpose in ("fused", "distilled") and facts.get("below", "ensemble") == "ensemble" and facts["prompts"]:
        shown = facts["right"], facts["tokens"], facts["rival_right"], facts["rival_tokens"]
        life.rungs.append((purpose, kind == "colony_climbed", facts["prompts"], *shown))


def examine(model: EcologyModel, colony: Colony) -> Examined:
    """A colony of the mode vote, confidence or skill on fresh `test` prompts, sampled once, beside four controls."""
    rng, python = model.streams.numpy("study.colonies"), model.streams.python("study.colonies")
    cells = rng.choice(np.array(colony.cells), size=_EXAMINED)
    tasks = [model.draw_task(Pool.TEST, cell, python) for cell in cells.tolist()]
    slots = np.array(slots_of(model, colony.members))
    believed = model.beliefs.success(slots).reshape(len(slots), -1)
    all_over = slots[np.full(_EXAMINED, believed[:, colony.cells].mean(1).argmax())]
    in_cell = slots[believed[:, cells].argmax(0)]
    team = np.broadcast_to(slots, (_EXAMINED, len(slots)))

    def votes(askers: np.ndarray, mode: Any, number: int, temperature: float) -> int:
        rows = [(slot, task) for row, task in zip(askers.tolist(), tasks, strict=True) for slot in row]
        key = model.streams.integer(f"study.{colony.number}.{number}") >> 1
        answers = model.host.answer(
            [Request(slot, task.prompt, key + place) for place, (slot, task) in enumerate(rows)],
            model.bank,
            temperature=temperature,
            max_new_tokens=model.config.host.max_new_tokens,
        )
        texts = np.array(answers.texts, dtype=object).reshape(askers.shape)
        shape, beliefs = askers.shape, np.ones(askers.shape)
        if mode == "skill":
            beliefs = believed[:, cells].T
        chosen = choose_answers(
            answer_keys(texts.tolist()), answers.log_probability.numpy().reshape(shape).astype(float), beliefs, mode
        )
        final = texts[np.arange(_EXAMINED), chosen].tolist()
        return _right(model, tasks, final)

    warm, size = model.config.host.temperature, len(slots)
    mode = "skill" if colony.mode == "handoff" else colony.mode
    return Examined(
        _EXAMINED,
        votes(team, mode, 0, warm),
        votes(np.repeat(all_over[:, None], size, 1), "vote", 1, warm),
        votes(np.repeat(in_cell[:, None], size, 1), "vote", 2, warm),
        votes(all_over[:, None], "vote", 3, 0.0),
        votes(in_cell[:, None], "vote", 4, 0.0),
    )


def _right(model: EcologyModel, tasks: Sequence[Task], texts: Sequence[str]) -> int:
    return int(grade(tasks, texts, model.tasks, model.contracts).success.sum())


# ---------------------------------------------------------------- report


def report(lives: Sequence[Life], planted_seeds: int, command: str) -> str:
    """Everything measured, as Markdown."""
    lines = ["# Colonies", "", f"Made by `{command}`. 95 % t intervals over seeds.", "", "## Planted answers", ""]
    lines += ["| members | each right | predicted | vote |", "|---|---|---|---|"]
    for members, chance in _PLANTED:
        seen = t_interval([planted_success(members, chance, _PROMPTS, seed) for seed in range(planted_seeds)])
        lines.append(f"| {members} | {chance:g} | {condorcet(chance, members):.4f} | {_shown(seen, 4)} |")
    lines += ["", "## In vivo", ""]
    lines += [
        "| arm | proposed | founded | lived, generations | joined | children | joint minus best-of-k at paid work,"
        " points | success late, % | CPU s per 1000 episodes |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for arm in dict.fromkeys(life.arm for life in lives):
        mine = [life for life in lives if life.arm == arm]
        gains = [100 * (life.right - life.rival_right) / life.tasks for life in mine if life.tasks]
        lived = [length for life in mine for length in life.lived]
        cells = [
            arm,
            _shown(t_interval([life.proposed for life in mine]), 1),
            _shown(t_interval([life.founded for life in mine]), 1),
            f"{np.median(lived):g} (median of {len(lived)})" if lived else "-",
            str(sum(life.joined for life in mine)),
            str(sum(life.children for life in mine)),
            _shown(t_interval(gains), 1),
            _shown(t_interval([100 * life.success for life in mine]), 1),
            _shown(t_interval([life.seconds for life in mine]), 2),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *_against_off(lives), "", "## Fresh prompts of the test pool, colonies alive at the end", ""]
    lines += _examination(lives)
    lines += ["", "## The ladder", "", *_ladder(lives), ""]
    return "\n".join(lines)


def _against_off(lives: Sequence[Life]) -> list[str]:
    off = {life.seed: life for life in lives if life.arm == "off"}
    lines = []
    for arm in dict.fromkeys(life.arm for life in lives if life.arm != "off"):
        mine = [life for life in lives if life.arm == arm and life.seed in off]
        for name, factor, what in (("success", 100, "points of success"), ("seconds", 1, "CPU s per 1000 episodes")):
            change = paired_difference(
                [factor * getattr(life, name) for life in mine],
                [factor * getattr(off[life.seed], name) for life in mine],
            )
            lines.append(f"- {arm} minus off, paired by seed: {_shown(change, 2)} {what}")
    return lines


def _examination(lives: Sequence[Life]) -> list[str]:
    """Differences are averaged within a seed first."""
    lines = [
        "| arm | colonies | joint, % | minus best member, as many answers | minus best in cell, as many answers |"
        " minus best member, one greedy answer | minus best in cell, one greedy answer |",
        "|---|---|---|---|---|---|---|",
    ]
    for arm in dict.fromkeys(life.arm for life in lives if life.examined):
        mine = [life for life in lives if life.arm == arm and life.examined]

        def mean(name: str, mine: list[Life] = mine) -> list[float]:
            return [
                100 * sum(getattr(one, name) for one in life.examined) / sum(one.prompts for one in life.examined)
                for life in mine
            ]

        joint = mean("joint")
        controls = ("best_member", "best_in_cell", "greedy_member", "greedy_in_cell")
        cells = [_shown(paired_difference(joint, mean(control)), 1) for control in controls]
        count = sum(len(life.examined) for life in mine)
        lines.append(f"| {arm} | {count} | {_shown(t_interval(joint), 1)} | {' | '.join(cells)} |")
    return lines


def _ladder(lives: Sequence[Life]) -> list[str]:
    lines = [
        "| rung | trials | passed | success, % | of the ensemble, % | right per 1000 tokens | of the ensemble |",
        "|---|---|---|---|---|---|---|",
    ]
    for rung in ("fused", "distilled"):
        trials = [trial for life in lives for trial in life.rungs if trial[0] == rung]
        if not trials:
            lines.append(f"| {rung} | 0 | - | - | - | - | - |")
            continue
        passed = sum(trial[1] for trial in trials)
        prompts, right, tokens, theirs, their_tokens = np.sum([trial[2:] for trial in trials], 0).tolist()
        lines.append(
            f"| {rung} | {len(trials)} | {passed} | {100 * right / prompts:.1f} | {100 * theirs / prompts:.1f} |"
            f" {1000 * right / tokens:.2f} | {1000 * theirs / their_tokens:.2f} |"
        )
    return lines


def _shown(interval: Interval, digits: int) -> str:
    if not interval.n:
        return "-"
    if interval.n < 2:
        return f"{interval.mean:.{digits}f}"
    return f"{interval.mean:.{digits}f} ({interval.low:.{digits}f} to {interval.high:.{digits}f})"


def to_csv(lives: Sequence[Life]) -> str:
    """One line per world."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    plain = [part.name for part in fields(Life) if part.name not in ("lived", "examined", "rungs")]
    examined = [part.name for part in fields(Examined)]
    writer.writerow([*plain, "lived", *(f"examined_{name}" for name in examined)])
    for life in lives:
        sums = [sum(asdict(one)[name] for one in life.examined) for name in examined]
        values = [getattr(life, name) for name in plain]
        shown = [f"{value:.4f}" if isinstance(value, float) else value for value in values]
        writer.writerow([*shown, " ".join(map(str, life.lived)), *sums])
    return out.getvalue()


def _job(job: tuple[WorldConfig, str, int]) -> Life:
    config, arm, seed = job
    life = live_through(host_for(config), config, arm, seed)
    print(f"{arm}, seed {seed}: {life.founded} colonies", file=sys.stderr)
    return life


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m evolora_mesa.study.society_colonies", description=__doc__)
    parser.add_argument("--config", default="colonies")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--generations", type=int, default=None)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--jobs", type=int, default=1, help="worlds at a time")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    settings: dict[str, object] = {} if options.generations is None else {"generations": options.generations}
    config = load_config(options.config, settings)
    jobs = [(config, arm.strip(), seed) for arm in options.arms.split(",") for seed in range(options.seeds)]
    if options.jobs > 1:
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            lives = list(pool.map(_job, jobs))
    else:
        lives = [_job(job) for job in jobs]
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "evolora_mesa.study.society_colonies", *given])
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "colonies.md").write_text(report(lives, options.seeds, command), encoding="utf-8")
    (options.out / "colonies.csv").write_text(to_csv(lives), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
