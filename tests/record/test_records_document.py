"""docs/records.md describes the store that the program writes, column by column."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from made_run import made_config

from evolora_mesa.record import layout
from evolora_mesa.record.reporters import MODEL_REPORTERS
from evolora_mesa.record.schema import APPLICATION, EVENT_KINDS, SCHEMA, TABLES, figure_columns, timeless
from evolora_mesa.record.store import RunStore

PAGE = (Path(__file__).parents[2] / "docs" / "records.md").read_text(encoding="utf-8")


def rows(section: str, place: int = 0) -> list[tuple[str, ...]]:
    """The rows of a table in a section of the page, without its heading."""
    found = re.search(rf"^##+ {re.escape(section)}$(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"no section {section}"
    tables = re.findall(r"(?:^\|.*\n?)+", found[1], re.MULTILINE)
    lines = tables[place].splitlines()[2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    return RunStore.create(tmp_path_factory.mktemp("store") / "run.sqlite", made_config())


def test_every_table_and_column_is_told_with_its_type(store: RunStore) -> None:
    tables = [name for (name,) in store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    told = re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)
    assert sorted(told) == sorted(tables)
    for table in tables:
        columns = [(row[1], row[2]) for row in store.rows(f'PRAGMA table_info("{table}")')]
        assert [(name, kind) for name, kind, _ in rows(table)] == columns, table
        assert all(meaning.endswith(".") for _, _, meaning in rows(table)), table


def test_figures_are_told_as_they_are_in_the_program() -> None:
    told = {name: meaning for name, _, meaning in rows("generations")}
    for name in figure_columns():
        assert told[name] == " ".join((MODEL_REPORTERS[name].__doc__ or "").split())


def test_the_key_of_every_table_is_told() -> None:
    for name, table in TABLES.items():
        key = ", ".join(f"`{column}`" for column in ("generation", *table.key))
        section = PAGE.split(f"### {name}\n")[1].split("\n|")[0]
        assert f"Key: {key}." in " ".join(section.split())


def test_every_kind_of_event_is_told() -> None:
    assert sorted(row[0] for row in rows("events", 1)) == sorted(EVENT_KINDS)


def test_every_fact_of_the_run_is_told(store: RunStore) -> None:
    [meaning] = [meaning for name, _, meaning in rows("meta") if name == "key"]
    told = meaning.removeprefix("One of ").removesuffix(".").split(", ")
    assert sorted(told) == sorted(store.meta)


def test_everything_in_the_folder_of_a_run_is_told() -> None:
    told = " ".join(row[0] for row in rows("The folder"))
    names = [getattr(layout, name) for name in layout.__all__ if name.endswith(("_FILE", "_FOLDER"))]
    inside = (layout.STATE_FILE, layout.TENSORS_FILE, layout.MANIFEST_FILE, layout.ORGANELLES_FILE)
    for name in names:
        assert f"`{name}" in (PAGE if name in inside else told), name


def test_the_digest_covers_what_is_told_of_it() -> None:
    section = " ".join(PAGE.split("## The digest\n")[1].split("\n## ")[0].split())
    for name in ("generations", *TABLES):
        assert f"`{name}`" in section.split("Not in it")[0]
    without = set(figure_columns()) - set(timeless(figure_columns()))
    assert without and all(name.endswith("_seconds") for name in without) and "`_seconds`" in section


def test_the_numbers_of_the_format_are_told() -> None:
    assert f"`application_id` is 0x{APPLICATION:X} and its `user_version` the schema, {SCHEMA}." in PAGE
