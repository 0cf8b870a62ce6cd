"""Division: whether it is granted, what the child is like, and the parent's new beginning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms.chance import below, draw
from evolora_mesa.alife.digital_organisms.genome import INSTRUCTIONS, LONGEST, SHORTEST
from evolora_mesa.alife.digital_organisms.jit import kernel
from evolora_mesa.alife.digital_organisms.layout import (
    AGE,
    COPIED,
    DONE,
    EXECUTED,
    GENERATION,
    GESTATION,
    LABEL,
    LENGTH,
    NICHE,
    PHENOTYPE,
    READ,
    SIZE,
    STATE,
    WRITE,
)

__all__ = ["begin", "copy_child", "grant", "mutate", "renew"]

_KINDS = len(INSTRUCTIONS)


@kernel
def grant(cpu: NDArray[np.int64], marks: NDArray[np.int8], row: int) -> int:
    """Sites of the child from the read head to the write head that h-copy has written; -1 if there is no division.

    What stays and what leaves must both be within half and twice the genome the organism was born with; at least half
    of what stays has been executed, and half of what leaves copied.
    """
    size, length = int(cpu[row, SIZE]), int(cpu[row, LENGTH])
    begins = int(cpu[row, READ])
    ends = int(cpu[row, WRITE])
    if ends == 0:
        ends = size
    stays, leaves = begins, ends - begins
    least, most = max(SHORTEST, length // 2), min(LONGEST // 2, 2 * length)
    if stays < least or leaves < least or stays > most or leaves > most:
        return -1
    executed, copied = 0, 0
    for site in range(stays):
        executed += int(marks[row, site]) & 1
    for site in range(begins, ends):
        copied += int(marks[row, site]) >> 1
    if executed < stays // 2 or copied < leaves // 2:
        return -1
    cpu[row, EXECUTED] = executed
    return copied


@kernel
def copy_child(cpu: NDArray[np.int64], memory: NDArray[np.int8], row: int, child: NDArray[np.int8]) -> int:
    """Write what leaves into ``child``, ``(LONGEST,)``, and return its number of sites."""
    begins, ends = int(cpu[row, READ]), int(cpu[row, WRITE])
    if ends == 0:
        ends = int(cpu[row, SIZE])
    for site in range(begins, ends):
        child[site - begins] = memory[row, site]
    return ends - begins


@kernel
def mutate(child: NDArray[np.int8], length: int, insertion: float, deletion: float, chance: NDArray[np.int64]) -> int:
    """Perhaps insert one instruction, perhaps delete one; returns the new number of sites.

    Args:
        insertion, deletion: thresholds of a draw, in [0, 2³²].
    """
    if draw(chance) < insertion and length < LONGEST // 2:
        gap = below(chance, length + 1)
        for site in range(length, gap, -1):
            child[site] = child[site - 1]
        child[gap] = below(chance, _KINDS)
        length += 1
    if draw(chance) < deletion and length > SHORTEST:
        lost = below(chance, length)
        for site in range(lost, length - 1):
            child[site] = child[site + 1]
        length -= 1
    return length


@kernel
def renew(
    cpu: NDArray[np.int64],
    marks: NDArray[np.int8],
    stacks: NDArray[np.int64],
    merit: NDArray[np.float64],
    bonus: NDArray[np.float64],
    uptake: NDArray[np.float64],
    row: int,
) -> None:
    """After a division: merit and phenotype of the gestation that ends, then a CPU as at birth.

    Memory stays as it is up to the read head. Merit is the least of the genome's length, of what had been copied of it
    and of what was executed, times the bonus.
    """
    base = min(cpu[row, LENGTH], min(cpu[row, COPIED], cpu[row, EXECUTED]))
    merit[row] = base * bonus[row]
    cpu[row, PHENOTYPE] = cpu[row, DONE]
    cpu[row, GESTATION] = cpu[row, AGE]
    cpu[row, GENERATION] += 1
    best, most = -1, 0.0
    for task in range(uptake.shape[1]):
        if uptake[row, task] > most:
            best, most = task, uptake[row, task]
    cpu[row, NICHE] = best
    stays = int(cpu[row, READ])
    begin(cpu, marks, stacks, bonus, uptake, row, stays)


@kernel
def begin(
    cpu: NDArray[np.int64],
    marks: NDArray[np.int8],
    stacks: NDArray[np.int64],
    bonus: NDArray[np.float64],
    uptake: NDArray[np.float64],
    row: int,
    size: int,
) -> None:
    """A fresh CPU before the first instruction of ``size`` sites of memory."""
    for column in range(STATE):  # loops and no slices: numba compiles them in a tenth of the time
        cpu[row, column] = 0
    for depth in range(stacks.shape[1]):
        stacks[row, depth] = 0
    for site in range(size):
        marks[row, site] = 0
    for task in range(uptake.shape[1]):
        uptake[row, task] = 0.0
    cpu[row, LABEL] = 1
    cpu[row, SIZE] = size
    bonus[row] = 1.0
