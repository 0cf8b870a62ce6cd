"""The tidy table of a sweep: a row a run, as a file and as a table of the sweep's store.

It holds no times, and its order does not depend on which run ended first: the same spec on the same code gives the
same bytes, however often the sweep was interrupted on its way.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from evolora_mesa.errors import RunError, one_line
from evolora_mesa.record.database import connect_to_read, faults
from evolora_mesa.study.sweep.job import Result
from evolora_mesa.study.sweep.spec import SweepSpec, Value

__all__ = [
    "RESULTS_FILE",
    "STORE_FILE",
    "Row",
    "as_csv",
    "headings",
    "read_results",
    "results_csv",
    "store_results",
    "understood",
    "write_results",
    "write_text",
    "written",
]

RESULTS_FILE: Final = "results.csv"
STORE_FILE: Final = "sweep.sqlite"

_BEFORE: Final = ("run", "cell", "seed", "status")
_AFTER: Final = ("generations", "outcome", "digest", "code", "error")
_ASKED: Final = "CREATE TABLE asked (spec TEXT)"
_PLACED: Final = "CREATE TABLE placed (cell INTEGER, seed INTEGER, run TEXT, levels TEXT, PRIMARY KEY (cell, seed))"


class Row(NamedTuple):
    """A run in its place.

    Attributes:
        cell: number of the cell.
        levels: of the cell, by factor: a value, or the name of a set of settings.
        key: of the job; cells whose settings come to the same share it.
        result: `None` of a run that has not ended.
    """

    cell: int
    levels: Mapping[str, Value]
    seed: int
    key: str
    result: Result | None

    @property
    def status(self) -> str:
        """Waiting, done or failed."""
        if self.result is None:
            return "waiting"
        return "done" if self.result.failure is None else "failed"

    def metric(self, name: str) -> float | None:
        """A number of a run that is done; `None` where there is none."""
        return self.result.metrics.get(name) if self.result is not None and self.status == "done" else None


def written(level: Value) -> str:
    """A level as a person writes it in the spec."""
    if isinstance(level, str):
        return level
    return repr(level) if isinstance(level, float) else json.dumps(level, ensure_ascii=False)


def headings(spec: SweepSpec) -> tuple[str, ...]:
    """The columns; a factor or metric called as another column is, as ``seed``, gets its kind before its name."""
    taken = {name.casefold() for name in (*_BEFORE, *_AFTER)}  # SQLite takes A and a for the same column
    named = []
    for kind, names in (("factor", spec.factors), ("metric", spec.metrics)):
        for name in names:
            heading = f"{kind}:{name}" if name.casefold() in taken else name
            taken.add(heading.casefold())
            named.append(heading)
    return (*_BEFORE, *named, *_AFTER)


def results_csv(spec: SweepSpec, rows: Iterable[Row]) -> str:
    """All runs that have ended, in the order of cells and seeds; an empty field is a number that does not exist."""
    table = [[written(v) if v is not None else "" for v in values] for values in _table(spec, rows)]
    return as_csv(headings(spec), table)


def write_results(folder: Path, spec: SweepSpec, rows: Iterable[Row]) -> None:
    """Write ``results.csv``; whoever reads it finds the old one or the new one, whole.

    Raises:
        RunError: it cannot be written.
    """
    write_text(folder / RESULTS_FILE, results_csv(spec, rows))


def store_results(connection: sqlite3.Connection, spec: SweepSpec, rows: Sequence[Row]) -> None:
    """Make the table ``results`` anew, as the file has it, and beside it what was asked and where every run belongs.

    Called inside a transaction of the sweep's store.
    """
    names = headings(spec)
    for table in ("asked", "placed", "results"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    connection.execute(_ASKED)
    connection.execute("INSERT INTO asked VALUES (?)", (spec.model_dump_json(),))
    quoted = ", ".join('"{}"'.format(name.replace('"', '""')) for name in names)
    connection.execute(f"CREATE TABLE results ({quoted})")
    connection.execute(_PLACED)
    connection.executemany(f"INSERT INTO results VALUES ({', '.join('?' * len(names))})", _table(spec, rows))
    places = [(row.cell, row.seed, row.key, json.dumps(dict(row.levels), ensure_ascii=False)) for row in rows]
    connection.executemany("INSERT INTO placed VALUES (?, ?, ?, ?)", places)


def read_results(folder: str | Path) -> tuple[SweepSpec, tuple[Row, ...]]:
    """A sweep as it was asked for when a run last ended, and all its runs in the order of cells and seeds.

    Args:
        folder: of the sweep; somebody may be running it.

    Returns:
        The spec, and the runs; those too that have not ended.

    Raises:
        RunError: there is no sweep, none of its runs has ended, or its store cannot be read.
    """
    path = Path(folder) / STORE_FILE
    if not path.is_file():
        raise RunError("no sweep there", where=folder, expected=f"a folder with {STORE_FILE}", do="Name its --out.")
    with faults("read the sweep", path), contextlib.closing(connect_to_read(path)) as connection:
        connection.execute("BEGIN")  # both queries see the same moment
        if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'placed'").fetchone()[0]:
            raise RunError("no run of the sweep has ended yet", where=folder, do="Wait for the first one.")
        (asked,) = connection.execute("SELECT spec FROM asked").fetchone()
        found = connection.execute(
            "SELECT cell, levels, seed, run, result FROM placed LEFT JOIN runs ON runs.key = placed.run "
            "ORDER BY cell, seed"
        ).fetchall()
    with understood(path):
        rows = tuple(
            Row(cell, json.loads(levels), seed, key, None if result is None else Result.from_json(result))
            for cell, levels, seed, key, result in found
        )
        return SweepSpec.model_validate(json.loads(asked)), rows


@contextlib.contextmanager
def understood(path: Path) -> Iterator[None]:
    """What a sweep's store says in JSON may be of another version, or made by hand.

    Raises:
        RunError: it is not what this version writes.
    """
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunError(
            "the sweep's store is of another version, or damaged",
            where=path,
            got=type(error).__name__,
            do="Use the version that wrote it.",
        ) from error


def as_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns and rows as text, with the same line ends on every system."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write a file aside and put it in its place. One process at a time, for the name aside is always the same.

    Raises:
        RunError: it cannot be written.
    """
    aside = path.with_name(f".{path.name}.aside")  # what a killed process leaves, the next one writes over
    try:
        with aside.open("w", encoding="utf-8", newline="", errors="backslashreplace") as file:
            file.write(text)
        os.replace(aside, path)
    except OSError as error:
        raise RunError("cannot write a sweep's table", where=path, got=error.strerror or str(error)) from error


def _table(spec: SweepSpec, rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """Values in the order of `headings`."""
    table = []
    for row in sorted(rows, key=lambda row: (row.cell, row.seed)):
        if row.result is None:
            continue
        result, done = row.result, row.status == "done"
        levels = (_plain(row.levels[factor]) for factor in spec.factors)
        metrics = (row.metric(name) for name in spec.metrics)
        ended = (result.generations, result.outcome if done else result.failure, result.digest, result.code)
        table.append((row.key, row.cell, row.seed, row.status, *levels, *metrics, *ended, one_line(result.error)))
    return table


def _plain(level: Value) -> int | float | str:
    """A level as one value of a table; a number stays one."""
    return level if isinstance(level, int | float) and not isinstance(level, bool) else written(level)
