"""The Runs page lists runs of classic models, opens them, and says what it does not do with them."""

from __future__ import annotations

import os
from pathlib import Path

import ipyvuetify as vw
import pytest
from made_classic import DAMAGES, damage, founded_run, killed_run, made_run_of
from made_run import make_run
from page_at_hand import PageAtHand
from staged import wait_for

from evolora_mesa.alife.runs import CHECKPOINT_FILE, live, reached, taken_up
from evolora_mesa.record.lock import RunLock
from evolora_mesa.view.chart import ChartWidget
from evolora_mesa.view.classic_run import read_classic_record
from evolora_mesa.view.library import Library


def open_run(runs: PageAtHand, name: str) -> None:
    wait_for(lambda: name in [row["id"] for row in runs.table("Runs")[1]], f"the run {name}")
    runs.table("Runs")[0].vue_clicked(name)


def labels(runs: PageAtHand) -> list[str]:
    return [chart.label for chart in runs.tree.find(ChartWidget).widgets]


# ---------------------------------------------------------------- the list


def test_classics_are_listed_beside_worlds_with_how_far_they_are(tmp_path: Path) -> None:
    made_run_of("WolfSheep", tmp_path / "runs" / "done", seed=7)
    killed_run(tmp_path / "runs" / "cut", after=21)
    make_run(tmp_path / "runs" / "ours", 2)
    shelf = Library(tmp_path / "runs", tmp_path / "sweeps")
    entries = {entry.name: entry for entry in shelf.runs()}
    done, cut = entries["done"], entries["cut"]
    assert (done.world, done.seed, done.generation, done.asked, done.state) == ("WolfSheep", "7", 30, 30, "finished")
    assert (cut.world, cut.generation, cut.asked, cut.state) == ("NKWorld", 16, 30, "stopped")
    assert done.classic and not entries["ours"].classic and done.population is None
    with RunLock(tmp_path / "runs" / "cut"):
        assert {entry.name: entry.state for entry in shelf.runs()}["cut"] == "running"


@pytest.mark.parametrize("how", DAMAGES)
def test_a_model_that_ended_by_itself_and_a_damaged_run_are_told_apart(how: str, tmp_path: Path) -> None:
    made_run_of("WolfSheep", tmp_path / "runs" / "dead", steps=500, sheep=0, wolves=2, grass=False)
    damage(made_run_of("NKWorld", tmp_path / "runs" / "bad"), how)
    entries = {entry.name: entry for entry in Library(tmp_path / "runs", tmp_path / "sweeps").runs()}
    assert entries["dead"].state == "ended" and entries["dead"].generation < 500
    assert entries["bad"].state == "unreadable" and "checkpoint cannot be read" in entries["bad"].trouble


def test_how_far_a_run_is_is_read_without_its_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = made_run_of("NKWorld", tmp_path / "run")
    monkeypatch.setattr("json.loads", lambda text: pytest.fail("the whole state was read"))
    assert reached(run) == 30


def test_a_run_without_any_checkpoint_is_listed_as_just_founded(tmp_path: Path) -> None:
    folder = founded_run(tmp_path / "runs" / "new")
    (tmp_path / "runs" / "no-run").mkdir()
    (tmp_path / "runs" / "no-run" / "config.yaml").write_text("name: something else\n")
    shelf = Library(tmp_path / "runs", tmp_path / "sweeps")
    (entry,) = shelf.runs()
    assert (entry.name, entry.world, entry.generation, entry.asked, entry.state) == ("new", "NKWorld", 0, 30, "stopped")
    with RunLock(folder):
        assert shelf.runs()[0].state == "running"


def test_the_list_hears_of_an_end_and_of_a_greater_length_that_come_after_the_checkpoint(tmp_path: Path) -> None:
    folder = made_run_of("WolfSheep", tmp_path / "runs" / "one", steps=500, sheep=0, wolves=2, grass=False)
    shelf = Library(tmp_path / "runs", tmp_path / "sweeps")
    summary = (folder / "summary.json").read_bytes()
    (folder / "summary.json").unlink()
    assert shelf.runs()[0].state == "stopped"
    (folder / "summary.json").write_bytes(summary)
    assert shelf.runs()[0].state == "ended"
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("generations: 500", "generations: 9000"))
    assert shelf.runs()[0].asked == 9000


# ---------------------------------------------------------------- one run


def test_a_run_opens_with_its_curves_and_its_last_picture(runs: PageAtHand, tmp_path: Path) -> None:
    made_run_of("WolfSheep", tmp_path / "runs" / "one")
    open_run(runs, "one")
    runs.reads("Step 30 of 30: it is finished.")
    wait_for(lambda: "WolfSheep: grass at step 30" in labels(runs), "the ground")
    assert {"sheep up to step 30", "wolves up to step 30", "grass up to step 30"} <= set(labels(runs))
    assert "sheep = 20" in runs.text() and "evolora report" in runs.text()


def test_a_model_without_space_opens_with_its_curves_alone(runs: PageAtHand, tmp_path: Path) -> None:
    made_run_of("Boltzmann", tmp_path / "runs" / "one")
    open_run(runs, "one")
    wait_for(lambda: "wealth_gini up to step 30" in labels(runs), "the curves")
    assert not any("at step" in label for label in labels(runs))


def test_a_run_that_is_being_written_is_followed(runs: PageAtHand, tmp_path: Path) -> None:
    folder = killed_run(tmp_path / "runs" / "now", after=21)
    with RunLock(folder):
        open_run(runs, "now")
        runs.reads("This run is being written; what is shown is its newest checkpoint")
        runs.reads("Step 16 of 30: it goes on.")
        model, config = taken_up(folder)
        live(model, config, folder, lambda: True)
        runs.reads("Step 30 of 30")
        wait_for(lambda: runs.table("Runs")[1][0]["cells"][3] == "30 of 30", "its length in the list")
    runs.reads("it is finished.")


def test_a_run_that_is_lost_while_one_looks_is_told_and_what_was_seen_stays(runs: PageAtHand, tmp_path: Path) -> None:
    folder = killed_run(tmp_path / "runs" / "now", after=21)
    with RunLock(folder):
        open_run(runs, "now")
        runs.reads("Step 16 of 30")
        (folder / CHECKPOINT_FILE).write_bytes(b"PK nothing")
        runs.reads("What is shown may be out of date: the checkpoint cannot be read")
        assert "Step 16 of 30" in runs.text()


def test_a_record_is_read_again_only_when_there_is_a_later_checkpoint(tmp_path: Path) -> None:
    folder = made_run_of("NKWorld", tmp_path / "run")
    first = read_classic_record(folder)
    assert read_classic_record(folder, first) is first
    os.utime(folder / CHECKPOINT_FILE, (1, 1))
    assert read_classic_record(folder, first) is not first


def test_a_record_is_read_again_when_its_summary_comes_after_its_last_checkpoint(tmp_path: Path) -> None:
    folder = made_run_of("WolfSheep", tmp_path / "run", steps=500, sheep=0, wolves=2, grass=False)
    summary = (folder / "summary.json").read_bytes()
    (folder / "summary.json").unlink()
    first = read_classic_record(folder)
    (folder / "summary.json").write_bytes(summary)
    assert (first.ended, read_classic_record(folder, first).ended) == (False, True)


def test_a_run_without_any_checkpoint_opens_at_its_founding(runs: PageAtHand, tmp_path: Path) -> None:
    founded_run(tmp_path / "runs" / "new one")
    open_run(runs, "new one")
    runs.reads("Step 0 of 30: it was cut off")
    assert f"evolora resume '{tmp_path / 'runs' / 'new one'}'" in runs.text()


# ---------------------------------------------------------------- several


def test_only_worlds_are_compared_here_and_it_is_said_where_classics_are(runs: PageAtHand, tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "ours", 2)
    made_run_of("NKWorld", tmp_path / "runs" / "classic")
    runs.reads("“evolora report RUN RUN” sets them side by side")
    assert runs.labelled(vw.Select, "Runs").items == ["ours"]


def test_without_any_world_there_is_nothing_to_choose(runs: PageAtHand, tmp_path: Path) -> None:
    for name in ("one", "two"):
        made_run_of("Boltzmann", tmp_path / "runs" / name)
    runs.reads("“evolora compare” puts models and worlds on one ruler")
    assert not [widget for widget in runs.tree.find(vw.Select).widgets if widget.label == "Runs"]
