"""``evolora verify``, ``export`` and ``watch``: what the folder of a run says, to machines and to people."""

from __future__ import annotations

import json
import shlex
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from evolora_mesa.cli_run import given_path
from evolora_mesa.errors import RunError, one_line

__all__ = ["export", "verify", "watch"]

_SECONDS_BETWEEN_LOOKS = 0.5

RunPath = Annotated[Path, typer.Argument(parser=given_path, metavar="RUN", help="The folder of a run.")]


def verify(run: RunPath, as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False) -> None:
    """Check a run: hashes, invariants, and the digest of everything that happened."""
    from evolora_mesa.alife.runs import is_classic

    classic = is_classic(run)
    if classic:
        from evolora_mesa.alife.verification import verify_classic as verified
    else:
        from evolora_mesa.record.verification import verify as verified
    found, moment = verified(run), "step" if classic else "generation"
    if as_json:
        print(json.dumps(found.as_json()))
    else:
        for finding in found.findings:
            when = f" ({moment} {finding.generation})" if finding.generation >= 0 else ""
            print(f"broken: {finding.invariant}{when}: {one_line(finding.detail)}")
        state = "finished" if found.finished else "not finished"
        for note in filter(None, (found.older, found.results)):
            print(note)
        print(f"{'broken' if found.findings else 'ok'}: {moment} {found.generation}, {state}, digest {found.digest}")
    if not found.ok:
        raise typer.Exit(1)


def export(
    run: RunPath,
    form: Annotated[str, typer.Option("--format", help="csv, jsonl or parquet (needs pyarrow).")] = "csv",
    out: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="PATH", help="A new or empty folder.", show_default="RUN/export"),
    ] = None,
    table: Annotated[
        list[str] | None, typer.Option("--table", metavar="NAME", help="Only this table; may be repeated.")
    ] = None,
) -> None:
    """Write the tables of a run as files for other programs."""
    from evolora_mesa.alife.runs import check_is_world
    from evolora_mesa.record.export import EXPORTED
    from evolora_mesa.record.export import export as exported
    from evolora_mesa.record.layout import STORE_FILE
    from evolora_mesa.record.store import RunStore

    check_is_world(run, do="Its tables lie in it: series.csv, log/phylogeny.csv, log/log.npz.")
    with RunStore.open(run / STORE_FILE) as store:
        for path, rows in exported(store, run / "export" if out is None else out, form, table or EXPORTED).items():
            print(f"{path}  {rows} rows")


def watch(
    run: RunPath,
    once: Annotated[bool, typer.Option("--once", help="Show how far it is, and leave.")] = False,
) -> None:
    """Follow a run that another process writes; Ctrl-C leaves, and the run goes on."""
    from evolora_mesa.alife.runs import is_classic
    from evolora_mesa.cli_classic import watch_classic
    from evolora_mesa.record.layout import STORE_FILE, SUMMARY_FILE
    from evolora_mesa.record.live import open_view
    from evolora_mesa.record.lock import RunLock
    from evolora_mesa.record.store import RunStore
    from evolora_mesa.record.summary import earlier_results

    if is_classic(run):
        return watch_classic(run, once=once)
    with RunStore.open(run / STORE_FILE) as store:
        asked = int(store.meta["asked_generations"])
        view = open_view(sys.stdout, str(run), asked)
        shown = max(store.generation - 1, -1)
        try:
            while True:
                left = not RunLock.is_held(run)  # both looked up first: the last rows come before
                over = once or left or (run / SUMMARY_FILE).exists()
                for row in store.tail(shown):
                    shown = row.pop("generation")
                    row.pop("digest")
                    figures = {name: float("nan") if value is None else value for name, value in row.items()}
                    view.show({"generation": shown, **figures})
                if over:
                    break
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        finally:
            view.close()
    if shown < 0:
        raise RunError("the run has no generation yet", where=run, do="Look again in a moment.")
    print(f"generation {shown} of {asked}")
    if older := earlier_results(run):
        print(older)
    if left and not (run / SUMMARY_FILE).exists():
        print(f"Nobody writes this run any more. It goes on with: evolora resume {shlex.quote(str(run))}")
