"""What a judge does to a world: one that likes an answer style that no cell pays for, with and without.

``python -m evolora_mesa.study.society_judge --out docs/results/society``
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from evolora_mesa.configfile import load_config
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.duels import draw_duels
from evolora_mesa.society.ratings import RatingBook
from evolora_mesa.society.taste import LIKED, Taste
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
from evolora_mesa.tasks import read_answer

__all__ = ["ARMS", "JudgeRow", "judge_page", "live_arm", "rate_founders"]

_LIKED: Final = "ticks"  # no family of the small world pays for it
_STRENGTH: Final = 4.0  # log-odds: it wins 98 of 100 comparisons
_OFTEN: Final = {"society.judge.every": 1, "society.judge.share": 1.0, "society.judge.weight": 0.8}
_TASTE: Final = {"society.judge.likes": {_LIKED: _STRENGTH}}

# By arm, its settings. `rated` knows nothing but the ratings of founders' answers by somebody of that taste.
ARMS: Final[Mapping[str, Mapping[str, object]]] = {
    "off": {"society.judge.enabled": False},
    "defaults": _TASTE,
    "bonus only": {**_TASTE, **_OFTEN, "society.judge.weight": 0.0},
    "strong": {**_TASTE, **_OFTEN},
    "rated": _OFTEN,
}
_SMALL: Final[Mapping[str, object]] = {**SMALL, "society.judge.enabled": True}
_DUELS: Final = 48


@dataclass(frozen=True)
class JudgeRow:
    """One life of the small ecology.

    Attributes:
        liked: share of the answers that are written in the style that the judge likes.
        success, population: all three are means over the second half of the generations; where nobody lives they are 0.
        bonus: energy that the judge gave.
        episodes: all of them.
        cpu_ms: milliseconds of CPU per episode.
    """

    arm: str
    seed: int
    liked: float
    success: float
    population: float
    bonus: float
    episodes: int
    cpu_ms: float


def rate_founders(path: Path, seed: int, duels: int = _DUELS, settings: Mapping[str, object] | None = None) -> None:
    """Ratings of the founders' answers by a judge who likes one style, as ``evolora judge`` would leave them."""
    config = load_config("ecology", {**_SMALL, **(settings or {}), "society.judge.enabled": False, "seed": seed})
    model = EcologyModel(config, host=host_for(config))
    taste = Taste(np.array([_STRENGTH * (name == _LIKED) for name in LIKED]))
    book = RatingBook(path)
    for duel in draw_duels(model, duels, random.Random(seed)):
        verdict = taste.judge(duel)
        if verdict in ("a", "b", "tie"):
            book.add(duel, verdict, model.tick)


def live_arm(arm: str, seed: int, generations: int, settings: Mapping[str, object] | None = None) -> JudgeRow:
    """One life of an arm.

    Raises:
        ConfigError: no such arm.
    """
    own = settings_of(ARMS, arm)
    with tempfile.TemporaryDirectory(prefix="evolora-judge-") as aside:
        ratings = Path(aside) / "ratings.jsonl"
        if arm == "rated":
            rate_founders(ratings, seed, settings=settings)
        source = {"society.judge.source": str(ratings)} if arm == "rated" else {}
        config = load_config("ecology", {**_SMALL, **own, **source, **(settings or {}), "seed": seed})
        model = EcologyModel(config, host=host_for(config))
    liked, bonus = [0.0] * generations, []

    def look() -> None:
        liked[model.tick - 1] = _share(model)
        bonus.append(model.ledger.flows.get("bonus", 0.0))

    lived, late = live(model, generations, look), generations // 2
    return JudgeRow(
        arm=arm,
        seed=seed,
        liked=float(np.mean(liked[late:])),
        success=lived.mean("success_rate", late),
        population=lived.mean("population", late),
        bonus=sum(bonus),
        episodes=int(model.totals["episodes"]),
        cpu_ms=lived.cpu_ms,
    )


def _share(model: EcologyModel) -> float:
    if model.last_work is None or not model.last_work.workload.tasks:
        return 0.0
    return float(np.mean([read_answer(text)[0] == _LIKED for text in model.last_work.workload.answers.texts]))


def judge_page(rows: Sequence[JudgeRow], generations: int, command: str) -> str:
    """Every arm's figures, and its difference to the arm without a judge, paired by seed."""
    arms = by_arm(rows)
    off, table = arms["off"], []
    for arm, lives in arms.items():
        line = [arm]
        for column in (Column("liked"), Column("success"), Column("population", 1)):
            line += [mean_of(lives, column), "—" if arm == "off" else gain_of(lives, off, column)]
        line += [f"{np.mean([row.bonus for row in lives]):.1f}", f"{np.mean([row.cpu_ms for row in lives]):.2f}"]
        table.append(line)
    headings = ["arm", "liked style %", "− off", "success %", "− off", "population", "− off"]
    return "\n".join(
        [
            "# A judge in a small ecology on `petri`",
            "",
            f"Made by `{command}`.",
            "",
            f"{len(off)} seeds, {generations} generations each, of `ecology` with 4 families × 2 depths and 8 founders."
            f" The judge likes the style `{_LIKED}`, which no cell pays for ({_STRENGTH:g} log-odds). Means over the"
            " second half; mean [95 % t interval over seeds], differences paired by seed. `defaults`: every 4"
            " generations a quarter of the answers, weight 0.5. `strong`: always all of them, weight 0.8. `bonus only`:"
            " the same, but it only pays and does not teach. `rated`: as `strong`, and all that is known of the judge"
            f" are its ratings of at most {_DUELS} pairs of founders' answers.",
            "",
            *markdown_table([*headings, "bonus", "CPU ms per episode"], table),
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""

    def study(given: argparse.Namespace, command: str) -> dict[str, str]:
        jobs = [(arm, seed, given.generations) for seed in range(given.seeds) for arm in ARMS]
        rows = lives_of(live_arm, jobs, given.jobs)
        return {"judge.md": judge_page(rows, given.generations, command), "judge.csv": rows_csv(rows)}

    return carry_out(study_parser("society_judge", generations=20), study, arguments, say)


if __name__ == "__main__":
    raise SystemExit(main())
