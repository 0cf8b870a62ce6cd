"""One organism alone, without mutation: what its genome is worth, and which of its sites that depends on."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.digital_organisms.chance import seeded
from evolora_mesa.alife.digital_organisms.division import begin, copy_child, grant, renew
from evolora_mesa.alife.digital_organisms.genome import LONGEST, NULL, letters, numbers
from evolora_mesa.alife.digital_organisms.hardware import DIVIDES, PUTS_OUT, execute
from evolora_mesa.alife.digital_organisms.jit import kernel
from evolora_mesa.alife.digital_organisms.layout import (
    AGE,
    COPIED,
    EXECUTED,
    GESTATION,
    INPUT,
    LENGTH,
    PHENOTYPE,
    Organisms,
    empty,
)
from evolora_mesa.alife.digital_organisms.rewards import reward
from evolora_mesa.alife.digital_organisms.tasks import TASKS, VALUES

__all__ = ["Gestation", "gestation", "informative_sites", "task_names"]

_INPUTS: Final = (0x0F5A7C31, 0x3369D2B4, 0x55C3184E)
_LIFESPAN: Final = 20  # instructions per site
_NO_RESOURCES: Final = np.empty(0)
_VALUES: Final = np.array(VALUES, float)


class Gestation(NamedTuple):
    """A life from birth to division.

    Attributes:
        time: instructions; 0 if it never divides.
        executed: sites of the genome that were executed.
        merit: base merit times bonus.
        fitness: merit / time.
        tasks: solved, as bits in the order of `TASKS`.
        child: the genome it divides off.
    """

    time: int
    executed: int
    merit: float
    fitness: float
    tasks: int
    child: str


_STERILE: Final = Gestation(0, 0, 0.0, 0.0, 0, "")


def gestation(genome: str) -> Gestation:
    """Run ``genome`` until it divides, at most as long as an organism of its length lives.

    Raises:
        ConfigError: it is no genome.
    """
    organisms, child = empty(1), np.empty(LONGEST, np.int8)
    length = _live(organisms, numbers(genome), child)
    if length < 0:
        return _STERILE
    cpu, merit = organisms.cpu[0], float(organisms.merit[0])
    time = int(cpu[GESTATION])
    return Gestation(time, int(cpu[EXECUTED]), merit, merit / time, int(cpu[PHENOTYPE]), letters(child[:length]))


def informative_sites(genome: str) -> int:
    """Number of sites whose knock-out, an instruction that does nothing, lowers the fitness."""
    alive, organisms, child = numbers(genome), empty(1), np.empty(LONGEST, np.int8)

    def fitness() -> float:
        if _live(organisms, alive, child) < 0:
            return 0.0
        return float(organisms.merit[0]) / int(organisms.cpu[0, GESTATION])

    whole, informative = fitness(), 0
    for site in range(len(alive)):
        instruction, alive[site] = alive[site], NULL
        informative += fitness() < whole * (1 - 1e-12)
        alive[site] = instruction
    return informative


def task_names(mask: int) -> list[str]:
    """Names of the tasks whose bits are set."""
    return [name for place, name in enumerate(TASKS) if mask >> place & 1]


def _live(organisms: Organisms, genome: NDArray[np.int8], child: NDArray[np.int8]) -> int:
    """Sites of the child, or -1; the rest is in row 0 of ``organisms``."""
    cpu, size = organisms.cpu, len(genome)
    organisms.memory[0, :size] = genome
    cpu[0, INPUT : INPUT + 3] = _INPUTS
    cpu[0, LENGTH] = cpu[0, COPIED] = size
    return _divide_once(organisms, 0, child, _VALUES, _NO_RESOURCES, size, seeded(0))


@kernel
def _divide_once(
    organisms: Organisms,
    row: int,
    child: NDArray[np.int8],
    values: NDArray[np.float64],
    levels: NDArray[np.float64],
    size: int,
    chance: NDArray[np.int64],
) -> int:
    cpu, memory, marks, stacks = organisms.cpu, organisms.memory, organisms.marks, organisms.stacks
    begin(cpu, marks, stacks, organisms.bonus, organisms.uptake, row, size)
    while cpu[row, AGE] < _LIFESPAN * size:
        happens = execute(cpu, memory, marks, stacks, row, 0.0, chance)
        if happens == PUTS_OUT:
            reward(cpu, organisms.bonus, organisms.uptake, row, values, levels, 0.0, 0.0)
        elif happens == DIVIDES and grant(cpu, marks, row) >= 0:
            length = copy_child(cpu, memory, row, child)
            renew(cpu, marks, stacks, organisms.merit, organisms.bonus, organisms.uptake, row)
            return length
    return -1
