"""A report on runs of classic models, from their folders to its text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evolora_mesa.alife.compare.cells import class_of
from evolora_mesa.alife.metrics import METRICS
from evolora_mesa.alife.report.comparing import comparison_of
from evolora_mesa.alife.report.outcome import outcome, verdict_of
from evolora_mesa.alife.report.reading import ClassicFacts, read_classic
from evolora_mesa.alife.report.sections import report_of
from evolora_mesa.record.report.document import Document
from evolora_mesa.record.report.making import Rendered, plain

__all__ = ["ClassicReport"]


@dataclass(frozen=True, eq=False)
class ClassicReport(Rendered):
    """What is known of one run, or of several, of classic models."""

    runs: tuple[ClassicFacts, ...]

    @classmethod
    def of(cls, folders: Sequence[Path]) -> ClassicReport:
        """Read the runs and measure their logs.

        Raises:
            RunError: a run cannot be read.
        """
        return cls(tuple(map(read_classic, folders)))

    def document(self) -> Document:
        return report_of(self.runs[0]) if len(self.runs) == 1 else comparison_of(self.runs)

    def as_json(self) -> str:
        """Figures for programs: ``{"runs": [...]}``; what has no value is null."""
        runs = [plain(_figures(run)) for run in self.runs]
        return json.dumps({"runs": runs}, ensure_ascii=False, allow_nan=False, indent=1)


def _figures(run: ClassicFacts) -> dict[str, Any]:
    accounts = run.accounts()
    return {
        "run": str(run.path),
        "model": run.config.model,
        "seed": run.config.seed,
        "settings": run.arguments,
        "step": run.step,
        "asked_steps": run.config.generations,
        "ending": run.ending,
        "told": outcome(run),
        "capabilities": sorted(run.log.capabilities),
        "series": run.series,
        "population": run.alive if run.is_kept else None,
        "births": run.born if run.is_kept else None,
        "deaths": run.died if run.is_kept else None,
        "causes": run.causes,
        "dynamics": class_of([run.measured]),
        "metrics": {name: _finding(run, name) for name in METRICS},
        "invariants": run.checks,
        "energy": None if accounts is None else {"moved": accounts.moved, "gained": accounts.gained},
    }


def _finding(run: ClassicFacts, name: str) -> dict[str, Any]:
    found = run.finding(name)
    return {
        "value": found.value,
        "unit": found.unit,
        "shadow": found.shadow,
        "band": found.band,
        "beside_drift": verdict_of(found) or None,
        "why": found.why or None,
    }
