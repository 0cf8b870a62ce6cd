"""The command line. Only what reads arguments is imported here; each command imports what it needs."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer

from evolora_mesa import __version__
from evolora_mesa.cli_app import app as show_app
from evolora_mesa.cli_compare import compare
from evolora_mesa.cli_gates import gates
from evolora_mesa.cli_host import host_app
from evolora_mesa.cli_judge import judge
from evolora_mesa.cli_lineage import lineage
from evolora_mesa.cli_records import export, verify, watch
from evolora_mesa.cli_replay import replay
from evolora_mesa.cli_report import animate, report
from evolora_mesa.cli_resume import resume
from evolora_mesa.cli_run import INTERRUPTED, run
from evolora_mesa.cli_streams import Outlet, outlets
from evolora_mesa.cli_study import baselines, demo, merging, specialists
from evolora_mesa.cli_summary import summary
from evolora_mesa.cli_sweep import sweep
from evolora_mesa.cli_tune import tune
from evolora_mesa.cli_validate import validate
from evolora_mesa.errors import ConfigError, EvoloraError, RunError, one_line
from evolora_mesa.record.interrupt import Leaving, exit_code

__all__ = ["app", "main"]

_MISTAKE, _FAULT, _UNHEARD = 2, 70, 74  # exit codes; 70 is EX_SOFTWARE of sysexits.h, 74 is EX_IOERR
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
app.command()(resume)
app.command()(demo)
app.command()(baselines)
app.command()(specialists)
app.command()(merging)
app.command()(gates)
app.command()(lineage)
app.command()(watch)
app.command()(verify)
app.command()(replay)
app.command()(export)
app.command()(report)
app.command()(animate)
app.command()(judge)
app.command()(summary)
app.command("app")(show_app)
app.command()(sweep)
app.command()(tune)
app.command()(validate)
app.command()(compare)
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
    if arguments is None and not sys.flags.safe_path and "" not in sys.path:
        sys.path.append("")  # families lie beside their user, also when a script in another folder started us
    given = list(sys.argv[1:] if arguments is None else arguments)
    with outlets() as output, Leaving() as leaving:
        code = _answer(given, output)
        if leaving.by:
            code = exit_code(leaving.by)
        elif output.lost is not None and code in (0, _UNHEARD):
            code = _UNHEARD
            if not isinstance(output.lost, BrokenPipeError):  # who leaves early, as `head` does, knows it
                _complain(f"cannot write the standard output: {output.lost.strerror}. Only what it shows is lost.")
        return code


def _answer(given: list[str], output: Outlet) -> int:
    """Do what the arguments ask for; the exit code."""
    try:
        _check_working_folder()
        wanted = [argument for argument in given if argument != "--debug"] or ["--help"]
        code = app(wanted, "evolora", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseException as found:  # also what a user's code raises to end the program: its run did not succeed
        error = found
    if isinstance(error, BrokenPipeError | SystemExit) and output.lost is not None:
        return _UNHEARD  # typer and rich leave so when the reader has gone
    if isinstance(error, typer.Abort):  # typer's for the end of the input, in older versions for Ctrl-C too
        if not isinstance(error.__cause__, EOFError):
            return INTERRUPTED
        error = error.__cause__
    if "--debug" in given:
        traceback.print_exception(error)
    message, code = _explained(error)
    _complain(message)
    return code


def _check_working_folder() -> None:
    try:
        os.getcwd()
    except OSError as error:  # libraries below torch end the process for it
        raise RunError("the working folder is gone", do="Change to a folder that exists.") from error


def _explained(error: BaseException) -> tuple[str, int]:
    """One line for people, and the exit code."""
    if isinstance(error, EvoloraError):
        return str(error), _MISTAKE
    usage = getattr(error, "format_message", None)  # typer's own; their class moves between its versions
    if usage is not None:
        return f"{one_line(usage()).rstrip('.')}. See: evolora --help", _MISTAKE
    text = one_line(f"{type(error).__name__}: {error}").removesuffix(":")[:_LONGEST_FAULT]
    return f"unexpected {text}; run with --debug for the traceback", _FAULT


def _complain(message: str) -> None:
    print(f"error: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
