"""The virtual CPU: one instruction of one organism.

Heads hardware of Ofria, Bryson & Wilke (2009): circular memory, three registers, two stacks, four heads, inputs. A nop
behind an instruction is its modifier: it names another register, or another head, than the instruction's own. A run
of nops is a template; its complement has A → B → C → A for every nop.

A template is kept as one whole number: a leading 1, then two bits a nop.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms.chance import draw
from evolora_mesa.alife.digital_organisms.genome import INSTRUCTIONS, LONGEST
from evolora_mesa.alife.digital_organisms.jit import kernel
from evolora_mesa.alife.digital_organisms.layout import (
    AGE,
    ALLOCATED,
    AX,
    BX,
    CX,
    FLOW,
    INPUT,
    IP,
    LABEL,
    OUTPUT,
    READ,
    READS,
    SIZE,
    STACK,
    STACK_SIZE,
    TOP,
    WRITE,
)

__all__ = ["DIVIDES", "PUTS_OUT", "execute"]

PUTS_OUT: Final = 1  # the instruction has put out a number
DIVIDES: Final = 2  # it asks for a division, which is not its to grant

_KINDS: Final = len(INSTRUCTIONS)
_NOPS: Final = 3
_LONGEST_TEMPLATE: Final = 1 << 20  # ten nops
_IF_N_EQU, _IF_LESS, _IF_LABEL, _MOV_HEAD, _JMP_HEAD, _GET_HEAD, _SET_FLOW = 3, 4, 5, 6, 7, 8, 9
_SHIFT_R, _SHIFT_L, _INC, _DEC, _PUSH, _POP, _SWAP_STK, _SWAP, _ADD, _SUB, _NAND = 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20
_H_COPY, _H_ALLOC, _H_DIVIDE, _IO, _H_SEARCH = 21, 22, 23, 24, 25


@kernel
def word(number: int) -> int:
    """``number`` as a signed 32-bit register holds it."""
    return ((number + 0x80000000) & 0xFFFFFFFF) - 0x80000000


@kernel
def place(number: int, size: int) -> int:
    """``number`` as a position in circular memory; what is below 0 sticks at the beginning."""
    if number < 0:
        return 0
    return number % size


@kernel
def find(memory: NDArray[np.int8], row: int, size: int, template: int, nops: int) -> int:
    """The last site of the first ``template`` from the beginning of memory on; -1 without one."""
    last_nops = (1 << (2 * nops)) - 1
    wanted = template & last_nops
    run, recent = 0, 0
    for site in range(size):
        instruction = int(memory[row, site])
        if instruction < _NOPS:
            run += 1
            recent = ((recent << 2) | instruction) & last_nops
            if run >= nops and recent == wanted:
                return site
        else:
            run = 0
    return -1


@kernel
def execute(
    cpu: NDArray[np.int64],
    memory: NDArray[np.int8],
    marks: NDArray[np.int8],
    stacks: NDArray[np.int64],
    row: int,
    copy_mutation: float,
    chance: NDArray[np.int64],
) -> int:
    """Carry out the instruction under the instruction pointer of organism ``row``.

    Args:
        copy_mutation: threshold in [0, 2³²] of the draw that makes h-copy write any instruction instead.

    Returns:
        0, `PUTS_OUT` or `DIVIDES`.
    """
    size = int(cpu[row, SIZE])
    at = int(cpu[row, IP])
    does = int(memory[row, at])
    marks[row, at] |= 1
    cpu[row, AGE] += 1
    after = at + 1 if at + 1 < size else 0
    happens = 0

    if does < _NOPS or does >= _KINDS:
        cpu[row, IP] = after
        return 0

    if does == _H_COPY:
        source, target = int(cpu[row, READ]), int(cpu[row, WRITE])
        instruction = int(memory[row, source])
        if instruction >= _NOPS:
            cpu[row, LABEL] = 1
        elif cpu[row, LABEL] < _LONGEST_TEMPLATE:
            cpu[row, LABEL] = (cpu[row, LABEL] << 2) | instruction
        if copy_mutation > 0.0 and draw(chance) < copy_mutation:
            instruction = (draw(chance) * _KINDS) >> 32
        memory[row, target] = instruction
        marks[row, target] |= 2
        cpu[row, READ] = source + 1 if source + 1 < size else 0
        cpu[row, WRITE] = target + 1 if target + 1 < size else 0
        cpu[row, IP] = after
        return 0

    if does == _IF_LABEL or does == _H_SEARCH:
        template, nops = 1, 0
        while memory[row, after] < _NOPS and template < _LONGEST_TEMPLATE:
            template = (template << 2) | ((int(memory[row, after]) + 1) % _NOPS)
            if nops == 0:
                marks[row, after] |= 1  # only the first nop of a template counts as executed
            nops += 1
            at = after
            after = at + 1 if at + 1 < size else 0
        if does == _IF_LABEL:
            if cpu[row, LABEL] != template:
                after = after + 1 if after + 1 < size else 0
        else:
            found = find(memory, row, size, template, nops) if nops > 0 else -1
            if found < 0:
                found = at
            cpu[row, BX] = found - at
            cpu[row, CX] = nops
            cpu[row, FLOW] = found + 1 if found + 1 < size else 0
        cpu[row, IP] = after
        return 0

    if does == _H_ALLOC:
        room = min(2 * size, LONGEST - size)
        if cpu[row, ALLOCATED] == 0 and 2 * room >= size:
            for site in range(size, size + room):
                memory[row, site] = 0
                marks[row, site] = 0
            cpu[row, ALLOCATED] = 1
            cpu[row, SIZE] = size + room
            cpu[row, AX] = size
            after = at + 1
    elif does == _H_DIVIDE:
        happens = DIVIDES
    elif does == _SWAP_STK:
        cpu[row, STACK] = 1 - cpu[row, STACK]
    else:
        chosen = 1  # BX
        if _MOV_HEAD <= does <= _GET_HEAD:
            chosen = 0  # the instruction pointer
        elif does == _SET_FLOW:
            chosen = 2  # CX
        if memory[row, after] < _NOPS:
            chosen = int(memory[row, after])
            at = after
            marks[row, at] |= 1
            after = at + 1 if at + 1 < size else 0
        register = AX + chosen
        value = int(cpu[row, register])
        neighbour = AX + (chosen + 1) % 3
        top = TOP + int(cpu[row, STACK])
        bottom = STACK_SIZE * int(cpu[row, STACK])

        if does == _MOV_HEAD:
            if chosen == 0:
                after = int(cpu[row, FLOW])
            else:
                cpu[row, IP + chosen] = cpu[row, FLOW]
        elif does == _JMP_HEAD:
            if chosen == 0:
                after = place(at + int(cpu[row, CX]), size) + 1
                after = after if after < size else 0
            else:
                cpu[row, IP + chosen] = place(int(cpu[row, IP + chosen]) + int(cpu[row, CX]), size)
        elif does == _GET_HEAD:
            cpu[row, CX] = at if chosen == 0 else cpu[row, IP + chosen]
        elif does == _SET_FLOW:
            cpu[row, FLOW] = place(value, size)
        elif does == _IF_N_EQU:
            if value == cpu[row, neighbour]:
                after = after + 1 if after + 1 < size else 0
        elif does == _IF_LESS:
            if value >= cpu[row, neighbour]:
                after = after + 1 if after + 1 < size else 0
        elif does == _NAND:
            cpu[row, register] = ~(cpu[row, BX] & cpu[row, CX])
        elif does == _ADD:
            cpu[row, register] = word(int(cpu[row, BX]) + int(cpu[row, CX]))
        elif does == _SUB:
            cpu[row, register] = word(int(cpu[row, BX]) - int(cpu[row, CX]))
        elif does == _SHIFT_R:
            cpu[row, register] = value >> 1
        elif does == _SHIFT_L:
            cpu[row, register] = word(value << 1)
        elif does == _INC:
            cpu[row, register] = word(value + 1)
        elif does == _DEC:
            cpu[row, register] = word(value - 1)
        elif does == _SWAP:
            cpu[row, register] = cpu[row, neighbour]
            cpu[row, neighbour] = value
        elif does == _PUSH:
            depth = (int(cpu[row, top]) + STACK_SIZE - 1) % STACK_SIZE
            stacks[row, bottom + depth] = value
            cpu[row, top] = depth
        elif does == _POP:
            depth = int(cpu[row, top])
            cpu[row, register] = stacks[row, bottom + depth]
            stacks[row, bottom + depth] = 0
            cpu[row, top] = (depth + 1) % STACK_SIZE
        else:  # IO
            cpu[row, OUTPUT] = value
            cpu[row, register] = cpu[row, INPUT + cpu[row, READS] % 3]
            cpu[row, READS] += 1
            happens = PUTS_OUT

    cpu[row, IP] = after
    return happens
