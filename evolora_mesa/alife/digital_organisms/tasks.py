"""The nine logic tasks (Lenski, Ofria, Pennock & Adami 2003) and the judge that reads them off an output's bits.

The three inputs of an organism have top bytes in which every combination of bits occurs, so that an output tells what
function of its inputs it is: bit p of the truth table is the output where the inputs' bits spell the number p.
"""

from __future__ import annotations

from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms.jit import kernel

__all__ = ["NO_TASK", "TASKS", "TASK_OF_TABLE", "TOP_BYTES", "VALUES", "judge"]

TASKS: Final = ("NOT", "NAND", "AND", "ORN", "OR", "ANDN", "NOR", "XOR", "EQU")
VALUES: Final = (1, 1, 2, 2, 3, 3, 4, 4, 5)  # merit × 2^value for the task; of resources, 2^(value - 1) a unit taken
TOP_BYTES: Final = (0x0F, 0x33, 0x55)  # of the inputs
NO_TASK: Final = -1

_ROWS = np.arange(8)
_INPUTS: Final = [(_ROWS >> place) & 1 for place in range(3)]  # bits of each input, by row of the truth table


def _task_of_table() -> NDArray[np.int64]:
    """The task that each of the 256 functions of three inputs solves, ``(256,)``; `NO_TASK` where none."""
    solves = np.full(256, NO_TASK)

    def enter(task: str, outputs: NDArray[np.int64]) -> None:
        solves[int((outputs << _ROWS).sum())] = TASKS.index(task)

    for a, b in permutations(_INPUTS, 2):
        enter("NOT", 1 - a)
        enter("NAND", 1 - (a & b))
        enter("AND", a & b)
        enter("ORN", a | (1 - b))
        enter("OR", a | b)
        enter("ANDN", a & (1 - b))
        enter("NOR", 1 - (a | b))
        enter("XOR", a ^ b)
        enter("EQU", 1 - (a ^ b))
    return solves


TASK_OF_TABLE: Final = _task_of_table()


@kernel
def judge(output: int, first: int, second: int, third: int, known: int, task_of_table: NDArray[np.int64]) -> int:
    """The task that an output solves.

    Args:
        output, first, second, third: 32-bit numbers.
        known: how many of the inputs the organism has read; the others do not count.
        task_of_table: `TASK_OF_TABLE`.

    Returns:
        Place in `TASKS`, or `NO_TASK`: another function, or none at all.
    """
    table, seen = 0, 0
    for place in range(32):
        row = (first >> place) & 1
        if known > 1:
            row |= ((second >> place) & 1) << 1
        if known > 2:
            row |= ((third >> place) & 1) << 2
        bit = (output >> place) & 1
        if (seen >> row) & 1:
            if ((table >> row) & 1) != bit:
                return -1
        else:
            seen |= 1 << row
            table |= bit << row
    if known < 1:
        return -1
    if known < 2:
        table |= table << 2
    if known < 3:
        table |= table << 4
    return int(task_of_table[table & 255])
