"""What policies are worth: the same small ecology with and without them, seed by seed.

``python -m evolora_mesa.study.society_policy --out docs/results/society``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from evolora_mesa.configfile import load_config
from evolora_mesa.host import BARE, Request
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.policy import Bounds, named_cells, parse_policy, policy_prompt
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

__all__ = ["ARMS", "PolicyRow", "genuine", "live_arm", "policy_page"]

# By arm, its settings over `policy`. A policy that cannot be read is paid for and changes nothing, so `free` has the
# costs of the others and none of their effects.
ARMS: Final[Mapping[str, Mapping[str, object]]] = {
    "off": {"society.policy.enabled": False},
    "greedy": {},
    "sampled": {"society.policy.sampled": True},
    "no thrift": {"society.policy.least_budget": 1.0, "society.policy.most_reserve": 0.0},
    "free": {
        "society.policy.constrained": False,
        "society.policy.sampled": True,
        "society.policy.example": True,
    },
}
_SMALL: Final[Mapping[str, object]] = {**SMALL, "society.policy.every": 8}
_PROMPTS: Final = 1000


@dataclass(frozen=True)
class PolicyRow:
    """One life of the small ecology.

    Attributes:
        success, roi, population: means over the second half of the generations; where nobody lives they are 0.
        episodes: all of them.
        asked, genuine, constrained, failed: policies.
        policy_tokens: share of all living tokens, read and written.
        cpu_ms: milliseconds of CPU per episode.
    """

    arm: str
    seed: int
    success: float
    roi: float
    population: float
    episodes: int
    asked: int
    genuine: int
    constrained: int
    failed: int
    policy_tokens: float
    cpu_ms: float


def live_arm(arm: str, seed: int, generations: int, settings: Mapping[str, object] | None = None) -> PolicyRow:
    """One life of an arm.

    Raises:
        ConfigError: no such arm.
    """
    config = load_config("policy", {**_SMALL, **settings_of(ARMS, arm), **(settings or {}), "seed": seed})
    model = EcologyModel(config, host=host_for(config))
    lived, late = live(model, generations), generations // 2
    counts, totals = model.policies.counts, model.totals
    living = totals["prompt_tokens"] + totals["generated_tokens"]
    return PolicyRow(
        arm=arm,
        seed=seed,
        success=lived.mean("success_rate", late),
        roi=lived.mean("mean_roi", late),
        population=lived.mean("population", late),
        episodes=int(totals["episodes"]),
        asked=counts["asked"],
        genuine=counts["genuine"],
        constrained=counts["constrained"],
        failed=counts["failed"],
        policy_tokens=counts["tokens"] / max(living + counts["tokens"], 1),
        cpu_ms=lived.cpu_ms,
    )


def genuine(*, random_weights: bool, example: bool, prompts: int = _PROMPTS) -> int:
    """How many of so many free answers of a bare host are policies.

    Args:
        random_weights: the host is the negative control.
        example: the prompts show a policy.
    """
    config = load_config("policy", {**_SMALL, "host.random_weights": random_weights})
    host = host_for(config)
    bounds = Bounds(list(named_cells(config.tasks.families, config.tasks.depths)))
    prompt = policy_prompt(2.0, [("logic:1", 0.5), ("string.sort:2", 0.4)], example=example)
    answers = host.answer(
        [Request(BARE, prompt, key) for key in range(prompts)],
        temperature=config.host.temperature,
        max_new_tokens=config.society.policy.max_new_tokens,
    )
    return sum(parse_policy(text, bounds) is not None for text in answers.texts)


def policy_page(rows: Sequence[PolicyRow], free: Sequence[Sequence[str]], generations: int, command: str) -> str:
    """Every arm's figures, and its difference to the arm without policies, paired by seed.

    Args:
        free: rows of the table of free answers.
    """
    arms = by_arm(rows)
    off, table = arms["off"], []
    for arm, lives in arms.items():
        asked = sum(row.asked for row in lives)
        line = [arm, f"{sum(row.genuine for row in lives)} of {asked}" if asked else "—"]
        for column in (Column("success"), Column("roi", 1, 2), Column("population", 1)):
            line += [mean_of(lives, column), "—" if arm == "off" else gain_of(lives, off, column)]
        line += [str(round(np.mean([row.episodes for row in lives])))]
        line += [f"{100 * np.mean([row.policy_tokens for row in lives]):.1f}"]
        line += [f"{np.mean([row.cpu_ms for row in lives]):.2f}"]
        table.append(line)
    headings = ["arm", "genuine", "success %", "− off", "ROI", "− off", "population", "− off"]
    return "\n".join(
        [
            "# Policies in a small ecology on `petri`",
            "",
            f"Made by `{command}`.",
            "",
            f"{len(off)} seeds, {generations} generations each, of `policy` with 4 families × 2 depths and 8 founders."
            " Success, ROI and population are means over the second half; mean [95 % t interval over seeds],"
            " differences paired by seed. Genuine: policies read from what the host wrote freely. `free` pays for"
            " policies that cannot be read and change nothing; under `no thrift` they say where and with whom, not how"
            " much.",
            "",
            *markdown_table([*headings, "episodes", "policy tokens %", "CPU ms per episode"], table),
            "",
            f"Of {_PROMPTS} free answers of a host without adapters, this many are policies:",
            "",
            *markdown_table(["weights", "prompt without example", "with example"], free),
            "",
        ]
    )


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""

    def study(given: argparse.Namespace, command: str) -> dict[str, str]:
        jobs = [(arm, seed, given.generations) for seed in range(given.seeds) for arm in ARMS]
        rows = lives_of(live_arm, jobs, given.jobs)
        free = [
            [name, *(str(genuine(random_weights=name == "random", example=example)) for example in (False, True))]
            for name in ("petri", "random")
        ]
        return {"policy.md": policy_page(rows, free, given.generations, command), "policy.csv": rows_csv(rows)}

    return carry_out(study_parser("society_policy", generations=40), study, arguments, say)


if __name__ == "__main__":
    raise SystemExit(main())
