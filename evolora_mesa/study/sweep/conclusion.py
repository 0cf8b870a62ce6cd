"""What a sweep leaves when nothing is missing: tables, effects, a report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evolora_mesa.record.report.page import to_html
from evolora_mesa.study.sweep.effects import EFFECTS_FILE, effects_csv, is_factorial
from evolora_mesa.study.sweep.findings import Findings
from evolora_mesa.study.sweep.report import REPORT_FILE, report_of
from evolora_mesa.study.sweep.results import RESULTS_FILE, results_csv, write_text
from evolora_mesa.study.sweep.summary import SUMMARY_FILE, summary_csv

__all__ = ["write_changed", "write_conclusion"]


def write_conclusion(folder: Path, findings: Findings) -> list[str]:
    """Write all that follows from the runs; a file that says so already is left as it is.

    Returns:
        What came out, in a few lines for people.

    Raises:
        RunError: a file cannot be written.
    """
    spec, report = findings.spec, report_of(findings)
    texts = {
        RESULTS_FILE: results_csv(spec, findings.rows),
        SUMMARY_FILE: summary_csv(spec, findings.summary),
        **({EFFECTS_FILE: effects_csv(findings.effects)} if is_factorial(spec) else {}),
        REPORT_FILE: to_html(report),
    }
    write_changed(folder, texts)
    return [*report.told, f"Written to {folder}: {', '.join(texts)}"]


def write_changed(folder: Path, texts: Mapping[str, str]) -> None:
    """Write texts into files by name; a file that says so already is left as it is.

    Raises:
        RunError: a file cannot be written.
    """
    for name, text in texts.items():
        if _text(folder / name) != text:
            write_text(folder / name, text)


def _text(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):  # none, or not ours: it is written
        return None
