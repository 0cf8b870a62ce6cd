"""``evolora tune``: settings are searched, and the best are held against the untuned ones on seeds nobody has seen."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from evolora_mesa.cli_run import given_path
from evolora_mesa.cli_sweep import engine_for, known_results, live, plan_for, tell_failed
from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.record.interrupt import exit_code

if TYPE_CHECKING:
    from evolora_mesa.study.sweep.agenda import Agenda
    from evolora_mesa.study.sweep.engine import Engine, Limits
    from evolora_mesa.study.sweep.findings import Findings
    from evolora_mesa.study.sweep.job import Result
    from evolora_mesa.study.sweep.ledger import Ledger
    from evolora_mesa.study.sweep.tuned import Tuned

__all__ = ["BEST_FILE", "PAGE_FILE", "REPORT_FOLDER", "SEARCH_FOLDER", "tune"]

SEARCH_FOLDER: Final = "search"  # of the adaptive sweep
REPORT_FOLDER: Final = "report"  # of the comparison
BEST_FILE: Final = "best.yaml"
PAGE_FILE: Final = "tuning.html"

_FAILED: Final = 1  # exit code when runs have failed
_ENGINES: Final = ("local", "ray")


def tune(
    spec: Annotated[str, typer.Argument(metavar="SPEC", help="A shipped adaptive sweep, or a YAML file.")],
    out: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="PATH", help="Folder of the tuning.", show_default="tunes/NAME"),
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Cells to try.", show_default="design.samples")
    ] = None,
    fresh: Annotated[
        int, typer.Option(min=2, max=100_000, help="New seeds on which the best and the untuned are compared.")
    ] = 10,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster; without it, one on this machine.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Runs at a time.", show_default="one for each processor")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the design and tell what it takes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Start whatever it takes.")] = False,
    timeout: Annotated[float | None, typer.Option(min=0.001, help="Wall time of a run, in seconds.")] = None,
    max_mem: Annotated[int | None, typer.Option(min=1, help="Memory of a run beyond its host, in MiB.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, only the end.")] = False,
) -> None:
    """Tune settings on the pool select, then measure them on test. The same command goes on with what was cut off."""
    if engine not in _ENGINES:
        raise ConfigError("no such engine", where="--engine", expected=" or ".join(_ENGINES), got=engine)
    from evolora_mesa.study.sweep.agenda import Agenda
    from evolora_mesa.study.sweep.conclusion import write_changed
    from evolora_mesa.study.sweep.engine import Limits
    from evolora_mesa.study.sweep.folder import default_folder, open_folder
    from evolora_mesa.study.sweep.reading import load_sweep
    from evolora_mesa.study.sweep.tuned import Tuned
    from evolora_mesa.study.sweep.tuning import best_of, comparison_of, search_of, settings_text

    search = search_of(load_sweep(spec)[0], trials)
    agenda = Agenda(search)
    stand_in = Agenda(comparison_of(search, {}, fresh))  # the untuned settings have to be fit to be run
    folder = out if out is not None else Path("tunes") / default_folder(search).name
    limits = Limits(timeout or search.limits.seconds, max_mem or search.limits.mebibytes, search.limits.attempts)
    options: dict[str, object] = {
        "--trials": trials,
        "--fresh": fresh,
        "--engine": None if engine == "local" else engine,
    }
    options |= {"--address": address, "--timeout": timeout, "--max-mem": max_mem}
    given = [part for name, value in options.items() if value for part in (name, str(value))]
    again = shlex.join(["evolora", "tune", spec, "--out", str(folder), *given])
    means = _Means(engine, workers, limits, address, yes, quiet, again)
    if dry_run:
        with means.engine() as running:
            lines, _ = _planned(agenda, known_results(folder / SEARCH_FOLDER), running, stand_in)
        print(*lines, sep="\n")
        return
    _require_own(folder)
    with open_folder(folder / SEARCH_FOLDER, agenda) as ledger:
        was_over = not agenda.ready(ledger.results)
        searched = _lived(agenda, ledger, folder / SEARCH_FOLDER, means, then=stand_in)
        best = best_of(search, searched.rows)
        write_changed(folder, {BEST_FILE: settings_text(search, best)})
        comparison = Agenda(comparison_of(search, best.levels, fresh))
        with open_folder(folder / REPORT_FOLDER, comparison) as other:
            if was_over and not comparison.ready(other.results):
                print("The tuning is finished: all of its runs are over.")
            compared = _lived(comparison, other, folder / REPORT_FOLDER, means, is_asked=was_over)
            _tell(folder, Tuned(searched, best, compared))
    if searched.count("failed") or compared.count("failed"):
        raise typer.Exit(_FAILED)


@dataclass(frozen=True)
class _Means:
    """What runs are lived with; ``again`` is the command that goes on."""

    kind: str
    workers: int | None
    limits: Limits
    address: str | None
    yes: bool
    quiet: bool
    again: str

    def engine(self) -> Engine:
        return engine_for(self.kind, self.workers, self.limits, self.address)


def _require_own(folder: Path) -> None:
    """Refuse a folder with other things in it: `best.yaml` may be somebody's.

    Raises:
        RunError: it has some, or cannot be read.
    """
    try:
        strange = not (folder / SEARCH_FOLDER).is_dir() and folder.exists() and any(os.scandir(folder))
    except OSError as error:
        raise RunError("cannot read the folder of the tuning", where=folder, got=error.strerror) from error
    if strange:
        do = "Choose another --out."
        raise RunError("not the folder of a tuning", where=folder, expected="an empty one", do=do)


def _lived(
    agenda: Agenda,
    ledger: Ledger,
    folder: Path,
    means: _Means,
    *,
    then: Agenda | None = None,
    is_asked: bool = True,
) -> Findings:
    """Everything that a sweep has, after what is missing was run.

    Args:
        folder: of the sweep.
        then: what is run afterwards, without being asked about again.
        is_asked: whether a long sweep needs a yes.
    """
    from evolora_mesa.study.sweep.conclusion import write_conclusion
    from evolora_mesa.study.sweep.findings import Findings
    from evolora_mesa.study.sweep.folder import SPEC_FILE
    from evolora_mesa.study.sweep.supervisor import rows_of

    if agenda.ready(ledger.results):
        with means.engine() as running:
            if is_asked:
                lines, objections = _planned(agenda, ledger.results, running, then)
                if not means.quiet:
                    print(*lines, sep="\n", flush=True)
                if objections and not means.yes:
                    raise ConfigError(f"not started: {'; '.join(objections)}", do="Give --yes if that is meant.")
            ended_by = live(agenda, running, ledger, folder, quiet=means.quiet)
        if ended_by:
            over = sum(run.key in ledger.results for run in agenda.runs(ledger.results))
            print(f"{over} of {agenda.most} runs in {folder} are done; the same command goes on: {means.again}")
            raise typer.Exit(exit_code(ended_by))
    findings = Findings(agenda.spec, tuple(rows_of(agenda, ledger)))
    write_conclusion(folder, findings)
    tell_failed(findings.rows, shlex.join(["evolora", "sweep", str(folder / SPEC_FILE), "--out", str(folder)]))
    return findings


def _planned(
    agenda: Agenda, results: Mapping[str, Result], engine: Engine, then: Agenda | None
) -> tuple[list[str], list[str]]:
    """What is ahead, for people, and why somebody has to say yes first.

    How long a run takes is found out on the search's own: a pilot of the comparison would look at `test` early.
    """
    from evolora_mesa.study.sweep.check import plan_of

    plan = plan_for(agenda, results, engine)
    if then is None:
        return plan.lines(), plan.objections()
    later = plan_of(then, {}, plan.workers, plan.pilot)
    whole = replace(plan, most=plan.most + later.most)
    return [plan.lines()[0], later.lines()[0], *whole.lines()[1:]], whole.objections()


def _tell(folder: Path, tuned: Tuned) -> None:
    """Write what came out, and say it."""
    from evolora_mesa.record.report.page import to_html
    from evolora_mesa.study.sweep.conclusion import write_changed

    write_changed(folder, {PAGE_FILE: to_html(tuned.document())})
    print(*tuned.told(), sep="\n")
    files = (BEST_FILE, PAGE_FILE, f"{SEARCH_FOLDER}/", f"{REPORT_FOLDER}/")
    print(f"Written to {folder}: {', '.join(files)}")
