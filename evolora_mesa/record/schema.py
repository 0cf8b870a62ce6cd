"""The tables of a run, and the bytes that a generation's rows stand for in the digest.

A value is a whole number, a finite float, a text or nothing. What is not finite is nothing (NULL), for neither SQL nor
JSON has a word for it; minus zero is zero, for SQLite does not keep its sign.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeAlias

from evolora_mesa.record.reporters import MODEL_REPORTERS

__all__ = [
    "APPLICATION",
    "EVENT_KINDS",
    "FIRST_DIGEST",
    "PHYLOGENY",
    "SCHEMA",
    "TABLES",
    "GenerationRows",
    "Row",
    "Table",
    "canonical_json",
    "chained",
    "create_statements",
    "figure_columns",
    "fit",
    "timeless",
]

Row: TypeAlias = tuple[Any, ...]

APPLICATION: Final = 0x45564F4C  # "EVOL", SQLite's application_id: tells our files from everybody's
SCHEMA: Final = 1  # SQLite's user_version
FIRST_DIGEST: Final = bytes(32)  # what the founding's digest is chained to

EVENT_KINDS: Final = (
    "founded",  # an organelle without parents
    "birth",  # a child of one or two parents, on trial
    "revived",  # an elite of the archive came back as a citizen
    "accepted",  # a child passed the gate
    "confined",  # it passed, and must stay in its parents' cells
    "rejected",  # it did not pass
    "refused",  # a parent that was chosen bears no child
    "death",
    "moved",  # an organelle works mainly in another cell than before
    "learned",  # one update of the adapters of all who worked
    "adapted",  # one update of their skill factors; `strength` is the mean of the largest log factors
    "rolled_back",  # an adapter was put back to an earlier state
    "quarantined",  # an adapter was no longer finite
    "policy",  # an organelle has written one; `parsed` says how it could be read
    "posted",  # an organelle has put a hint on the board
    "kept",  # paid answers came into the knowledge cache
    "read",  # an organelle has read a hint before answering
    "routed",  # tasks that were sent to those believed best there
    "composite",  # a composite task: how it was taken apart, who did which step, and how that went
    "elite",  # a niche of the archive has a new or better elite
    "season",  # contracts shifted; niches of the archive were emptied
    "families_left",  # they are not asked any more
    "families_came",  # they are asked again
    "winter_began",  # the sun gives less
    "winter_ended",
    "colony_proposed",  # two organelles audition for a colony
    "colony_refused",  # they did not pass
    "colony_founded",  # they passed
    "colony_worked",  # its joint tasks of a generation, and its best member's answers with as many tokens
    "colony_tried",  # a trial for something more ended without it
    "colony_joined",  # one more member
    "colony_left",  # one member less
    "colony_climbed",  # one adapter answers for all from now on
    "colony_child",  # a child with that adapter, on trial
    "colony_dissolved",
    "judged",  # answers of this generation, in pairs
)


class Table(NamedTuple):
    """A table with rows of every generation.

    Attributes:
        columns: SQL type by name, without the generation, which is always the first column.
        key: the columns that make a row of a generation unique; their order is the order of the rows.
    """

    columns: dict[str, str]
    key: tuple[str, ...]


_WHOLE, _REAL, _TEXT = "INTEGER", "REAL", "TEXT"

# In the order in which a digest takes them in. `sequence` counts the rows of a generation from 0.
TABLES: Final[dict[str, Table]] = {
    "cells": Table(
        {
            "family": _WHOLE,
            "depth": _WHOLE,
            "price": _REAL,
            "pool": _REAL,
            "success": _REAL,
            "learning_progress": _REAL,
            "occupancy": _WHOLE,
        },
        ("family", "depth"),
    ),
    "organelles": Table(
        {
            "id": _WHOLE,
            "slot": _WHOLE,
            "lineage": _WHOLE,
            "family": _WHOLE,
            "depth": _WHOLE,
            "energy": _REAL,
            "roi": _REAL,
            "age": _WHOLE,
            "on_trial": _WHOLE,
            "answered": _WHOLE,
            "succeeded": _WHOLE,
        },
        ("id",),
    ),
    "episodes": Table(
        {
            "row": _WHOLE,
            "organelle": _WHOLE,
            "family": _WHOLE,
            "depth": _WHOLE,
            "template": _TEXT,
            "prompt": _TEXT,
            "answer": _TEXT,
            "success": _WHOLE,
            "reward": _REAL,
            "prompt_tokens": _WHOLE,
            "generated_tokens": _WHOLE,
            "log_probability": _REAL,
        },
        ("row",),
    ),
    "events": Table({"sequence": _WHOLE, "kind": _TEXT, "organelle": _WHOLE, "data": _TEXT}, ("sequence",)),
    "gates": Table(
        {
            "sequence": _WHOLE,
            "child": _WHOLE,
            "kind": _TEXT,
            "operator": _TEXT,
            "parents": _TEXT,
            "prompts": _WHOLE,
            "uplift": _REAL,
            "low": _REAL,
            "high": _REAL,
            "log_e": _REAL,
            "power": _REAL,
            "energy": _REAL,
            "verdict": _TEXT,
            "reason": _TEXT,
        },
        ("sequence",),
    ),
    "ledger": Table(
        {
            "sequence": _WHOLE,
            "reason": _TEXT,
            "source_kind": _TEXT,
            "source": _WHOLE,
            "target_kind": _TEXT,
            "target": _WHOLE,
            "quanta": _WHOLE,
        },
        ("sequence",),
    ),
    "archive": Table(
        {
            "niche": _WHOLE,
            "cell": _WHOLE,
            "bin": _WHOLE,
            "objective": _REAL,
            "cost": _REAL,
            "organelle": _WHOLE,
        },
        ("niche",),
    ),
}

# One row per life, which changes as the life goes on: no part of the digest, for the events say the same.
PHYLOGENY: Final = {
    "id": _WHOLE,
    "parents": _TEXT,
    "origin": _WHOLE,
    "acceptance": _WHOLE,
    "destruction": _WHOLE,
    "operator": _TEXT,
    "genome": _TEXT,
    "lineage": _WHOLE,
    "status": _TEXT,
    "cause": _TEXT,
}


@dataclass
class GenerationRows:
    """Everything that is known of one generation.

    Attributes:
        generation: its number; 0 is the founding.
        figures: by name of a model reporter.
        cells: ``(family, depth, price, pool, success, learning_progress, occupancy)``; family and depth from 0.
        organelles: ``(id, slot, lineage, family, depth, energy, roi, age, on_trial, answered, succeeded)``.
        episodes: ``(row, organelle, family, depth, template, prompt, answer, success, reward, prompt_tokens,
            generated_tokens, log_probability)``.
        events: ``(kind, organelle, data)`` in the order in which they happened; data is a mapping of plain values.
        gates: ``(child, kind, operator, parents, prompts, uplift, low, high, log_e, power, energy, verdict, reason)``.
        ledger: ``(reason, source_kind, source, target_kind, target, quanta)`` in their order.
        archive: ``(niche, cell, bin, objective, cost, organelle)``, the niches that changed.
        phylogeny: ``(id, parents, origin, acceptance, destruction, operator, genome, lineage, status, cause)`` of
            every life that began, was accepted or ended; parents as ids with a space between.
    """

    generation: int
    figures: Mapping[str, float]
    cells: Iterable[Row] = ()
    organelles: Iterable[Row] = ()
    episodes: Iterable[Row] = ()
    events: Iterable[tuple[str, int | None, Mapping[str, Any]]] = ()
    gates: Iterable[Row] = ()
    ledger: Iterable[Row] = ()
    archive: Iterable[Row] = ()
    phylogeny: Iterable[Row] = field(default=())


def figure_columns() -> tuple[str, ...]:
    """The figures of a generation, in the order of their columns; without the generation itself."""
    return tuple(name for name in MODEL_REPORTERS if name != "generation")


def create_statements() -> dict[str, str]:
    """SQL that makes the tables, by name."""
    figures = ", ".join(f'"{name}" REAL' for name in figure_columns())
    tables = {
        "meta": "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        "generations": f"CREATE TABLE generations (generation INTEGER PRIMARY KEY, {figures}, digest TEXT NOT NULL)",
        "phylogeny": f"CREATE TABLE phylogeny ({_defined(PHYLOGENY)}, PRIMARY KEY (id)) WITHOUT ROWID",
    }
    for name, table in TABLES.items():
        key = ", ".join(f'"{column}"' for column in ("generation", *table.key))
        tables[name] = (
            f'CREATE TABLE "{name}" (generation INTEGER, {_defined(table.columns)}, PRIMARY KEY ({key})) WITHOUT ROWID'
        )
    return tables


def _defined(columns: Mapping[str, str]) -> str:
    return ", ".join(f'"{name}" {kind}' for name, kind in columns.items())


# ---------------------------------------------------------------- values


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces, in ASCII: equal values have equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def fit(name: str, rows: Iterable[Row]) -> list[Row]:
    """Rows of a table as the database will give them back: numbered or in the order of their key."""
    table = TABLES[name]
    rows = list(rows)
    if table.key == ("sequence",):
        rows = [(number, *row) for number, row in enumerate(rows)]
    if not rows:
        return rows
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for place, kind in enumerate(table.columns.values()):
        if kind == _REAL:
            columns[place] = [real(value) for value in columns[place]]
        elif kind == _TEXT:
            columns[place] = [text(value) for value in columns[place]]
        elif bool in map(type, columns[place]):
            columns[place] = [value if value is None else int(value) for value in columns[place]]
    key = itemgetter(*(list(table.columns).index(column) for column in table.key))
    return sorted(zip(*columns, strict=True), key=key)


def real(value: float | None) -> float | None:
    """A number as SQLite keeps it in a REAL column."""
    return None if value is None or not math.isfinite(value) else float(value) + 0.0


def text(value: str | None) -> str | None:
    """A text as UTF-8 can hold it: half a surrogate pair becomes its escape."""
    if value is None or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode("utf-8")


def timeless(columns: Iterable[str]) -> list[str]:
    """The columns that a repetition of the run would have too: no seconds."""
    return [name for name in columns if not name.endswith("_seconds")]


def chained(previous: bytes, figures: Mapping[str, float | None], rows: Mapping[str, Sequence[Row]]) -> bytes:
    """The digest of a generation: sha256 over the one before it and a JSON line per table.

    Args:
        figures: of the generation, its number among them; seconds are left out.
        rows: by table, as `fit` returns them; in every table's own order.
    """
    digest = hashlib.sha256(previous)
    kept = {name: figures[name] for name in timeless(figures)}
    digest.update(f"{canonical_json(['generations', kept])}\n".encode("ascii"))
    for name in TABLES:
        digest.update(f"{canonical_json([name, rows[name]])}\n".encode("ascii"))
    return digest.digest()
