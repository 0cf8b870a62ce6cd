"""A made-up run in a store, for the tests of what reads stores."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

from genealogy import genome_of

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.record.layout import STORE_FILE
from evolora_mesa.record.schema import GenerationRows, Row, figure_columns
from evolora_mesa.record.store import RunStore

FAMILIES, DEPTHS = ("math", "logic"), 2
PROMPT = "Word total of: <b>bit</b> dil\nAnswer:"
STEERING = "\u202eevil</code><script>alert(1)</script>\x1b[31m"


def made_config(**settings: object) -> WorldConfig:
    ours = {"tasks.families": list(FAMILIES), "tasks.depths": DEPTHS, "host.tune_cpu": False}  # the process is shared
    return load_config("smoke", ours | settings)


def make_run(
    folder: Path,
    generations: int = 6,
    *,
    seed: int = 0,
    config: WorldConfig | None = None,
    host: dict[str, str] | None = None,
    episodes: bool = True,
    extinct: bool = False,
    answer: str = "2",
) -> Path:
    """Four organelles on four cells, of which each generation answers a task per cell; one merge and one mutant."""
    folder.mkdir(parents=True)
    config = config or made_config(seed=seed, generations=generations)
    with RunStore.create(folder / STORE_FILE, config, host=host) as store:
        for generation in range(generations + 1):
            store.append(_rows(generation, generations, random.Random(seed), episodes, extinct, answer))
    return folder


def lengthen(folder: Path, generations: int, *, seed: int = 0) -> None:
    """Go on with such a run up to a generation, as whoever writes it would."""
    path = folder / STORE_FILE
    with RunStore.open(path) as store:
        last = store.generation
    with RunStore.open_for_append(path, last) as store:
        for generation in range(last + 1, generations + 1):
            store.append(_rows(generation, generations, random.Random(seed), True, False, "2"))


def _rows(generation: int, last: int, rng: random.Random, episodes: bool, extinct: bool, answer: str) -> GenerationRows:
    nan = float("nan")
    over = extinct and generation == last
    figures = dict.fromkeys(figure_columns(), 0.0) | {
        "population": 0.0 if over else 4.0,
        "mean_roi": nan if over or not generation else 0.5 + generation / 10 + rng.random() / 100,
        "success_rate": generation / (last + 1) if generation else nan,
        "accuracy": generation / (last + 1) if generation else nan,
        "mean_reward": generation / (last + 1) if generation else nan,
        "energy_organelles": 8.0 + generation,
        "energy_cells": 2.0,
        "energy_soil": 3.0 * generation,
        "energy_sun": -10.0 - 4.0 * generation,
        "lineages": 3.0,
        "episodes": 4.0 if generation else 0.0,
        "prompt_tokens": 40.0 if generation else 0.0,
        "generated_tokens": 8.0 if generation else 0.0,
        "births": 1.0 if generation == 2 else 0.0,
        "cells_occupied": 0.0 if over else 4.0,
        "step_seconds": 0.25,
        "host_seconds": 0.125,
    }
    rows = GenerationRows(generation, figures)
    rows.cells = [
        (family, depth, 0.5 + 0.1 * family, 1.0, 0.3 + 0.1 * depth, 0.05 * generation, 0 if over else 1)
        for family in range(2)
        for depth in range(2)
    ]
    if not over:
        rows.organelles = [(1 + n, n, 1 + n % 3, n // 2, n % 2, 2.0, 1.0, generation, 0, 1, 1) for n in range(4)]
    if generation:
        rows.ledger = [("ticket", "organelle", 5, "soil", 1, 3_000_000), ("sunshine", "sun", 0, "cell", 2, 4_000_000)]
        if episodes:
            rows.episodes = _episodes(generation, answer)
        rows.archive = [(0, 0, 0, generation / 10, 4.0, 1)]
    if generation == 2:
        rows.gates = [
            (5, "merge", "svd", "1 2", 48, nan, nan, nan, 0.0, 0.1, 1.0, "deferred", "low_power"),
            (None, None, None, "3", None, None, None, None, None, None, None, "refused", "no_room"),
        ]
    if generation == 3:
        rows.gates = [
            (5, "merge", "svd", "1 2", 96, 0.25, 0.05, 0.45, 4.0, 0.8, 2.0, "accepted", "accepted"),
            (6, "mutation", "rank", "3", 0, None, None, None, 0.0, None, 0.0, "rejected", "child_died"),
        ]
    rows.phylogeny = _lives(generation, last, extinct)
    return rows


def _episodes(generation: int, answer: str) -> Iterable[Row]:
    for n in range(4):
        right = n != 3  # the last cell's organelle never succeeds
        prompt, said = (PROMPT, answer) if n == 0 else (f"Say {n}.\nAnswer:", STEERING if n == 3 else str(n))
        yield (n, 1 + n, n // 2, n % 2, "0", prompt, said, int(right), float(right), 10, 2, -0.5)


def _lives(generation: int, last: int, extinct: bool) -> list[Row]:
    if generation == 0:
        return [(id, "", 0, None, None, "founder", genome_of(id), id, "founder", "") for id in (1, 2, 3, 4)]
    if generation == 2:
        return [
            (5, "1 2", 2, None, None, "svd", genome_of(5), 1, "trial", ""),
            (6, "3", 2, None, None, "rank", genome_of(6), 3, "trial", ""),
        ]
    if extinct and generation == last:
        dead = [(id, "", 0, None, last, "founder", genome_of(id), id, "founder", "bankrupt") for id in (1, 2, 3, 4)]
        return [*dead, (5, "1 2", 2, 3, last, "svd", genome_of(5), 1, "accepted", "bankrupt")]
    if generation == 3:
        return [
            (5, "1 2", 2, 3, None, "svd", genome_of(5), 1, "accepted", ""),
            (6, "3", 2, None, 3, "rank", genome_of(6), 3, "trial", "bankrupt"),
        ]
    return []
