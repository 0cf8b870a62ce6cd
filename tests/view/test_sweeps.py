"""The Sweeps page: how far a sweep is, what it says, and what failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import ipyvuetify as vw
import pytest
import solara
from made_sweep import done, failed, rows_of, spec_of, write_sweep
from page_at_hand import PageAtHand
from staged import wait_for

from evolora_mesa.study.sweep.findings import Findings
from evolora_mesa.view.charts.cells import cells_chart
from evolora_mesa.view.pages.sweeps import SweepsPage
from evolora_mesa.view.theme import LIGHT

METRICS = {"accuracy": {"figure": "accuracy"}, "population": {"figure": "population"}}


@pytest.fixture
def sweeps(tmp_path: Path) -> Iterator[PageAtHand]:
    session = SimpleNamespace(
        runs_folder=tmp_path / "runs", sweeps_folder=tmp_path / "sweeps", dark=solara.Reactive(False)
    )
    at_hand = PageAtHand(SweepsPage(session))
    yield at_hand
    at_hand.close()


def made(folder: Path) -> None:
    spec = spec_of(metrics=METRICS)
    values = {"accuracy": 0.25, "population": 8.0}
    write_sweep(
        folder, spec, rows_of(spec, lambda _, seed: failed("ValueError: <b>no</b>") if seed == 33 else done(values))
    )


def test_no_sweep_yet_says_how_to_make_one(sweeps: PageAtHand) -> None:
    sweeps.reads("evolora sweep smoke")


def test_a_sweep_tells_its_progress_its_cells_and_its_failures(sweeps: PageAtHand, tmp_path: Path) -> None:
    made(tmp_path / "sweeps" / "made")
    sweeps.reads("8 of 12 runs done, 4 failed")
    assert any("0.25" in cell for row in sweeps.table("Cells")[1] for cell in row["cells"])
    assert {row["cells"][3] for row in sweeps.table("Failed runs")[1]} == {"ValueError: <b>no</b>"}


def test_another_metric_is_drawn_when_it_is_chosen(sweeps: PageAtHand, tmp_path: Path) -> None:
    made(tmp_path / "sweeps" / "made")
    sweeps.reads("8 of 12 runs done")
    sweeps.put(vw.Select, "Metric", "population")
    wait_for(lambda: sweeps.chart()[0].label.startswith("population in"), "the other metric")


def test_cells_are_drawn_with_whiskers_where_there_are_seeds() -> None:
    spec = spec_of()
    rows = Findings(spec, tuple(rows_of(spec, lambda _, seed: seed / 100))).of("accuracy")
    option = cells_chart(spec, rows, LIGHT)
    assert option is not None and len(option["series"]) == len(rows) + 1
    assert option["series"][-1]["data"][0]["value"][0] == pytest.approx(0.22)
    nothing = Findings(spec, tuple(rows_of(spec, lambda *_: None))).of("accuracy")
    assert cells_chart(spec, nothing, LIGHT) is None
