"""Where a report is written. A report of its own place is made anew; a file that the user names has to be new."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evolora_mesa.errors import RunError
from evolora_mesa.record.layout import REPORT_FOLDER
from evolora_mesa.record.phylogeny import check_new

__all__ = ["ANIMATION_FILE", "COMPARISON_FILE", "PAGE_FILE", "animation_path", "page_path", "show", "write"]

PAGE_FILE = "report.html"
COMPARISON_FILE = "comparison.html"
ANIMATION_FILE = "cells.gif"


def page_path(runs: Sequence[Path], out: Path | None) -> Path:
    """The page's place; of several runs it is with the first one.

    Raises:
        RunError: the file that the user names is there already.
    """
    return _place(runs[0], PAGE_FILE if len(runs) == 1 else COMPARISON_FILE, out)


def animation_path(run: Path, out: Path | None) -> Path:
    """As `page_path`."""
    return _place(run, ANIMATION_FILE, out)


def _place(run: Path, name: str, out: Path | None) -> Path:
    if out is None:
        return run / REPORT_FOLDER / name
    check_new(out)
    return out


def write(path: Path, content: str | bytes, *, new: bool) -> None:
    """Write a file aside and put it in its place, so that it is never there by half.

    Args:
        new: a file that is there by now is left alone.

    Raises:
        RunError: it cannot be written.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        if not new:
            path.parent.mkdir(exist_ok=True)
        handle, made = tempfile.mkstemp(prefix=".report-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(made, 0o666 & ~_mask())  # temporary files are their owner's alone
            if new:
                check_new(path)
            os.replace(made, path)
        except BaseException:
            os.unlink(made)
            raise
    except OSError as error:
        raise RunError(
            "cannot write the report", where=path, got=error.strerror or str(error), do="Choose another --out."
        ) from error


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def show(path: Path) -> bool:
    """Open the page in the user's browser; whether that could be done."""
    import webbrowser

    return webbrowser.open(path.resolve().as_uri())
