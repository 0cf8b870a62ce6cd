"""What policies are worth: the same small ecology with and without them, seed by seed.

``python -m evolora_mesa.study.society_policy --out docs/results/society``
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
from evolora_mesa.errors import ConfigError, EvoloraError
from evolora_mesa.host import BARE, Request
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.policy import Bounds, named_cells, parse_policy, policy_prompt
from evolora_mesa.study.baseline_table import markdown_table, save_texts, shown
from evolora_mesa.study.statistics import paired_difference, t_interval

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
_SMALL: Final[Mapping[str, object]] = {
    "society.policy.every": 8,
    "tasks.families": ["word.count", "logic", "string.sort", "code.format"],
    "tasks.depths": 2,
    "population.initial": 8,
    "population.maximum": 16,
    "economy.inflow": 2.0,
    "reproduction.maturity": 6,
    "reproduction.cooldown": 2,
    "gate.most_trials": 3,
}


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
    if arm not in ARMS:
        raise ConfigError("no such arm", where="arms", expected=", ".join(ARMS), got=arm)
    config = load_config("policy", {**_SMALL, **ARMS[arm], **(settings or {}), "seed": seed})
    model = EcologyModel(config, host=host_for(config))
    began = time.process_time()
    for _ in range(generations):
        if model.running:
            model.step()
    seconds = time.process_time() - began
    figures = {name: list(values)[1:] for name, values in model.datacollector.model_vars.items()}
    late = len(figures["success_rate"]) // 2
    counts, totals = model.policies.counts, model.totals
    lived = totals["prompt_tokens"] + totals["generated_tokens"]
    return PolicyRow(
        arm=arm,
        seed=seed,
        success=float(np.nan_to_num(figures["success_rate"][late:]).mean()),
        roi=float(np.nan_to_num(figures["mean_roi"][late:]).mean()),
        population=float(np.mean(figures["population"][late:])),
        episodes=int(totals["episodes"]),
        asked=counts["asked"],
        genuine=counts["genuine"],
        constrained=counts["constrained"],
        failed=counts["failed"],
        policy_tokens=counts["tokens"] / max(lived + counts["tokens"], 1),
        cpu_ms=1000 * seconds / max(totals["episodes"], 1),
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
    arms = {arm: [row for row in rows if row.arm == arm] for arm in dict.fromkeys(row.arm for row in rows)}
    off = arms["off"]
    table = []
    for arm, lives in arms.items():
        asked = sum(row.asked for row in lives)
        line = [arm, f"{sum(row.genuine for row in lives)} of {asked}" if asked else "—"]
        for name, factor, decimals in (("success", 100, 1), ("roi", 1, 2), ("population", 1, 1)):
            values = [getattr(row, name) for row in lives]
            line.append(shown(t_interval(values), factor, decimals))
            gain = paired_difference(values, [getattr(row, name) for row in off])
            line.append("—" if arm == "off" else shown(gain, factor, decimals))
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


def _csv(rows: Sequence[PolicyRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(PolicyRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m evolora_mesa.study.society_policy", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, 0, 1, 2, ...")
    parser.add_argument("--generations", type=int, default=40)
    parser.add_argument("--out", type=Path, help="folder for policy.md and policy.csv")
    given = parser.parse_args(arguments)
    command = f"{parser.prog} --seeds {given.seeds} --generations {given.generations}"
    rows = []
    try:
        for seed in range(given.seeds):
            for arm in ARMS:
                rows.append(live_arm(arm, seed, given.generations))
                print(rows[-1], file=sys.stderr, flush=True)
        free = [
            [name, *(str(genuine(random_weights=name == "random", example=example)) for example in (False, True))]
            for name in ("petri", "random")
        ]
        page = policy_page(rows, free, given.generations, command)
        if given.out is not None:
            save_texts(given.out, {"policy.md": page, "policy.csv": _csv(rows)})
    except EvoloraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    say(page)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
