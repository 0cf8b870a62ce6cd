"""The tables of a store as files for other programs: CSV, JSON lines or Parquet."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from evolora_mesa.errors import RunError
from evolora_mesa.record.schema import PHYLOGENY, TABLES, Row
from evolora_mesa.record.store import RunStore

__all__ = ["EXPORTED", "FORMATS", "Format", "export"]

Format: TypeAlias = Literal["csv", "jsonl", "parquet"]
FORMATS: Final[tuple[str, ...]] = get_args(Format)
EXPORTED: Final = ("generations", *TABLES, "phylogeny")
_AT_ONCE: Final = 50_000  # rows in a row group


def export(store: RunStore, folder: Path, kind: str, tables: Sequence[str] = EXPORTED) -> dict[Path, int]:
    """Write a file per table into ``folder``; the number of rows by file.

    All appear together when all are written.

    Args:
        store: to read; somebody may be writing it.
        folder: new or empty.
        kind: one of `FORMATS`.
        tables: of `EXPORTED`.

    Raises:
        RunError: no such table or format, the folder has content or cannot be written, or pyarrow is missing.
    """
    if kind not in FORMATS:
        raise RunError("no such format", expected=" | ".join(FORMATS), got=kind)
    unknown = [name for name in tables if name not in EXPORTED]
    if unknown:
        raise RunError("no such table", expected=", ".join(EXPORTED), got=unknown[0])
    if kind == "parquet":
        _check_parquet()
    write = _WRITERS[kind]
    written: dict[Path, int] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise RunError("the folder is not empty", where=folder, do="Choose another --out; nothing was overwritten.")
        with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as aside, store.snapshot():
            for name in dict.fromkeys(tables):
                made = Path(aside) / f"{name}.{kind}"
                written[folder / made.name] = write(made, store.columns(name), store.table(name), _types(name))
            for path in written:
                (Path(aside) / path.name).rename(path)
    except OSError as error:
        raise RunError("cannot write the export", where=folder, got=error.strerror or str(error)) from error
    return written


def _check_parquet() -> None:
    """Before anything is made."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        do = "Install it: pip install 'evolora-mesa[parquet]'; or choose csv or jsonl."
        raise RunError("Parquet needs pyarrow", do=do) from error


def _types(table: str) -> dict[str, str]:
    """SQL types by column; numbers with a point are those not named."""
    known = PHYLOGENY if table == "phylogeny" else TABLES[table].columns if table in TABLES else {"digest": "TEXT"}
    return {"generation": "INTEGER", **known}


class _Counted:
    """Rows that are counted as they go by."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows, self.count = rows, 0

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row], types: dict[str, str]) -> int:
    """What is not known is an empty cell."""
    counted = _Counted(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(counted)
    return counted.count


def _write_lines(path: Path, columns: Sequence[str], rows: Iterable[Row], types: dict[str, str]) -> int:
    """An object per row; an event's data is an object in it."""
    counted, data = _Counted(rows), columns.index("data") if "data" in columns else None
    with path.open("w", newline="", encoding="utf-8") as file:
        for row in counted:
            values: list[Any] = list(row)
            if data is not None:
                values[data] = json.loads(values[data])
            file.write(json.dumps(dict(zip(columns, values, strict=True)), ensure_ascii=False) + "\n")
    return counted.count


def _write_parquet(path: Path, columns: Sequence[str], rows: Iterator[Row], types: dict[str, str]) -> int:
    import pyarrow
    from pyarrow import parquet

    kinds = {"INTEGER": pyarrow.int64(), "TEXT": pyarrow.string(), "REAL": pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds[types.get(name, "REAL")]) for name in columns])
    count = 0
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while batch := list(islice(rows, _AT_ONCE)):
            arrays = [
                pyarrow.array(values, type=field.type)
                for values, field in zip(zip(*batch, strict=True), schema, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
            count += len(batch)
    return count


_WRITERS: Final[dict[str, Callable[[Path, Sequence[str], Iterator[Row], dict[str, str]], int]]] = {
    "csv": _write_csv,
    "jsonl": _write_lines,
    "parquet": _write_parquet,
}
