"""``evolora resume``: a run that was cut off goes on from its newest checkpoint, as if it had never stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from evolora_mesa.cli_classic import resume_classic
from evolora_mesa.cli_run import given_path, summary_lines
from evolora_mesa.errors import RunError
from evolora_mesa.record.interrupt import exit_code
from evolora_mesa.record.layout import SUMMARY_FILE

__all__ = ["resume"]


def resume(
    run: Annotated[Path, typer.Argument(parser=given_path, metavar="RUN", help="The folder of a run.")],
    generations: Annotated[
        int | None, typer.Option(help="Length of the whole run.", show_default="what was asked for at first")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the summary.")] = False,
) -> None:
    """Go on with a run from its newest checkpoint, to the number of generations that was asked for."""
    from evolora_mesa.alife.runs import is_classic
    from evolora_mesa.record.continuing import (
        NOTHING,
        check_is_run,
        is_only_founded,
        newest,
        notes_on,
        settings_of,
        world_at,
    )
    from evolora_mesa.record.given import given_settings
    from evolora_mesa.record.layout import RATINGS_FILE
    from evolora_mesa.record.live import record_run
    from evolora_mesa.record.lock import RunLock
    from evolora_mesa.record.runfolder import RunFolder
    from evolora_mesa.society.ratings import RatingBook

    if is_classic(run):
        return resume_classic(run, generations)
    check_is_run(run)
    with RunLock(run):
        config, facts = settings_of(run, generations)
        checkpoint = None if is_only_founded(run, facts) else newest(run, config)
        reached = checkpoint.position.generation if checkpoint is not None else NOTHING
        if reached > config.generations:
            raise RunError(
                "the run is longer than that already",
                where=run,
                expected=f"--generations of at least {reached}",
                got=config.generations,
            )
        if reached == config.generations and (run / SUMMARY_FILE).exists():
            print(f"The run is over: it has all of its {reached} generations. A larger --generations makes it longer.")
            return
        model = world_at(checkpoint, config, facts)
        if model.jury.hears_the_run:
            model.jury.hear(RatingBook(run / RATINGS_FILE).ratings)
        notes = notes_on(checkpoint, model, given_settings(run, facts).older)
        for note in notes:
            print(note, file=sys.stderr)
        with RunFolder.reopen(run, config, reached) as folder:
            for note in notes:
                folder.log(note)
            summary = record_run(model, folder, sys.stdout, quiet=quiet)
    for line in summary_lines(summary, run):
        print(line)
    if summary["ended_by"] is not None:
        raise typer.Exit(exit_code(summary["ended_by"]))
