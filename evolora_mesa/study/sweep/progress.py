"""How a sweep is going, while it goes: a table that is redrawn, lines where nobody sees a terminal, or nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, NamedTuple, TextIO

from evolora_mesa.errors import one_line
from evolora_mesa.record.live import clock
from evolora_mesa.study.sweep.results import Row
from evolora_mesa.study.sweep.spec import SweepSpec

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

__all__ = ["LinesView", "Progress", "Standing", "TableView", "View", "progress_for"]

_LINES: Final = 50  # of a whole sweep, beside those for failures


class Standing(NamedTuple):
    """Where a sweep stands.

    Attributes:
        total: runs, at most: cells that are known well enough need fewer.
        seconds_left: `None` before a run has ended in this sitting, and at the end.
        best: the best cell with its interval; empty without one.
    """

    done: int
    failed: int
    running: int
    total: int
    seconds_left: float | None
    best: str

    def line(self) -> str:
        """All of it on one line."""
        parts = [f"{self.done} of {self.total} done"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.running} running"] if self.running else []
        parts += [f"about {clock(self.seconds_left)} left"] if self.seconds_left is not None else []
        return one_line(", ".join(parts) + (f"; best {self.best}" if self.best else ""))


class View:
    """Shows nothing; the base of those that do. A context manager, left when the sweep ends."""

    def show(self, standing: Standing) -> None:
        """Called when a run has begun or ended, and every second or so."""

    def __enter__(self) -> View:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


class LinesView(View):
    """A line whenever a fiftieth of the runs have ended, and one for every failure: for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._told = stream, Standing(0, 0, 0, 0, None, "")

    def show(self, standing: Standing) -> None:
        new = standing.done + standing.failed - self._told.done - self._told.failed
        is_over = standing.done + standing.failed == standing.total
        if new >= max(standing.total / _LINES, 1) or standing.failed > self._told.failed or (new and is_over):
            print(standing.line(), file=self._stream, flush=True)
            self._told = standing


class TableView(View):
    """A table that is redrawn in its place, and stays with its last state."""

    def __init__(self, console: Console, title: str) -> None:
        from rich.live import Live

        self._title, self._standing = title, Standing(0, 0, 0, 0, None, "")
        self._live = Live(console=console, get_renderable=self.table, refresh_per_second=4)

    def show(self, standing: Standing) -> None:
        self._standing = standing

    def __enter__(self) -> TableView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def table(self) -> Table:
        """The table as it is now; called by the thread that draws."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        standing = self._standing
        table = Table(
            title=Text(one_line(self._title)),  # a name may hold what rich takes for markup
            caption=Text("Ctrl-C ends the sweep; the same command goes on with it"),
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            show_edge=False,
        )
        for name in ("done", "failed", "running", "ETA"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("best cell so far")
        left = "-" if standing.seconds_left is None else clock(standing.seconds_left)
        done = f"{standing.done}/{standing.total}"
        table.add_row(done, str(standing.failed), str(standing.running), left, Text(one_line(standing.best) or "-"))
        return table


class Progress:
    """Follows a sweep from its rows and shows it. A context manager, left when the sweep ends.

    Args:
        total: runs, at most.
        workers: runs at a time.
        view: where it is shown.
        now: clock in seconds.
    """

    def __init__(
        self, spec: SweepSpec, total: int, workers: int, view: View, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._spec, self._total, self._workers, self._view, self._now = spec, total, max(workers, 1), view, now
        self._before: frozenset[str] | None = None  # runs that had ended when this sitting began
        self._ended = -1
        self._standing = Standing(0, 0, 0, total, None, "")
        self._ends: float | None = None  # when, on the clock

    def __enter__(self) -> Progress:
        self._view.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._view.__exit__(kind, error, trace)

    def show(self, rows: Sequence[Row], running: int) -> None:
        """Called with all runs when something may have changed; nothing is computed unless one has ended.

        Args:
            running: how many are.
        """
        ended = {row.key: row for row in rows if row.result is not None}
        if self._before is None:
            self._before = frozenset(ended)
        placed = sum(row.result is not None for row in rows)
        if placed != self._ended:
            self._ended = placed
            self._standing = self._looked_at(rows, placed)
            self._ends = self._foreseen(ended, placed)
        left = None if self._ends is None else max(self._ends - self._now(), 0.0)
        self._view.show(self._standing._replace(running=running, seconds_left=left))

    def _looked_at(self, rows: Sequence[Row], placed: int) -> Standing:
        from evolora_mesa.study.sweep.plots import told_interval
        from evolora_mesa.study.sweep.summary import best_cell, main_metric, summarize, told_cell

        failed = sum(row.status == "failed" for row in rows)
        best = best_cell(self._spec, summarize(self._spec, rows, [main_metric(self._spec)]))
        told = ""
        if best is not None:
            told = f"{told_cell(self._spec, best.levels)}: {best.metric} {told_interval(best.interval)}"
        return Standing(placed - failed, failed, 0, self._total, None, told)

    def _foreseen(self, ended: dict[str, Row], placed: int) -> float | None:
        """When all will have ended, if runs go on as those of this sitting went."""
        lived = [
            row.result.wall_seconds for key, row in ended.items() if row.result and key not in (self._before or ())
        ]
        missing = self._total - placed
        if not lived or missing <= 0:
            return None
        return self._now() + math.ceil(missing / self._workers) * sum(lived) / len(lived)


def progress_for(spec: SweepSpec, total: int, workers: int, stream: TextIO, *, quiet: bool = False) -> Progress:
    """What fits a stream: a live table in a terminal, else plain lines; nothing when ``quiet``."""
    view = View() if quiet else LinesView(stream)
    if not quiet and stream.isatty():  # rich's own guess can be forced by the environment
        from rich.console import Console

        console = Console(file=stream, highlight=False, markup=False, emoji=False)
        if not console.is_dumb_terminal:
            view = TableView(console, f"sweep {spec.name}: {total} runs, {workers} at a time")
    return Progress(spec, total, workers, view)
