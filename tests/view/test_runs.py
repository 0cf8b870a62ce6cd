"""The Runs runs: what is listed, opened, replayed and compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import ipyvuetify as vw
import pytest
import solara
from made_run import make_run
from page_at_hand import PageAtHand
from staged import wait_for

from evolora_mesa.view.chart import ChartWidget
from evolora_mesa.view.charts.compare import FIGURES, compare_chart
from evolora_mesa.view.course import Course
from evolora_mesa.view.pages.runs import RunsPage
from evolora_mesa.view.theme import LIGHT


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[PageAtHand]:
    (tmp_path / "runs").mkdir()
    session = SimpleNamespace(
        runs_folder=tmp_path / "runs", sweeps_folder=tmp_path / "sweeps", run="", dark=solara.Reactive(False)
    )
    at_hand = PageAtHand(RunsPage(session))
    yield at_hand
    at_hand.close()


def open_first(runs: PageAtHand) -> None:
    listed, rows = runs.table("Runs")
    listed.vue_clicked(rows[0]["id"])


def grid_label(runs: PageAtHand) -> str:
    charts = [chart.label for chart in runs.tree.find(ChartWidget).widgets if chart.label.startswith("Task grid")]
    return charts[0] if charts else ""


def test_no_run_yet_says_how_to_make_one(runs: PageAtHand) -> None:
    runs.reads("evolora run ecology")


def test_a_run_that_comes_while_one_looks_is_listed(runs: PageAtHand, tmp_path: Path) -> None:
    runs.reads("evolora run ecology")
    make_run(tmp_path / "runs" / "late", 3)
    assert runs.table("Runs")[1][0]["cells"][0] == "late"


def test_a_run_is_opened_at_its_end_and_shows_any_generation(runs: PageAtHand, tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "one", 4)
    open_first(runs)
    wait_for(lambda: "generation 4" in grid_label(runs), "the last picture")
    runs.labelled(vw.Slider, "Generation").v_model = 2
    wait_for(lambda: "generation 2" in grid_label(runs), "the second picture")


def test_a_replay_goes_on_to_the_end_by_itself(runs: PageAtHand, tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "one", 2)
    open_first(runs)
    runs.click("Replay")
    wait_for(lambda: "generation 1" in grid_label(runs), "the first generation")
    wait_for(lambda: "generation 2" in grid_label(runs), "the last generation")


def test_a_run_that_cannot_be_read_says_why(runs: PageAtHand, tmp_path: Path) -> None:
    (make_run(tmp_path / "runs" / "bad", 2) / "run.sqlite").write_bytes(b"not a database " * 100)
    row = runs.table("Runs")[1][0]
    assert row["id"] is None and "unreadable: " in row["cells"][4]


def test_runs_are_compared_by_one_figure(runs: PageAtHand, tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "short", 3)
    make_run(tmp_path / "runs" / "long", 6, seed=1)
    runs.table("Runs")
    runs.reads("Choose two or more runs above.")
    runs.labelled(vw.Select, "Runs").v_model = ["short", "long"]
    rows = runs.table("Ends of the runs")[1]
    assert [row["cells"][0] for row in rows] == ["short", "long"] and rows[1]["cells"][2] == "6"


def test_a_comparison_has_a_curve_a_run_and_a_named_axis() -> None:
    courses = {
        name: Course.of({"generation": range(length), "mean_roi": [1.0] * length})
        for name, length in (("a", 3), ("b", 5))
    }
    option = compare_chart("mean_roi", courses, LIGHT)
    assert option is not None and [line["name"] for line in option["series"]] == ["a", "b"]
    assert option["xAxis"]["max"] == 4 and FIGURES["mean_roi"].unit in option["yAxis"]["name"]
    assert compare_chart("births", courses, LIGHT) is None
