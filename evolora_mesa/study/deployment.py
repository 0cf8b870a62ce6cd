"""Putting a population to use: routes are chosen on the select pool, their worth is read on the test pool."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evolora_mesa.config import WorldConfig
from evolora_mesa.ground import contracts_at, ground_of
from evolora_mesa.host import AdapterBank, HostService
from evolora_mesa.streams import Streams
from evolora_mesa.study.panels import answer_panel, draw_panel, family_of
from evolora_mesa.study.routing import choose_routes, score_routes
from evolora_mesa.tasks import Contracts, Pool, Task, TaskSource

__all__ = ["Deployment", "Ground", "Panels", "deploy", "draw_panels"]


@dataclass(frozen=True)
class Ground:
    """What a world asks and pays for, without the world."""

    source: TaskSource
    contracts: Contracts
    depths: int
    max_new_tokens: int

    @classmethod
    def of(cls, config: WorldConfig, generation: int = 0) -> Ground:
        """The ground of a config; the same tasks and contracts as in `EcologyModel` after that ``generation``.

        Raises:
            TaskError: a family that does not exist.
            ConfigError: contracts that cannot shift.
        """
        source, _ = ground_of(config.tasks)
        contracts = contracts_at(config, list(source.families), generation)
        return cls(source, contracts, config.tasks.depths, config.host.max_new_tokens)

    @property
    def families(self) -> list[str]:
        """Names, in the order of the grid."""
        return list(self.source.families)


class Panels(NamedTuple):
    """Tasks to choose on and tasks to report on; no prompt is in both."""

    select: list[Task]
    test: list[Task]


@dataclass(frozen=True)
class Deployment:
    """How a set of candidates does when each family goes to one of them.

    Attributes:
        routes: by family, the bank slot that gets its tasks.
        single: the bank slot that was best over the whole selection panel.
        accuracy: mean over the test panel, each task with its route.
        best_single: the same with all tasks to ``single``.
        by_family: ``accuracy`` family by family.
        answers: of the routes, one per task of the test panel.
        success: ``[tasks]`` of those answers.
        written: mean tokens of those answers.
        asked: answers that the host gave, to choose and to score.
        selection_tokens: that the host read and wrote to choose; 0 when there was no choice.
        selection_seconds: CPU seconds of choosing.
    """

    routes: dict[str, int]
    single: int
    accuracy: float
    best_single: float
    by_family: dict[str, float]
    answers: list[str]
    success: np.ndarray
    written: float
    asked: int
    selection_tokens: int
    selection_seconds: float


def draw_panels(ground: Ground, seed: int, *, per_cell_select: int = 8, per_cell_test: int = 20) -> Panels:
    """The panels of a seed, the same for all that is compared under it, from streams that nothing else uses.

    Raises:
        LockedPoolError: called from inside a model's generation.
    """
    streams = Streams(seed)
    return Panels(
        draw_panel(ground.source, Pool.SELECT, ground.depths, per_cell_select, streams.python("deployment.select")),
        draw_panel(ground.source, Pool.TEST, ground.depths, per_cell_test, streams.python("deployment.test")),
    )


def deploy(
    service: HostService,
    bank: AdapterBank | None,
    candidates: Sequence[int],
    ground: Ground,
    panels: Panels,
) -> Deployment:
    """Choose routes among ``candidates`` (bank slots) on the selection panel; score them on the test panel.

    Of equally good candidates the first is taken: the bare host, put in front, stays where nobody beats it.
    On the test panel only the answers that count are asked for.
    """
    families = ground.families
    slots, count = np.asarray(candidates), len(panels.test)
    began = time.process_time()
    routes, single, tokens, asked = np.zeros(len(families), dtype=np.int64), 0, 0, 0
    if len(slots) > 1:
        marks = answer_panel(
            service,
            bank,
            slots.repeat(len(panels.select)).tolist(),
            panels.select * len(slots),
            ground.source,
            ground.contracts,
            max_new_tokens=ground.max_new_tokens,
        )
        selected = marks.success.reshape(len(slots), -1)
        routes = choose_routes(selected, family_of(panels.select, families), len(families))
        single, tokens = int(selected.mean(1).argmax()), marks.tokens
        asked = selected.size
    seconds = time.process_time() - began
    groups = family_of(panels.test, families)
    answered_by = routes[groups]
    needed = np.zeros((len(slots), count), dtype=bool)
    needed[answered_by, np.arange(count)] = True
    needed[single] = True
    rows, columns = np.nonzero(needed)
    marks = answer_panel(
        service,
        bank,
        slots[rows].tolist(),
        [panels.test[column] for column in columns.tolist()],
        ground.source,
        ground.contracts,
        max_new_tokens=ground.max_new_tokens,
    )
    success = np.zeros((len(slots), count), dtype=bool)
    success[rows, columns] = marks.success
    routed = score_routes(routes, single, success, groups)
    written = np.zeros((len(slots), count))
    written[rows, columns] = marks.written
    texts = dict(zip(zip(rows.tolist(), columns.tolist(), strict=True), marks.texts, strict=True))
    right = success[answered_by, np.arange(count)]
    return Deployment(
        {family: int(slots[route]) for family, route in zip(families, routes.tolist(), strict=True)},
        int(slots[single]),
        routed.accuracy,
        routed.best_single,
        {family: float(right[groups == number].mean()) for number, family in enumerate(families)},
        [texts[row, column] for column, row in enumerate(answered_by.tolist())],
        right,
        float(written[answered_by, np.arange(count)].mean()),
        asked + len(rows),
        tokens,
        seconds,
    )
