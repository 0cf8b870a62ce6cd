"""``evolora gates``: rules of acceptance held against planted truths."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from evolora_mesa.cli_run import given_path
from evolora_mesa.errors import ConfigError

__all__ = ["gates"]

_BROKEN = 1  # exit code: the gate accepts more nulls than it promises
_MOST_CANDIDATES = 1_000_000  # minutes of counting; beyond, a slip of the finger


def gates(
    worlds: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CONFIG]...", help="Worlds whose accepted children are measured again.", show_default="ecology"
        ),
    ] = None,
    study: Annotated[
        bool, typer.Option("--study", help="Instead, hold rules of acceptance against planted truths.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Shorter training, fewer prompts, in under a minute.")] = False,
    seeds: Annotated[int, typer.Option(min=1, max=10_000, help="Lives of every world, with seeds 0, 1, ...")] = 5,
    generations: Annotated[int, typer.Option(min=1, help="Length of a life.")] = 60,
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random stream of --study.")] = 0,
    candidates: Annotated[
        int, typer.Option(min=1, max=_MOST_CANDIDATES, help="Children of every planted truth, for --study.")
    ] = 2000,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One setting of the worlds.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="PATH", help="Folder for JSON, Markdown, CSV and a plot."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Test the gate: are accepted children better, and others not?"""
    from evolora_mesa.record.runfolder import check_writable

    if out is not None:
        check_writable(out)  # now, not after the training
    if study and (worlds or settings):
        given = (worlds or settings or [""])[0]
        raise ConfigError("the planted truths need no world", got=given, do="Leave out the world, or --study.")
    if study:
        _study(quick, seed, candidates, out, as_json)
    else:
        _watch(worlds or ["ecology"], settings or [], seeds, generations, out, as_json)


def _watch(
    worlds: list[str], settings: list[str], seeds: int, generations: int, out: Path | None, as_json: bool
) -> None:
    """Let worlds live, and measure what passed their gates."""
    from evolora_mesa.configfile import load_config
    from evolora_mesa.hosting import host_for
    from evolora_mesa.study.accepted import AcceptedTable, watch_world

    configs = [load_config(world, settings) for world in worlds]
    lives = []
    for config in configs:
        service = host_for(config)
        for seed in range(seeds):
            life = watch_world(config, seed, service, generations)
            lives.append(life)
            _say(
                f"{config.name} seed {seed}: {life.generations} generations, {life.merges} merges accepted of "
                f"{life.tried.get('merge', 0)}, {life.seconds:.1f} CPU-seconds"
            )
    table = AcceptedTable(tuple(lives), configs[0].gate.alpha)
    if out is not None:
        command = ["evolora", "gates", *worlds, "--seeds", str(seeds), "--generations", str(generations)]
        command += [part for setting in settings for part in ("--set", setting)]
        table.save(out, command=shlex.join(command))
        _say(f"Written to {out}")
    print(table.to_json() if as_json else table.text(), end="" if as_json else "\n")


def _study(quick: bool, seed: int, candidates: int, out: Path | None, as_json: bool) -> None:
    """Plant truths, and judge them by every rule."""
    from evolora_mesa.configfile import load_config
    from evolora_mesa.hosting import host_for
    from evolora_mesa.study import planted
    from evolora_mesa.study.gate_study import judge

    world = load_config("ecology")
    service = host_for(world)
    scale = planted.QUICK if quick else planted.FULL
    truths = planted.plant(service, world, scale=scale, seed=seed, on_progress=_say)
    _say(f"judging {candidates} children of each of {len(truths)} truths")
    found = judge(truths, candidates=candidates, seed=seed, host=service.name)
    if out is not None:  # before it is printed, which can fail
        command = ["evolora", "gates", "--study", *(["--quick"] if quick else [])]
        command += ["--seed", str(seed), "--candidates", str(candidates)]
        written = found.save(out, command=shlex.join(command))
        _say(f"Written to {out}")
        if not any(path.suffix == ".png" for path in written):
            _say("No plot: matplotlib is not installed.")
    if as_json:
        print(found.to_json(), end="")
    else:
        print("Accepted, % (mean prompts), by rule; uplift in points:\n")
        print(found.text(), end="\n\n")
        print(f"The gate ({candidates} children each, 95 % intervals):")
        print("\n".join(found.conclusions()))
    if found.broken():
        raise typer.Exit(_BROKEN)


def _say(message: str) -> None:
    """Progress, apart from the results on the standard output."""
    print(message, file=sys.stderr, flush=True)
