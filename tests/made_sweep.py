"""Sweeps that were never run: specs and rows whose numbers are known."""

from __future__ import annotations

import itertools
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evolora_mesa.study.sweep.job import Result
from evolora_mesa.study.sweep.results import STORE_FILE, Row, store_results
from evolora_mesa.study.sweep.spec import SweepSpec

Levels = Mapping[str, Any]
SEEDS = (11, 22, 33)


def spec_of(
    factors: Mapping[str, Any] | None = None, metrics: Mapping[str, Any] | None = None, **settings: Any
) -> SweepSpec:
    """A spec with two factors of two levels and one metric, unless others are given."""
    given = {"ticket": [0.5, 1.0], "world": {"static": {}, "shifting": {"contracts.shift": 8}}}
    measured = {"accuracy": {"figure": "accuracy"}}
    return SweepSpec.model_validate(
        {"name": "made", "factors": factors or given, "metrics": metrics or measured, **settings}
    )


def grid_of(spec: SweepSpec) -> list[dict[str, Any]]:
    """Every combination of levels."""
    named = {name: list(levels) for name, levels in spec.factors.items()}
    return [dict(zip(named, chosen, strict=True)) for chosen in itertools.product(*named.values())]


def done(metrics: Mapping[str, float | None], **others: Any) -> Result:
    """A run that came to its end."""
    return Result(outcome="finished", generations=4, digest="d1", metrics=dict(metrics), code="0.1.0+abc", **others)


def failed(error: str = "ValueError: no") -> Result:
    return Result(failure="raised", error=error, generations=2, code="0.1.0+abc")


def rows_of(
    spec: SweepSpec,
    measured: Callable[[Levels, int], float | Mapping[str, float | None] | Result | None],
    seeds: Sequence[int] = SEEDS,
    cells: Sequence[Levels] | None = None,
) -> list[Row]:
    """A row for every cell and seed.

    Args:
        measured: of levels and a seed, the first metric, all of them, or the whole result; nan and None of a run that
            has not ended.
    """
    rows = []
    for number, levels in enumerate(grid_of(spec) if cells is None else cells):
        for seed in seeds:
            found = measured(levels, seed)
            if isinstance(found, float | int):
                found = None if math.isnan(found) else {next(iter(spec.metrics)): float(found)}
            result = found if found is None or isinstance(found, Result) else done(found)
            rows.append(Row(number, dict(levels), seed, f"{number:08x}{seed:08x}", result))
    return rows


def write_sweep(folder: Path, spec: SweepSpec, rows: Sequence[Row]) -> None:
    """The store of a sweep with these rows, as far as it is read."""
    folder.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(folder / STORE_FILE) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS runs (key TEXT PRIMARY KEY, result TEXT)")
        for row in rows:
            result = None if row.result is None else row.result.as_json()
            connection.execute("INSERT OR REPLACE INTO runs VALUES (?, ?)", (row.key, result))
        store_results(connection, spec, rows)
    connection.close()
