"""The store of a run: one SQLite file that grows by a transaction per generation and can be read while it grows.

Write-ahead logging, synchronous=NORMAL: a process killed at any instant loses the generation in flight and nothing
else; only a failing machine can lose the last few, which is why a checkpoint calls `RunStore.sync` first.

``generations.digest`` is a chain: sha256 over the digest before it and all rows of the generation but for seconds. Two
runs with the same last digest saw the same events. What `record.episodes` and `record.transfers` leave out is not in
it, so it is to be compared between runs of the same settings; their hash is ``config_hash`` in the table ``meta``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from evolora_mesa import __version__
from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import dump_config
from evolora_mesa.errors import RunError
from evolora_mesa.record.database import connect, connect_to_read, faults, transaction, tune
from evolora_mesa.record.faultpoints import reached
from evolora_mesa.record.schema import (
    APPLICATION,
    FIRST_DIGEST,
    PHYLOGENY,
    SCHEMA,
    TABLES,
    GenerationRows,
    Row,
    canonical_json,
    chained,
    create_statements,
    figure_columns,
    fit,
    real,
)
from evolora_mesa.strictyaml import dump_yaml

if TYPE_CHECKING:
    import pandas

__all__ = ["GenerationRows", "RunStore", "config_hash", "settings_hash"]

_EVERY_TABLE: Final = ("generations", *TABLES, "phylogeny")
_AT_ONCE: Final = 1000  # rows fetched from the database at a time


def config_hash(config: WorldConfig) -> str:
    """sha256 of the resolved settings as YAML, in hexadecimal; without the length of the run, which may be changed."""
    return settings_hash(config.model_dump(mode="json"))


def settings_hash(tree: Mapping[str, Any]) -> str:
    """The same, of settings as a file has them, so that those of another version can be checked too."""
    return hashlib.sha256(dump_yaml({**tree, "generations": 0}).encode("utf-8")).hexdigest()


class RunStore:
    """An open store. Made by `create`, `open` or `open_for_append`; a context manager that closes it.

    Attributes:
        path: the file.
        generation: the last one in it; -1 in an empty one.
        digest: of that generation, in hexadecimal; zeros in an empty store.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection
        self.generation, self.digest = -1, FIRST_DIGEST.hex()

    # ------------------------------------------------------------------ opening

    @classmethod
    def create(
        cls,
        path: str | Path,
        config: WorldConfig,
        *,
        host: Mapping[str, str] | None = None,
        adapters: Path | None = None,
        started: str = "",
    ) -> RunStore:
        """A new, empty store.

        Args:
            path: of a file that is not there yet.
            config: the settings of the run.
            host: the host's fingerprint.
            adapters: where those of the first founders came from, if they got any.
            started: time, as ISO 8601 text; now by default.

        Raises:
            RunError: there is something already, or the file cannot be written.
        """
        path = Path(path)
        if path.exists() or path.is_symlink():
            raise RunError("the store of a run is there already", where=path, do="Nothing was overwritten.")
        with faults("make the store", path):
            connection = connect(path, "rwc")
            connection.execute("PRAGMA journal_mode=WAL")
            tune(connection)
            with transaction(connection):
                connection.execute(f"PRAGMA application_id={APPLICATION}")
                connection.execute(f"PRAGMA user_version={SCHEMA}")
                for statement in create_statements().values():
                    connection.execute(statement)
                facts = _facts(config, host or {}, started or datetime.now(UTC).isoformat(timespec="seconds"))
                facts["adapters"] = canonical_json(None if adapters is None else str(adapters))
                connection.executemany("INSERT INTO meta VALUES (?, ?)", sorted(facts.items()))
        return cls(path, connection)

    @classmethod
    def open(cls, path: str | Path) -> RunStore:
        """A store to read, also while another process writes it.

        Raises:
            RunError: no store there, one of a newer or foreign schema, or it cannot be read.
        """
        path = _present(path)
        with faults("read the store", path):
            return cls(path, connect_to_read(path))._checked()

    @classmethod
    def open_for_append(cls, path: str | Path, generation: int) -> RunStore:
        """A store to go on with: what it has after ``generation`` is deleted.

        Raises:
            RunError: as `open`; or the store ends before that generation.
        """
        path = _present(path)
        with faults("open the store", path):
            connection = connect(path, "rw")
            tune(connection)
            store = cls(path, connection)._checked()
            if store.columns("generations")[1:-1] != figure_columns():
                store.close()
                raise RunError(
                    "the run has other figures than this version of the program",
                    where=path,
                    do="Continue it with the version that began it.",
                )
            if store.generation < generation:
                last = store.generation
                store.close()
                raise RunError(
                    "the store ends before the checkpoint", where=path, expected=f"generation {generation}", got=last
                )
            store._forget_after(generation)
            return store

    def _checked(self) -> RunStore:
        """Itself, if it is a store of ours; otherwise closed."""
        try:
            application, schema = (self._number(f"PRAGMA {name}") for name in ("application_id", "user_version"))
            if application != APPLICATION:
                raise RunError("not the store of a run", where=self.path, expected="a run.sqlite of this program")
            if schema != SCHEMA:
                do = "Use the version that wrote it." if schema > SCHEMA else None
                raise RunError(
                    f"the store has {'a newer' if schema > SCHEMA else 'an older'} schema",
                    where=self.path,
                    expected=str(SCHEMA),
                    got=schema,
                    do=do,
                )
            self._check_tables()
            self.refresh()
        except BaseException:  # whatever it is, nobody else has this connection
            self._connection.close()
            raise
        return self

    def _check_tables(self) -> None:
        """The tables are as they were made, all but the figures, which differ between versions.

        A column of another name would not even be missed: SQLite takes a quoted name that it does not know for a text.
        """
        made: dict[str, str] = dict(self.rows("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
        made.pop("generations", None)
        if made != {name: sql for name, sql in create_statements().items() if name != "generations"}:
            raise RunError("cannot read the store: it is damaged, or no store", where=self.path, got="other tables")

    def _forget_after(self, generation: int) -> None:
        with transaction(self._connection):
            for name in ("generations", *TABLES):
                self._connection.execute(f'DELETE FROM "{name}" WHERE generation > ?', (generation,))
            for statement in (
                "DELETE FROM phylogeny WHERE origin > ?",
                "UPDATE phylogeny SET acceptance = NULL, status = 'trial' WHERE acceptance > ?",
                "UPDATE phylogeny SET destruction = NULL, cause = '' WHERE destruction > ?",
            ):
                self._connection.execute(statement, (generation,))
            reached("store.cut")
        self.refresh()

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close it; the last one to do so folds the log into the file."""
        with faults("close the store", self.path):
            self._connection.close()

    # ------------------------------------------------------------------ writing

    def append(self, rows: GenerationRows) -> str:
        """Write the next generation in one transaction; its digest in hexadecimal.

        Raises:
            RunError: it is not the next one, a row does not fit its table, or the file cannot be written, as on a full
                disk. The store is then as it was.
        """
        if rows.generation != self.generation + 1:
            raise RunError(
                "generations follow each other",
                where=self.path,
                expected=f"generation {self.generation + 1}",
                got=rows.generation,
            )
        tables: dict[str, list[Row]] = {name: fit(name, getattr(rows, name)) for name in TABLES if name != "events"}
        tables["events"] = fit("events", ((kind, who, canonical_json(data)) for kind, who, data in rows.events))
        figures = {name: real(rows.figures[name]) for name in figure_columns()}
        digest = chained(bytes.fromhex(self.digest), {"generation": rows.generation, **figures}, tables).hex()
        with faults("write a generation", self.path), transaction(self._connection):
            reached("store.begun")
            for name, found in tables.items():
                if found:
                    self._insert(name, len(TABLES[name].columns) + 1, ((rows.generation, *row) for row in found))
            self._insert("phylogeny", len(PHYLOGENY), rows.phylogeny, verb="REPLACE")
            self._insert("generations", len(figures) + 2, [(rows.generation, *figures.values(), digest)])
            reached("store.filled")
        reached("store.committed")
        self.generation, self.digest = rows.generation, digest
        return digest

    def _insert(self, table: str, width: int, rows: Iterable[Row], verb: str = "INSERT") -> None:
        places = ",".join("?" * width)
        self._connection.executemany(f'{verb} INTO "{table}" VALUES ({places})', rows)

    def ask_for(self, generations: int) -> None:
        """Put on record how long the run is to be."""
        with faults("write the store", self.path), transaction(self._connection):
            self._connection.execute("UPDATE meta SET value = ? WHERE key = 'asked_generations'", (str(generations),))

    def sync(self) -> None:
        """Make everything that was appended survive a failing machine too.

        What was appended is in the log beside the database; SQLite itself syncs the database when it folds the log in.
        The database must not be opened here: closing any of a process's files on it would drop SQLite's locks, and
        the next reader that leaves would take itself for the last one and delete the log under the writer.
        """
        log = Path(f"{self.path}-wal")
        with faults("write the store", self.path):
            if log.exists():
                with log.open("rb") as file:
                    os.fsync(file.fileno())

    # ------------------------------------------------------------------ reading

    def refresh(self) -> None:
        """Look up how far the store has come by now, for `generation` and `digest`."""
        with faults("read the store", self.path):
            last = self._connection.execute(
                "SELECT generation, digest FROM generations ORDER BY generation DESC LIMIT 1"
            ).fetchone()
        self.generation, self.digest = last or (-1, FIRST_DIGEST.hex())

    @property
    def position(self) -> tuple[int, str]:
        """The last generation and its digest: what a checkpoint refers to."""
        return self.generation, self.digest

    def digest_of(self, generation: int) -> str | None:
        """The digest of a generation, in hexadecimal; `None` when the store does not have it."""
        if generation == -1:
            return FIRST_DIGEST.hex()
        found = list(self.rows("SELECT digest FROM generations WHERE generation = ?", (generation,)))
        return str(found[0][0]) if found else None

    @property
    def meta(self) -> dict[str, str]:
        """Facts about the run: ``schema, package, torch, numpy, mesa, config, config_hash, host, adapters,
        seed, asked_generations, started``. ``config`` is YAML, ``host`` and ``adapters`` are JSON."""
        return dict(self.rows("SELECT key, value FROM meta"))

    def tail(self, after_generation: int) -> list[dict[str, Any]]:
        """The figures of all later generations, with the digest; `None` for what was not finite."""
        names = self.columns("generations")
        return [
            dict(zip(names, row, strict=True))
            for row in self.rows(
                "SELECT * FROM generations WHERE generation > ? ORDER BY generation", (after_generation,)
            )
        ]

    def columns(self, table: str) -> tuple[str, ...]:
        """Names of the columns of a table.

        Raises:
            RunError: no such table.
        """
        if table not in _EVERY_TABLE:
            raise RunError("no such table", where=self.path, expected=", ".join(_EVERY_TABLE), got=table)
        return tuple(row[1] for row in self.rows(f'PRAGMA table_info("{table}")'))

    def table(self, table: str, *, first: int = 0, last: int | None = None) -> Iterator[Row]:
        """Rows of a table from generation ``first`` to ``last``, in their order; of the phylogeny, those born then."""
        of_lives = table == "phylogeny"
        key = ("id",) if of_lives else ("generation", *(TABLES[table].key if table in TABLES else ()))
        when = "origin" if of_lives else "generation"
        names = ", ".join(f'"{name}"' for name in self.columns(table))
        order = ", ".join(f'"{name}"' for name in key)
        end = 2**62 if last is None else last
        return self.rows(f'SELECT {names} FROM "{table}" WHERE "{when}" BETWEEN ? AND ? ORDER BY {order}', (first, end))

    def frame(self, table: str, *, first: int = 0, last: int | None = None) -> pandas.DataFrame:
        """The same as a pandas table."""
        import pandas

        return pandas.DataFrame.from_records(
            list(self.table(table, first=first, last=last)), columns=list(self.columns(table))
        )

    def rows(self, query: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """The answers to a query in SQL, a few at a time."""
        with faults("read the store", self.path):
            found = self._connection.execute(query, values)
            while batch := found.fetchmany(_AT_ONCE):
                yield from batch

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """While it is entered, everything read is of one moment, whatever is written meanwhile.

        One inside another is of the outer one's moment.
        """
        if self._connection.in_transaction:
            yield
            return
        with faults("read the store", self.path):
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.execute("ROLLBACK")

    def _number(self, query: str) -> int:
        return int(next(self.rows(query))[0])


def _present(path: str | Path) -> Path:
    path = Path(path)
    with faults("read the store", path):
        if not path.is_file():
            raise RunError(
                "no store of a run here", where=path, expected="a run.sqlite", do="Give the folder of a run."
            )
    return path


def _facts(config: WorldConfig, host: Mapping[str, str], started: str) -> dict[str, str]:
    return {
        "schema": str(SCHEMA),
        "package": __version__,
        **{name: version(name) for name in ("torch", "numpy", "mesa")},
        "config": dump_config(config),
        "config_hash": config_hash(config),
        "host": canonical_json(dict(host)),
        "seed": str(config.seed),
        "asked_generations": str(config.generations),
        "started": started,
    }
