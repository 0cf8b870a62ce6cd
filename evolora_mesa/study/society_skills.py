"""What skill factors are worth: the same small ecology with and without them, in a world that stays and one that moves.

``python -m evolora_mesa.study.society_skills --out docs/results/society``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from evolora_mesa.configfile import load_config
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.study.arms import (
    SMALL,
    Column,
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
from evolora_mesa.study.worth import worth

__all__ = ["ARMS", "WORLDS", "SkillRow", "live_arm", "skills_page"]

ARMS: Final[Mapping[str, Mapping[str, object]]] = {
    "off": {},
    "on": {"society.skills.enabled": True},
    "on, fast": {"society.skills.enabled": True, "society.skills.rate": 5.0},
}
WORLDS: Final = ("static", "shifting")


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


def live_arm(
    world: str,
    arm: str,
    seed: int,
    generations: int,
    per_cell: int = 20,
    more: Mapping[str, object] | None = None,
) -> SkillRow:
    """One life; in a world that moves, contracts shift half-way.

    Args:
        more: settings over those of the arm.

    Raises:
        ConfigError: no such arm.
    """
    half = generations // 2
    schedule = [{"at": half + 1, "shift": "contracts"}] if world == "shifting" else []
    settings = {**SMALL, **settings_of(ARMS, arm), "seasons.schedule": schedule, **(more or {}), "seed": seed}
    config = load_config("ecology", settings)
    model = EcologyModel(config, host=host_for(config))
    lived = live(model, generations)
    success = np.nan_to_num(lived.figures["success_rate"][half:])
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
        cpu_ms=lived.cpu_ms,
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
                mean = f"{100 * np.mean([getattr(row, name) for row in lives]):.1f}"
                column = Column(name)
                line.append(mean_of(lives, column) if arm == "off" else f"{mean} ({gain_of(lives, off, column)})")
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


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = study_parser("society_skills", generations=40)
    parser.add_argument("--per-cell", type=int, default=20, help="tasks per cell on the test panel")

    def study(given: argparse.Namespace, command: str) -> dict[str, str]:
        jobs = [
            (world, arm, seed, given.generations, given.per_cell)
            for seed in range(given.seeds)
            for world in WORLDS
            for arm in ARMS
        ]
        rows = lives_of(live_arm, jobs, given.jobs)
        return {"skills.md": skills_page(rows, given.generations, command), "skills.csv": rows_csv(rows)}

    return carry_out(parser, study, arguments, say)


if __name__ == "__main__":
    raise SystemExit(main())
