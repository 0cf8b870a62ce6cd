"""Classic artificial life on the same ruler: models behind one interface, one event log, one set of metrics."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from evolora_mesa.errors import ConfigError

if TYPE_CHECKING:
    from evolora_mesa.alife.interface import EvoModel

__all__ = ["MODELS", "model_class"]

MODELS: Final = {
    "NKWorld": "evolora_mesa.alife.nk:NKWorld",
    "HostSymbiont": "evolora_mesa.alife.host_symbiont:HostSymbiont",
    "Sugarscape": "evolora_mesa.alife.sugarscape:Sugarscape",
    "DigitalOrganisms": "evolora_mesa.alife.digital_organisms:DigitalOrganisms",
    "WolfSheep": "evolora_mesa.alife.wolf_sheep:WolfSheep",
    "Boltzmann": "evolora_mesa.alife.boltzmann:Boltzmann",
}


def model_class(name: str) -> type[EvoModel]:
    """The model of this name; imported now, for Mesa takes a second.

    Raises:
        ConfigError: there is none.
    """
    if name not in MODELS:
        raise ConfigError("no such model", expected=f"one of {', '.join(MODELS)}", got=name)
    module, _, attribute = MODELS[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
