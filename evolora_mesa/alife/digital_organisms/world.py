"""The world's kernel: instructions dealt out by merit, divisions, births into neighbouring cells, deaths."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms.chance import below, draw
from evolora_mesa.alife.digital_organisms.division import begin, copy_child, grant, mutate, renew
from evolora_mesa.alife.digital_organisms.genome import LONGEST
from evolora_mesa.alife.digital_organisms.hardware import DIVIDES, PUTS_OUT, execute
from evolora_mesa.alife.digital_organisms.jit import kernel
from evolora_mesa.alife.digital_organisms.layout import (
    AGE,
    BORN,
    COPIED,
    EXECUTED,
    GENERATION,
    GESTATION,
    ID,
    INPUT,
    LENGTH,
    NICHE,
    PHENOTYPE,
    Organisms,
)
from evolora_mesa.alife.digital_organisms.rewards import reward
from evolora_mesa.alife.digital_organisms.schedule import pick, weigh
from evolora_mesa.alife.digital_organisms.tasks import TOP_BYTES

__all__ = [
    "BIRTH",
    "DEATH",
    "DIVISION",
    "NEXT_ID",
    "REWARD",
    "USED",
    "WRITTEN",
    "Events",
    "Rules",
    "advance",
    "blank",
    "settle",
]

# What happens: the first column of `Events.facts`.
BIRTH, DIVISION, DEATH, REWARD = 0, 1, 2, 3
_MOST_AT_ONCE: Final = 4  # events of one instruction
USED, WRITTEN, NEXT_ID = 0, 1, 2  # places in `Events.counts`


class Rules(NamedTuple):
    """What a run does not change. Probabilities are thresholds of a draw in [0, 2³²].

    Attributes:
        width, height: of the torus, in cells.
        copy_mutation: per instruction copied.
        insertion, deletion: per division.
        lifespan: instructions per site without a division, after which an organism dies.
        fraction: of a resource that one reward takes.
        most: units of it that it takes at most.
    """

    width: int
    height: int
    copy_mutation: float
    insertion: float
    deletion: float
    lifespan: int
    fraction: float
    most: float


class Events(NamedTuple):
    """What happened since the log last emptied this, in its order.

    Attributes:
        facts: ``(room, 6)``: what, id, then BIRTH: parent, first place in ``letters``, phenotype, niche · DIVISION:
            phenotype, niche, those before · DEATH: 1 for age, 0 for a child in its place · REWARD: task.
        amounts: merit won or lost, or the reward, ``(room,)``.
        letters: genomes of the newborn, one behind the other.
        counts: rows of facts and letters in use, next id, ``(3,)``.
        child: room for one genome, ``(LONGEST,)``.
    """

    facts: NDArray[np.int64]
    amounts: NDArray[np.float64]
    letters: NDArray[np.int8]
    counts: NDArray[np.int64]
    child: NDArray[np.int8]


def blank(room: int) -> Events:
    """Nothing has happened yet."""
    return Events(
        facts=np.zeros((room, 6), np.int64),
        amounts=np.zeros(room),
        letters=np.zeros(LONGEST + 128 * room, np.int8),
        counts=np.zeros(3, np.int64),
        child=np.zeros(LONGEST, np.int8),
    )


@kernel
def advance(
    organisms: Organisms,
    rules: Rules,
    values: NDArray[np.float64],
    levels: NDArray[np.float64],
    events: Events,
    now: int,
    instructions: int,
    chance: NDArray[np.int64],
) -> int:
    """Execute up to ``instructions``; stops early when ``events`` is full or everybody is dead.

    Args:
        values: of the tasks, ``(tasks,)``.
        levels: of their resources, ``(tasks,)``, or ``(0,)`` where rewards are without limit.
        now: the update.

    Returns:
        Instructions executed.
    """
    cpu, memory, marks, stacks = organisms.cpu, organisms.memory, organisms.marks, organisms.stacks
    merit, bonus, uptake, tree = organisms.merit, organisms.bonus, organisms.uptake, organisms.tree
    facts, counts = events.facts, events.counts
    for done in range(instructions):
        full = counts[USED] + _MOST_AT_ONCE > len(facts) or counts[WRITTEN] + LONGEST > len(events.letters)
        if full or tree[1] <= 0.0:
            return done
        row = pick(tree, chance)
        happens = execute(cpu, memory, marks, stacks, row, rules.copy_mutation, chance)
        if happens == PUTS_OUT:
            task = reward(cpu, bonus, uptake, row, values, levels, rules.fraction, rules.most)
            if task >= 0:
                at = note(events, int(cpu[row, ID]), uptake[row, task])
                facts[at, 0], facts[at, 2] = REWARD, task
        elif happens == DIVIDES:
            copied = grant(cpu, marks, row)
            if copied >= 0:
                length = copy_child(cpu, memory, row, events.child)
                length = mutate(events.child, length, rules.insertion, rules.deletion, chance)
                before = merit[row]
                at = note(events, int(cpu[row, ID]), 0.0)
                facts[at, 0], facts[at, 4], facts[at, 5] = DIVISION, cpu[row, PHENOTYPE], cpu[row, NICHE]
                renew(cpu, marks, stacks, merit, bonus, uptake, row)
                weigh(tree, row, merit[row])
                facts[at, 2], facts[at, 3] = cpu[row, PHENOTYPE], cpu[row, NICHE]
                events.amounts[at] = merit[row] - before
                bear(organisms, rules, events, row, length, copied, now, chance)
        if cpu[row, AGE] >= rules.lifespan * cpu[row, LENGTH]:
            at = die(cpu, merit, tree, events, row)
            facts[at, 2] = 1
    return instructions


@kernel
def note(events: Events, uid: int, amount: float) -> int:
    """A new row of events; what happened, and its particulars, are the caller's to write.

    They are no arguments, for numba would compile this anew for every constant among them.
    """
    at = int(events.counts[USED])
    events.counts[USED] = at + 1
    events.facts[at, 1] = uid
    events.amounts[at] = amount
    return at


@kernel
def die(cpu: NDArray[np.int64], merit: NDArray[np.float64], tree: NDArray[np.float64], events: Events, row: int) -> int:
    """Leave cell ``row`` empty; the row of the event, for its cause."""
    at = note(events, int(cpu[row, ID]), -merit[row])
    events.facts[at, 0], events.facts[at, 2] = DEATH, 0
    cpu[row, ID] = -1
    merit[row] = 0.0
    weigh(tree, row, merit[row])
    return at


@kernel
def bear(
    organisms: Organisms,
    rules: Rules,
    events: Events,
    parent: int,
    length: int,
    copied: int,
    now: int,
    chance: NDArray[np.int64],
) -> None:
    """The child goes to an empty one of eight neighbours, else to any of the nine cells, whose organism it kills."""
    cpu, merit, tree = organisms.cpu, organisms.merit, organisms.tree
    column, line = parent // rules.height, parent % rules.height
    empties, cell = 0, -1
    for place in range(9):
        across = (column + place // 3 - 1 + rules.width) % rules.width
        along = (line + place % 3 - 1 + rules.height) % rules.height
        near = across * rules.height + along
        if cpu[near, ID] < 0:
            empties += 1
            if below(chance, empties) == 0:  # each of the empties found so far with the same chance
                cell = near
    if cell < 0:
        place = below(chance, 9)
        across = (column + place // 3 - 1 + rules.width) % rules.width
        along = (line + place % 3 - 1 + rules.height) % rules.height
        cell = across * rules.height + along
    ancestor, share = int(cpu[parent, ID]), merit[parent]
    if cpu[cell, ID] >= 0:
        die(cpu, merit, tree, events, cell)
    for fact in (GENERATION, PHENOTYPE, NICHE, GESTATION, EXECUTED):
        cpu[cell, fact] = cpu[parent, fact]
    child, first = int(events.counts[NEXT_ID]), int(events.counts[WRITTEN])
    for site in range(length):
        events.letters[first + site] = events.child[site]
    events.counts[NEXT_ID] = child + 1
    events.counts[WRITTEN] = first + length
    cpu[cell, ID], cpu[cell, BORN] = child, now
    cpu[cell, LENGTH], cpu[cell, COPIED] = length, copied
    settle(organisms, cell, events.child, length, share, chance)
    at = note(events, child, share)
    facts = events.facts
    facts[at, 0], facts[at, 2], facts[at, 3] = BIRTH, ancestor, first
    facts[at, 4], facts[at, 5] = cpu[cell, PHENOTYPE], cpu[cell, NICHE]


@kernel
def settle(
    organisms: Organisms, cell: int, genome: NDArray[np.int8], length: int, share: float, chance: NDArray[np.int64]
) -> None:
    """Give a newborn its memory, its inputs, a fresh CPU and its share of the processor."""
    for site in range(length):
        organisms.memory[cell, site] = genome[site]
        organisms.genome[cell, site] = genome[site]
    for place in range(3):
        organisms.cpu[cell, INPUT + place] = (TOP_BYTES[place] << 24) | (draw(chance) >> 8)
    begin(organisms.cpu, organisms.marks, organisms.stacks, organisms.bonus, organisms.uptake, cell, length)
    organisms.merit[cell] = share
    weigh(organisms.tree, cell, share)
