"""What a world asks and pays for, from its settings."""

from __future__ import annotations

import difflib
import random
from collections.abc import Sequence

import numpy as np

from evolora_mesa.config import TasksConfig, WorldConfig
from evolora_mesa.errors import ConfigError, TaskError
from evolora_mesa.streams import Streams
from evolora_mesa.tasks import Contracts, Family, Pool, Task, TaskSource, find_families

__all__ = ["contracts_at", "ground_of", "open_cells"]


def ground_of(tasks: TasksConfig) -> tuple[TaskSource, Contracts]:
    """The source of tasks and the contracts of a world. User families are tried out before anything depends on them.

    Raises:
        TaskError: a family that does not exist, cannot be imported, or does not work at every depth of the world; a
            style for a family that is not asked.
    """
    source = TaskSource(find_families(tasks.families, tasks.user_families))
    for where, names in (
        ("tasks.styles", tasks.styles),
        ("tasks.cell_styles", [cell.rpartition(":")[0] for cell in tasks.cell_styles]),
    ):
        for name in names:
            _check_is_asked(name, list(source.families), where)
    added = list(source.families.values())[len(tasks.families) :]
    for path, family in zip(tasks.user_families, added, strict=True):
        _try_out(family, path, source, tasks.depths)
    return source, _first_contracts(tasks)


def contracts_at(config: WorldConfig, families: Sequence[str], generation: int) -> Contracts:
    """The contracts that a generation is paid by, from the settings alone; the founding has those of the first.

    Args:
        families: all that are asked, in the order of the grid.

    Raises:
        ConfigError: contracts have to shift, and all families pay for the same style.
    """
    contracts, seasons = _first_contracts(config.tasks), config.seasons
    shifts = seasons.shift_every or any(change.shift for change in seasons.schedule)
    if shifts and len({contracts.styles.get(family, "terse") for family in families}) < 2:
        raise ConfigError(
            "contracts cannot shift",
            where="seasons.shift_every" if seasons.shift_every else "seasons.schedule",
            expected="families that pay for different styles",
            got=", ".join(families),
            do="Set tasks.styles, or let nothing shift.",
        )
    rng = random.Random(Streams(config.seed).integer("seasons.contracts"))
    for _ in range(seasons.shifts_until(generation)):
        contracts = contracts.shifted(families, rng)
    return contracts


def open_cells(config: WorldConfig, families: Sequence[str], generation: int) -> np.ndarray:
    """``[families, depths]`` bool: the cells that are worked in; those of families that have left are not.

    Args:
        families: all that are ever asked, in the order of the grid.

    Raises:
        ConfigError: one leaves or comes that is not among them.
    """
    for place, change in enumerate(config.seasons.schedule):
        for family in (*change.leave, *change.come):
            if family not in families:
                close = difflib.get_close_matches(family, families, n=1)
                raise ConfigError(
                    "no such family in this world",
                    where=f"seasons.schedule[{place}]",
                    expected=f"one of {', '.join(families)}",
                    got=family,
                    do=f"Did you mean {close[0]!r}?" if close else None,
                )
    away = config.seasons.away_at(generation)
    return np.array([[family not in away] * config.tasks.depths for family in families])


def _first_contracts(tasks: TasksConfig) -> Contracts:
    cells = {name.rpartition(":"): style for name, style in tasks.cell_styles.items()}
    return Contracts(tasks.styles, {(family, int(depth)): style for (family, _, depth), style in cells.items()})


def _check_is_asked(name: str, families: list[str], where: str) -> None:
    """The schema lets any new name pass where there are user families, whose names only their import tells."""
    if name not in families:
        close = difflib.get_close_matches(name, families, n=1)
        raise TaskError(
            "a style for a family that is not asked",
            where=where,
            expected=f"one of {', '.join(families)}",
            got=name,
            do=f"Did you mean {close[0]!r}?" if close else None,
        )


def _try_out(family: Family, path: str, source: TaskSource, depths: int) -> None:
    """One task per cell and pool, made twice alike; its target graded right, a wrong answer and none graded wrong."""
    if family.deepest < depths:
        raise TaskError(
            "task family is not as deep as the world", where=path, expected=f"deepest >= {depths}", got=family.deepest
        )
    for depth in range(1, depths + 1):
        for pool in Pool:
            task = source.draw(pool, family.name, depth, random.Random(0))
            where = f"{family.name}:{depth}, {path}"
            if task != source.draw(pool, family.name, depth, random.Random(0)):
                raise TaskError(
                    "task family makes another task from the same random numbers",
                    where=where,
                    do="Draw from the rng that it is given alone: a run could not be repeated.",
                )
            _check_grades(task, source, where)


def _check_grades(task: Task, source: TaskSource, where: str) -> None:
    for answer, expected in ((task.target, True), (task.near_miss, False), ("", False)):
        if expected or answer.strip() != task.target.strip():
            correct = source.grade(task, answer).correct
            if correct is not expected:
                raise TaskError(
                    f"task family grades {'its own target wrong' if expected else 'a wrong answer right'}",
                    where=where,
                    got=f"answer {answer!r} to {task.prompt!r}",
                )
