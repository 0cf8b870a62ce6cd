"""The world's ground: a Mesa grid whose cells are (family, depth), with what each cell offers as property layers."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from mesa.discrete_space import Cell, OrthogonalVonNeumannGrid

from evolora_mesa.refill import refill

__all__ = ["LAYERS", "TaskGrid"]

LAYERS: Final = ("price", "pool", "success", "learning_progress", "occupancy")


class TaskGrid(OrthogonalVonNeumannGrid):
    """Families along the first axis, depths along the second; coordinate ``(f, d)`` is family ``f`` at depth ``d + 1``.

    Property layers, each ``[families, depths]``: ``price`` of a success and ``pool`` in energy, ``success`` and
    ``learning_progress`` in [0, 1], ``occupancy`` in organelles.

    Args:
        families: names in order.
        depths: deepest task.
        random: Mesa's generator.
    """

    def __init__(self, families: Sequence[str], depths: int, random: random.Random) -> None:
        super().__init__((len(families), depths), torus=False, capacity=None, random=random)
        self.families, self.depths = tuple(families), depths
        for name in LAYERS:
            self.create_property_layer(name, default_value=0.0, dtype=float)

    def layer(self, name: str) -> np.ndarray:
        """The live array of a layer, ``[families, depths]``. Write in place only: Mesa's cells share it."""
        found = getattr(self, name)
        return found if isinstance(found, np.ndarray) else found.data

    def cell(self, number: int) -> Cell:
        """The cell with the flat number ``family * depths + (depth - 1)``."""
        return self[divmod(number, self.depths)]

    def count(self, cells: Iterable[Cell]) -> None:
        """Set the occupancy to how often each cell occurs in ``cells``."""
        occupancy = self.layer("occupancy")
        occupancy[:] = 0.0
        for cell in cells:
            occupancy[cell.coordinate] += 1.0

    def state_dict(self) -> dict[str, Any]:
        """Copies of the layers."""
        return {name: self.layer(name).copy() for name in LAYERS}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        for name in LAYERS:
            refill(self.layer(name), state[name], f"cells, {name}")
