"""What a run leaves when it is over: the phylogeny, the adapters of everyone alive, and last the summary."""

from __future__ import annotations

import csv
import json
import math
import shlex
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evolora_mesa.errors import AdapterError, RunError
from evolora_mesa.host.peft_io import export_adapter
from evolora_mesa.record.faultpoints import reached
from evolora_mesa.record.layout import (
    ADAPTERS_FOLDER,
    EARLIER_SUMMARY_FILE,
    ORGANELLES_FILE,
    PHYLOGENY_FILE,
    RESULTS_PREFIX,
    SUMMARY_FILE,
)
from evolora_mesa.record.phylogeny import to_csv
from evolora_mesa.record.reporters import AGENT_REPORTERS

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["write_results"]

_ORGANELLE_COLUMNS: Final = ("lineage", "cell", "energy", "age", "roi")


def write_results(run: Path, model: EcologyModel, summary: Mapping[str, Any]) -> None:
    """Each file appears whole or, when this is interrupted, not at all.

    Raises:
        RunError: a file cannot be written.
        AdapterError: an adapter cannot be written.
    """
    model.phylogeny.check()
    try:
        with tempfile.TemporaryDirectory(prefix=RESULTS_PREFIX, dir=run) as aside:
            made, old = Path(aside) / "made", Path(aside) / "old"
            made.mkdir()
            old.mkdir()
            (made / PHYLOGENY_FILE).write_text(to_csv(model.phylogeny), encoding="utf-8", newline="")
            (made / PHYLOGENY_FILE).rename(run / PHYLOGENY_FILE)
            reached("finish.phylogeny")
            _write_adapters(made / ADAPTERS_FOLDER, model, run)
            if (run / ADAPTERS_FOLDER).is_dir():  # of an earlier end of this run
                (run / ADAPTERS_FOLDER).rename(old / ADAPTERS_FOLDER)
            (made / ADAPTERS_FOLDER).rename(run / ADAPTERS_FOLDER)
            reached("finish.adapters")
            text = json.dumps(_finite(summary), indent=2, ensure_ascii=False, allow_nan=False)
            (made / SUMMARY_FILE).write_text(text + "\n", encoding="utf-8")
            (made / SUMMARY_FILE).rename(run / SUMMARY_FILE)
            (run / EARLIER_SUMMARY_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            "cannot write the results", where=run, got=error.strerror or str(error), do=_when_there_is_room(run)
        ) from error


def _write_adapters(folder: Path, model: EcologyModel, run: Path) -> None:
    """A PEFT folder per organelle, and a table of them."""
    folder.mkdir()
    organelles = model.organelles()
    for organelle in organelles:
        name = str(organelle.unique_id)
        try:
            export_adapter(model.bank, organelle.slot, folder / name, base_model=model.config.host.path)
        except AdapterError as error:
            if error.where != folder / name:
                raise
            place = run / ADAPTERS_FOLDER / name  # the one that was tried is gone when this is read
            raise AdapterError(error.what, where=place, got=error.got, do=_when_there_is_room(run)) from error
    with (folder / ORGANELLES_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["unique_id", *_ORGANELLE_COLUMNS])
        for organelle in organelles:
            writer.writerow([organelle.unique_id, *(AGENT_REPORTERS[name](organelle) for name in _ORGANELLE_COLUMNS)])


def _when_there_is_room(run: Path) -> str:
    return f"When it can be written: evolora resume {shlex.quote(str(run))}"


def _finite(value: Any) -> Any:
    """JSON has no nan: what has no value is null."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value
