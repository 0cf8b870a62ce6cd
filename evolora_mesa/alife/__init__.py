"""Classic artificial life on the same ruler: models behind one interface, one event log, one set of metrics."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final

from evolora_mesa.errors import ConfigError

if TYPE_CHECKING:
    from evolora_mesa.alife.interface import EvoModel

__all__ = ["MODELS", "model_class", "model_name", "model_path"]

MODELS: Final = {
    "NKWorld": "evolora_mesa.alife.nk:NKWorld",
    "HostSymbiont": "evolora_mesa.alife.host_symbiont:HostSymbiont",
    "Sugarscape": "evolora_mesa.alife.sugarscape:Sugarscape",
    "DigitalOrganisms": "evolora_mesa.alife.digital_organisms:DigitalOrganisms",
    "WolfSheep": "evolora_mesa.alife.wolf_sheep:WolfSheep",
    "Boltzmann": "evolora_mesa.alife.boltzmann:Boltzmann",
}


def model_name(name: str) -> str:
    """The model that is meant, in whatever case it is written.

    Raises:
        ConfigError: there is none of this name; the closest one is proposed.
    """
    known = {model.casefold(): model for model in MODELS}
    if name.casefold() not in known:
        from evolora_mesa.schema import did_you_mean

        close = did_you_mean(name.casefold(), known)
        hint = next((f"Did you mean {model!r}?" for key, model in known.items() if close and repr(key) in close), None)
        raise ConfigError("no such model", expected=f"one of {', '.join(MODELS)}", got=name, do=hint)
    return known[name.casefold()]


def model_path(name: str) -> str:
    """``package.module:Class`` of a model by its short name; whatever is none is left as it is."""
    return next((path for model, path in MODELS.items() if model.casefold() == name.casefold()), name)


def model_class(name: str) -> type[EvoModel]:
    """The model of this name; imported now, for Mesa takes a second.

    Raises:
        ConfigError: there is none.
    """
    module, _, attribute = MODELS[model_name(name)].partition(":")
    return getattr(importlib.import_module(module), attribute)
