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
_SHIFT_R, _SHIFT_L, _INC, _DEC, _PUSH, _POP, _SWAP_STK, _SWAP, _ADD, _SUB, _NAND = (
    10,
    11,
    12,
    13,
    14,
    15,
    16,
    17,
    18,
    19,
    20,
)
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
def find(code: NDArray[np.int8], size: int, template: int, nops: int) -> int:
    """The last site of the first ``template`` from the beginning of memory on; -1 without one."""
    last_nops = (1 << (2 * nops)) - 1
    wanted = template & last_nops
    run, recent = 0, 0
    for site in range(size):
        instruction = int(code[site])
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
    own, code, seen, stack = cpu[row], memory[row], marks[row], stacks[row]
    size = int(own[SIZE])
    at = int(own[IP])
    does = int(code[at])
    seen[at] |= 1
    own[AGE] += 1
    after = at + 1 if at + 1 < size else 0
    happens = 0

    if does < _NOPS or does >= _KINDS:
        own[IP] = after
        return 0

    if does == _H_COPY:
        source, target = int(own[READ]), int(own[WRITE])
        instruction = int(code[source])
        if instruction >= _NOPS:
            own[LABEL] = 1
        elif own[LABEL] < _LONGEST_TEMPLATE:
            own[LABEL] = (own[LABEL] << 2) | instruction
        if copy_mutation > 0.0 and draw(chance) < copy_mutation:
            instruction = (draw(chance) * _KINDS) >> 32
        code[target] = instruction
        seen[target] |= 2
        own[READ] = source + 1 if source + 1 < size else 0
        own[WRITE] = target + 1 if target + 1 < size else 0
        own[IP] = after
        return 0

    if does in (_IF_LABEL, _H_SEARCH):
        template, nops = 1, 0
        while code[after] < _NOPS and template < _LONGEST_TEMPLATE:
            template = (template << 2) | ((int(code[after]) + 1) % _NOPS)
            if nops == 0:
                seen[after] |= 1  # only the first nop of a template counts as executed
            nops += 1
            at = after
            after = at + 1 if at + 1 < size else 0
        if does == _IF_LABEL:
            if own[LABEL] != template:
                after = after + 1 if after + 1 < size else 0
        else:
            found = find(code, size, template, nops) if nops > 0 else -1
            if found < 0:
                found = at
            own[BX] = found - at
            own[CX] = nops
            own[FLOW] = found + 1 if found + 1 < size else 0
        own[IP] = after
        return 0

    if does == _H_ALLOC:
        room = min(2 * size, LONGEST - size)
        if own[ALLOCATED] == 0 and 2 * room >= size:
            for site in range(size, size + room):
                code[site] = 0
                seen[site] = 0
            own[ALLOCATED] = 1
            own[SIZE] = size + room
            own[AX] = size
            after = at + 1
    elif does == _H_DIVIDE:
        happens = DIVIDES
    elif does == _SWAP_STK:
        own[STACK] = 1 - own[STACK]
    else:
        chosen = 1  # BX
        if _MOV_HEAD <= does <= _GET_HEAD:
            chosen = 0  # the instruction pointer
        elif does == _SET_FLOW:
            chosen = 2  # CX
        if code[after] < _NOPS:
            chosen = int(code[after])
            at = after
            seen[at] |= 1
            after = at + 1 if at + 1 < size else 0
        register = AX + chosen
        value = int(own[register])
        neighbour = AX + (chosen + 1) % 3
        top = TOP + int(own[STACK])
        bottom = STACK_SIZE * int(own[STACK])

        if does == _MOV_HEAD:
            if chosen == 0:
                after = int(own[FLOW])
            else:
                own[IP + chosen] = own[FLOW]
        elif does == _JMP_HEAD:
            if chosen == 0:
                after = place(at + int(own[CX]), size) + 1
                after = after if after < size else 0
            else:
                own[IP + chosen] = place(int(own[IP + chosen]) + int(own[CX]), size)
        elif does == _GET_HEAD:
            own[CX] = at if chosen == 0 else own[IP + chosen]
        elif does == _SET_FLOW:
            own[FLOW] = place(value, size)
        elif does == _IF_N_EQU:
            if value == own[neighbour]:
                after = after + 1 if after + 1 < size else 0
        elif does == _IF_LESS:
            if value >= own[neighbour]:
                after = after + 1 if after + 1 < size else 0
        elif does == _NAND:
            own[register] = ~(own[BX] & own[CX])
        elif does == _ADD:
            own[register] = word(int(own[BX]) + int(own[CX]))
        elif does == _SUB:
            own[register] = word(int(own[BX]) - int(own[CX]))
        elif does == _SHIFT_R:
            own[register] = value >> 1
        elif does == _SHIFT_L:
            own[register] = word(value << 1)
        elif does == _INC:
            own[register] = word(value + 1)
        elif does == _DEC:
            own[register] = word(value - 1)
        elif does == _SWAP:
            own[register] = own[neighbour]
            own[neighbour] = value
        elif does == _PUSH:
            depth = (int(own[top]) + STACK_SIZE - 1) % STACK_SIZE
            stack[bottom + depth] = value
            own[top] = depth
        elif does == _POP:
            depth = int(own[top])
            own[register] = stack[bottom + depth]
            stack[bottom + depth] = 0
            own[top] = (depth + 1) % STACK_SIZE
        else:  # IO
            own[OUTPUT] = value
            own[register] = own[INPUT + own[READS] % 3]
            own[READS] += 1
            happens = PUTS_OUT

    own[IP] = after
    return happens
