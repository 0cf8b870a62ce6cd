"""The command line. Only what reads arguments is imported here; each command imports what it needs."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from evolora_mesa import __version__
from evolora_mesa.cli_host import host_app
from evolora_mesa.cli_run import INTERRUPTED, run
from evolora_mesa.cli_study import baselines, demo, specialists
from evolora_mesa.errors import ConfigError, EvoloraError

__all__ = ["app", "main"]

_MISTAKE, _FAULT = 2, 70  # exit codes; 70 is EX_SOFTWARE of sysexits.h
_LONGEST_FAULT = 300  # characters

app = typer.Typer(
    name="evolora",
    help="Artificial life whose physics is a frozen language model.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich would double its start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(run)
app.command()(demo)
app.command()(baselines)
app.command()(specialists)
app.add_typer(host_app, name="host")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"evolora-mesa {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; goes anywhere.")] = False,
) -> None:
    """Artificial life whose physics is a frozen language model."""


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False) -> None:
    """Check that this machine and this installation are fit to run."""
    from evolora_mesa.doctor import examine, report

    checks = examine()
    print(report(checks, as_json))
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


@app.command()
def configs() -> None:
    """List the worlds that ship with the project."""
    from evolora_mesa.configfile import shipped_configs

    for name, path in shipped_configs().items():
        with path.open(encoding="utf-8") as file:
            print(f"{name:<12} {file.readline().lstrip('# ').strip()}")


@app.command()
def settings(word: Annotated[str, typer.Argument(help="Only settings in which this occurs.")] = "") -> None:
    """List every setting of a world with its default, unit and range."""
    from evolora_mesa.configfile import schema_rows

    rows = [row for row in schema_rows() if word.lower() in f"{row.name} {row.description}".lower()]
    if not rows:
        raise ConfigError("no such setting", got=word, do="Leave the word out to see all settings.")
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("setting", "default", "meaning", box=box.SIMPLE, pad_edge=False)
    for row in rows:
        table.add_row(row.name, row.default, row.description)
    is_terminal = sys.stdout.isatty()
    Console(highlight=False, markup=False, width=None if is_terminal else 200).print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    Args:
        arguments: without the program's name; by default those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        wanted = [argument for argument in given if argument != "--debug"] or ["--help"]
        code = app(wanted, "evolora", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        if "--debug" in given:
            traceback.print_exc()
        message, code = _explained(error)
        print(f"error: {message}", file=sys.stderr)
        return code


def _explained(error: Exception) -> tuple[str, int]:
    """One line for people, and the exit code."""
    if isinstance(error, EvoloraError):
        return str(error), _MISTAKE
    usage = getattr(error, "format_message", None)  # typer's own; their class moves between its versions
    if usage is not None:
        return f"{' '.join(usage().split()).rstrip('.')}. See: evolora --help", _MISTAKE
    text = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_FAULT]
    return f"unexpected {text}; run with --debug for the traceback", _FAULT


if __name__ == "__main__":
    sys.exit(main())
