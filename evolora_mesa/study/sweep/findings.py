"""All that follows from the runs of a sweep, computed when it is asked for; for people see `report_of`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evolora_mesa.study.sweep.effects import Effect, Ruling, effects_of, rule
from evolora_mesa.study.sweep.results import Row
from evolora_mesa.study.sweep.spec import SweepSpec
from evolora_mesa.study.sweep.summary import CellRow, CellRuns, baseline_cell, best_cell, by_cell, summarize

__all__ = ["Findings"]


@dataclass(frozen=True, eq=False)
class Findings:
    """A sweep, finished or not.

    Attributes:
        rows: all runs, those that have not ended too.
    """

    spec: SweepSpec
    rows: tuple[Row, ...]

    @cached_property
    def cells(self) -> list[CellRuns]:
        return by_cell(self.rows)

    @cached_property
    def summary(self) -> list[CellRow]:
        return summarize(self.spec, self.rows)

    @cached_property
    def effects(self) -> list[Effect]:
        return effects_of(self.spec, self.rows)

    @cached_property
    def rulings(self) -> list[Ruling]:
        return rule(self.spec, self.rows)

    @cached_property
    def best(self) -> CellRow | None:
        return best_cell(self.spec, self.summary)

    @cached_property
    def baseline(self) -> CellRuns | None:
        return baseline_cell(self.spec, self.cells)

    def of(self, metric: str) -> list[CellRow]:
        """A metric in every cell."""
        return [row for row in self.summary if row.metric == metric]

    def count(self, status: str) -> int:
        """Runs that are waiting, done or failed."""
        return sum(row.status == status for row in self.rows)

    def as_json(self) -> str:
        """Everything for programs; what has no value is null."""
        found = {
            "sweep": self.spec.model_dump(mode="json"),
            "runs": [_run(row) for row in self.rows],
            "summary": [_fields(row) for row in self.summary],
            "effects": [_fields(effect) for effect in self.effects],
            "decision": [_fields(ruling.effect) | {"verdict": ruling.verdict} for ruling in self.rulings],
        }
        return json.dumps(_plain(found), ensure_ascii=False, allow_nan=False, indent=1)


def _run(row: Row) -> dict[str, Any]:
    facts = {"run": row.key, "cell": row.cell, "levels": row.levels, "seed": row.seed, "status": row.status}
    if row.result is None:
        return facts
    names = ("failure", "error", "outcome", "generations", "digest", "metrics", "code")
    return facts | {name: getattr(row.result, name) for name in names}


def _fields(row: CellRow | Effect) -> dict[str, Any]:
    """By name, those of intervals too."""
    return {name: value._asdict() if hasattr(value, "_asdict") else value for name, value in row._asdict().items()}


def _plain(value: Any) -> Any:
    """Null for what is not finite."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
