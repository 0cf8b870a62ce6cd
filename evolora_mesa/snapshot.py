"""What a user interface may read: an immutable picture of the world, published once at the end of a generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evolora_mesa.tasks.grid import LAYERS

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["OrganelleView", "Snapshot", "take_snapshot"]


class OrganelleView(NamedTuple):
    """One organelle; ``family`` and ``depth`` are its cell's coordinate."""

    unique_id: int
    lineage: int
    family: int
    depth: int
    energy: float
    roi: float
    age: int


@dataclass(frozen=True)
class Snapshot:
    """The world after generation ``tick``; ``layers`` are copies, each ``[families, depths]``."""

    tick: int
    families: tuple[str, ...]
    layers: dict[str, np.ndarray]
    organelles: tuple[OrganelleView, ...]
    row: dict[str, float]


def take_snapshot(model: EcologyModel, row: dict[str, float]) -> Snapshot:
    """The current world with its row of figures; nothing in it is shared with the model."""
    return Snapshot(
        model.tick,
        model.grid.families,
        {name: model.grid.layer(name).copy() for name in LAYERS},
        tuple(
            OrganelleView(o.unique_id, o.lineage, o.cell.coordinate[0], o.cell.coordinate[1], o.energy, o.roi, o.age)
            for o in model.organelles()
        ),
        dict(row),
    )
