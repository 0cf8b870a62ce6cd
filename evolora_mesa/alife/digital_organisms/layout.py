"""What the kernels work on: an organism a row, a fact a column."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms.genome import LONGEST
from evolora_mesa.alife.digital_organisms.tasks import TASKS

__all__ = ["COLUMNS", "STACK_SIZE", "Organisms", "empty"]

STACK_SIZE: Final = 10  # numbers in each of the two stacks

# State of the virtual CPU, which a division resets. The heads and the registers are in the order of the nops that
# choose among them: nop-A, nop-B, nop-C.
IP, READ, WRITE, FLOW = 0, 1, 2, 3
AX, BX, CX = 4, 5, 6
STACK, TOP = 7, 8  # which stack is in use; places of the two tops are TOP and TOP + 1
LABEL = 10  # template that was copied last, as `hardware` writes it
ALLOCATED = 11  # 1 after h-alloc
READS = 12  # inputs read
OUTPUT = 13  # number put out last
DONE = 14  # tasks rewarded in this gestation, bit by bit
AGE = 15  # instructions executed in this gestation
STATE: Final = 16  # columns that a division resets

# Facts about the organism, which last.
SIZE = 16  # sites of memory
LENGTH = 17  # sites of the genome it was born with
COPIED = 18  # sites of it that its parent had copied
INPUT = 19  # three inputs
ID = 22  # -1 where nobody lives
GENERATION = 23  # divisions along the line of descent
BORN = 24  # update of birth
PHENOTYPE = 25  # tasks of the last whole gestation, bit by bit; these last four are at first the parent's
NICHE = 26  # task that brought most in it; -1 for none
GESTATION = 27  # instructions of it
EXECUTED = 28  # sites executed in it
COLUMNS: Final = 29


class Organisms(NamedTuple):
    """All organisms of a world, of which row n lives in cell n.

    Attributes:
        cpu: ``(n, COLUMNS)``.
        memory: instructions, ``(n, LONGEST)``.
        marks: 1 for a site that was executed, 2 for one that was written by h-copy, 3 for both; shaped like memory.
        genome: what the organism was born with, shaped like memory.
        stacks: ``(n, 2 * STACK_SIZE)``.
        merit: share of the processor, unnormalised, ``(n,)``.
        bonus: what tasks have made of it in this gestation, ``(n,)``: a factor on the base merit.
        uptake: reward by task in this gestation, ``(n, tasks)``.
        tree: merits and their sums, for drawing organisms in proportion: entry k is the sum of 2k and 2k + 1, the
            merits are the second half, ``(2 * leaves,)``.
    """

    cpu: NDArray[np.int64]
    memory: NDArray[np.int8]
    marks: NDArray[np.int8]
    genome: NDArray[np.int8]
    stacks: NDArray[np.int64]
    merit: NDArray[np.float64]
    bonus: NDArray[np.float64]
    uptake: NDArray[np.float64]
    tree: NDArray[np.float64]


def empty(cells: int) -> Organisms:
    """A world in which nobody lives."""
    leaves = 1 << (cells - 1).bit_length()
    cpu = np.zeros((cells, COLUMNS), np.int64)
    cpu[:, ID] = -1
    return Organisms(
        cpu=cpu,
        memory=np.zeros((cells, LONGEST), np.int8),
        marks=np.zeros((cells, LONGEST), np.int8),
        genome=np.zeros((cells, LONGEST), np.int8),
        stacks=np.zeros((cells, 2 * STACK_SIZE), np.int64),
        merit=np.zeros(cells),
        bonus=np.ones(cells),
        uptake=np.zeros((cells, len(TASKS))),
        tree=np.zeros(2 * leaves),
    )
