"""What a message board and a knowledge cache are worth: the same small ecology with and without them, seed by seed.

``python -m evolora_mesa.study.society_hints --out docs/results/society``
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from evolora_mesa.configfile import load_config
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.readers import ALONE
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
from evolora_mesa.study.baseline_table import markdown_table
from evolora_mesa.study.panels import answer_panel
from evolora_mesa.tasks import Pool

__all__ = ["ARMS", "HintsRow", "hints_page", "live_arm"]

_NO_BOARD: Final = {"society.board.enabled": False}
_NO_CACHE: Final = {"society.knowledge.enabled": False}
_SHUFFLED_BOARD: Final = {"society.board.shuffled": True}
_SHUFFLED_CACHE: Final = {"society.knowledge.shuffled": True}
_EXAMPLES: Final = {"society.knowledge.form": "example"}

# By arm, its settings over `board`.
ARMS: Final[Mapping[str, Mapping[str, object]]] = {
    "off": {**_NO_BOARD, **_NO_CACHE},
    "board": _NO_CACHE,
    "board, shuffled": {**_NO_CACHE, **_SHUFFLED_BOARD},
    "cache, openings": _NO_BOARD,
    "cache, openings, shuffled": {**_NO_BOARD, **_SHUFFLED_CACHE},
    "cache, examples": {**_NO_BOARD, **_EXAMPLES},
    "cache, examples, shuffled": {**_NO_BOARD, **_EXAMPLES, **_SHUFFLED_CACHE},
    "board and cache": {},
}
_SHUFFLED: Final = {arm: f"{arm}, shuffled" for arm in ARMS if f"{arm}, shuffled" in ARMS}
_UNAIDED: Final = 16  # test tasks of each organelle
_MEANS: Final = (
    Column("early"),
    Column("success"),
    Column("unaided"),
    Column("roi", 1, 2),
    Column("population", 1),
)


@dataclass(frozen=True)
class HintsRow:
    """One life of the small ecology.

    Attributes:
        early, success: share of episodes paid in full, in the first quarter of the generations and in the second half.
        roi, population: means over the second half; where nobody lives success and ROI are 0.
        unaided: mean success of those alive at the end on test tasks of their cells, greedy and without hints.
        episodes: all of them.
        reads: share of the episodes that were answered with a hint.
        read_right, alone_right: share paid in full of the episodes with a hint, and of those without.
        posts: that were written.
        cpu_ms: milliseconds of CPU per episode.
    """

    arm: str
    seed: int
    early: float
    success: float
    roi: float
    population: float
    unaided: float
    episodes: int
    reads: float
    read_right: float
    alone_right: float
    posts: int
    cpu_ms: float


def live_arm(arm: str, seed: int, generations: int, settings: Mapping[str, object] | None = None) -> HintsRow:
    """One life of an arm.

    Raises:
        ConfigError: no such arm.
    """
    config = load_config("board", {**SMALL, **settings_of(ARMS, arm), **(settings or {}), "seed": seed})
    model = EcologyModel(config, host=host_for(config))
    lived = live(model, generations)
    late, early = generations // 2, max(generations // 4, 1)
    success, answered = np.nan_to_num(lived.figures["success_rate"]), lived.figures["episodes"]
    read, read_right = np.delete(model.hints.counts, ALONE, axis=0).sum(0).tolist()
    alone, alone_right = answered.sum() - read, (success * answered).sum() - read_right
    return HintsRow(
        arm=arm,
        seed=seed,
        early=float(success[:early].mean()),
        success=lived.mean("success_rate", late),
        roi=lived.mean("mean_roi", late),
        population=lived.mean("population", late),
        unaided=_unaided(model),
        episodes=int(model.totals["episodes"]),
        reads=float(read / max(answered.sum(), 1)),
        read_right=read_right / max(read, 1),
        alone_right=float(alone_right / max(alone, 1)),
        posts=int(lived.figures["posts"].sum()),
        cpu_ms=lived.cpu_ms,
    )


def _unaided(model: EcologyModel) -> float:
    organelles, rng = model.organelles(), random.Random(0)
    if not organelles:
        return 0.0
    cells = [family * model.grid.depths + depth for family, depth in (o.cell.coordinate for o in organelles)]
    tasks = [model.draw_task(Pool.TEST, cell, rng) for cell in cells for _ in range(_UNAIDED)]
    slots = [organelle.slot for organelle in organelles for _ in range(_UNAIDED)]
    return float(answer_panel(model.host, model.bank, slots, tasks, model.tasks, model.contracts).success.mean())


def hints_page(rows: Sequence[HintsRow], generations: int, command: str) -> str:
    """Every arm's figures, its difference to the arm without hints and to its shuffled control, paired by seed."""
    arms = by_arm(rows)
    table, gains = [], []
    for arm, lives in arms.items():
        table.append([arm, *(mean_of(lives, column) for column in _MEANS), *_plain(lives)])
        for other in ("off", _SHUFFLED.get(arm, "")):
            if other in arms and other != arm:
                gains.append([f"{arm} − {other}", *(gain_of(lives, arms[other], column) for column in _MEANS)])
    headings = ["early success %", "success %", "unaided %", "ROI", "population"]
    extra = ["reads %", "right with hint %", "right alone %", "posts", "episodes", "CPU ms per episode"]
    return "\n".join(
        [
            "# Message board and knowledge cache in a small ecology on `petri`",
            "",
            f"Made by `{command}`.",
            "",
            f"{len(next(iter(arms.values())))} seeds, {generations} generations each, of `board` with 4 families × 2"
            " depths and 8 founders. Early: the first quarter of the generations; success, ROI and population: the"
            " second half. Unaided: organelles alive at the end on test tasks of their cells, greedy, without hints."
            " Mean [95 % t interval over seeds], differences paired by seed.",
            "",
            *markdown_table(["arm", *headings, *extra], table),
            "",
            *markdown_table(["difference", *headings], gains),
            "",
        ]
    )


def _plain(lives: Sequence[HintsRow]) -> list[str]:
    mean = {
        name: float(np.mean([getattr(row, name) for row in lives]))
        for name in ("reads", "read_right", "alone_right", "posts", "episodes", "cpu_ms")
    }
    read = f"{100 * mean['read_right']:.1f}" if mean["reads"] else "—"
    posts, episodes = round(mean["posts"]), round(mean["episodes"])
    shares = [f"{100 * mean['reads']:.1f}", read, f"{100 * mean['alone_right']:.1f}"]
    return [*shares, str(posts), str(episodes), f"{mean['cpu_ms']:.2f}"]


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = study_parser("society_hints", generations=40)
    parser.add_argument("--shift-every", type=int, help="generations until contracts shift, by default never")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), help="some of the arms, by name")

    def study(given: argparse.Namespace, command: str) -> dict[str, str]:
        settings = {"seasons.shift_every": given.shift_every or 0}
        jobs = [(arm, seed, given.generations, settings) for seed in range(given.seeds) for arm in given.arms]
        rows = lives_of(live_arm, jobs, given.jobs)
        name = "hints_shifting" if given.shift_every else "hints"
        return {f"{name}.md": hints_page(rows, given.generations, command), f"{name}.csv": rows_csv(rows)}

    return carry_out(parser, study, arguments, say)


if __name__ == "__main__":
    raise SystemExit(main())
