"""What a world asks and pays for, from its settings."""

from __future__ import annotations

import difflib
import random

from evolora_mesa.config import TasksConfig
from evolora_mesa.errors import TaskError
from evolora_mesa.tasks import Contracts, Family, Pool, Task, TaskSource, find_families

__all__ = ["ground_of"]


def ground_of(tasks: TasksConfig) -> tuple[TaskSource, Contracts]:
    """The source of tasks and the contracts of a world. User families are tried out before anything depends on them.

    Raises:
        TaskError: a family that does not exist, cannot be imported, or does not work at every depth of the world; a
            style for a family that is not asked.
    """
    cells = {name.rpartition(":"): style for name, style in tasks.cell_styles.items()}
    source = TaskSource(find_families(tasks.families, tasks.user_families))
    for where, names in (("tasks.styles", tasks.styles), ("tasks.cell_styles", [family for family, _, _ in cells])):
        for name in names:
            _check_is_asked(name, list(source.families), where)
    added = list(source.families.values())[len(tasks.families) :]
    for path, family in zip(tasks.user_families, added, strict=True):
        _try_out(family, path, source, tasks.depths)
    return source, Contracts(tasks.styles, {(family, int(depth)): style for (family, _, depth), style in cells.items()})


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
