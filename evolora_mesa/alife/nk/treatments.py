"""The treatments of the MODES paper (Dolson, Vostinar, Wiser & Ofria 2019), and random selection, which is ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["TREATMENTS"]

# Over the baseline, which is what `NKWorld` does when nothing else is said.
TREATMENTS: Final[Mapping[str, Mapping[str, Any]]] = {
    "base": {},
    "low mutation": {"mutation": 0.005},
    "high mutation": {"mutation": 0.1},
    "small population": {"population": 20},
    "large population": {"population": 2000},
    "k10": {"epistasis": 10},
    "long genome": {"sites": 100, "mutation": 0.01},
    "oscillating": {"period": 500},
    "sharing": {"selection": "sharing"},
    "random": {"selection": "random"},
}
