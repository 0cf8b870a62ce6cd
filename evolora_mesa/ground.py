"""What a world asks and pays for, from its settings."""

from __future__ import annotations

import random

from evolora_mesa.config import TasksConfig
from evolora_mesa.errors import EvoloraError, TaskError
from evolora_mesa.tasks import Contracts, Family, Pool, Task, TaskSource, find_families

__all__ = ["ground_of"]


def ground_of(tasks: TasksConfig) -> tuple[TaskSource, Contracts]:
    """The source of tasks and the contracts of a world. User families are tried out before anything depends on them.

    Raises:
        TaskError: a family that does not exist, cannot be imported, or does not work at every depth of the world.
    """
    cells = {name.rpartition(":"): style for name, style in tasks.cell_styles.items()}
    source = TaskSource(find_families(tasks.families, tasks.user_families))
    added = list(source.families.values())[len(tasks.families) :]
    for path, family in zip(tasks.user_families, added, strict=True):
        _try_out(family, path, source, tasks.depths)
    return source, Contracts(tasks.styles, {(family, int(depth)): style for (family, _, depth), style in cells.items()})


def _try_out(family: Family, path: str, source: TaskSource, depths: int) -> None:
    """One task per cell and pool: generated, written in text, and its own target graded right."""
    if family.deepest < depths:
        raise TaskError(
            "task family is not as deep as the world", where=path, expected=f"deepest >= {depths}", got=family.deepest
        )
    for depth in range(1, depths + 1):
        for pool in (Pool.LIVE, Pool.GATE, Pool.SELECT, Pool.TEST):
            try:
                task = source.draw(pool, family.name, depth, random.Random(0))
                correct = _is_text(task) and source.grade(task, task.target).correct
            except EvoloraError:
                raise
            except Exception as error:  # a stranger's code may raise anything
                raise TaskError(
                    "task family fails", where=f"{path} at depth {depth}", got=f"{type(error).__name__}: {error}"
                ) from error
            if not correct:
                raise TaskError(
                    "task family makes no gradable task",
                    where=f"{path} at depth {depth}",
                    expected="text in every field of Problem, and its answer graded correct",
                    got=task,
                )


def _is_text(task: Task) -> bool:
    return all(isinstance(field, str) for field in (task.prompt, task.target, task.near_miss, task.scratch))
