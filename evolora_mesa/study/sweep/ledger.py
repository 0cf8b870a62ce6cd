"""The ledger of a sweep: which runs were begun, and how they ended. One SQLite file, written as things happen."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from evolora_mesa.errors import RunError
from evolora_mesa.record.database import connect, connect_to_read, faults, transaction, tune
from evolora_mesa.study.sweep.job import Job, Result
from evolora_mesa.study.sweep.results import STORE_FILE, Row, store_results, understood
from evolora_mesa.study.sweep.spec import SweepSpec

__all__ = ["APPLICATION", "SCHEMA", "Ledger", "results_in"]

APPLICATION: Final = 0x45565357  # "EVSW"
SCHEMA: Final = 1

_RUNS: Final = (
    "CREATE TABLE runs (key TEXT PRIMARY KEY, job TEXT NOT NULL, state TEXT NOT NULL, begun INTEGER NOT NULL, "
    "result TEXT, began TEXT, ended TEXT)"
)


class Ledger:
    """An open ledger; a context manager that closes it. One process writes: whoever holds the lock of the sweep.

    Args:
        folder: of the sweep; a ledger is made in it if there is none.

    Attributes:
        results: of the runs that are over, by key.

    Raises:
        RunError: it cannot be read or written, or is of another program or version.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / STORE_FILE
        self.results: dict[str, Result] = {}
        self._measured: dict[str, Mapping[str, Any]] = {}
        with faults("open the ledger of the sweep", self.path):
            self._connection = connect(self.path, "rwc")
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                tune(self._connection)
                with transaction(self._connection):
                    self._make_or_check()
                for job, result in _ended(self._connection, self.path):
                    self.results[job.key], self._measured[job.key] = result, job.metrics
            except BaseException:  # whatever it is, nobody else has this connection
                self._connection.close()
                raise

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    @property
    def keys(self) -> frozenset[str]:
        """Of all runs that were ever begun."""
        return frozenset(key for (key,) in self._connection.execute("SELECT key FROM runs"))

    def measured_as(self, metrics: Mapping[str, Any]) -> dict[str, Result]:
        """Results that hold these metrics, by key; the others are to be measured again.

        Args:
            metrics: by name, as jobs have them.
        """
        return {key: result for key, result in self.results.items() if _holds(self._measured[key], metrics)}

    def begin(self, job: Job) -> None:
        """A run begins, for the first time or again."""
        self._write(
            "INSERT INTO runs VALUES (:key, :job, 'running', 1, NULL, :now, NULL) ON CONFLICT (key) DO UPDATE SET "
            "job = :job, state = 'running', begun = begun + 1, result = NULL, began = :now, ended = NULL",
            {"key": job.key, "job": job.as_json(), "now": _now()},
        )
        self.results.pop(job.key, None)

    def end(self, job: Job, result: Result) -> None:
        """A run is over."""
        state = "done" if result.failure is None else "failed"
        self._write(
            "UPDATE runs SET state = :state, result = :result, ended = :now WHERE key = :key",
            {"key": job.key, "state": state, "result": result.as_json(), "now": _now()},
        )
        self.results[job.key], self._measured[job.key] = result, job.metrics

    def forget(self, keys: Iterable[str]) -> None:
        """Runs that are to be run again."""
        for key in keys:
            self._write("UPDATE runs SET state = 'waiting', result = NULL WHERE key = :key", {"key": key})
            self.results.pop(key, None)

    def publish(self, spec: SweepSpec, rows: Sequence[Row]) -> None:
        """Put the table of results into the file, for whoever asks it in SQL."""
        with faults("write the ledger of the sweep", self.path), transaction(self._connection):
            store_results(self._connection, spec, rows)

    def _write(self, statement: str, values: Mapping[str, object]) -> None:
        with faults("write the ledger of the sweep", self.path), transaction(self._connection):
            self._connection.execute(statement, values)

    def _make_or_check(self) -> None:
        application, schema = (
            self._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")
        )
        if not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self._connection.execute(f"PRAGMA application_id={APPLICATION}")
            self._connection.execute(f"PRAGMA user_version={SCHEMA}")
            self._connection.execute(_RUNS)
        elif application != APPLICATION:
            raise RunError("not the ledger of a sweep", where=self.path, do="Choose another --out.")
        elif schema != SCHEMA:
            do = "Use the version that wrote it." if schema > SCHEMA else "Choose another --out."
            raise RunError("the ledger is of another version", where=self.path, expected=str(SCHEMA), got=schema, do=do)


def results_in(folder: Path, metrics: Mapping[str, Any]) -> dict[str, Result]:
    """As `Ledger.measured_as`, for whoever writes nothing; no results where no ledger is yet.

    Raises:
        RunError: it cannot be read.
    """
    path = folder / STORE_FILE
    with faults("read the ledger of the sweep", path):
        if not path.exists():
            return {}
        with contextlib.closing(connect_to_read(path)) as connection:
            if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'runs'").fetchone()[0]:
                return {}  # killed as it was made
            return {job.key: result for job, result in _ended(connection, path) if _holds(job.metrics, metrics)}


def _ended(connection: sqlite3.Connection, path: Path) -> Iterator[tuple[Job, Result]]:
    for job, result in connection.execute("SELECT job, result FROM runs WHERE result IS NOT NULL"):
        with understood(path):
            ended = Job.from_json(job), Result.from_json(result)
        yield ended


def _holds(measured: Mapping[str, Any], metrics: Mapping[str, Any]) -> bool:
    return all(measured.get(name) == metric for name, metric in metrics.items())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
