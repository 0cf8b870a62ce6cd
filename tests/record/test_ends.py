"""What is told of a run's beginning and end is the same wherever it is told."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from world_fixtures import live, tiny_world

from evolora_mesa.host import HostService
from evolora_mesa.record.ends import END, Ends, ends_of
from evolora_mesa.record.live import summarise
from evolora_mesa.record.report.outcome import ends
from evolora_mesa.record.report.reading import read_run
from evolora_mesa.record.runfolder import RunFolder


def test_both_ends_are_means_of_a_few_generations() -> None:
    assert ends_of(range(20)) == Ends(2.0, 17.0, END)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([4.0], (4.0, 4.0, 1)), ([1.0, 3.0], (1.0, 3.0, 1)), ([1.0, 2.0, 3.0, 4.0, 9.0], (1.5, 6.5, 2))],
)
def test_the_ends_of_a_short_run_share_no_generation(values: list[float], expected: tuple[float, float, int]) -> None:
    assert ends_of(values) == expected


def test_what_is_not_known_does_not_count() -> None:
    assert ends_of([None, 1.0, math.nan, 3.0, math.inf]) == Ends(1.0, 3.0, 1)
    nothing = ends_of([None, math.nan])
    assert math.isnan(nothing.first) and math.isnan(nothing.last) and nothing.generations == 0


@pytest.mark.parametrize("generations", [0, 3, 12])
def test_the_summary_and_the_report_tell_the_same_success(petri: HostService, tmp_path: Path, generations: int) -> None:
    world = tiny_world(petri)
    with RunFolder(tmp_path / "run", world.config) as folder:
        folder.attach(world)
        live(world, generations)
        summary = summarise(world, "finished", {}, folder.store)
    told = ends(read_run(tmp_path / "run"), "success_rate")
    if not generations:
        assert (summary["success_first"], summary["success_last"]) == (None, None)
        assert math.isnan(told[0])
    else:
        assert (summary["success_first"], summary["success_last"]) == told
