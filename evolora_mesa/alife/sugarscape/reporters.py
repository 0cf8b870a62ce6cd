"""What the data collector asks a sugarscape at every tick."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from evolora_mesa.alife.sugarscape.people import METABOLISM, SUGAR, VISION
from evolora_mesa.economy.metrics import gini

if TYPE_CHECKING:
    from evolora_mesa.alife.sugarscape.model import Sugarscape

__all__ = ["REPORTERS", "mean"]


def mean(values: NDArray[np.float64]) -> float:
    """Arithmetic mean; 0 of nothing."""
    return float(values.mean()) if len(values) else 0.0


def foragers(model: Sugarscape) -> int:
    """Living foragers."""
    return model.people.shape[1]


def vision(model: Sugarscape) -> float:
    """Mean vision."""
    return mean(model.people[VISION])


def metabolism(model: Sugarscape) -> float:
    """Mean metabolism."""
    return mean(model.people[METABOLISM])


def wealth_gini(model: Sugarscape) -> float:
    """Inequality of sugar, 0 to 1; nan when nobody is left."""
    return gini(model.people[SUGAR])


def sugar(model: Sugarscape) -> int:
    """Sugar on the ground."""
    return int(model.ground.sum())


_ALL = (foragers, vision, metabolism, wealth_gini, sugar)
REPORTERS: Final[dict[str, Callable[[Sugarscape], float]]] = {reporter.__name__: reporter for reporter in _ALL}
