"""The Runs page: what is listed, opened, replayed and compared."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import ipyvuetify as vw
import pytest
import solara
from made_run import lengthen, made_config, make_run
from page_at_hand import PageAtHand
from staged import still, wait_for

from evolora_mesa.record.lock import RunLock
from evolora_mesa.view import replay
from evolora_mesa.view.chart import ChartWidget
from evolora_mesa.view.charts.compare import FIGURES, compare_chart
from evolora_mesa.view.course import Course
from evolora_mesa.view.playback import read_recording
from evolora_mesa.view.theme import LIGHT


def open_first(runs: PageAtHand) -> None:
    wait_for(lambda: runs.table("Runs")[1][0]["id"], "a run that is no longer being made")
    listed, rows = runs.table("Runs")
    with still(runs.tree):
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
    runs.put(vw.Slider, "Generation", 2)
    wait_for(lambda: "generation 2" in grid_label(runs), "the second picture")


def test_a_run_that_is_being_written_appears_grows_and_is_followed_to_its_end(runs: PageAtHand, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "now"
    make_run(folder, 1, config=made_config(generations=9))
    with RunLock(folder):
        wait_for(lambda: runs.table("Runs")[1][0]["cells"][3:5] == ["1 of 9", "running"], "the run in the list")
        open_first(runs)
        runs.reads("This run is being written; its latest generation is shown as it comes.")
        wait_for(lambda: "generation 1" in grid_label(runs), "what there is of it")
        lengthen(folder, 4)
        wait_for(lambda: "generation 4" in grid_label(runs), "what came")
        wait_for(lambda: runs.table("Runs")[1][0]["cells"][3] == "4 of 9", "its new length in the list")
        runs.put(vw.Slider, "Generation", 2)
        runs.reads("an earlier generation is shown")
        lengthen(folder, 9)
        wait_for(lambda: runs.table("Runs")[1][0]["cells"][3] == "9 of 9", "its end in the list")
        assert "generation 2" in grid_label(runs)  # who looks at something is not torn away from it
        runs.click("Follow")
        wait_for(lambda: "generation 9" in grid_label(runs), "the latest generation")
    wait_for(lambda: runs.table("Runs")[1][0]["cells"][4] == "finished", "its end")
    wait_for(lambda: "is being written" not in runs.text(), "a page that follows nobody")


def test_the_family_tree_of_a_run_that_grows_stays_while_it_is_read_again(runs: PageAtHand, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "now"
    make_run(folder, 1, config=made_config(generations=9))
    with RunLock(folder):
        open_first(runs)
        runs.reads("As of generation 1 of 1")
        runs.put(vw.Switch, "Show those", True)
        lengthen(folder, 4)
        runs.reads("As of generation 4 of 4")
        assert runs.labelled(vw.Switch, "Show those").v_model is True


def test_a_run_that_is_lost_while_one_looks_is_told_and_what_was_seen_stays(runs: PageAtHand, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "now"
    make_run(folder, 2, config=made_config(generations=9))
    with RunLock(folder):
        open_first(runs)
        wait_for(lambda: "generation 2" in grid_label(runs), "the run")
        (folder / "run.sqlite").write_bytes(b"not a database " * 1000)
        runs.reads("What is shown may be out of date: ")
        assert "generation 2" in grid_label(runs)


def test_a_replay_goes_on_to_the_end_by_itself(runs: PageAtHand, tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "one", 2)
    open_first(runs)
    wait_for(lambda: "generation 2" in grid_label(runs), "the last picture")
    shown: list[str] = []
    [grid] = [chart for chart in runs.tree.find(ChartWidget).widgets if chart.label.startswith("Task grid")]
    grid.observe(lambda change: shown.append(change["new"]), "label")
    runs.click("Replay")
    wait_for(lambda: len(shown) > 1 and "generation 2" in shown[-1], "the last picture again")
    assert "generation 0" in shown[0]
    runs.click("Replay")  # and not "Pause replay"


def test_a_replay_shows_one_generation_after_the_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(replay, "_TURN", 0.001)
    wanted, playing, turns = solara.Reactive[int | None](0), solara.Reactive(True), []
    wanted.subscribe(turns.append)
    replay._play(read_recording(make_run(tmp_path / "run", 4)), wanted, playing)
    wait_for(lambda: not playing.value, "its end")
    assert turns == [1, 2, 3, None]  # the latest


def test_a_run_that_cannot_be_read_says_why(runs: PageAtHand, tmp_path: Path) -> None:
    (make_run(tmp_path / "runs" / "bad", 2) / "run.sqlite").write_bytes(b"not a database " * 100)
    wait_for(lambda: "is damaged, or no store" in runs.table("Runs")[1][0]["cells"][4], "why")
    assert runs.table("Runs")[1][0]["id"] is None


def test_runs_are_compared_by_one_figure(runs: PageAtHand, tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "short", 3)
    make_run(tmp_path / "runs" / "long", 6, seed=1)
    runs.reads("Choose two or more runs above.")
    runs.put(vw.Select, "Runs", ["short", "long"])

    def ends() -> list[list[str]]:
        return [[row["cells"][0], row["cells"][2]] for row in runs.table("Ends of the runs")[1]]

    wait_for(lambda: ends() == [["short", "3"], ["long", "6"]], "both, to their ends")


def test_a_run_that_breaks_is_left_out_of_the_comparison_and_says_why(runs: PageAtHand, tmp_path: Path) -> None:
    for name in ("good", "bad", "other"):
        make_run(tmp_path / "runs" / name, 3)
    wait_for(lambda: len(runs.table("Runs")[1]) == 3 and all(row["id"] for row in runs.table("Runs")[1]), "all three")
    runs.reads("Choose two or more runs above.")
    runs.put(vw.Select, "Runs", ["good", "bad", "other"])
    wait_for(lambda: len(runs.table("Ends of the runs")[1]) == 3, "all three")
    with sqlite3.connect(tmp_path / "runs" / "bad" / "run.sqlite") as store:
        store.execute("DELETE FROM generations")
    runs.reads("bad cannot be compared: the run has no generation yet")
    wait_for(lambda: [row["cells"][0] for row in runs.table("Ends of the runs")[1]] == ["good", "other"], "the rest")


def test_a_comparison_has_a_curve_a_run_and_a_named_axis() -> None:
    courses = {
        name: Course.of({"generation": range(length), "mean_roi": [1.0] * length})
        for name, length in (("a", 3), ("b", 5))
    }
    option = compare_chart("mean_roi", courses, LIGHT)
    assert option is not None and [line["name"] for line in option["series"]] == ["a", "b"]
    assert option["xAxis"]["max"] == 4 and FIGURES["mean_roi"].unit in option["yAxis"]["name"]
    assert compare_chart("births", courses, LIGHT) is None
