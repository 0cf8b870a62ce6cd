"""``evolora report`` and ``evolora animate``: what a run amounted to, as a page and as moving pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evolora_mesa.cli_run import given_path
from evolora_mesa.errors import ConfigError, RunError

if TYPE_CHECKING:
    from evolora_mesa.alife.report.making import ClassicReport
    from evolora_mesa.record.report.making import Report

__all__ = ["animate", "report"]


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(parser=given_path, metavar="RUN", help="Folders of runs; several are compared."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="FILE", help="A new file for the page.", show_default="in RUN/report, made anew"
        ),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show the page in a browser.")] = False,
    as_markdown: Annotated[bool, typer.Option("--md", help="Print Markdown instead of writing a page.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of writing a page.")] = False,
    host: Annotated[
        bool, typer.Option("--host/--no-host", help="Ask the bare host for its answers beside the organelles'.")
    ] = True,
) -> None:
    """Tell what became of a run, or compare several, as one page that needs no network."""
    if as_markdown + as_json + (out is not None or open_it) > 1:
        raise ConfigError("a report is a page, Markdown or JSON", where="--out, --open, --md, --json", do="Give one.")
    from evolora_mesa.record.report.compare import check_count
    from evolora_mesa.record.report.writing import page_path, show, write

    check_count(len(runs))
    path = page_path(runs, out)
    made = _made(runs, host=host)
    if as_json:
        print(made.as_json())
    elif as_markdown:
        print(made.as_markdown(), end="")
    else:
        write(path, made.as_html(), new=out is not None)
        print(f"Written to {path}")
        if open_it and not show(path):
            print("No browser can be opened from here.", file=sys.stderr)


def _made(runs: list[Path], *, host: bool) -> Report | ClassicReport:
    """The report on worlds of ours, or on classic models; not on both, which have no figure in common."""
    from evolora_mesa.alife.runs import is_classic

    classic = [run for run in runs if is_classic(run)]
    if not classic:
        from evolora_mesa.record.report.making import Report

        return Report.of(runs, host=host)
    worlds = [run for run in runs if run not in classic]
    if worlds:
        from evolora_mesa.record.layout import STORE_FILE
        from evolora_mesa.record.store import RunStore

        RunStore.open(worlds[0] / STORE_FILE).close()  # which may be no run at all
        raise RunError(
            "classic models and worlds of ours have no figure in common",
            where=classic[0],
            got=str(worlds[0]),
            do="Put them on one ruler with: evolora compare MODEL --runs RUN.",
        )
    from evolora_mesa.alife.report.making import ClassicReport

    return ClassicReport.of(runs)


def animate(
    run: Annotated[Path, typer.Argument(parser=given_path, metavar="RUN", help="The folder of a run.")],
    out: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="FILE", help="A new GIF.", show_default="in RUN/report, made anew"),
    ] = None,
    frames: Annotated[int, typer.Option(min=2, max=600, help="Most pictures; of longer runs some are left out.")] = 120,
    rate: Annotated[int, typer.Option(min=1, max=50, help="Pictures per second.")] = 8,
) -> None:
    """Draw the grid of cells over the generations, as an animated GIF."""
    from evolora_mesa.alife.runs import check_is_world
    from evolora_mesa.record.report.animation import draw
    from evolora_mesa.record.report.writing import animation_path, write

    check_is_world(run, do="No earlier pictures are kept of it; the Classics page of evolora app plays the model.")
    path = animation_path(run, out)
    write(path, draw(run, frames=frames, rate=rate), new=out is not None)
    print(f"Written to {path}")
