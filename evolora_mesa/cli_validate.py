"""``evolora validate``: do the classic models still do what was published of them?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evolora_mesa.cli_run import given_path

if TYPE_CHECKING:
    from evolora_mesa.alife.validation import Validation

__all__ = ["validate"]

_MISSED = 1  # exit code


def validate(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Classic models, as NKWorld; all without any.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Only what takes seconds.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object a model.")] = False,
    docs: Annotated[
        Path | None, typer.Option(parser=given_path, metavar="FILE", help="Write the figures there, as Markdown.")
    ] = None,
) -> None:
    """Measure classic models again, each figure beside the published one. Exit code 1 when a target is missed."""
    from evolora_mesa.alife import MODELS, model_name
    from evolora_mesa.alife.validation import document, validate
    from evolora_mesa.record.report.writing import write

    names = list(dict.fromkeys(map(model_name, models))) if models else list(MODELS)
    found = []
    for name in names:
        print(f"measuring {name}", file=sys.stderr, flush=True)
        one = validate(name, quick=quick)
        found.append(one)
        print(json.dumps(one.as_tree(), ensure_ascii=False)) if as_json else _show(one)
        sys.stdout.flush()
    if docs is not None:
        write(docs, document(found), new=False)
        print(f"Written to {docs}", file=sys.stderr)
    if not as_json:
        for one in found:
            print(f"{one.outcome()}; {one.seconds:.1f} s.")
    if not all(one.passed for one in found):
        raise typer.Exit(_MISSED)


def _show(one: Validation) -> None:
    """The table of a model's targets."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from evolora_mesa.alife.validation import COLUMNS, row

    table = Table(*COLUMNS, title=one.model, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for target in one.targets:
        table.add_row(*row(target))
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 200).print(table)
