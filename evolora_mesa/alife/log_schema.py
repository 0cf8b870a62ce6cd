"""The streams of an event log: their columns, and the words that stand in them as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

__all__ = ["CAUSES", "CHANGED", "CODED", "NONE", "OPS", "STREAMS"]

OPS: Final = ("init", "clone", "mutate", "merge", "inject", "migrate")
CAUSES: Final = ("starved", "culled", "overwritten", "age", "eaten", "merged_away")
CODED: Final = ("geno", "pheno", "niche", "account", "task", "resource")  # what is kept as a code, by its own counter
NONE: Final = -1  # nobody, nowhere

CHANGED: Final = ("pheno", "niche")
_WHOLE, _REAL = np.int64, np.float64

# `seq` counts births, deaths and changes together: their order inside a step.
STREAMS: Final[Mapping[str, Mapping[str, type]]] = {
    "births": {
        "seq": _WHOLE,
        "step": _WHOLE,
        "time_gen": _REAL,
        "id": _WHOLE,
        "op": _WHOLE,
        "geno": _WHOLE,
        "pheno": _WHOLE,
        "niche": _WHOLE,
        "energy": _REAL,
    },
    "links": {"child": _WHOLE, "parent": _WHOLE, "weight": _REAL},  # a row per parent of a birth, in the births' order
    "deaths": {"seq": _WHOLE, "step": _WHOLE, "time_gen": _REAL, "id": _WHOLE, "cause": _WHOLE},
    "changes": {"seq": _WHOLE, "step": _WHOLE, "id": _WHOLE, "what": _WHOLE, "code": _WHOLE},
    "energy": {"step": _WHOLE, "id": _WHOLE, "account": _WHOLE, "amount": _REAL},
    "evals": {"step": _WHOLE, "id": _WHOLE, "task": _WHOLE, "reward": _REAL, "cost": _REAL, "success": _REAL},
    # One row per snapshot: how many events, energy rows and snapshot rows were there when it was taken.
    "marks": {
        "step": _WHOLE,
        "time_gen": _REAL,
        "events": _WHOLE,
        "energy_rows": _WHOLE,
        "first": _WHOLE,
        "size": _WHOLE,
    },
    "snapshots": {
        "step": _WHOLE,
        "id": _WHOLE,
        "energy": _REAL,
        "age": _REAL,
        "generation": _REAL,
        "geno": _WHOLE,
        "pheno": _WHOLE,
        "niche": _WHOLE,
        "fitness": _REAL,
    },  # and trait.NAME, descriptor.NUMBER
    "resources": {
        "step": _WHOLE,
        "resource": _WHOLE,
        "level": _REAL,
        "inflow": _REAL,
        "outflow": _REAL,
        "consumed": _REAL,
    },
    "complexities": {"geno": _WHOLE, "value": _REAL},
}
