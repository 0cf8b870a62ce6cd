"""A report from its runs to its text."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evolora_mesa.record.report.answers import Answered, ask_host
from evolora_mesa.record.report.compare import comparison_of
from evolora_mesa.record.report.document import Document
from evolora_mesa.record.report.markdown import to_markdown
from evolora_mesa.record.report.outcome import ends, outcome, told_ending
from evolora_mesa.record.report.page import to_html
from evolora_mesa.record.report.reading import RunFacts, read_run
from evolora_mesa.record.report.sections import report_of

__all__ = ["Rendered", "Report", "plain"]


class Rendered(ABC):
    """A document in the forms in which people have it."""

    @abstractmethod
    def document(self) -> Document: ...

    def as_html(self) -> str:
        return to_html(self.document())

    def as_markdown(self) -> str:
        return to_markdown(self.document())


@dataclass(frozen=True, eq=False)
class Report(Rendered):
    """What is known of one run, or of several.

    Attributes:
        answered: of the one run; several are compared without.
    """

    runs: tuple[RunFacts, ...]
    answered: Answered

    @classmethod
    def of(cls, folders: Sequence[str | Path], *, host: bool = True) -> Report:
        """Read the runs and, when it is one, ask its host.

        Raises:
            RunError: a run cannot be read.
        """
        runs = tuple(map(read_run, folders))
        return cls(runs, ask_host(runs[0], wanted=host) if len(runs) == 1 else Answered((), ""))

    def document(self) -> Document:
        return report_of(self.runs[0], self.answered) if len(self.runs) == 1 else comparison_of(self.runs)

    def as_json(self) -> str:
        """Figures for programs: ``{"runs": [...]}``; what has no value is null."""
        runs = [plain(_figures(run)) for run in self.runs]
        if len(runs) == 1:
            runs[0]["answers"] = [
                pair.choice._asdict() | {"host": pair.host, "host_verdict": pair.verdict, "style": pair.style}
                for pair in self.answered.pairs
            ]
        return json.dumps({"runs": runs}, ensure_ascii=False, allow_nan=False, indent=1)


def _figures(run: RunFacts) -> dict[str, Any]:
    final = run.snapshots[-1]
    return {
        "run": str(run.path),
        "world": run.settings.get("name"),
        "seed": run.meta.get("seed"),
        "config_hash": run.meta.get("config_hash"),
        "digest": run.digest,
        "generation": run.last,
        "asked_generations": run.asked,
        "ending": told_ending(run),
        "told": outcome(run),
        "success": ends(run, "success_rate"),
        "roi": ends(run, "mean_roi"),
        "figures": run.figures,
        "families": run.families,
        "depths": run.depths,
        "cells": final.layers,
        "gates": [gate._asdict() for gate in run.gates],
        "reasons": [{"verdict": v, "reason": r, "count": n} for (v, r), n in run.reasons.items()],
        "energy_flows": [{"reason": r, "from": a, "to": b, "energy": n} for (r, a, b), n in run.flows.items()],
        "census": run.phylogeny.census()._asdict(),
        "archive": [niche._asdict() for niche in run.niches],
        "society": run.social.as_json(),
    }


def plain(value: Any) -> Any:
    """Arrays as lists, and null for what is not finite."""
    if isinstance(value, dict) or hasattr(value, "items"):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
