"""Jobs for tests: a tiny world of ours, and odd models."""

from __future__ import annotations

import functools
from typing import Any

from evolora_mesa.configfile import load_config
from evolora_mesa.study.sweep.job import OURS, Job

METRICS = {"success": {"figure": "success_rate", "reduce": "mean"}}
HEIGHT = {"height": {"figure": "height"}, "luck": {"figure": "luck", "reduce": "sum"}}


@functools.cache
def _settings(overrides: tuple[tuple[str, object], ...]) -> dict[str, Any]:
    config = load_config("smoke", {"host.device": "cpu", "population.episodes": 2, **dict(overrides)})
    return config.model_dump(mode="json", exclude={"name", "seed", "generations"})


def world_job(seed: int = 3, generations: int = 4, overrides: tuple[tuple[str, object], ...] = (), **more: Any) -> Job:
    """A run of a small world; ``more`` are fields of the job."""
    return Job(OURS, _settings(overrides), seed, generations, **{"metrics": METRICS, **more})


def odd_job(name: str, seed: int = 3, generations: int = 5, **more: Any) -> Job:
    """A run of one of `odd_models`."""
    given = {"settings": {}, "metrics": HEIGHT, **more}
    return Job(f"odd_models:{name}", given.pop("settings"), seed, generations, **given)
