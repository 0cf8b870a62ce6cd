"""SQLite as the store uses it: connections, transactions that leave nothing half-done, errors in one line."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from evolora_mesa.errors import RunError

__all__ = ["connect", "connect_to_read", "faults", "transaction", "tune"]

_PATIENCE: Final = 30.0  # seconds that a reader and a writer wait for each other


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection without transactions of Python's own; ``mode`` as in SQLite's file names."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_PATIENCE, isolation_level=None)


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, also to a file that somebody writes."""
    try:
        connection = connect(path, "rw")  # "ro" would leave SQLite's -shm and -wal files behind
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError:  # a folder that cannot be written has no room for them
        if Path(f"{path}-wal").exists():
            raise
        connection = connect(path, "ro&immutable=1")
    return connection


def tune(connection: sqlite3.Connection) -> None:
    """Settings of whoever writes, which SQLite does not keep in the file."""
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA journal_size_limit=16777216")  # what a slow reader made long is cut again


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written inside, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:  # also Ctrl-C: half a generation must not stay open
        with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself when the disk was full
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def faults(what: str, path: Path) -> Iterator[None]:
    """Errors of SQLite and of the file system as one line."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise RunError(f"cannot {what}", where=path, got=str(error)) from error
    except sqlite3.DatabaseError as error:
        raise RunError(f"cannot {what}: it is damaged, or no store", where=path, got=str(error)) from error
    except OSError as error:
        raise RunError(f"cannot {what}", where=path, got=error.strerror or str(error)) from error
