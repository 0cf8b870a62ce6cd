"""Is learning real, and is it special? One specialist per family, examined in all families.

`evolora specialists --seeds 5 --out FILE.json` writes the figures and a page.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from evolora_mesa.config import PlasticityConfig, WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError, EvoloraError
from evolora_mesa.host import BARE, HostService
from evolora_mesa.streams import Streams
from evolora_mesa.study.baseline_table import as_json, markdown_table, save_texts, shown
from evolora_mesa.study.deployment import Ground, draw_panels
from evolora_mesa.study.lanes import fine_tune_lanes, train_lanes
from evolora_mesa.study.panels import family_of, success_matrix
from evolora_mesa.study.statistics import Interval, t_interval
from evolora_mesa.tasks import Task

__all__ = ["RULES", "TransferRow", "TransferTable", "main", "transfer_matrix"]

RULES: Final = {
    "three_factor": "the default rule",
    "hebbian": "control: activity times reward, without the surprise that carries the direction",
    "none": "control: no learning",
    "supervised": "ceiling: fine-tuned on as many right answers in the paid style",
}
_RATE, _HALF_LIFE, _ROWS = 0.01, 60.0, 16


@dataclass(frozen=True)
class TransferRow:
    """All specialists of one rule and seed, on the test pool.

    Attributes:
        base: ``[families]`` accuracy of the bare host.
        matrix: ``[families, families]`` accuracy of the specialist of the first in the second.
        training_seconds: CPU seconds for all specialists together.
    """

    rule: str
    seed: int
    base: list[float]
    matrix: list[list[float]]
    training_seconds: float

    @property
    def base_mean(self) -> float:
        return float(np.mean(self.base))

    @property
    def diagonal(self) -> float:
        """Mean accuracy of the specialists at home."""
        return float(np.diagonal(self.matrix).mean())

    @property
    def off_diagonal(self) -> float:
        """Mean accuracy of the specialists away from home; nan when there is one family."""
        matrix = np.array(self.matrix)
        away = matrix[~np.eye(len(matrix), dtype=bool)]
        return float(away.mean()) if away.size else float("nan")


# What is reported of a rule: heading, value of a row, factor for display.
_FIGURES: Final[tuple[tuple[str, Callable[[TransferRow], float], float], ...]] = (
    ("base %", lambda row: row.base_mean, 100),
    ("diagonal %", lambda row: row.diagonal, 100),
    ("off-diagonal %", lambda row: row.off_diagonal, 100),
    ("diagonal − base", lambda row: row.diagonal - row.base_mean, 100),
    ("diagonal − off-diagonal", lambda row: row.diagonal - row.off_diagonal, 100),
    ("training CPU-s", lambda row: row.training_seconds, 1),
)


@dataclass(frozen=True)
class TransferTable:
    """Rows of all rules and seeds; ``episodes`` are per specialist, ``test_tasks`` per seed."""

    host: str
    families: tuple[str, ...]
    episodes: int
    test_tasks: int
    rows: tuple[TransferRow, ...]

    @property
    def rules(self) -> list[str]:
        """In the order of the rows."""
        return list(dict.fromkeys(row.rule for row in self.rows))

    def summary(self, rule: str) -> dict[str, Interval]:
        """By heading, the mean over seeds with its 95 % t interval."""
        rows = [row for row in self.rows if row.rule == rule]
        found = {}
        for heading, figure, _ in _FIGURES:
            values = [value for row in rows if np.isfinite(value := figure(row))]
            found[heading] = t_interval(values)
        return found

    def mean_matrix(self, rule: str) -> np.ndarray:
        """``[families, families]`` mean over seeds."""
        return np.mean([row.matrix for row in self.rows if row.rule == rule], axis=0)

    def text_rows(self) -> list[list[str]]:
        """A row per rule, under the headings of the figures."""
        rows = []
        for rule in self.rules:
            summary = self.summary(rule)
            figures = [
                shown(summary[heading] if summary[heading].n else None, factor, 1) for heading, _, factor in _FIGURES
            ]
            rows.append([rule, str(len([row for row in self.rows if row.rule == rule])), *figures])
        return rows

    def markdown(self, command: str | None = None) -> str:
        """The figures of all rules, and the mean matrix of each that learns."""
        lines = [f"# Specialists on `{self.host}`", ""]
        if command:
            lines += [f"Made by `{command}`.", ""]
        lines += [
            f"One adapter per family, {self.episodes} episodes each, all depths; accuracy (right, and in"
            f" the style that the cell pays for) on {self.test_tasks} tasks of the `test` pool per seed."
            " Differences in points. Mean [95 % t interval over seeds].",
            "",
            *markdown_table(["rule", "n", *(heading for heading, _, _ in _FIGURES)], self.text_rows()),
            "",
        ]
        for rule in self.rules:
            lines += [f"`{rule}` ({RULES[rule]}), accuracy %, row = trained on, column = examined in:", ""]
            base = np.mean([row.base for row in self.rows if row.rule == rule], axis=0)
            named = [("bare host", base), *zip(self.families, self.mean_matrix(rule), strict=True)]
            rows = [[name, *(f"{100 * value:.0f}" for value in values)] for name, values in named]
            lines += [*markdown_table(["", *self.families], rows), ""]
        return "\n".join(lines)

    def to_json(self) -> str:
        """All rows, and what follows from them for readers without this package."""
        document = asdict(self)
        document["summary"] = {
            rule: {heading: as_json(value) for heading, value in self.summary(rule).items()} for rule in self.rules
        }
        return json.dumps(document, indent=1, allow_nan=False) + "\n"


def transfer_matrix(
    service: HostService,
    config: WorldConfig | str = "ecology",
    *,
    seeds: Sequence[int],
    rules: Sequence[str] = tuple(RULES),
    episodes: int = 512,
    per_cell_test: int = 12,
    on_progress: Callable[[TransferRow], None] | None = None,
) -> TransferTable:
    """Train one specialist per family by every rule under every seed, and examine each in every family.

    Args:
        config: whose tasks, contracts and adapters are used.
        rules: of `RULES`.
        episodes: per specialist, at least one update's 16.
        per_cell_test: tasks per cell of the test panel.
        on_progress: called with every finished row.

    Raises:
        ConfigError: no seeds, an unknown rule, or too few episodes.
    """
    unknown = [rule for rule in rules if rule not in RULES]
    if unknown:
        raise ConfigError("unknown rule", where="rules", expected=", ".join(RULES), got=unknown[0])
    if episodes < _ROWS or not seeds:
        raise ConfigError(
            "nothing to train", expected=f"seeds, and at least {_ROWS} episodes", got=(list(seeds), episodes)
        )
    world = load_config(config)
    ground = Ground.of(world)
    families = ground.families
    rows = []
    for seed in seeds:
        panel = draw_panels(ground, seed, per_cell_select=0, per_cell_test=per_cell_test).test
        groups = family_of(panel, families)
        for rule in rules:
            success, seconds = _examine(service, world, ground, rule, seed, episodes, panel)
            means = np.stack([success[:, groups == group].mean(1) for group in range(len(families))], 1)
            rows.append(TransferRow(rule, seed, means[0].tolist(), means[1:].tolist(), seconds))
            if on_progress is not None:
                on_progress(rows[-1])
    return TransferTable(service.name, tuple(families), episodes, len(panel), tuple(rows))


def _examine(
    service: HostService,
    world: WorldConfig,
    ground: Ground,
    rule: str,
    seed: int,
    episodes: int,
    panel: list[Task],
) -> tuple[np.ndarray, float]:
    """Success ``[1 + families, tasks]`` of the bare host and every specialist; CPU seconds of training."""
    began = time.process_time()
    adapter, families = world.adapter, ground.families
    bank = service.new_bank(
        adapter.sites, capacity=1 + len(families), max_rank=adapter.max_rank, scaling=adapter.scaling
    )
    generator = torch.Generator().manual_seed(Streams(seed).integer("weights"))
    slots = bank.allocate(len(families), adapter.rank, generator)
    lanes = [[(family, depth) for depth in range(1, ground.depths + 1)] for family in families]
    if rule == "supervised":
        fine_tune_lanes(
            service,
            bank,
            slots,
            lanes,
            ground.source,
            ground.contracts,
            episodes=episodes,
            rows=_ROWS,
            seed=seed,
            learning_rate=_RATE,
            half_life=_HALF_LIFE,
        )
    else:
        settings = {"rule": rule, "learning_rate": _RATE, "half_life": _HALF_LIFE}
        train_lanes(
            service,
            bank,
            slots,
            lanes,
            ground.source,
            ground.contracts,
            PlasticityConfig.model_validate(settings),
            episodes=episodes,
            rows=_ROWS,
            seed=seed,
            temperature=world.host.temperature,
            max_new_tokens=ground.max_new_tokens,
        )
    seconds = time.process_time() - began
    everyone = [BARE, *slots.tolist()]
    success = success_matrix(
        service,
        bank,
        everyone,
        panel,
        ground.source,
        ground.contracts,
        max_new_tokens=ground.max_new_tokens,
    )
    return success, seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="evolora specialists", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, 0, 1, 2, ...")
    parser.add_argument("--episodes", type=int, default=512, help="per specialist")
    parser.add_argument("--host", default="petri", help="folder, hub id, or shipped host")
    parser.add_argument("--out", type=Path, help="JSON file; a Markdown page is written beside it")
    given = parser.parse_args(arguments)
    try:
        table = transfer_matrix(
            HostService.load(given.host), seeds=range(given.seeds), episodes=given.episodes, on_progress=_tell
        )
        command = f"{parser.prog} --seeds {given.seeds} --episodes {given.episodes} --host {given.host}"
        page = table.markdown(command)
        if given.out is not None:
            texts = {given.out.name: table.to_json(), given.out.with_suffix(".md").name: page}
            save_texts(given.out.parent, texts)
    except EvoloraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(page)
    return 0


def _tell(row: TransferRow) -> None:
    print(
        f"seed {row.seed}  {row.rule:<12}  base {100 * row.base_mean:.1f} %  home {100 * row.diagonal:.1f} %"
        f"  away {100 * row.off_diagonal:.1f} %  {row.training_seconds:.1f} CPU-s",
        flush=True,
    )
