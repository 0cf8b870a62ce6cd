"""What is shown while a world runs: lines that suit a file, a table that suits a terminal."""

from __future__ import annotations

import io
import itertools
import math
import signal
from collections.abc import Iterator

import pytest
from rich.console import Console

from evolora_mesa.record.live import Interrupt, PlainView, SilentView, TableView, clock, open_view


def row(generation: int, **figures: float) -> dict[str, float]:
    return {
        "generation": generation,
        "population": 32,
        "mean_roi": 1.234,
        "accuracy": 0.4567,
        "energy_organelles": 123.45,
        "births": 10,
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
        "generation 0/4  alive 32  ROI -  accuracy 45.7 %  energy 123.5  born/died 10/12  episodes/s -  ETA -"
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
    assert ("per s" if width < 72 else "episodes/s") in lines[1]


def test_a_stream_that_is_no_terminal_gets_lines_and_a_quiet_one_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    assert isinstance(open_view(io.StringIO(), "ecology", 3), PlainView)
    assert isinstance(open_view(io.StringIO(), "ecology", 3, quiet=True), SilentView)


def test_the_first_ctrl_c_asks_and_the_second_leaves() -> None:
    told: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Interrupt(lambda: told.append("told")) as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested
        assert told == ["told"]
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == before
