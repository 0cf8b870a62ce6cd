"""``evolora lineage``: who descends from whom in a run that has ended."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evolora_mesa.cli_run import given_path
from evolora_mesa.errors import RunError

if TYPE_CHECKING:
    from evolora_mesa.evolution.lineage import Census

__all__ = ["lineage"]

_PIPE_WIDTH = 200  # columns of a tree that goes into a file or a pipe


def lineage(
    run: Annotated[Path, typer.Argument(parser=given_path, metavar="RUN", help="The folder of a run that has ended.")],
    csv: Annotated[
        Path | None,
        typer.Option("--csv", parser=given_path, metavar="FILE", help="A new file: the ALife phylogeny standard."),
    ] = None,
    graphml: Annotated[
        Path | None,
        typer.Option("--graphml", parser=given_path, metavar="FILE", help="A new file: the graph of all births."),
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="Draw also those who left nobody behind.")] = False,
) -> None:
    """Show the survivors' family tree; export all births."""
    from evolora_mesa.alife.runs import check_is_world
    from evolora_mesa.record.layout import STORE_FILE
    from evolora_mesa.record.phylogeny import (
        PHYLOGENY_FILE,
        check_new,
        read_phylogeny,
        save,
        survivor_tree,
        to_csv,
        to_graphml,
    )

    check_is_world(run, do="Its phylogeny is log/phylogeny.csv, in the ALife standard; evolora report draws it.")
    wanted = [path for path in (csv, graphml) if path is not None]
    for path in wanted:
        check_new(path)
    if csv is not None and graphml is not None and csv.resolve() == graphml.resolve():
        raise RunError("two exports have one name", where="--csv, --graphml", got=str(csv), do="Name two files.")
    if os.path.exists(run / STORE_FILE):  # complete at any moment; the file is written when a run ends
        from evolora_mesa.record.report.reading import phylogeny_of
        from evolora_mesa.record.store import RunStore

        with RunStore.open(run / STORE_FILE) as store:
            phylogeny = phylogeny_of(store)
    else:
        phylogeny = read_phylogeny(run / PHYLOGENY_FILE)
    texts = {}
    if csv is not None:
        texts[csv] = to_csv(phylogeny)
    if graphml is not None:
        texts[graphml] = to_graphml(phylogeny)
    save(texts)
    for path in wanted:
        print(f"Written to {path}", file=sys.stderr)
    census = phylogeny.census()
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    if census.deaths == len(phylogeny):
        print("Nobody is alive.")
    console.print(survivor_tree(phylogeny, everybody=everybody))
    print(_counted(census))


def _counted(census: Census) -> str:
    """The counts in a line."""
    share = f"{100 * census.founders_with_heirs / census.founders:.0f} %" if census.founders else "n/a"
    return (
        f"{census.founders} founders, {census.births} births, {census.merges} merges accepted, "
        f"{census.promotions} promotions ({census.confined} of these confined), {census.revivals} reseeded from the "
        f"archive, {census.deaths} deaths; at most {census.depth} generations of descent; {share} of the founders live "
        "or have living descendants."
    )
