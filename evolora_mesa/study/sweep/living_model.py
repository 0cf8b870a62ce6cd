"""A run of any other Mesa model inside a sweep: its figures are what its DataCollector collects."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.record.database import connect, faults, transaction
from evolora_mesa.study.sweep.code_version import code_version
from evolora_mesa.study.sweep.foreign import found
from evolora_mesa.study.sweep.job import Job
from evolora_mesa.study.sweep.life import Life, empty, mark, mark_of
from evolora_mesa.study.sweep.runlog import RunLog
from evolora_mesa.study.sweep.stopping import Stopping

if TYPE_CHECKING:
    import mesa

__all__ = ["FIGURES_FILE", "live_model", "recorded"]

FIGURES_FILE: Final = "figures.sqlite"  # of a run that is over: figures, a row a step, and facts

Values = Mapping[str, list[Any]]  # of a DataCollector, by reporter


def live_model(job: Job, folder: Path, log: RunLog) -> Life:
    """Live a run to its end. What was cut off begins anew: other models have no checkpoints.

    Raises:
        ConfigError: the model cannot be founded.
        RunError: the folder cannot be written.
    """
    known = mark_of(folder)
    if known is not None and known.job.key == job.key and (folder / FIGURES_FILE).exists():
        return _looked_at(folder, known.code)
    log.take_back()
    empty(folder)
    folder.mkdir(parents=True)
    mark(folder, job)
    log.settle()
    model, rules, steps = found(job), Stopping(job), 0
    values = _values(model)
    rules.see(_last(values))
    while not (outcome := rules.outcome(steps, running=model.running)):
        model.step()
        steps += 1
        values = _values(model)
        rules.see(_last(values))
    _write(folder / FIGURES_FILE, values, {"outcome": outcome, "generations": str(steps), "digest": _digest(values)})
    return _looked_at(folder, code_version(job.model))


def recorded(folder: Path) -> str:
    """The digest of a run that is over.

    Raises:
        RunError: it is not, or cannot be read.
    """
    if not (folder / FIGURES_FILE).exists():
        raise RunError("the run is not over", where=folder, expected=f"a file {FIGURES_FILE} in it")
    return _looked_at(folder, "").digest


def _values(model: mesa.Model) -> Values:
    collector = getattr(model, "datacollector", None)
    return collector.model_vars if collector is not None else {}


def _last(values: Values) -> dict[str, float | None]:
    return {name: _number(series[-1]) for name, series in values.items() if series}


def _number(value: Any) -> float | None:
    """A number, numpy's too; `None` for anything else."""
    try:
        return None if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _digest(values: Values) -> str:
    return hashlib.sha256(json.dumps(_plain(values), sort_keys=True).encode("utf-8")).hexdigest()


def _plain(value: Any) -> Any:
    """For a digest: numbers to the last bit; of objects only their kind, for what they print can hold an address."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    number = _number(value)
    return type(value).__qualname__ if number is None else number.hex()


def _write(path: Path, values: Values, facts: Mapping[str, str]) -> None:
    """The file, whole or not at all."""
    aside = path.with_name(f".{path.name}")
    names = [str(name) for name in values]
    rows = max(map(len, values.values()), default=0)
    with faults("write the figures", path):
        with closing(connect(aside, "rwc")) as connection, transaction(connection):
            columns = ", ".join(['"step" INTEGER PRIMARY KEY', *(f"{_quoted(name)} REAL" for name in names)])
            connection.execute(f"CREATE TABLE figures ({columns})")
            connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
            places = ", ".join("?" * (len(names) + 1))
            for step in range(rows):
                row = [_number(series[step]) if step < len(series) else None for series in values.values()]
                connection.execute(f"INSERT INTO figures VALUES ({places})", (step, *row))
            connection.executemany("INSERT INTO meta VALUES (?, ?)", sorted(facts.items()))
        aside.replace(path)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _looked_at(folder: Path, code: str) -> Life:
    path = folder / FIGURES_FILE
    with faults("read the figures", path), closing(connect(path, "ro")) as connection:
        connection.row_factory = sqlite3.Row
        rows = connection.execute("SELECT * FROM figures ORDER BY step").fetchall()
        names = [column[1] for column in connection.execute("PRAGMA table_info(figures)")][1:]
        facts = dict(tuple(row) for row in connection.execute("SELECT key, value FROM meta"))
    figures = {name: [row[name] for row in rows] for name in names}
    return Life(facts["outcome"], int(facts["generations"]), facts["digest"], code, figures, path, _no_worth)


def _no_worth(pool: str) -> Mapping[str, float]:
    raise ConfigError("only worlds of ours have survivors that can be measured", where="worth", got=pool)
