"""``evolora baselines``, ``specialists``, ``merging`` and ``demo``: what the ecology is worth, measured and shown."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evolora_mesa.cli_run import given_path, world_of
from evolora_mesa.errors import RunError
from evolora_mesa.record.interrupt import exit_code

if TYPE_CHECKING:
    from evolora_mesa.study.baseline_table import ArmRow
    from evolora_mesa.study.merging_table import MergeTable

__all__ = ["baselines", "demo", "merging", "specialists"]

_PIPE_WIDTH = 200  # columns of a table that goes into a file or a pipe
_MOST_SEEDS, _MOST_EPISODES = 10_000, 1_000_000_000  # beyond, a slip of the finger: years of training
_HEADLINE = "svd 0.5, rank 4"  # how worlds merge unless they are told otherwise


def baselines(
    config: Annotated[str, typer.Option(help="World of the ecology.")] = "ecology",
    seeds: Annotated[int, typer.Option(min=1, max=_MOST_SEEDS, help="Repetitions, with seeds 0, 1, ...")] = 5,
    episodes: Annotated[
        int, typer.Option(min=1, max=_MOST_EPISODES, help="Training episodes of every arm and seed.")
    ] = 8192,
    arms: Annotated[str | None, typer.Option(help="Some arms only, as frozen,ecology.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One setting of the world.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="A Hugging Face folder, a hub id, or a shipped host.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="PATH", help="Folder for the table as JSON, Markdown and CSV."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Compare the ecology with the frozen host, one adapter, labels."""
    world = world_of(config, settings or (), host=host)
    from evolora_mesa.record.runfolder import check_writable

    if out is not None:
        check_writable(out)  # now, not after minutes of training
    from evolora_mesa.model import host_for
    from evolora_mesa.study.baselines import DEFAULT_ARMS, run_baselines

    table = run_baselines(
        host_for(world),
        world,
        seeds=range(seeds),
        episodes=episodes,
        arms=DEFAULT_ARMS if arms is None else [arm.strip() for arm in arms.split(",")],
        on_progress=_say,
    )
    if out is not None:  # before it is printed, which can fail
        command = [
            "evolora",
            "baselines",
            "--config",
            config,
            "--seeds",
            str(seeds),
            "--episodes",
            str(episodes),
        ]
        command += [*(["--arms", arms] if arms else []), *(["--host", host] if host else [])]
        command += [part for setting in settings or () for part in ("--set", setting)]
        table.save(out, command=shlex.join(command))
        print(f"Written to {out}", file=sys.stderr)
    if as_json:
        print(table.to_json(), end="")
    else:
        from rich.console import Console

        Console(highlight=False, markup=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(
            table.rich()
        )
        print("\n".join(table.conclusions()))


def specialists(
    seeds: Annotated[int, typer.Option(min=1, max=_MOST_SEEDS, help="Repetitions, with seeds 0, 1, ...")] = 5,
    episodes: Annotated[
        int, typer.Option(min=1, max=_MOST_EPISODES, help="Training episodes of every specialist.")
    ] = 512,
    host: Annotated[str, typer.Option(help="A Hugging Face folder, a hub id, or a shipped host.")] = "petri",
    out: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="PATH", help="JSON file; a Markdown page is written beside it."),
    ] = None,
) -> None:
    """Train one specialist per family by each rule, and test all on all."""
    from evolora_mesa.record.runfolder import check_writable

    if out is not None:
        _check_page(out)
        check_writable(out.parent)
    from evolora_mesa.study.specialists import main

    arguments = [f"--seeds={seeds}", f"--episodes={episodes}", f"--host={host}"]
    code = main(arguments if out is None else [*arguments, f"--out={out}"])
    if code:
        raise typer.Exit(code)


def merging(
    seeds: Annotated[int, typer.Option(min=1, max=_MOST_SEEDS, help="Repetitions, with seeds 0, 1, ...")] = 5,
    episodes: Annotated[
        int, typer.Option(min=1, max=_MOST_EPISODES, help="Training episodes of every specialist.")
    ] = 512,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of families with different styles, per seed.")] = 8,
    host: Annotated[str, typer.Option(help="A Hugging Face folder, a hub id, or a shipped host.")] = "petri",
    out: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="PATH", help="Folder for the table as Markdown and CSV."),
    ] = None,
) -> None:
    """Merge specialists in pairs: which children keep both skills?"""
    from evolora_mesa.record.runfolder import check_writable

    if out is not None:
        check_writable(out)  # now, not after minutes of training
    from evolora_mesa.host import HostService
    from evolora_mesa.study.merging import merge_pairs

    table = merge_pairs(
        HostService.load(host), seeds=range(seeds), pairs=pairs, episodes=episodes, on_progress=_say_merged
    )
    options = {"--seeds": seeds, "--episodes": episodes, "--pairs": pairs, "--host": host}
    command = shlex.join(["evolora", "merging", *(str(part) for option in options.items() for part in option)])
    if out is not None:  # before it is printed, which can fail
        table.save(out, command=command)
        print(f"Written to {out}", file=sys.stderr)
    print(table.markdown(command))
    print(_headline(table))


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Seed of every random stream.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            parser=given_path,
            metavar="PATH",
            help="A new or empty folder.",
            show_default="runs/ecology-seedS-NUMBER",
        ),
    ] = None,
) -> None:
    """Run an ecology, compare it with its frozen host, explain it."""
    world = world_of("ecology", (), seed=seed)
    from evolora_mesa.record.runfolder import check_vacant, default_folder

    folder = out if out is not None else default_folder(world)
    check_vacant(folder)
    from rich.console import Console

    from evolora_mesa.study.demo import run_demo

    result = run_demo(console=Console(highlight=False), out=folder, seed=seed)
    if result.ended_by is not None:
        raise typer.Exit(exit_code(result.ended_by))


def _check_page(page: Path) -> None:
    """Refuse a name under which no JSON file with a Markdown page beside it can be written.

    Raises:
        RunError: it is the name of a folder, too long, or the page's own.
    """
    try:
        fits = page.name not in ("", "..") and page.suffix != ".md" and not page.is_dir()
    except OSError as error:
        raise RunError("cannot write results", where=page, got=error.strerror, do="Choose another --out.") from error
    if not (fits and page.name.isprintable()):
        raise RunError("not the name of a JSON file", where="--out", expected="such as specialists.json", got=str(page))


def _say(row: ArmRow) -> None:
    """A line per finished arm, apart from the results on the standard output."""
    print(
        f"seed {row.seed}  {row.arm}  routed {100 * row.routed:.1f} %  {row.episodes} episodes  "
        f"{row.training_seconds:.1f} CPU-seconds",
        file=sys.stderr,
        flush=True,
    )


def _say_merged(table: MergeTable) -> None:
    """A line per finished seed, of all seeds so far."""
    print(f"seed {table.rows[-1].seed}: so far {_headline(table)}", file=sys.stderr, flush=True)


def _headline(table: MergeTable) -> str:
    kept = [row.keeps_both for row in table.rows if row.recipe == _HEADLINE]
    return f"{_HEADLINE} keeps both skills in {sum(kept)} of {len(kept)} pairs"
