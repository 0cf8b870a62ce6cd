"""One run of a sweep: what is asked of a worker, and what it answers. Both travel as JSON, to any machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

__all__ = ["OURS", "Failure", "Job", "Result"]

OURS: Final = "evolora_mesa.model:EcologyModel"

Failure = Literal["raised", "killed", "timeout", "memory"]


@dataclass(frozen=True)
class Job:
    """A model, its settings, a seed, and what is to be measured.

    Attributes:
        model: ``package.module:Class`` of the Mesa model.
        settings: of a world of ours, all of them, resolved, as a tree without name, seed and generations; of another
            model, the arguments of its constructor without the seed.
        seed: in [0, 2**32), which every random generator accepts.
        generations: most steps.
        until: stop rules beside the length: `UntilSpec` as a tree.
        metrics: what the result holds, by name: `MetricSpec` as a tree.
        keep: what stays in the run's folder when it is over: "all", "records" or "nothing".
    """

    model: str
    settings: Mapping[str, Any]
    seed: int
    generations: int
    until: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    keep: str = "records"

    @property
    def key(self) -> str:
        """Name of the run: 16 hexadecimal digits of what decides how it goes. What is measured or kept does not.

        What the world writes down does: the digest is over that, and queries read it.
        """
        lived = {
            "model": self.model,
            "settings": self.settings,
            "seed": self.seed,
            "generations": self.generations,
            "until": self.until,
        }
        text = json.dumps(lived, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Job:
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Result:
    """How a run went.

    Attributes:
        failure: why there is nothing to measure; `None` of a run that came to its end.
        error: last line of the exception, or what happened, for people; empty without a failure.
        traceback: of the exception; empty when there was none.
        outcome: how it ended: "finished", "extinct", "stopped" (a model that switched itself off), "plateau".
        generations: lived.
        digest: of the stream of events, or of all figures of another model; equal runs have equal digests.
        metrics: by name; `None` where a figure does not exist.
        curves: by name of a figure that a metric reads, its value after every step, the founding first.
        code: version of the code that lived it.
        wall_seconds, cpu_seconds: of the worker, without its start.
        peak_mib: largest resident memory of the worker.
    """

    failure: Failure | None = None
    error: str = ""
    traceback: str = ""
    outcome: str = ""
    generations: int = 0
    digest: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    curves: Mapping[str, list[float | None]] = field(default_factory=dict)
    code: str = ""
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mib: float = 0.0

    def as_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Result:
        return cls(**json.loads(text))
