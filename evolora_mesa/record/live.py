"""Living through a run: a table or plain lines to watch, an orderly end when asked for it, a summary at the end."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TextIO

from evolora_mesa import __version__
from evolora_mesa.errors import HostError, one_line
from evolora_mesa.record.ends import ends_of
from evolora_mesa.record.interrupt import Interrupt

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from evolora_mesa.model import EcologyModel
    from evolora_mesa.record.runfolder import RunFolder
    from evolora_mesa.record.store import RunStore

__all__ = [
    "Outcome",
    "PlainView",
    "SilentView",
    "TableView",
    "View",
    "clock",
    "open_view",
    "play",
    "record_run",
    "summarise",
]

Row = Mapping[str, float]
Outcome = Literal["finished", "extinct", "interrupted", "output closed"]

_SECONDS_BETWEEN_LINES = 1.0
_ROWS_SHOWN = 12
_NARROW = 90  # columns below which headings are shortened
_SHORT: Final = {"generation": "gen", "episodes/s": "per s", "born/died/merged": "b/d/m"}
_SUCCESS: Final = "SELECT success_rate FROM generations WHERE generation > 0 ORDER BY generation"
_STOPPING = "finishing this generation; Ctrl-C again leaves at once"


class View(Protocol):
    """Somebody who looks on while a world runs."""

    def show(self, row: Row) -> None:
        """A generation is over; ``row`` holds its figures by reporter name."""

    def stopping(self) -> None:
        """A signal asked for the end; called inside its handler."""

    def close(self) -> None:
        """The run is over."""


class SilentView:
    """Looks away."""

    def show(self, row: Row) -> None:
        pass

    def stopping(self) -> None:
        pass

    def close(self) -> None:
        pass


class PlainView:
    """One line about every second, without any control codes.

    Args:
        stream: where the lines go.
        generations: of the whole run.
        now: clock in seconds.
    """

    def __init__(self, stream: TextIO, generations: int, now: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._now = stream, now
        self._pace = _Pace(generations, now)
        self._last = -math.inf

    def show(self, row: Row) -> None:
        figures = self._pace.figures(row)
        due = self._now() - self._last >= _SECONDS_BETWEEN_LINES
        if due or self._pace.over(row):
            print(
                "  ".join(f"{name} {figure}" for name, figure in figures.items()),
                file=self._stream,
                flush=True,
            )
            self._last = self._now()

    def stopping(self) -> None:
        with contextlib.suppress(OSError):  # the terminal can be gone
            os.write(2, f"{_STOPPING}\n".encode())  # a handler may not touch a buffered stream in use

    def close(self) -> None:
        pass


class TableView:
    """The last generations as a table that is drawn anew in place.

    Args:
        console: a terminal.
        title: shown above the table.
        generations: of the whole run.
        now: clock in seconds.
    """

    def __init__(
        self, console: Console, title: str, generations: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        from rich.live import Live

        self._console, self._title = console, title
        self._pace = _Pace(generations, now)
        self._rows: tuple[dict[str, str], ...] = ()
        self._note = "Ctrl-C ends the run and keeps its files"
        self._live = Live(console=console, get_renderable=self.table, refresh_per_second=4)
        self._live.start()

    def show(self, row: Row) -> None:
        shown = max(1, min(_ROWS_SHOWN, self._console.height - 6))
        self._rows = (*self._rows[1 - shown :], self._pace.figures(row)) if shown > 1 else (self._pace.figures(row),)

    def stopping(self) -> None:
        self._note = _STOPPING

    def close(self) -> None:
        self._note = ""
        self._live.stop()

    def table(self) -> Table:
        """The table as it is now; called by the thread that draws."""
        from rich import box
        from rich.table import Table
        from rich.text import Text

        narrow = self._console.width < _NARROW
        table = Table(
            title=Text(one_line(self._title)),  # a name may hold what rich takes for markup
            caption=self._note or None,
            box=box.SIMPLE_HEAD,
            padding=(0, 0 if narrow else 1),
            pad_edge=False,
            show_edge=False,
        )
        rows = self._rows
        for name in rows[-1] if rows else ():
            table.add_column(_SHORT.get(name, name) if narrow else name, justify="right", no_wrap=True)
        for figures in rows:
            table.add_row(*figures.values())
        return table


class _Pace:
    """Turns rows of figures into short texts, with the speed since the first row and the time that is left.

    Args:
        generations: of the whole run.
        now: clock in seconds.
    """

    def __init__(self, generations: int, now: Callable[[], float]) -> None:
        self._generations, self._now = generations, now
        self._began, self._episodes = now(), 0.0
        self._first: float | None = None  # generation: a run that is gone on with, or looked at, does not begin at 0

    def over(self, row: Row) -> bool:
        """Whether nothing comes after this generation."""
        return row["generation"] >= self._generations or row["population"] == 0

    def figures(self, row: Row) -> dict[str, str]:
        """Texts by heading."""
        elapsed = self._now() - self._began
        done = row["generation"]
        if self._first is None:
            self._first = done
        else:
            self._episodes += row["episodes"]
        new = done - self._first
        started = new > 0 and elapsed > 0
        return {
            "generation": f"{done:.0f}/{self._generations}",
            "alive": f"{row['population']:.0f}",
            "ROI": "-" if math.isnan(row["mean_roi"]) else f"{row['mean_roi']:.2f}",
            "accuracy": "-" if math.isnan(row["accuracy"]) else f"{100 * row['accuracy']:.1f} %",
            "energy": f"{row['energy_organelles']:.1f}",
            "born/died/merged": f"{row['births']:.0f}/{row['deaths']:.0f}/{row['merges']:.0f}",
            "episodes/s": f"{self._episodes / elapsed:.0f}" if started else "-",
            "ETA": clock((self._generations - done) * elapsed / new) if started else "-",
        }


def clock(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def open_view(stream: TextIO, title: str, generations: int, *, quiet: bool = False) -> View:
    """The view that fits the stream: a live table in a terminal, else plain lines; none when ``quiet``."""
    if quiet:
        return SilentView()
    if stream.isatty():  # rich's own guess can be forced by the environment, into a file of control codes
        from rich.console import Console

        console = Console(file=stream, highlight=False)
        if not console.is_dumb_terminal:
            return TableView(console, title, generations)
    return PlainView(stream, generations)


def play(
    model: EcologyModel,
    generations: int,
    view: View,
    interrupt: Interrupt,
    on_generation: Callable[[Row], None],
) -> Outcome:
    """Step the world to generation ``generations``, to extinction, or until somebody wants it to end.

    Args:
        view: whoever reads it may go away, which ends the run; when it fails otherwise, as on a full disk, the
            run goes on unseen.
        on_generation: gets the row of every generation, that of the founding first; errors pass through.
    """
    outcome: Outcome = "finished"
    show = view.show
    try:
        while True:
            on_generation(model.snapshot.row)
            try:
                show(model.snapshot.row)
            except BrokenPipeError:  # nobody reads any more, as behind `| head`
                return "output closed"
            except OSError:
                show = SilentView().show
            if model.tick >= generations or not model.running or interrupt.requested:
                break
            model.step()
        if not model.running:
            outcome = "extinct"
        elif model.tick < generations:
            outcome = "interrupted"
    finally:
        with contextlib.suppress(OSError):
            view.close()
    return outcome


def record_run(model: EcologyModel, folder: RunFolder, stream: TextIO, *, quiet: bool = False) -> dict[str, Any]:
    """A whole run, from a fresh world to the finished folder, shown on ``stream``.

    Returns:
        What ``summary.json`` says.

    Raises:
        HostError: the host's weights are not what they were before.
        RunError: a file cannot be written.
    """
    config, began, began_cpu = model.config, time.monotonic(), time.process_time()
    first, answered = model.tick, model.totals["episodes"]
    identity = model.host.fingerprint()
    recorded = json.loads(folder.store.meta["host"])
    if recorded.get("weights", identity["weights"]) != identity["weights"]:
        raise HostError("not the host that the run began with", where=config.host.path, do="Restore its weights.")
    folder.attach(model)
    view = open_view(stream, f"{config.name}, seed {config.seed}", config.generations, quiet=quiet)
    with Interrupt(view.stopping) as interrupt:
        outcome = play(model, config.generations, view, interrupt, lambda row: folder.checkpoint(model, due=False))
        if model.host.host.weight_hash() != identity["weights"]:
            raise HostError("the host's weights changed during the run", where=config.host.path)
        folder.checkpoint(model)
        summary = summarise(model, outcome, identity, folder.store)
        summary["ended_by"] = interrupt.requested if outcome == "interrupted" else None
        summary["wall_seconds"] = time.monotonic() - began
        summary["cpu_seconds"] = time.process_time() - began_cpu
        summary["sitting"] = {"generations": model.tick - first, "episodes": model.totals["episodes"] - answered}
        folder.finish(model, summary)
    return summary


def summarise(model: EcologyModel, outcome: Outcome, identity: dict[str, str], store: RunStore) -> dict[str, Any]:
    """What ``summary.json`` says, but for the times.

    Args:
        identity: the host's fingerprint.
        store: of the run.
    """
    import torch

    from evolora_mesa.record.reporters import COUNTED

    success = ends_of(rate for (rate,) in store.rows(_SUCCESS))
    return {
        "world": model.config.name,
        "seed": model.config.seed,
        "outcome": outcome,
        "generations": model.tick,
        "totals": {name: model.totals[name] for name in COUNTED},
        "success_first": success.first if success.generations else None,
        "success_last": success.last if success.generations else None,
        "last": dict(model.snapshot.row),
        "digest": store.digest,
        "ledger_quanta": model.ledger.total(),
        "host": {"path": model.config.host.path, **identity},
        "versions": {"evolora_mesa": __version__, "torch": torch.__version__},
    }
