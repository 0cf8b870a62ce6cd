"""What a finished world is worth: how well its population answers, with routes that were learned and without any.

By the contracts that hold at the end, on prompts that nobody has been paid for, with the panels and the deployment that
the baselines use.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from evolora_mesa.errors import ConfigError
from evolora_mesa.host import BARE
from evolora_mesa.model import EcologyModel
from evolora_mesa.streams import Streams
from evolora_mesa.study.deployment import Ground, Panels, deploy, draw_panels
from evolora_mesa.study.panels import answer_panel, draw_panel
from evolora_mesa.tasks import Pool, Task

__all__ = ["Worth", "mean_roi", "worth"]

_LISTENERS: Final = 4  # organelles that answer each task of the unrouted panel


class Worth(NamedTuple):
    """Accuracies in [0, 1] over all cells alike; `None` is what this world does not have.

    Attributes:
        routed: with each family's tasks going to the candidate that was best at it on another pool; the bare host is
            one of the candidates. `None` when no routes were asked for.
        best_single: with all tasks going to the candidate that was best over all of them there.
        unrouted: mean over the organelles, what tasks dealt out by chance get; `None` when nobody lives.
        lived: with the routing that the world itself has: ``routed`` where organelles learn where to work, ``unrouted``
            where `forage.routing` is uniform.
        tokens: mean written per answer; of the routed ones if there are any, else of the unrouted ones.
        roi: mean over organelles and generations of energy earned / spent.
        population: organelles alive.
        answers: asked of the host to find all this out.
    """

    routed: float | None
    best_single: float | None
    unrouted: float | None
    lived: float | None
    tokens: float | None
    roi: float | None
    population: int
    answers: int


def worth(
    model: EcologyModel,
    pool: str = "select",
    *,
    per_cell: int = 20,
    per_cell_choice: int = 8,
    routed: bool = True,
) -> Worth:
    """Measure a world between two generations; nothing in it changes.

    Worlds of one seed and one grid get the same panels, so they can be compared pairwise. On the pool `test`, the
    figures of a world are those of `run_baselines` with as many tasks per cell.

    Args:
        pool: what is reported on: `select` while settings are still being chosen, `test` at the end. Routes are
            chosen on another pool: `gate` for `select`, and `select` for `test`.
        per_cell: tasks per cell in the report.
        per_cell_choice: tasks per cell to choose routes on, each answered by every candidate.
        routed: choose routes; without them only ``unrouted`` is found out, for a fraction of the answers.

    Raises:
        ConfigError: no such pool, or no tasks.
        LockedPoolError: called with `test` from inside a generation.
    """
    _check(pool, per_cell, per_cell_choice)
    ground = Ground.of(model.config, model.tick)
    panels = _panels(ground, model.config.seed, pool, per_cell_choice, per_cell)
    slots = [organelle.slot for organelle in model.organelles()]
    accuracy, tokens, answers = _unrouted(model, ground, slots, panels.test)
    uniform = model.config.forage.routing == "uniform"
    if not routed:
        lived = accuracy if uniform else None
        return Worth(None, None, accuracy, lived, tokens, mean_roi(model), len(slots), answers)
    found = deploy(model.host, model.bank, [BARE, *slots], ground, panels)
    return Worth(
        found.accuracy,
        found.best_single,
        accuracy,
        accuracy if uniform else found.accuracy,
        found.written,
        mean_roi(model),
        len(slots),
        answers + found.asked,
    )


def mean_roi(model: EcologyModel) -> float | None:
    """Mean over the collected generations in which anybody lived; `None` before the first."""
    values = np.array(model.datacollector.model_vars["mean_roi"][1:], dtype=float)
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else None


def _panels(ground: Ground, seed: int, pool: str, per_cell_choice: int, per_cell: int) -> Panels:
    """Tasks to choose on and tasks to report on, from different pools: small cells have five prompts in a pool."""
    if pool == "test":
        return draw_panels(ground, seed, per_cell_select=per_cell_choice, per_cell_test=per_cell)
    streams = Streams(seed)
    return Panels(
        draw_panel(ground.source, Pool.GATE, ground.depths, per_cell_choice, streams.python("worth.gate")),
        draw_panel(ground.source, Pool.SELECT, ground.depths, per_cell, streams.python("worth.select")),
    )


def _unrouted(
    model: EcologyModel, ground: Ground, slots: list[int], tasks: list[Task]
) -> tuple[float | None, float | None, int]:
    """Accuracy, tokens per answer and number of answers when a few organelles answer each task, everybody as many.

    The tasks of a cell are neighbours, and so are their listeners: in each cell everybody gets a turn.
    """
    if not slots:
        return None, None, 0
    listeners = min(_LISTENERS, len(slots))
    order = np.random.default_rng(model.config.seed).permutation(slots)
    asked = [task for task in tasks for _ in range(listeners)]
    marks = answer_panel(
        model.host,
        model.bank,
        np.resize(order, len(asked)).tolist(),
        asked,
        ground.source,
        ground.contracts,
        max_new_tokens=ground.max_new_tokens,
    )
    return float(marks.success.mean()), float(marks.written.mean()), len(asked)


def _check(pool: str, per_cell: int, per_cell_choice: int) -> None:
    if pool not in ("select", "test"):
        raise ConfigError("no such pool to report on", where="pool", expected="select or test", got=pool)
    for name, number in (("per_cell", per_cell), ("per_cell_choice", per_cell_choice)):
        if number < 1:
            raise ConfigError("no tasks to measure with", where=name, expected="1 or more", got=number)
