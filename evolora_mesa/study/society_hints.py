"""What a message board and a knowledge cache are worth: the same small ecology with and without them, seed by seed.

``python -m evolora_mesa.study.society_hints --out docs/results/society``
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
from evolora_mesa.errors import ConfigError, EvoloraError
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.readers import ALONE
from evolora_mesa.study.baseline_table import markdown_table, save_texts, shown
from evolora_mesa.study.panels import answer_panel
from evolora_mesa.study.statistics import paired_difference, t_interval
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
_SMALL: Final[Mapping[str, object]] = {
    "tasks.families": ["word.count", "logic", "string.sort", "code.format"],
    "tasks.depths": 2,
    "population.initial": 8,
    "population.maximum": 16,
    "economy.inflow": 2.0,
    "reproduction.maturity": 6,
    "reproduction.cooldown": 2,
    "gate.most_trials": 3,
}
_UNAIDED: Final = 16  # test tasks of each organelle


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
    if arm not in ARMS:
        raise ConfigError("no such arm", where="arms", expected=", ".join(ARMS), got=arm)
    config = load_config("board", {**_SMALL, **ARMS[arm], **(settings or {}), "seed": seed})
    model = EcologyModel(config, host=host_for(config))
    posts, began = 0, time.process_time()
    for _ in range(generations):
        if model.running:
            model.step()
            posts += sum(kind == "posted" for kind, _, _ in model.events)
    seconds = time.process_time() - began
    figures = {name: list(values)[1:] for name, values in model.datacollector.model_vars.items()}
    late, early = generations // 2, max(generations // 4, 1)
    success = np.nan_to_num(figures["success_rate"])
    answered = np.array(figures["episodes"])
    read, read_right = np.delete(model.hints.counts, ALONE, axis=0).sum(0).tolist()
    alone, alone_right = answered.sum() - read, (success * answered).sum() - read_right
    return HintsRow(
        arm=arm,
        seed=seed,
        early=float(success[:early].mean()),
        success=float(success[late:].mean()) if len(success) > late else 0.0,
        roi=float(np.nan_to_num(figures["mean_roi"][late:]).mean()) if len(success) > late else 0.0,
        population=float(np.mean(figures["population"][late:])) if len(success) > late else 0.0,
        unaided=_unaided(model),
        episodes=int(model.totals["episodes"]),
        reads=float(read / max(answered.sum(), 1)),
        read_right=read_right / max(read, 1),
        alone_right=float(alone_right / max(alone, 1)),
        posts=posts,
        cpu_ms=1000 * seconds / max(model.totals["episodes"], 1),
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
    arms = {arm: [row for row in rows if row.arm == arm] for arm in dict.fromkeys(row.arm for row in rows)}
    table, gains = [], []
    for arm, lives in arms.items():
        table.append([arm, *(_mean(lives, *column) for column in _MEANS), *_plain(lives)])
        for other in ("off", _SHUFFLED.get(arm, "")):
            if other in arms and other != arm:
                differences = (_gain(lives, arms[other], *column) for column in _MEANS)
                gains.append([f"{arm} − {other}", *differences])
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


_MEANS: Final = (("early", 100, 1), ("success", 100, 1), ("unaided", 100, 1), ("roi", 1, 2), ("population", 1, 1))


def _values(lives: Sequence[HintsRow], name: str) -> list[float]:
    return [getattr(row, name) for row in lives]


def _mean(lives: Sequence[HintsRow], name: str, factor: float, decimals: int) -> str:
    return shown(t_interval(_values(lives, name)), factor, decimals)


def _gain(lives: Sequence[HintsRow], others: Sequence[HintsRow], name: str, factor: float, decimals: int) -> str:
    return shown(paired_difference(_values(lives, name), _values(others, name)), factor, decimals)


def _plain(lives: Sequence[HintsRow]) -> list[str]:
    mean = {name: float(np.mean(_values(lives, name))) for name in ("reads", "read_right", "alone_right", "cpu_ms")}
    read = f"{100 * mean['read_right']:.1f}" if mean["reads"] else "—"
    posts, episodes = (round(np.mean(_values(lives, name))) for name in ("posts", "episodes"))
    shares = [f"{100 * mean['reads']:.1f}", read, f"{100 * mean['alone_right']:.1f}"]
    return [*shares, str(posts), str(episodes), f"{mean['cpu_ms']:.2f}"]


def _csv(rows: Sequence[HintsRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(HintsRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evolora_mesa.study.society_hints", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, 0, 1, 2, ...")
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--shift-every", type=int, default=0, help="generations until contracts shift; 0 is never")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), help="some of the arms, by name")
    parser.add_argument("--out", type=Path, help="folder for the page and its rows as CSV")
    given = parser.parse_args(arguments)
    command = f"{parser.prog} --seeds {given.seeds} --generations {given.generations}"
    settings: dict[str, object] = {}
    if given.shift_every:
        command += f" --shift-every {given.shift_every}"
        settings["seasons.shift_every"] = given.shift_every
    if given.arms != list(ARMS):
        command += " --arms " + " ".join(f'"{arm}"' for arm in given.arms)
    name = "hints_shifting" if given.shift_every else "hints"
    rows = []
    try:
        for seed in range(given.seeds):
            for arm in given.arms:
                rows.append(live_arm(arm, seed, given.generations, settings))
                print(rows[-1], file=sys.stderr, flush=True)
        page = hints_page(rows, given.generations, command)
        if given.out is not None:
            save_texts(given.out, {f"{name}.md": page, f"{name}.csv": _csv(rows)})
    except EvoloraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    say(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
