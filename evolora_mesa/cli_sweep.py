"""``evolora sweep``: many worlds over factors and seeds, on this machine or on a cluster."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from evolora_mesa.cli_run import given_path
from evolora_mesa.cli_summary import check_format, told_as
from evolora_mesa.errors import ConfigError
from evolora_mesa.record.interrupt import Interrupt, exit_code

if TYPE_CHECKING:
    from evolora_mesa.study.sweep.agenda import Agenda
    from evolora_mesa.study.sweep.check import Plan
    from evolora_mesa.study.sweep.engine import Engine, Limits
    from evolora_mesa.study.sweep.findings import Findings
    from evolora_mesa.study.sweep.job import Result
    from evolora_mesa.study.sweep.ledger import Ledger
    from evolora_mesa.study.sweep.results import Row
    from evolora_mesa.study.sweep.spec import SweepSpec

__all__ = ["engine_for", "known_results", "live", "plan_for", "sweep", "tell_failed"]

ALL: Final = "all"

_FAILED: Final = 1  # exit code when runs have failed
_NAMED: Final = 10  # failed runs that are named
_ENGINES: Final = ("local", "ray")


def sweep(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A shipped sweep, or a YAML file.")],
    out: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="PATH", help="Folder of the sweep.", show_default="sweeps/NAME"),
    ] = None,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster; without it, one on this machine.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Runs at a time.", show_default="one for each processor")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the design and tell what it takes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Start whatever it takes.")] = False,
    retry: Annotated[
        list[str] | None, typer.Option(metavar="RUN", help="A failed run to run again, or all; may be repeated.")
    ] = None,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="Wall time of a run, in seconds.")] = None,
    max_mem: Annotated[int | None, typer.Option(min=1, help="Memory of a run beyond its host, in MiB.")] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="md|csv|json", help="Print only what `evolora summary` would, as that."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the end.")] = False,
) -> None:
    """Run a sweep. The same command goes on with one that was cut off, and adds what a larger spec asks for."""
    if engine not in _ENGINES:
        raise ConfigError("no such engine", where="--engine", expected=" or ".join(_ENGINES), got=engine)
    if form is not None:
        check_format(form)
    from evolora_mesa.study.sweep.agenda import Agenda
    from evolora_mesa.study.sweep.engine import Limits
    from evolora_mesa.study.sweep.folder import default_folder, open_folder
    from evolora_mesa.study.sweep.reading import load_sweep

    asked, subject = load_sweep(spec)
    agenda = Agenda(asked, subject)
    folder = out if out is not None else default_folder(asked)
    limits = Limits(timeout or asked.limits.seconds, max_mem or asked.limits.mebibytes, asked.limits.attempts)
    if dry_run:
        with engine_for(engine, workers, limits, address) as running:
            _told_plan(agenda, known_results(folder, asked), running, quiet=False)
        return
    options = {"--engine": None if engine == "local" else engine, "--address": address, "--timeout": timeout}
    given = [part for name, value in {**options, "--max-mem": max_mem}.items() if value for part in (name, str(value))]
    again = shlex.join(["evolora", "sweep", spec, "--out", str(folder), *given])
    with open_folder(folder, agenda) as ledger, contextlib.redirect_stdout(sys.stdout if form is None else sys.stderr):
        _forget(agenda, ledger, retry or ())
        if not agenda.ready(ledger.results):
            print(f"The sweep is finished: all of its {len(agenda.runs(ledger.results))} runs are over.")
        else:
            with engine_for(engine, workers, limits, address) as running:
                _check(agenda, ledger, running, yes=yes, quiet=quiet)
                ended_by = live(agenda, running, ledger, folder, quiet=quiet)
            if ended_by:
                over = sum(run.key in ledger.results for run in agenda.runs(ledger.results))
                print(f"{over} of {agenda.most} runs are done; the same command goes on: {again}")
                raise typer.Exit(exit_code(ended_by))
        findings = _conclude(agenda, ledger, folder)
        tell_failed(findings.rows, again)
    if form is not None:
        print(told_as(findings, form), end="")
    if findings.count("failed"):
        raise typer.Exit(_FAILED)


def engine_for(name: str, workers: int | None, limits: Limits, address: str | None) -> Engine:
    """The engine ``local`` or ``ray``, with a worker for each processor unless told."""
    if name == "ray":
        from evolora_mesa.study.sweep.ray_engine import RayEngine

        return RayEngine(workers, limits, address)
    from evolora_mesa.study.sweep.local import LocalEngine

    return LocalEngine(workers or os.cpu_count() or 1, limits)


def known_results(folder: Path, spec: SweepSpec | None = None) -> dict[str, Result]:
    """Results that are there already, for somebody who writes nothing.

    Args:
        spec: its metrics have to be in them; by default whatever was measured.
    """
    from evolora_mesa.study.sweep.ledger import results_in
    from evolora_mesa.study.sweep.subject import metrics_of

    return results_in(folder, {} if spec is None else metrics_of(spec))


def _forget(agenda: Agenda, ledger: Ledger, retry: Sequence[str]) -> None:
    """Have failed runs run again."""
    failed = [run.key for run in agenda.runs(ledger.results) if _has_failed(ledger, run.key)]
    for key in retry:
        if key != ALL and key not in failed:
            raise ConfigError(
                "no failed run", where="--retry", expected=f"{ALL}, or {', '.join(failed[:_NAMED]) or 'none'}", got=key
            )
    ledger.forget(key for key in failed if key in retry or ALL in retry)


def _has_failed(ledger: Ledger, key: str) -> bool:
    result = ledger.results.get(key)
    return result is not None and result.failure is not None


# ---------------------------------------------------------------------- before


def _check(agenda: Agenda, ledger: Ledger, engine: Engine, *, yes: bool, quiet: bool) -> None:
    """Tell what is about to happen; a long sweep needs a yes."""
    objections = _told_plan(agenda, ledger.results, engine, quiet=quiet).objections()
    if objections and not yes:
        raise ConfigError(f"not started: {'; '.join(objections)}", do="Give --yes if that is meant.")


def _told_plan(agenda: Agenda, results: Mapping[str, Result], engine: Engine, *, quiet: bool) -> Plan:
    """Tell what is ahead: how much it is at once, for a pilot can take long or hang, then what it takes."""
    from evolora_mesa.study.sweep.check import plan_of

    if quiet:
        return plan_for(agenda, results, engine)
    print(plan_of(agenda, results, engine.free).lines()[0], flush=True)
    plan = plan_for(agenda, results, engine)
    for line in plan.lines()[1:]:
        print(line, flush=True)
    return plan


def plan_for(agenda: Agenda, results: Mapping[str, Result], engine: Engine) -> Plan:
    """What is ahead; how long a run takes is told by those that are over, or by a pilot."""
    from evolora_mesa.study.sweep.check import fly, plan_of

    ready, workers = agenda.ready(results), engine.free
    if any(result.failure is None for result in results.values()) or not ready:
        return plan_of(agenda, results, workers)
    with tempfile.TemporaryDirectory(prefix="evolora-pilot-") as place:
        return plan_of(agenda, results, workers, fly(ready[0], engine, Path(place)))


# ---------------------------------------------------------------------- while it runs, and after


def live(agenda: Agenda, engine: Engine, ledger: Ledger, folder: Path, *, quiet: bool) -> str:
    """To the end; the name of the signal that came before it, if one did."""
    from evolora_mesa.study.sweep.progress import progress_for
    from evolora_mesa.study.sweep.supervisor import supervise

    def stopping() -> None:
        with contextlib.suppress(OSError):  # the terminal can be gone
            os.write(2, b"stopping; what was begun goes on with the same command\n")

    shown = progress_for(agenda.spec, agenda.most, engine.free, sys.stdout, quiet=quiet)
    with shown as progress, Interrupt(stopping) as interrupt:
        supervise(agenda, engine, ledger, folder, progress=progress, is_wanted=lambda: not interrupt.requested)
    return interrupt.requested if agenda.ready(ledger.results) else ""


def _conclude(agenda: Agenda, ledger: Ledger, folder: Path) -> Findings:
    """Write and tell all that follows from the runs."""
    from evolora_mesa.study.sweep.conclusion import write_conclusion
    from evolora_mesa.study.sweep.findings import Findings
    from evolora_mesa.study.sweep.supervisor import rows_of

    findings = Findings(agenda.spec, tuple(rows_of(agenda, ledger)))
    print(*write_conclusion(folder, findings), sep="\n")
    codes = sorted({row.result.code for row in findings.rows if row.result is not None and row.result.code})
    if len(codes) > 1:
        print(f"Mixed: these runs were lived by {len(codes)} versions of the code: {', '.join(codes)}.")
    return findings


def tell_failed(rows: Sequence[Row], again: str) -> None:
    """Name the failed runs, and the command that runs only them again.

    Args:
        again: that command without ``--retry``.
    """
    failed = {row.key: row for row in rows if row.status == "failed"}
    for row in list(failed.values())[:_NAMED]:
        error = row.result.error if row.result is not None else ""
        print(f"failed: run {row.key}, cell {row.cell}, seed {row.seed}: {error}")
    if failed:
        which = [ALL] if len(failed) > _NAMED else list(failed)
        print(f"{len(failed)} of {len(rows)} runs failed. Only those again: {again} --retry {' --retry '.join(which)}")
