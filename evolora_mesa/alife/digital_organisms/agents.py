"""Digital organisms as Mesa agents: views of one row of the model's arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evolora_mesa.alife.digital_organisms import layout
from evolora_mesa.alife.digital_organisms.genome import letters
from evolora_mesa.alife.digital_organisms.gestation import task_names
from evolora_mesa.alife.digital_organisms.tasks import TASKS
from evolora_mesa.alife.mirror import Reflection

if TYPE_CHECKING:
    from evolora_mesa.alife.digital_organisms.model import DigitalOrganisms

__all__ = ["Organism"]


class Organism(Reflection):
    """A program that copies itself, in a cell of its own."""

    model: DigitalOrganisms

    def _fact(self, column: int) -> int:
        return int(self.model.organisms.cpu[self.row, column])

    @property
    def cell(self) -> tuple[int, int]:
        """(x, y) on the torus."""
        return divmod(self.row, self.model.height)

    @property
    def genome(self) -> str:
        """What it was born with, a letter per instruction."""
        return letters(self.model.organisms.genome[self.row, : self._fact(layout.LENGTH)])

    @property
    def energy(self) -> float:
        """Merit: its share of the processor."""
        return float(self.model.organisms.merit[self.row])

    @property
    def age(self) -> int:
        """Updates since birth."""
        return self.model.tick - self._fact(layout.BORN)

    @property
    def generation(self) -> int:
        """Divisions along its line of descent, its own among them."""
        return self._fact(layout.GENERATION)

    @property
    def tasks(self) -> list[str]:
        """Solved in its last whole gestation; before the first, its parent's."""
        return task_names(self._fact(layout.PHENOTYPE))

    def genotype_key(self) -> str:
        """The genome."""
        return self.genome

    def phenotype_key(self) -> int:
        """The tasks, as bits in the order of `TASKS`."""
        return self._fact(layout.PHENOTYPE)

    def niche(self) -> str | None:
        """The task that brought it most."""
        place = self._fact(layout.NICHE)
        return TASKS[place] if place >= 0 else None

    def fitness(self) -> float | None:
        """Merit per instruction of its last gestation, or its parent's; None before there was any."""
        gestation = self._fact(layout.GESTATION)
        return self.energy / gestation if gestation else None

    def trait(self) -> dict[str, float]:
        """What it hands on."""
        return {"length": float(self._fact(layout.LENGTH))}
