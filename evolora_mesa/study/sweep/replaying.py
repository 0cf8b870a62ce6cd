"""Runs of sweeps, lived again: also those of other people's models."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from evolora_mesa.errors import RunError
from evolora_mesa.record.replay import Replay, replay
from evolora_mesa.study.sweep.code_version import code_version
from evolora_mesa.study.sweep.job import OURS
from evolora_mesa.study.sweep.life import Mark, mark_of
from evolora_mesa.study.sweep.living_model import recorded
from evolora_mesa.study.sweep.work import run_job

__all__ = ["replay_any"]


def replay_any(run: Path) -> Replay:
    """Live a run again, of a world of ours or of another Mesa model.

    Raises:
        EvoloraError: it is not the folder of a run, or cannot be lived any more.
    """
    mark = mark_of(run)
    if mark is None or mark.job.model == OURS:
        found = replay(run)
        return found if mark is None else found._replace(notes=found.notes + _changes(mark))
    before = recorded(run)
    with tempfile.TemporaryDirectory(prefix="evolora-replay-") as aside:
        result = run_job(replace(mark.job, metrics={}, keep="nothing"), Path(aside) / mark.job.key)
    if result.failure is not None:
        raise RunError("the run fails now", where=run, got=result.error)
    return Replay(result.generations, result.digest, before, _changes(mark))


def _changes(mark: Mark) -> list[str]:
    now = code_version(mark.job.model)
    return [] if now == mark.code else [f"code {now} (was {mark.code})"]
