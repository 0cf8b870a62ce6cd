"""What the frozen host alone achieves in every cell, so that a chart can show what the organelles add to it.

It answers a few fresh prompts of the gate pool per cell, one family after the other and at most one per generation, so
that no generation waits for long; once per process for a host, its tasks and what they pay for.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

import numpy as np

from evolora_mesa.host import BARE, HostService, Request
from evolora_mesa.streams import Streams
from evolora_mesa.tasks import Pool
from evolora_mesa.workload import grade

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["PROMPTS", "frozen_success"]

PROMPTS: Final = 16  # per cell
_known: WeakKeyDictionary[HostService, dict[object, np.ndarray]] = WeakKeyDictionary()


def frozen_success(model: EcologyModel, *, ask: bool = True) -> np.ndarray:
    """``[families, depths]`` success of the bare host under this generation's contracts; nan where not asked yet.

    Draws and answers have streams of their own: the world is as it would be if nobody had asked.

    Args:
        ask: measure one more family, if there is one left.
    """
    families, depths = model.grid.families, model.grid.depths
    styles = tuple(model.contracts.style(name, depth) for name in families for depth in range(1, depths + 1))
    answering = (model.config.host.temperature, model.config.host.max_new_tokens, model.config.tasks.user_families)
    measured = _known.setdefault(model.host, {})
    success = measured.get((families, depths, styles, answering))
    if success is None:
        success = measured[families, depths, styles, answering] = np.full((len(families), depths), np.nan)
    left = np.flatnonzero(np.isnan(success).any(1) & model.open.any(1))
    if ask and left.size:
        success[left[0]] = _measured(model, int(left[0]))
    return success.copy()


def _measured(model: EcologyModel, family: int) -> np.ndarray:
    """``[depths]`` share of answers that are right and in the paid style."""
    name = model.grid.families[family]
    rng = random.Random(f"frozen host {name}")
    tasks = [
        model.tasks.draw(Pool.GATE, name, depth, rng)
        for depth in range(1, model.grid.depths + 1)
        for _ in range(PROMPTS)
    ]
    first_key = Streams(0).integer(f"view.frozen.{name}") >> 1
    answers = model.host.answer(
        [Request(BARE, task.prompt, first_key + row) for row, task in enumerate(tasks)],
        temperature=model.config.host.temperature,
        max_new_tokens=model.config.host.max_new_tokens,
    )
    success = grade(tasks, answers.texts, model.tasks, model.contracts).success
    return success.reshape(-1, PROMPTS).mean(1)
