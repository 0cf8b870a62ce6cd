"""What the data collector asks a world of hosts and symbionts at every update."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from evolora_mesa.alife.host_symbiont.agents import EDGE
from evolora_mesa.alife.host_symbiont.interaction import HOST, VALUE

if TYPE_CHECKING:
    from evolora_mesa.alife.host_symbiont.model import HostSymbiont

__all__ = ["REPORTERS"]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def mean_host(model: HostSymbiont) -> float:
    """Mean interaction value of the hosts."""
    return _mean(model.tenants[HOST, VALUE])


def mean_symbiont(model: HostSymbiont) -> float:
    """Mean interaction value of the symbionts; nan when there are none."""
    return _mean(model.symbionts())


def symbionts(model: HostSymbiont) -> int:
    """Living symbionts."""
    return len(model.symbionts())


def parasites(model: HostSymbiont) -> int:
    """Symbionts with a value below -0.4."""
    return int((model.symbionts() < -EDGE).sum())


def mutualists(model: HostSymbiont) -> int:
    """Symbionts with a value from 0.4."""
    return int((model.symbionts() >= EDGE).sum())


_ALL = (mean_host, mean_symbiont, symbionts, parasites, mutualists)
REPORTERS: Final[dict[str, Callable[[HostSymbiont], float]]] = {reporter.__name__: reporter for reporter in _ALL}
