"""What the data collector asks a pasture at every tick."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from evolora_mesa.alife.wolf_sheep.herd import SHEEP, WOLVES

if TYPE_CHECKING:
    from evolora_mesa.alife.wolf_sheep.model import WolfSheep

__all__ = ["REPORTERS"]


def sheep(model: WolfSheep) -> int:
    """Living sheep."""
    return model.herds[SHEEP].shape[1]


def wolves(model: WolfSheep) -> int:
    """Living wolves."""
    return model.herds[WOLVES].shape[1]


def grass(model: WolfSheep) -> int:
    """Cells with grown grass."""
    return int(model.grown().sum())


REPORTERS: Final[dict[str, Callable[[WolfSheep], int]]] = {f.__name__: f for f in (sheep, wolves, grass)}
