"""Do colonies pay? Planted answers against Condorcet's prediction, and worlds with colonies beside worlds without.

``python -m evolora_mesa.study.society_colonies --out docs/results/society``

Every arm lives through the same seeds. Colonies alive at the end answer fresh `test` prompts of their own cells once
more, beside controls that they were not selected against: the best member of each single cell, and greedy answers.
"""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
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
from evolora_mesa.study.arms import (
    Column,
    by_arm,
    carry_out,
    gain_of,
    live,
    lives_of,
    mean_of,
    settings_of,
    study_parser,
)
from evolora_mesa.study.baseline_table import markdown_table, shown
from evolora_mesa.study.statistics import paired_difference, t_interval
from evolora_mesa.tasks import Pool, Task
from evolora_mesa.workload import grade

__all__ = ["ARMS", "Examined", "Life", "colonies_page", "live_through", "main", "planted_success"]

ARMS: Final[Mapping[str, Mapping[str, object]]] = {
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
        courted, joined: members that colonies tried, and those of them that they took in.
        lived: generations that colonies lived, from founding to dissolution or to the end.
        tasks, right, rival_right: joint tasks at paid work, and successes of both sides.
        success: of all episodes in the last generations.
        cpu_ms: milliseconds of CPU per episode.
        rungs: of every trial of one: its name, whether it passed, prompts, successes and tokens of the one adapter,
            and those of the ensemble.
    """

    arm: str
    seed: int
    proposed: int = 0
    founded: int = 0
    dissolved: int = 0
    courted: int = 0
    joined: int = 0
    children: int = 0
    lived: list[int] = field(default_factory=list)
    tasks: int = 0
    right: int = 0
    rival_right: int = 0
    tokens: int = 0
    rival_tokens: int = 0
    success: float = float("nan")
    cpu_ms: float = float("nan")
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
    """One world from founding to end.

    Raises:
        ConfigError: no such arm.
    """
    model = EcologyModel(config, host=host, rng=seed, **{**settings, **settings_of(ARMS, arm)})
    life = Life(arm, seed)

    def look() -> None:
        for kind, _, facts in model.events:
            _take(life, kind, facts)

    lived = live(model, model.config.generations, look)
    life.lived += [model.tick - (colony.founded or 0) for colony in model.colonies.founded]
    life.success, life.cpu_ms = lived.mean("success_rate", -_LATE), lived.cpu_ms
    life.examined = [examine(model, colony) for colony in model.colonies.founded if colony.rung == "ensemble"]
    return life


def _take(life: Life, kind: str, facts: Mapping[str, Any]) -> None:
    match kind:
        case "colony_proposed":
            life.proposed += 1
        case "colony_founded":
            life.founded += 1
        case "colony_joined":
            life.courted += 1
            life.joined += 1
        case "colony_child":
            life.children += 1
        case "colony_dissolved":
            life.dissolved += 1
            life.lived.append(facts["lived"])
        case "colony_worked" if facts["rung"] == "ensemble":
            for name in ("tasks", "right", "rival_right", "tokens", "rival_tokens"):
                setattr(life, name, getattr(life, name) + facts[name])
        case "colony_tried" if facts["purpose"] == "expansion":
            life.courted += 1
        case "colony_tried" | "colony_climbed" if facts["prompts"] and facts.get("below", "ensemble") == "ensemble":
            shown = facts["right"], facts["tokens"], facts["rival_right"], facts["rival_tokens"]
            rung = facts.get("purpose", facts.get("rung"))
            life.rungs.append((rung, kind == "colony_climbed", facts["prompts"], *shown))


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


def colonies_page(lives: Sequence[Life], planted_seeds: int, command: str) -> str:
    """Everything measured, as Markdown."""
    planted = [
        [
            f"{members} at {chance:g}",
            f"{100 * condorcet(chance, members):.2f}",
            shown(
                t_interval([planted_success(members, chance, _PROMPTS, seed) for seed in range(planted_seeds)]), 100, 2
            ),
        ]
        for members, chance in _PLANTED
    ]
    arms = by_arm(lives)
    return "\n".join(
        [
            "# Colonies",
            "",
            f"Made by `{command}`.",
            "",
            "Mean [95 % t interval over seeds], differences paired by seed. In the first table a vote of members with"
            " independent errors, where yes or no is asked.",
            "",
            *markdown_table(["members", "predicted %", "vote right %"], planted),
            "",
            "Whole worlds. Success: of all episodes in the last"
            f" {_LATE} generations. Gain: of ensembles at paid work over their best member with as many answers, in"
            " points. Courted and joined: third and fourth members that were tried, and that passed.",
            "",
            *markdown_table(
                [
                    *("arm", "proposed", "founded", "lived, generations", "gain", "courted", "joined", "children"),
                    *("success %", "− off", "CPU ms per episode", "− off"),
                ],
                [[arm, *_living(found, arms["off"])] for arm, found in arms.items()],
            ),
            "",
            "Ensembles that live at the end, on fresh prompts of the `test` pool: joint answers, and their lead in"
            " points over the best member over all cells and the best one of each cell; either with as many answers"
            " and a vote, or with one greedy answer. Colonies of a seed are averaged first.",
            "",
            *markdown_table(
                [
                    *("arm", "colonies", "joint %", "over best member, as many", "over best in cell, as many"),
                    *("over best member, greedy", "over best in cell, greedy"),
                ],
                [[arm, *_examination(found)] for arm, found in arms.items() if any(life.examined for life in found)],
            ),
            "",
            "The ladder: trials of one adapter in place of an ensemble, all arms and seeds.",
            "",
            *markdown_table(
                [
                    *("rung", "trials", "passed", "right %", "ensemble %"),
                    *("right per 1000 tokens", "ensemble's"),
                ],
                [[rung, *_ladder(lives, rung)] for rung in ("fused", "distilled")],
            ),
            "",
        ]
    )


def _living(lives: Sequence[Life], off: Sequence[Life]) -> list[str]:
    gains = [(life.right - life.rival_right) / life.tasks for life in lives if life.tasks]
    lived = [length for life in lives for length in life.lived]
    line = [mean_of(lives, Column(name, 1)) for name in ("proposed", "founded")]
    line += [f"{np.median(lived):g} (median of {len(lived)})" if lived else "—"]
    line += [shown(t_interval(gains), 100, 1) if gains else "—"]
    line += [str(sum(getattr(life, name) for life in lives)) for name in ("courted", "joined", "children")]
    for column in (Column("success"), Column("cpu_ms", 1, 2)):
        line += [mean_of(lives, column), "—" if lives is off else gain_of(lives, off, column)]
    return line


def _examination(lives: Sequence[Life]) -> list[str]:
    mine = [life.examined for life in lives if life.examined]

    def mean(name: str) -> list[float]:
        return [sum(getattr(one, name) for one in some) / sum(one.prompts for one in some) for some in mine]

    joint, controls = mean("joint"), ("best_member", "best_in_cell", "greedy_member", "greedy_in_cell")
    leads = [shown(paired_difference(joint, mean(control)), 100, 1) for control in controls]
    return [str(sum(map(len, mine))), shown(t_interval(joint), 100, 1), *leads]


def _ladder(lives: Sequence[Life], rung: str) -> list[str]:
    trials = [trial for life in lives for trial in life.rungs if trial[0] == rung]
    if not trials:
        return ["0", *"—————"]
    prompts, right, tokens, theirs, their_tokens = np.sum([trial[2:] for trial in trials], 0).tolist()
    shares = [f"{100 * count / prompts:.1f}" for count in (right, theirs)]
    rates = [f"{1000 * right / tokens:.2f}", f"{1000 * theirs / their_tokens:.2f}"]
    return [str(len(trials)), str(sum(trial[1] for trial in trials)), *shares, *rates]


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
        rounded = [f"{value:.4f}" if isinstance(value, float) else value for value in values]
        writer.writerow([*rounded, " ".join(map(str, life.lived)), *sums])
    return out.getvalue()


def _life(config: WorldConfig, arm: str, seed: int) -> Life:
    return live_through(host_for(config), config, arm, seed)


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = study_parser("society_colonies", generations=96)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help="some of the arms, off with them")

    def study(given: argparse.Namespace, command: str) -> dict[str, str]:
        config = load_config("colonies", {"generations": given.generations})
        arms = [arm for arm in ARMS if arm in (*given.arms, "off")]
        lives = lives_of(_life, [(config, arm, seed) for arm in arms for seed in range(given.seeds)], given.jobs)
        return {"colonies.md": colonies_page(lives, given.seeds, command), "colonies.csv": to_csv(lives)}

    return carry_out(parser, study, arguments, say)


if __name__ == "__main__":
    raise SystemExit(main())
