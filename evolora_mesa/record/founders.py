"""Founders with a past: adapters of an earlier run, or of anybody, put into a new world."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evolora_mesa.errors import AdapterError
from evolora_mesa.host.peft_io import import_adapter

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["found_with"]


def found_with(model: EcologyModel, folder: Path) -> int:
    """Give the first founders the adapters in the PEFT folders below ``folder``, in order of their names.

    Returns:
        How many founders got one.

    Raises:
        AdapterError: no PEFT folder there, more of them than founders, or one that is not fit for this world.
    """
    found = sorted(
        (path.parent for path in folder.glob("*/adapter_config.json")),
        key=lambda path: (len(path.name), path.name),  # 2 before 10
    )
    founders = model.organelles()
    if not found:
        raise AdapterError("no adapters found", where=folder, expected="PEFT folders, as in the adapters/ of a run")
    if len(found) > len(founders):
        raise AdapterError(
            "more adapters than founders",
            where=folder,
            expected=f"at most {len(founders)}",
            got=len(found),
            do="Raise population.initial.",
        )
    for organelle, path in zip(founders, found, strict=False):
        import_adapter(model.bank, organelle.slot, path, norm_bound=model.config.plasticity.norm_bound)
    return len(found)
