"""What is left of a run once it is measured: plain values that travel between processes and rest in files."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["Outcome"]


@dataclass(frozen=True)
class Outcome:
    """One run of one column.

    Attributes:
        column, size, seed: which one.
        capabilities: of its log.
        findings: by metric, its value or None, the same of each neutral shadow, and why there is no value.
        dynamics, trends: see `evolora_mesa.alife.metrics.Measured`; of trends the verdicts.
        population: mean number of agents; births: without founders; generations, steps, evaluations: how many.
        fitness: mean of the last two thirds, by the model's own measure, or None.
        extinct: nobody was left in the end.
        cpu_seconds: of living, without measuring.
        sketch: what is drawn of it.
        error: why it was not measured, in one line.
    """

    column: str
    size: str
    seed: int
    capabilities: list[str] = field(default_factory=list)
    findings: dict[str, tuple[float | None, list[float], str]] = field(default_factory=dict)
    dynamics: str = ""
    trends: dict[str, str] = field(default_factory=dict)
    population: float = 0.0
    births: int = 0
    generations: float = 0.0
    steps: int = 0
    evaluations: int = 0
    fitness: float | None = None
    extinct: bool = False
    cpu_seconds: float = 0.0
    sketch: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        return cls(**json.loads(text))
