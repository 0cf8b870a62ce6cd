"""One value from a run's store by a SELECT of the user's, who may read and do nothing else."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from evolora_mesa.errors import ConfigError
from evolora_mesa.record.database import connect_to_read, faults

__all__ = ["check_query", "store_query"]

_ALLOWED: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
# Counted, not timed, so that a query ends alike on every machine: minutes of SQLite's work at 10^8 a second.
_MOST_INSTRUCTIONS: Final = 10**10
_BETWEEN_LOOKS: Final = 10**6  # instructions
_LONGEST_VALUE: Final = 10**6  # bytes of any text or blob that the query makes on its way


def store_query(path: Path) -> Callable[[str], object]:
    """What answers queries over the SQLite file at ``path``.

    Returns:
        A function of a SELECT that returns its one value; `None` for NULL and for no row. It raises `ConfigError` for
        a query that is wrong, writes, does not end, or has more than one value; `RunError` for a file that cannot be
        read.
    """

    def ask(sql: str) -> object:
        with faults("read the store", path), contextlib.closing(connect_to_read(path)) as connection:
            return _one_value(connection, sql)

    return ask


def check_query(sql: str, tables: Iterable[str], where: str | None = None) -> None:
    """Refuse what would fail in every run, before there is one.

    Args:
        tables: statements that make the tables, as `record.schema.create_statements` has them.
        where: the query's place, for the error.

    Raises:
        ConfigError: the query is wrong, would write, or has more than one column.
    """
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        for statement in tables:
            connection.execute(statement)
        _one_value(connection, sql, where)


def _one_value(connection: sqlite3.Connection, sql: str, where: str | None = None) -> object:
    looks = 0

    def enough() -> bool:
        nonlocal looks
        looks += 1
        return looks * _BETWEEN_LOOKS > _MOST_INSTRUCTIONS

    connection.set_authorizer(_permission)
    connection.set_progress_handler(enough, _BETWEEN_LOOKS)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
    try:
        cursor = connection.execute(sql)
        width, rows = len(cursor.description or ()), cursor.fetchmany(2)
    except (sqlite3.Error, sqlite3.Warning) as error:  # a warning, in Python 3.11, of two statements
        text = "it does not end" if str(error) == "interrupted" else str(error)
        expected = "a SELECT that reads one value"
        raise ConfigError("the query fails", where=where, expected=expected, got=text) from error
    if width != 1 or len(rows) > 1:
        got = f"{width} columns" if width != 1 else "several rows"
        raise ConfigError("the query has more than one value", where=where, expected="one row and column", got=got)
    return rows[0][0] if rows else None


def _permission(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY
