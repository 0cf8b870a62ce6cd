"""``evolora summary``: what a sweep says so far, from its folder alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evolora_mesa.cli_run import given_path
from evolora_mesa.errors import ConfigError

if TYPE_CHECKING:
    from evolora_mesa.study.sweep.findings import Findings

__all__ = ["FORMATS", "check_format", "summary", "told_as"]

FORMATS = ("md", "csv", "json")


def summary(
    sweep: Annotated[Path, typer.Argument(parser=given_path, metavar="DIR", help="The folder of a sweep.")],
    form: Annotated[
        str, typer.Option("--format", metavar="md|csv|json", help="The report, the table of cells, or everything.")
    ] = "md",
    open_it: Annotated[bool, typer.Option("--open", help="Make report.html anew and show it in a browser.")] = False,
) -> None:
    """Tell what came out of a sweep: cells, intervals, differences, effects; also while it runs."""
    check_format(form)
    from evolora_mesa.study.sweep.findings import Findings
    from evolora_mesa.study.sweep.results import read_results

    findings = Findings(*read_results(sweep))
    if not open_it:
        print(told_as(findings, form), end="")
        return
    from evolora_mesa.record.report.page import to_html
    from evolora_mesa.record.report.writing import show, write
    from evolora_mesa.study.sweep.report import REPORT_FILE, report_of

    path = sweep / REPORT_FILE
    write(path, to_html(report_of(findings)), new=False)
    print(f"Written to {path}")
    if not show(path):
        print("No browser can be opened from here.", file=sys.stderr)


def check_format(form: str) -> None:
    """Refuse what is none of `FORMATS`.

    Raises:
        ConfigError: it is not.
    """
    if form not in FORMATS:
        raise ConfigError("no such format", where="--format", expected=" | ".join(FORMATS), got=form)


def told_as(findings: Findings, form: str) -> str:
    """A sweep as text of one of `FORMATS`, with a line end."""
    if form == "json":
        return findings.as_json() + "\n"
    if form == "csv":
        from evolora_mesa.study.sweep.summary import summary_csv

        return summary_csv(findings.spec, findings.summary)
    from evolora_mesa.record.report.markdown import to_markdown
    from evolora_mesa.study.sweep.report import report_of

    return to_markdown(report_of(findings))
