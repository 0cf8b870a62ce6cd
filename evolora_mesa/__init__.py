"""Evolora-Mesa: artificial life whose physics is a frozen language model."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evolora_mesa.configfile import load_config
    from evolora_mesa.model import EcologyModel
    from evolora_mesa.organelle import Organelle
    from evolora_mesa.study.sweep.batch import batch_run

__version__ = "0.1.0"

__all__ = ["EcologyModel", "Organelle", "__version__", "batch_run", "load_config"]

_HOMES = {
    "EcologyModel": "evolora_mesa.model",
    "Organelle": "evolora_mesa.organelle",
    "batch_run": "evolora_mesa.study.sweep.batch",
    "load_config": "evolora_mesa.configfile",
}


def __getattr__(name: str) -> object:
    """Import torch and mesa only when something that needs them is asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'evolora_mesa' has no attribute {name!r}")
