"""``evolora replay``: a run is lived again, and must come out the same to the last bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from evolora_mesa.cli_run import given_path

__all__ = ["replay"]


def replay(
    run: Annotated[Path, typer.Argument(parser=given_path, metavar="RUN", help="The folder of a run.")],
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Live a run again from its settings and seed, and compare what happens."""
    from evolora_mesa.alife.runs import is_classic

    classic = is_classic(run)
    if classic:
        from evolora_mesa.alife.replaying import replay_classic as replayed
    else:
        from evolora_mesa.study.sweep.replaying import replay_any as replayed
    found, moment = replayed(run), "step" if classic else "generation"
    if as_json:
        print(json.dumps({**found._asdict(), "same": found.same}))
    else:
        for note in found.notes:
            print(f"not as it was: {note}")
        if found.same:
            print(f"the same: {found.generation} {moment}s, digest {found.digest}")
        else:
            print(f"different in {moment} {found.generation}: digest {found.digest}, was {found.recorded}")
    if not found.same:
        raise typer.Exit(1)
