"""Founders with a past: adapters of an earlier run, or of anybody, put into a new world."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from evolora_mesa.errors import AdapterError
from evolora_mesa.host.peft_io import CONFIG_FILE, import_adapter

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["found_with"]


def found_with(model: EcologyModel, folder: Path) -> int:
    """Give the first founders the adapters in the PEFT folders below ``folder``, in order of their names.

    Args:
        folder: holds PEFT folders, or is one itself.

    Returns:
        How many founders got one.

    Raises:
        AdapterError: no PEFT folder there, more of them than founders, or one that is not fit for this world.
    """
    found = _peft_folders(folder)
    founders = model.organelles()
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
    model.enter_founders()  # with the genomes that they have now
    return len(found)


def _peft_folders(folder: Path) -> list[Path]:
    """``folder`` if it is a PEFT folder, else those directly in it; never none."""
    try:
        folder = Path(os.path.realpath(folder))  # the import refuses links, and "." which has no name
        if (folder / CONFIG_FILE).exists():
            return [folder]
        found = [path for path in folder.iterdir() if (path / CONFIG_FILE).exists()]
        if not found and (folder / "adapters").is_dir():
            raise AdapterError("no adapters found", where=folder, do="Give the adapters/ in it.")
    except OSError as error:
        raise AdapterError(
            "cannot look for adapters", where=folder, got=error.strerror, do="Check --adapters."
        ) from error
    if not found:
        raise AdapterError("no adapters found", where=folder, expected="PEFT folders, as in the adapters/ of a run")
    return sorted(found, key=lambda path: (len(path.name), path.name))  # 2 before 10
