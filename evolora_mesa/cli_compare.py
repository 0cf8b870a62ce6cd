"""``evolora compare``: Evolora beside the classic models, each against its own neutral shadow."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evolora_mesa.cli_run import given_path

if TYPE_CHECKING:
    from evolora_mesa.alife.compare.columns import Column

__all__ = ["compare"]

_MISSED = 1  # exit code


def compare(
    models: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MODEL]...", help="Models, or single columns as 'NKWorld sharing'; all without any."),
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Runs of each column and size.")] = 5,
    out: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="PATH", help="Folder of the comparison.", show_default="comparison"),
    ] = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--runs",
            parser=given_path,
            metavar="RUN",
            help="A recorded run of Evolora instead of live ones; may be repeated.",
        ),
    ] = None,
    shadows: Annotated[int, typer.Option(min=1, max=1000, help="Neutral shadows of each run.")] = 20,
    workers: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Processes.", show_default="one for each processor")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the end.")] = False,
) -> None:
    """Run models, measure them on one ruler, and write a table with its CSV, Markdown and a page with pictures.

    The same command goes on with a comparison that was cut off. Exit code 1 when a model's targets are missed.
    """
    from evolora_mesa.alife import MODELS
    from evolora_mesa.alife.compare.columns import chosen
    from evolora_mesa.alife.compare.crew import compare as measured
    from evolora_mesa.alife.compare.report import report_of
    from evolora_mesa.alife.compare.table import as_csv
    from evolora_mesa.record.report.markdown import to_markdown
    from evolora_mesa.record.report.page import to_html
    from evolora_mesa.record.report.writing import write

    recorded = _recorded(runs or [])
    columns = [*recorded, *chosen(models or (tuple(MODELS) if recorded else ()))]
    folder = out if out is not None else Path("comparison")

    def tell(line: str) -> None:
        if not quiet:
            print(line, file=sys.stderr, flush=True)

    found = measured(columns, seeds, folder, workers=workers or os.cpu_count() or 1, shadows=shadows, tell=tell)
    document = report_of(found)
    for name, text in (
        ("comparison.html", to_html(document)),
        ("comparison.csv", as_csv(found)),
        ("comparison.md", to_markdown(document)),
    ):
        write(folder / name, text, new=False)
    for line in document.told:
        print(line)
    print(f"Written to {folder}: comparison.html, comparison.md, comparison.csv")
    if not all(map(found.valid, columns)):
        raise typer.Exit(_MISSED)


def _recorded(runs: list[Path]) -> list[Column]:
    """A column for each world of which there are runs."""
    from evolora_mesa.alife.compare.columns import EVOLORA, Column
    from evolora_mesa.alife.runs import check_is_world
    from evolora_mesa.record.continuing import check_is_run
    from evolora_mesa.record.given import given_settings
    from evolora_mesa.record.layout import STORE_FILE
    from evolora_mesa.record.store import RunStore

    worlds: dict[str, list[str]] = {}
    for run in runs:
        check_is_world(run, do="Classics are run anew, by their names; evolora report sets recorded ones side by side.")
        check_is_run(run)
        with RunStore.open(run / STORE_FILE) as store:
            facts = store.meta
        worlds.setdefault(given_settings(run, facts).config.name, []).append(str(run.absolute()))
    selection = "gate and archive, as far as its settings have them"
    return [
        Column(f"{EVOLORA} {name}, recorded", EVOLORA, {"runs": found}, selection=selection)
        for name, found in worlds.items()
    ]
