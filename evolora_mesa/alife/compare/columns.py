"""What is compared: the columns of the table, each at its own size and at Evolora's."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from evolora_mesa.alife import MODELS
from evolora_mesa.errors import ConfigError
from evolora_mesa.schema import did_you_mean

__all__ = ["COLUMNS", "EVOLORA", "INTERVENTIONS", "Column", "chosen", "matched", "models_of"]

EVOLORA: Final = "Evolora"
_CELLS_PER_ANIMAL: Final = 11  # of WolfSheep, at its own size
_UNBOUNDED: Final = 100_000  # steps of a matched run at most; it ends by births


@dataclass(frozen=True)
class Column:
    """One way to run one model.

    Attributes:
        name: in the table.
        model: of `MODELS`, or Evolora.
        settings: arguments of its constructor; of Evolora, the shipped world as ``config``, or recorded
            ``runs``, of which seed n means the n-th.
        steps: most of them.
        births: the run ends when so many have been born after the founding; 0 is no such end.
        selection: what chooses who lives or breeds apart from the energy economy; empty for nothing.
        size: "full", or "matched" to Evolora's population and births.
    """

    name: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 500
    births: int = 0
    selection: str = ""
    size: str = "full"


_GATE: Final = "gate, archive"
_NINE: Final = 100.0 * 144 / 3600  # inflow of Cooper & Ofria (2002), 100 in a world of 3,600 cells, for 144 cells

COLUMNS: Final = (
    Column("Evolora", EVOLORA, {"config": "ecology"}, 48, selection=_GATE),
    Column("Evolora neutral", EVOLORA, {"config": "neutral_shadow"}, 48, selection="none: deaths and parents by lot"),
    Column("Evolora no merge", EVOLORA, {"config": "no_merge"}, 48, selection=_GATE),
    Column("Evolora frozen host", EVOLORA, {"config": "frozen"}, 48),
    Column("DigitalOrganisms logic-9", "DigitalOrganisms", {}, 2000),
    Column("DigitalOrganisms nine limited", "DigitalOrganisms", {"inflow": _NINE}, 2000),
    Column("HostSymbiont VT 0.1", "HostSymbiont", {"width": 30, "height": 30, "vertical": 0.1}, 300),
    Column("HostSymbiont VT 1", "HostSymbiont", {"width": 30, "height": 30, "vertical": 1.0}, 300),
    Column("Sugarscape S", "Sugarscape", {"rules": "S"}, 400),
    Column("NKWorld base", "NKWorld", {"snapshot_every": 10}, 1000, selection="tournament on a fitness function"),
    Column(
        "NKWorld sharing",
        "NKWorld",
        {"selection": "sharing", "snapshot_every": 10},
        1000,
        selection="tournament on shared fitness",
    ),
    Column("NKWorld random", "NKWorld", {"selection": "random", "snapshot_every": 10}, 1000, selection="none: by lot"),
    Column("WolfSheep", "WolfSheep", {}, 500),
    Column("Boltzmann", "Boltzmann", {}, 500),
)

# Of the second, one thing was changed against the first: what this does means the same in every model.
INTERVENTIONS: Final = (
    ("Evolora", "Evolora neutral", "deaths and parents by lot"),
    ("Evolora", "Evolora no merge", "no merging"),
    ("NKWorld base", "NKWorld random", "parents by lot"),
    ("NKWorld base", "NKWorld sharing", "niches by fitness sharing"),
    ("DigitalOrganisms logic-9", "DigitalOrganisms nine limited", "limited resources"),
    ("HostSymbiont VT 0.1", "HostSymbiont VT 1", "symbionts inherited with certainty"),
)


def chosen(names: Iterable[str]) -> tuple[Column, ...]:
    """Columns of models or columns by name, in any case; all without any.

    Raises:
        ConfigError: there is no such model or column.
    """
    wanted = list(names)
    if not wanted:
        return COLUMNS
    known = {known.casefold(): known for known in (EVOLORA, *MODELS, *(column.name for column in COLUMNS))}
    for name in wanted:
        if name.casefold() not in known:
            expected = ", ".join((EVOLORA, *MODELS))
            raise ConfigError("no such model", expected=expected, got=name, do=did_you_mean(name, list(known.values())))
    asked = {name.casefold() for name in wanted}
    return tuple(column for column in COLUMNS if asked & {column.model.casefold(), column.name.casefold()})


def matched(column: Column, population: int, births: int) -> Column:
    """A world of about so many agents that ends after so many births. Sugarscape's land cannot shrink: founders do."""
    settings = dict(column.settings) | _settings_for(column.model, max(population, 4))
    lasting = column.steps if column.model == "Boltzmann" else _UNBOUNDED  # nobody is ever born there
    every = 1 if column.model != "Boltzmann" else 10
    return replace(column, settings=settings | {"snapshot_every": every}, steps=lasting, births=births, size="matched")


def _settings_for(model: str, population: int) -> dict[str, Any]:
    match model:
        case "NKWorld":
            return {"population": population}
        case "HostSymbiont":  # every host has a cell, and most of them a symbiont
            side = max(3, round(math.sqrt(population / 2)))
            return {"width": side, "height": side}
        case "DigitalOrganisms":
            side = max(3, round(math.sqrt(population)))
            return {"width": side, "height": side}
        case "WolfSheep":
            side = max(3, round(math.sqrt(_CELLS_PER_ANIMAL * population)))
            return {"width": side, "height": side, "sheep": population * 2 // 3, "wolves": population // 3}
        case _:
            return {"agents": population}


def models_of(columns: Sequence[Column]) -> tuple[str, ...]:
    """Classic models among the columns, each once."""
    return tuple(dict.fromkeys(column.model for column in columns if column.model != EVOLORA))
