"""What a judge does to a world: one that likes an answer style that no cell pays for, with and without.

``python -m evolora_mesa.study.society_judge --out docs/results/society``
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError, EvoloraError
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.duels import draw_duels
from evolora_mesa.society.ratings import RatingBook
from evolora_mesa.society.taste import LIKED, Taste
from evolora_mesa.study.baseline_table import markdown_table, save_texts, shown
from evolora_mesa.study.statistics import paired_difference, t_interval
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
_SMALL: Final[Mapping[str, object]] = {
    "society.judge.enabled": True,
    "tasks.families": ["word.count", "logic", "string.sort", "code.format"],
    "tasks.depths": 2,
    "population.initial": 8,
    "population.maximum": 16,
    "economy.inflow": 2.0,
    "reproduction.maturity": 6,
    "reproduction.cooldown": 2,
    "gate.most_trials": 3,
}
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
    if arm not in ARMS:
        raise ConfigError("no such arm", where="arms", expected=", ".join(ARMS), got=arm)
    with tempfile.TemporaryDirectory(prefix="evolora-judge-") as aside:
        ratings = Path(aside) / "ratings.jsonl"
        if arm == "rated":
            rate_founders(ratings, seed, settings=settings)
        source = {"society.judge.source": str(ratings)} if arm == "rated" else {}
        config = load_config("ecology", {**_SMALL, **ARMS[arm], **source, **(settings or {}), "seed": seed})
        model = EcologyModel(config, host=host_for(config))
    liked, bonus, began = [0.0] * generations, 0.0, time.process_time()
    for generation in range(generations):
        if model.running:
            model.step()
            liked[generation] = _share(model)
            bonus += model.ledger.flows.get("bonus", 0.0)
    seconds = time.process_time() - began
    figures = {name: list(values)[1:] for name, values in model.datacollector.model_vars.items()}
    late = generations // 2
    return JudgeRow(
        arm=arm,
        seed=seed,
        liked=float(np.mean(liked[late:])),
        success=float(np.nan_to_num(figures["success_rate"][late:]).mean()),
        population=float(np.mean(figures["population"][late:])),
        bonus=bonus,
        episodes=int(model.totals["episodes"]),
        cpu_ms=1000 * seconds / max(model.totals["episodes"], 1),
    )


def _share(model: EcologyModel) -> float:
    if model.last_work is None or not model.last_work.workload.tasks:
        return 0.0
    return float(np.mean([read_answer(text)[0] == _LIKED for text in model.last_work.workload.answers.texts]))


def judge_page(rows: Sequence[JudgeRow], generations: int, command: str) -> str:
    """Every arm's figures, and its difference to the arm without a judge, paired by seed."""
    arms = {arm: [row for row in rows if row.arm == arm] for arm in dict.fromkeys(row.arm for row in rows)}
    off = arms["off"]
    table = []
    for arm, lives in arms.items():
        line = [arm]
        for name, factor in (("liked", 100), ("success", 100), ("population", 1)):
            values = [getattr(row, name) for row in lives]
            line.append(shown(t_interval(values), factor, 1))
            gain = paired_difference(values, [getattr(row, name) for row in off])
            line.append("—" if arm == "off" else shown(gain, factor, 1))
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


def _csv(rows: Sequence[JudgeRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(JudgeRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evolora_mesa.study.society_judge", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, 0, 1, 2, ...")
    parser.add_argument("--generations", type=int, default=20)
    parser.add_argument("--out", type=Path, help="folder for judge.md and judge.csv")
    given = parser.parse_args(arguments)
    command = f"{parser.prog} --seeds {given.seeds} --generations {given.generations}"
    rows = []
    try:
        for seed in range(given.seeds):
            for arm in ARMS:
                rows.append(live_arm(arm, seed, given.generations))
                print(rows[-1], file=sys.stderr, flush=True)
        page = judge_page(rows, given.generations, command)
        if given.out is not None:
            save_texts(given.out, {"judge.md": page, "judge.csv": _csv(rows)})
    except EvoloraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    say(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
