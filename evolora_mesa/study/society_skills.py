"""What skill factors are worth: the same small ecology with and without them, in a world that stays and one that moves.

``python -m evolora_mesa.study.society_skills --out docs/results/society``
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import numpy as np

from evolora_mesa.configfile import load_config
from evolora_mesa.errors import EvoloraError
from evolora_mesa.host import HostService
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.study.baseline_table import markdown_table, save_texts, shown
from evolora_mesa.study.statistics import paired_difference, t_interval
from evolora_mesa.study.worth import worth

__all__ = ["ARMS", "WORLDS", "SkillRow", "live_arm", "skills_page"]

ARMS: Final[Mapping[str, Mapping[str, object]]] = {
    "off": {},
    "on": {"society.skills.enabled": True},
    "on, fast": {"society.skills.enabled": True, "society.skills.rate": 5.0},
}
WORLDS: Final = ("static", "shifting")
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


@dataclass(frozen=True)
class SkillRow:
    """One life of the small ecology.

    Attributes:
        success: of the answers, mean over the generations of the second half; those after the shift where there is one.
        early: the same over the first fifth of that half.
        routed, unrouted: on the test pool at the end; see `Worth`.
        strength: largest log factor of an organelle and site, mean at the end.
        cpu_ms: milliseconds of CPU per episode.
    """

    world: str
    arm: str
    seed: int
    success: float
    early: float
    routed: float
    unrouted: float
    strength: float
    cpu_ms: float


def live_arm(world: str, arm: str, seed: int, generations: int, host: HostService, per_cell: int = 20) -> SkillRow:
    """One life; in a world that moves, contracts shift half-way."""
    half = generations // 2
    schedule = [{"at": half + 1, "shift": "contracts"}] if world == "shifting" else []
    settings = {**_SMALL, **ARMS[arm], "seasons.schedule": schedule, "seed": seed}
    model = EcologyModel(load_config("ecology", settings), host=host)
    began = time.process_time()
    for _ in range(generations):
        if model.running:
            model.step()
    seconds = time.process_time() - began
    success = np.nan_to_num(list(model.datacollector.model_vars["success_rate"])[1 + half :])
    found = worth(model, "test", per_cell=per_cell)
    slots = [organelle.slot for organelle in model.organelles()]
    factors = model.skills.factors[slots].abs()
    return SkillRow(
        world=world,
        arm=arm,
        seed=seed,
        success=float(success.mean()),
        early=float(success[: max(half // 5, 1)].mean()),
        routed=found.routed or 0.0,
        unrouted=found.unrouted or 0.0,
        strength=float(factors.amax(2).mean()) if slots else 0.0,
        cpu_ms=1000 * seconds / max(model.totals["episodes"], 1),
    )


def skills_page(rows: Sequence[SkillRow], generations: int, command: str) -> str:
    """Every arm's figures, and its difference to the arm without skill factors, paired by seed."""
    table, figures = [], ("success", "early", "routed", "unrouted")
    for world in WORLDS:
        for arm in ARMS:
            lives = [row for row in rows if (row.world, row.arm) == (world, arm)]
            off = [row for row in rows if (row.world, row.arm) == (world, "off")]
            line = [world, arm]
            for name in figures:
                values, without = ([getattr(row, name) for row in some] for some in (lives, off))
                gain = "" if arm == "off" else f" ({shown(paired_difference(values, without), 100, 1)})"
                line.append(f"{100 * np.mean(values):.1f}{gain}" if gain else shown(t_interval(values), 100, 1))
            line += [f"{np.mean([getattr(row, name) for row in lives]):.2f}" for name in ("strength", "cpu_ms")]
            table.append(line)
    return "\n".join(
        [
            "# Skill factors in a small ecology on `petri`",
            "",
            f"Made by `{command}`.",
            "",
            f"{len({row.seed for row in rows})} seeds, {generations} generations of `ecology` with 4 families × 2"
            " depths and 8 founders; in `shifting` the contracts shift half-way. Success: of the answers in the second"
            " half, and in its first fifth (`early`). Routed and unrouted: accuracy on the `test` pool at the end."
            " `off`: mean [95 % t interval over seeds]; other arms: mean (difference to `off`, paired by seed, with its"
            " interval). Strength: largest log factor of an organelle and site, mean at the end.",
            "",
            *markdown_table(
                ["world", "arm", *(f"{name} %" for name in figures), "strength", "CPU ms per episode"], table
            ),
            "",
        ]
    )


def _csv(rows: Sequence[SkillRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(SkillRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evolora_mesa.study.society_skills", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, 0, 1, 2, ...")
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--per-cell", type=int, default=20, help="tasks per cell on the test panel")
    parser.add_argument("--out", type=Path, help="folder for skills.md and skills.csv")
    given = parser.parse_args(arguments)
    command = f"{parser.prog} --seeds {given.seeds} --generations {given.generations} --per-cell {given.per_cell}"
    rows = []
    try:
        host = host_for(load_config("ecology"))
        for seed in range(given.seeds):
            for world in WORLDS:
                for arm in ARMS:
                    rows.append(live_arm(world, arm, seed, given.generations, host, given.per_cell))
                    print(rows[-1], file=sys.stderr, flush=True)
        page = skills_page(rows, given.generations, command)
        if given.out is not None:
            save_texts(given.out, {"skills.md": page, "skills.csv": _csv(rows)})
    except EvoloraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    say(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
