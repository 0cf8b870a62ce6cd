"""The folder that a run leaves behind: settings, a row per generation, and the adapters of the survivors."""

from __future__ import annotations

import csv
import json
import math
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import dump_config
from evolora_mesa.errors import RunError
from evolora_mesa.host.peft_io import export_adapter
from evolora_mesa.record.phylogeny import PHYLOGENY_FILE, to_csv
from evolora_mesa.record.reporters import AGENT_REPORTERS, MODEL_REPORTERS, TABLES

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["RunFolder", "check_vacant", "check_writable", "default_folder"]

CONFIG_FILE: Final = "config.yaml"
GENERATIONS_FILE: Final = "generations.csv"
SUMMARY_FILE: Final = "summary.json"
ADAPTERS_FOLDER: Final = "adapters"
ORGANELLES_FILE: Final = "organelles.csv"

_LONGEST_NAME = 100  # bytes of a world's name in a folder's; file systems take 255 for the whole
_ORGANELLE_COLUMNS = ("lineage", "cell", "energy", "age", "roi")


def default_folder(config: WorldConfig, parent: Path = Path("runs")) -> Path:
    """``runs/<name>-seed<seed>-<number>`` with the first number above all that are taken."""
    name = re.sub(r"[^\w.-]+", "-", config.name).strip(".-")
    name = name.encode("utf-8")[:_LONGEST_NAME].decode("utf-8", "ignore") or "world"
    stem = f"{name}-seed{config.seed}-"
    taken = [path.name.removeprefix(stem) for path in parent.glob("*") if path.name.startswith(stem)]
    return parent / f"{stem}{1 + max((int(number) for number in taken if number.isdecimal()), default=0)}"


def check_vacant(path: Path) -> None:
    """Refuse a folder that has content, for a run never overwrites, and one that cannot be written.

    Raises:
        RunError: the folder is not empty, is no folder, cannot be looked into or written.
    """
    check_writable(path)
    try:
        occupied = path.is_dir() and any(path.iterdir())
    except OSError as error:
        raise _cannot("look into the output folder", path, error) from error
    if occupied:
        raise RunError(
            "the output folder is not empty", where=path, do="Choose another --out; nothing was overwritten."
        )


def check_writable(folder: Path) -> None:
    """Refuse a folder that could not be made or written into; nothing is made here.

    Raises:
        RunError: something that is no folder is in the way, the right to write is missing, or the name is odd.
    """
    if not str(folder).isprintable():
        raise RunError(
            "the output folder's name cannot be printed",
            expected="letters, digits, signs and plain spaces",
            got=str(folder),
            do="Choose another --out.",
        )
    try:
        there = next(place for place in (folder, *folder.parents) if _exists(place))
        if not there.is_dir():
            kind = "a file" if there.exists() else "a link to nothing"
            what = f"the output folder is {kind}" if there == folder else f"the output folder would be below {kind}"
            raise RunError(what, where=there, do="Choose another --out; nothing was overwritten.")
        with tempfile.TemporaryFile(dir=there):  # rights alone do not tell of a read-only or a full disk
            pass
    except OSError as error:
        raise _cannot("write the output folder", folder, error) from error


class RunFolder:
    """Where one run is written: it appears whole, with its settings and an empty table, then grows by rows.

    Args:
        path: must not exist yet, or be empty.
        config: the resolved settings.

    Raises:
        RunError: the folder has content or cannot be written.
    """

    def __init__(self, path: str | Path, config: WorldConfig) -> None:
        self.path = Path(path)
        check_vacant(self.path)
        in_place = self.path.is_dir()  # it may be a link, or the working folder: neither can be renamed onto
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".run-", dir=self.path if in_place else self.path.parent) as aside:
                made = Path(aside) / "made"
                made.mkdir()
                (made / CONFIG_FILE).write_text(dump_config(config), encoding="utf-8")
                _write_table(made / GENERATIONS_FILE, list(MODEL_REPORTERS), [])
                if in_place:
                    _move_all(made, self.path)
                else:
                    made.rename(self.path)
            self._file = (self.path / GENERATIONS_FILE).open("a", newline="", encoding="utf-8")
        except OSError as error:
            raise _cannot("write the output folder", self.path, error) from error
        self._writer = csv.writer(self._file, lineterminator="\n")

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:  # what a full disk could not take stays in the buffer, and fails once more here
            if error is None:
                raise _cannot("write a generation", self.path / GENERATIONS_FILE, failure) from failure

    def append(self, row: Mapping[str, float]) -> None:
        """One generation's figures by reporter name, on disk when this returns.

        Raises:
            RunError: the row cannot be written, as on a full disk.
        """
        try:
            self._writer.writerow([row[name] for name in MODEL_REPORTERS])
            self._file.flush()
        except OSError as error:
            raise _cannot("write a generation", self.path / GENERATIONS_FILE, error) from error

    def finish(self, model: EcologyModel, summary: Mapping[str, Any]) -> None:
        """Write births, deaths, the adapters of everyone alive, and last the summary.

        Each appears whole or, when this is interrupted, not at all.

        Raises:
            RunError: a file cannot be written.
            AdapterError: an adapter is not fit to be written.
        """
        model.phylogeny.check()
        try:
            with tempfile.TemporaryDirectory(prefix=".finish-", dir=self.path) as aside:
                made = Path(aside)
                for name, columns in TABLES.items():
                    table = model.datacollector.tables[name]
                    rows = zip(*(table[column] for column in columns), strict=True)
                    _write_table(made / f"{name}.csv", columns, rows)
                (made / PHYLOGENY_FILE).write_text(to_csv(model.phylogeny), encoding="utf-8", newline="")
                _move_all(made, self.path)
                _write_adapters(made / ADAPTERS_FOLDER, model)
                _move_all(made, self.path)
                text = json.dumps(_finite(summary), indent=2, ensure_ascii=False, allow_nan=False)
                (made / SUMMARY_FILE).write_text(text + "\n", encoding="utf-8")
                _move_all(made, self.path)
        except OSError as error:
            raise _cannot("write the results", self.path, error) from error


def _cannot(what: str, path: Path, error: OSError) -> RunError:
    return RunError(f"cannot {what}", where=path, got=error.strerror or str(error), do="Choose another --out.")


def _exists(path: Path) -> bool:
    """Also for a link to nothing; errors that tell more than absence pass through."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _move_all(source: Path, target: Path) -> None:
    for path in sorted(source.iterdir()):
        path.rename(target / path.name)


def _write_adapters(folder: Path, model: EcologyModel) -> None:
    """A PEFT folder per organelle, and a table of them."""
    folder.mkdir()
    organelles = model.organelles()
    for organelle in organelles:
        export_adapter(model.bank, organelle.slot, folder / str(organelle.unique_id), base_model=model.config.host.path)
    rows = (
        [organelle.unique_id, *(AGENT_REPORTERS[name](organelle) for name in _ORGANELLE_COLUMNS)]
        for organelle in organelles
    )
    _write_table(folder / ORGANELLES_FILE, ["unique_id", *_ORGANELLE_COLUMNS], rows)


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _finite(value: Any) -> Any:
    """JSON has no nan: what has no value is null."""
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value
