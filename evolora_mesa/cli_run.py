"""``evolora run``: one world from its founding to its end, into a folder."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evolora_mesa.cli_classic import run_classic
from evolora_mesa.errors import ConfigError
from evolora_mesa.record.interrupt import exit_code, told
from evolora_mesa.record.live import Outcome, clock, record_run

if TYPE_CHECKING:
    from evolora_mesa.config import WorldConfig

__all__ = ["INTERRUPTED", "given_path", "run", "world_of"]

INTERRUPTED = exit_code("SIGINT")


def given_path(text: str) -> Path:
    """The path in an option. An empty one, as of a shell variable that is not set, is not the working folder."""
    if not text.strip():
        raise ConfigError("a path is empty", expected="a file or a folder", got=text, do="Or leave it out.")
    return Path(text)


def run(
    config: Annotated[
        str, typer.Argument(help="A shipped world (evolora configs), a classic model as NKWorld, or a YAML file.")
    ] = "ecology",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="One setting, as economy.ticket=0.5; may be repeated."),
    ] = None,
    generations: Annotated[int | None, typer.Option(help="Length of the run.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random stream.")] = None,
    host: Annotated[str | None, typer.Option(help="A Hugging Face folder, a hub id, or a shipped host.")] = None,
    adapters: Annotated[
        Path | None,
        typer.Option(
            parser=given_path,
            metavar="PATH",
            help="A PEFT folder, or a folder of them as runs leave it: the first founders' adapters.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=given_path,
            metavar="PATH",
            help="A new or empty folder.",
            show_default="runs/NAME-seedS-NUMBER",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the summary.")] = False,
) -> None:
    """Run a world, and keep its figures and adapters in a folder."""
    from evolora_mesa.alife.runs import classic_config

    classic = classic_config(config, settings or (), generations=generations, seed=seed)
    if classic is not None:
        if host is not None or adapters is not None:
            raise ConfigError("a classic model has no host", where="--host, --adapters", got=classic.model)
        return run_classic(classic, out)
    world = world_of(config, settings or (), generations=generations, seed=seed, host=host)
    from evolora_mesa.record.runfolder import RunFolder, check_vacant, default_folder

    check_vacant(out if out is not None else default_folder(world))  # the host's loading can take a while
    from evolora_mesa.model import EcologyModel

    model = EcologyModel(world)
    if adapters is not None:
        from evolora_mesa.record.founders import found_with

        found_with(model, adapters)
    place = out if out is not None else default_folder(world)
    with RunFolder(place, world, model.host.fingerprint(), adapters=adapters) as folder:
        summary = record_run(model, folder, sys.stdout, quiet=quiet)
    for line in summary_lines(summary, folder.path):
        print(line)
    if summary["ended_by"] is not None:
        raise typer.Exit(exit_code(summary["ended_by"]))


def world_of(
    config: str,
    settings: list[str] | tuple[()],
    *,
    generations: int | None = None,
    seed: int | None = None,
    host: str | None = None,
) -> WorldConfig:
    """The settings of a world from a command's arguments; options win over ``--set``.

    Raises:
        ConfigError: see `load_config`.
    """
    from evolora_mesa.configfile import load_config

    given = {"generations": generations, "seed": seed, "host.path": host}
    overrides = {name: value for name, value in given.items() if value is not None}
    return load_config(load_config(config, settings), overrides)


def summary_lines(summary: dict[str, Any], folder: Path) -> list[str]:
    """The run in a few lines for people."""
    last, totals = summary["last"], summary["totals"]
    endings: dict[Outcome, str] = {
        "finished": "",
        "extinct": " Everybody died: the world is extinct.",
        "interrupted": f" Ended early by {told(summary['ended_by'] or '')}.",
        "output closed": " Ended early: nobody reads the output.",
    }
    ending = endings[summary["outcome"]]
    lived, speed = summary["sitting"], summary["sitting"]["episodes"] / max(summary["wall_seconds"], 1e-9)
    more = "" if lived["generations"] == summary["generations"] else f", {lived['generations']} of them now,"
    return [
        f"{summary['generations']} generations{more} in {clock(summary['wall_seconds'])}.{ending}",
        f"{last['population']} alive; {totals['births']} children on trial, {totals['deaths']} deaths; "
        f"{totals['episodes']} episodes, {speed:.0f} per second.",
        f"{totals['merges']} merges and {totals['promotions']} mutants passed the gate ({totals['confined']} of them "
        f"confined); {totals['revivals']} elites came back; {totals['gate_answers']} answers to gate prompts.",
        f"Right and in the paid style: {_percent(summary['success_first'])} of the answers at first, "
        f"{_percent(summary['success_last'])} at last.",
        f"ROI {_number(last['mean_roi'])}; all energies add up to {summary['ledger_quanta']}; the host is unchanged.",
        f"Written to {folder}",
    ]


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{100 * share:.1f} %"


def _number(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.2f}"
