"""What an output earns: a task's reward, once in a gestation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms.jit import kernel
from evolora_mesa.alife.digital_organisms.layout import DONE, INPUT, OUTPUT, READS
from evolora_mesa.alife.digital_organisms.tasks import NO_TASK, TASK_OF_TABLE, judge

__all__ = ["reward"]


@kernel
def reward(
    cpu: NDArray[np.int64],
    bonus: NDArray[np.float64],
    uptake: NDArray[np.float64],
    row: int,
    values: NDArray[np.float64],
    levels: NDArray[np.float64],
    fraction: float,
    most: float,
) -> int:
    """Judge the number that organism ``row`` has just put out, and pay.

    Without resources a task multiplies the bonus by 2^value. With them the organism takes ``fraction`` of the task's
    resource, ``most`` at most, and value × that is added to the bonus.

    Args:
        values: of the tasks.
        levels: of their resources, ``(tasks,)``, from which is taken; ``(0,)`` where there are none.

    Returns:
        The task rewarded, or `NO_TASK`.
    """
    known = min(int(cpu[row, READS]) - 1, 3)  # what was read along with this output came after it
    first, second, third = int(cpu[row, INPUT]), int(cpu[row, INPUT + 1]), int(cpu[row, INPUT + 2])
    task = judge(int(cpu[row, OUTPUT]), first, second, third, known, TASK_OF_TABLE)
    if task == NO_TASK or (cpu[row, DONE] >> task) & 1:
        return NO_TASK
    if len(levels) == 0:
        income = values[task]
        bonus[row] *= 2.0 ** values[task]
    else:
        taken = min(levels[task] * fraction, most)
        levels[task] -= taken
        income = values[task] * taken
        bonus[row] += income
    cpu[row, DONE] |= 1 << task
    uptake[row, task] += income
    return task
