"""Progress says how far a sweep is, how long it will take, and which cell leads; lines without a terminal."""

from __future__ import annotations

import io

from made_sweep import done, failed, rows_of, spec_of
from rich.console import Console

from evolora_mesa.study.sweep.progress import LinesView, Progress, Standing, TableView, View, progress_for


class Seen(View):
    def __init__(self) -> None:
        self.last = Standing(0, 0, 0, 0, None, "")

    def show(self, standing: Standing) -> None:
        self.last = standing


def rows_after(ended: int, seconds: float = 10.0, spec=None):
    """The first so many of twelve runs have ended."""
    rows = rows_of(spec or spec_of(), lambda levels, seed: done({"accuracy": levels["ticket"]}, wall_seconds=seconds))
    return [row if place < ended else row._replace(result=None) for place, row in enumerate(rows)]


def test_time_left_is_foreseen_from_the_runs_of_this_sitting() -> None:
    seen, time = Seen(), [100.0]
    progress = Progress(spec_of(), 12, 2, seen, now=lambda: time[0])
    progress.show(rows_after(2, seconds=500.0), 2)
    assert seen.last.seconds_left is None and (seen.last.done, seen.last.running, seen.last.total) == (2, 2, 12)
    later = [*rows_after(2, seconds=500.0)[:2], *rows_after(5)[2:]]
    progress.show(later, 2)
    assert seen.last.seconds_left == 4 * 10.0  # seven runs on two workers
    time[0] += 15.0
    progress.show(later, 2)
    assert seen.last.seconds_left == 25.0
    time[0] += 500.0
    progress.show(later, 2)
    assert seen.last.seconds_left == 0.0
    progress.show(rows_after(12), 0)
    assert seen.last.seconds_left is None


def test_the_best_cell_so_far_is_shown_with_its_interval() -> None:
    seen = Seen()
    Progress(spec_of(), 12, 1, seen).show(rows_after(9), 1)
    assert seen.last.best == "ticket=1.0, world=static: accuracy 1 ± 0"


def test_nothing_is_computed_while_nothing_ends(monkeypatch) -> None:
    calls = []
    monkeypatch.setattr("evolora_mesa.study.sweep.summary.summarize", lambda *given: calls.append(given) or [])
    progress = Progress(spec_of(), 12, 1, Seen())
    for ended in (3, 3, 3, 4):
        progress.show(rows_after(ended), 1)
    assert len(calls) == 2


def test_without_a_terminal_there_are_plain_lines() -> None:
    stream = io.StringIO()
    with progress_for(spec_of(), 12, 2, stream) as progress:
        for ended in (0, 1, 1, 2):
            progress.show(rows_after(ended), 2)
    first, second = stream.getvalue().splitlines()
    assert first == "1 of 12 done, 2 running, about 1:00 left; best ticket=0.5, world=static: accuracy 0.500 (one seed)"
    assert second.startswith("2 of 12 done")
    assert "\x1b" not in stream.getvalue()


def test_many_runs_do_not_flood_a_log_and_failures_are_told_at_once() -> None:
    stream = io.StringIO()
    view = LinesView(stream)
    for ended in range(501):
        view.show(Standing(ended, ended // 250, 0, 500 + 2, None, ""))
    told = stream.getvalue().splitlines()
    assert 45 <= len(told) <= 55
    assert "250 of 502 done, 1 failed" in told and told[-1] == "500 of 502 done, 2 failed"


def test_quiet_is_silent() -> None:
    stream = io.StringIO()
    with progress_for(spec_of(), 12, 2, stream, quiet=True) as progress:
        progress.show(rows_after(3), 2)
    assert stream.getvalue() == ""


def test_a_terminal_gets_a_table_that_stays() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=100, markup=False)
    with TableView(console, "sweep [bold]x") as view:
        view.show(Standing(3, 1, 2, 12, 61.0, "x=1: accuracy 0.5 ± 0.1"))
    text = stream.getvalue()
    assert "sweep [bold]x" in text and "3/12" in text and "1:01" in text and "accuracy 0.5 ± 0.1" in text


def test_an_error_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in Standing(1, 0, 0, 2, None, "x=\x1b[2J: a 1").line()
    assert failed().failure == "raised"
