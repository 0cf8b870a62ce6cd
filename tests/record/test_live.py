"""What is shown while a world runs: lines that suit a file, a table that suits a terminal."""

from __future__ import annotations

import errno
import io
import itertools
import math
from collections.abc import Iterator
from typing import cast

import pytest
from rich.console import Console

from evolora_mesa.model import EcologyModel
from evolora_mesa.record.interrupt import Interrupt
from evolora_mesa.record.live import PlainView, SilentView, TableView, clock, open_view, play


def row(generation: int, **figures: float) -> dict[str, float]:
    return {
        "generation": generation,
        "population": 32,
        "mean_roi": 1.234,
        "accuracy": 0.4567,
        "energy_organelles": 123.45,
        "births": 10,
        "merges": 3,
        "deaths": 12,
        "episodes": 256 if generation else 0,
        **figures,
    }


def seconds(step: float) -> Iterator[float]:
    return itertools.count(0.0, step)


@pytest.mark.parametrize(
    ("span", "text"), [(0, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3600, "1:00:00"), (36_061, "10:01:01")]
)
def test_a_span_of_time_reads_like_a_clock(span: float, text: str) -> None:
    assert clock(span) == text


def test_a_plain_line_holds_all_figures() -> None:
    stream = io.StringIO()
    now = iter([0.0, 0.0, 0.0, 0.0, 2.0, 2.0, 2.0])
    view = PlainView(stream, 4, lambda: next(now))
    view.show(row(0, mean_roi=math.nan))
    view.show(row(1))
    first, second = stream.getvalue().splitlines()
    assert first == (
        "generation 0/4  alive 32  ROI -  accuracy 45.7 %  energy 123.5  born/died/merged 10/12/3  episodes/s -  ETA -"
    )
    assert second.endswith("episodes/s 128  ETA 0:06")
    assert "ROI 1.23" in second


def test_plain_lines_come_about_every_second_and_at_the_end() -> None:
    stream = io.StringIO()
    time = 0.0
    view = PlainView(stream, 100, lambda: time)
    for generation in range(101):
        time += 0.1
        view.show(row(generation))
    shown = [int(line.split()[1].partition("/")[0]) for line in stream.getvalue().splitlines()]
    assert shown[0] == 0 and shown[-1] == 100
    assert 9 <= len(shown) <= 12


def test_the_last_line_of_an_extinct_world_is_shown() -> None:
    stream = io.StringIO()
    view = PlainView(stream, 100, lambda: 0.0)
    view.show(row(0))
    view.show(row(1))
    view.show(row(2, population=0))
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["0/100", "2/100"]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_table_fits_the_terminal_and_keeps_the_last_generations(width: int) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=width, height=30)
    ticks = seconds(0.5)
    view = TableView(console, "ecology, seed 0", 4096, lambda: next(ticks))
    for generation in range(4000, 4040):
        view.show(row(generation, population=1024, births=100, deaths=100, energy_organelles=12345.6))
    view.close()
    plain = Console(file=io.StringIO(), width=width)
    plain.print(view.table())
    lines = plain.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= width
    shown = [line.split()[0] for line in lines if "/4096" in line]
    assert shown == [f"{generation}/4096" for generation in range(4028, 4040)]
    assert all("…" not in line for line in lines)
    assert ("per s" if width < 90 else "episodes/s") in lines[1]


def test_a_stream_that_is_no_terminal_gets_lines_and_a_quiet_one_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    assert isinstance(open_view(io.StringIO(), "ecology", 3), PlainView)
    assert isinstance(open_view(io.StringIO(), "ecology", 3, quiet=True), SilentView)


def test_a_title_with_markup_is_shown_as_it_is() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=80)
    view = TableView(console, "[/red] :smile: \x9b2J, seed 0", 3)
    view.show(row(1))
    view.close()
    plain = Console(file=io.StringIO(), width=80)
    plain.print(view.table())
    assert "[/red] :smile: \\x9b2J, seed 0" in plain.file.getvalue()  # type: ignore[attr-defined]


class World:
    """Lives as long as it is asked to."""

    tick, running = 0, True

    @property
    def snapshot(self) -> World:
        return self

    @property
    def row(self) -> dict[str, float]:
        return row(self.tick)

    def step(self) -> None:
        self.tick += 1


class FailingView(SilentView):
    """Cannot show anything."""

    def __init__(self, failure: OSError) -> None:
        self.failure = failure

    def show(self, row: object) -> None:
        raise self.failure

    def close(self) -> None:
        raise self.failure


@pytest.mark.parametrize(
    ("failure", "outcome", "generations"),
    [
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "output closed", 1),
        (OSError(errno.ENOSPC, "No space left on device"), "finished", 4),
        (OSError(errno.EIO, "Input/output error"), "finished", 4),
    ],
)
def test_a_run_ends_when_its_reader_goes_and_lives_on_when_the_view_fails(
    failure: OSError, outcome: str, generations: int
) -> None:
    rows: list[object] = []
    world = cast(EcologyModel, World())
    assert play(world, 3, FailingView(failure), Interrupt(lambda: None), rows.append) == outcome
    assert len(rows) == generations
