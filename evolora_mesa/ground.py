"""What a world asks and pays for, from its settings."""

from __future__ import annotations

from evolora_mesa.config import TasksConfig
from evolora_mesa.tasks import Contracts, TaskSource, find_families

__all__ = ["ground_of"]


def ground_of(tasks: TasksConfig) -> tuple[TaskSource, Contracts]:
    """The source of tasks and the contracts of a world.

    Raises:
        TaskError: a family that does not exist or cannot be imported.
    """
    cells = {name.rpartition(":"): style for name, style in tasks.cell_styles.items()}
    return (
        TaskSource(find_families(tasks.families, tasks.user_families)),
        Contracts(tasks.styles, {(family, int(depth)): style for (family, _, depth), style in cells.items()}),
    )
