"""The report of a classic's run says what its log says, beside its shadows, and why something is not there."""

from __future__ import annotations

import csv
import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_classic import SMALL, killed_run, made_run_of

from evolora_mesa.alife import MODELS
from evolora_mesa.alife.figures import FIGURES, figure_of
from evolora_mesa.alife.interface import EvoModel
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.metrics import METRICS, measure
from evolora_mesa.alife.report import reading
from evolora_mesa.alife.report.comparing import columns_of
from evolora_mesa.alife.report.ground import ground_pictures
from evolora_mesa.alife.report.making import ClassicReport
from evolora_mesa.alife.report.reading import SHADOWS, read_classic
from evolora_mesa.alife.runs import (
    CHECKPOINT_FILE,
    LOG_FOLDER,
    ClassicConfig,
    checkpointed,
    classic_config,
    live,
    taken_up,
)
from evolora_mesa.record.lock import RunLock

SLOW = pytest.param("DigitalOrganisms", marks=pytest.mark.slow)  # its processor is compiled first
EACH = [*(name for name in MODELS if name != "DigitalOrganisms"), SLOW]


@pytest.mark.parametrize("model", EACH)
def test_every_classic_has_a_page_a_text_and_figures(model: str, tmp_path: Path) -> None:
    report = ClassicReport.of([made_run_of(model, tmp_path / "run")])
    page, text, figures = report.as_html(), report.as_markdown(), json.loads(report.as_json())["runs"][0]
    sections = ("Over time", "Births and deaths", "Metrics", "Conservation", "What ran")
    assert all(f">{title}</h2>" in page and f"\n## {title}\n" in text for title in sections)
    assert f"{model}, seed 3" in page and "keeps all 11 invariants" in text
    assert page.count("<svg") > 1 and ">step</text>" in page
    assert (figures["model"], figures["seed"], figures["step"]) == (model, 3, 30)
    assert set(figures["metrics"]) == set(METRICS) and list(figures["invariants"].values()) == [None] * 11
    assert all(name in FIGURES and figure_of(name).unit for name in figures["series"])


@pytest.mark.parametrize(("model", "counted"), [("WolfSheep", ("sheep", "wolves")), ("Sugarscape", ("foragers",))])
def test_who_is_alive_by_the_log_is_who_the_model_counts(model: str, counted: tuple[str, ...], tmp_path: Path) -> None:
    run = read_classic(made_run_of(model, tmp_path / "run"), shadows=1)
    assert run.alive.tolist() == sum(run.series[name] for name in counted).tolist()
    assert run.founders + run.born.sum() - run.died.sum() == run.alive[-1]
    assert sum(run.causes.values()) == run.died.sum() > 0


def test_the_ground_is_drawn_cell_by_cell_with_whoever_stands_on_it(tmp_path: Path) -> None:
    run = read_classic(made_run_of("WolfSheep", tmp_path / "run"), shadows=1)
    (grass,) = ground_pictures(run.picture, run.step)
    assert grass.svg.count("M") == 12 * 12
    assert grass.svg.count("<circle") == run.alive[-1] > 0
    assert (
        grass.told
        == f"Grass: 12 × 12 cells in step 30, from 0 to 1, and {run.alive[-1]} of {run.alive[-1]} agents on it."
    )
    owners = read_classic(made_run_of("Boltzmann", tmp_path / "owners"), shadows=1)
    assert ground_pictures(owners.picture, owners.step) == []


def test_metrics_are_those_of_the_log_beside_those_of_its_shadows(tmp_path: Path) -> None:
    folder = made_run_of("NKWorld", tmp_path / "run", steps=60)
    told = json.loads(ClassicReport.of([folder]).as_json())["runs"][0]["metrics"]
    said = measure(EventLog.load(folder / LOG_FOLDER), METRICS, shadows=SHADOWS, seed=3).findings
    shaded = {name for name, found in said.items() if found.shadows}
    assert {"activity_mean", "change", "hill_1"} <= shaded
    for name, found in said.items():
        assert told[name]["value"] == found.value
        if name in shaded:
            assert told[name]["shadow"] == pytest.approx(found.shadow) and told[name]["beside_drift"]
    outside = {name for name, found in said.items() if found.beyond}
    assert outside and outside == {name for name in told if told[name]["beside_drift"] in ("above", "below")}


def test_what_a_model_cannot_have_is_not_there_with_the_reason(tmp_path: Path) -> None:
    text = ClassicReport.of([made_run_of("WolfSheep", tmp_path / "wolves")]).as_markdown()
    assert "| change | n/a | components |  | no heredity |" in text
    assert "Nothing is inherited here." in text
    text = ClassicReport.of([made_run_of("Boltzmann", tmp_path / "owners")]).as_markdown()
    assert "Nobody was born and nobody died: 20 founders" in text


@pytest.mark.parametrize("model", ["WolfSheep", "Sugarscape", "Boltzmann"])
def test_accounts_explain_what_the_living_hold(model: str, tmp_path: Path) -> None:
    accounts = read_classic(made_run_of(model, tmp_path / "run"), shadows=1).accounts()
    assert accounts is not None and len(accounts.moved) > 1
    assert sum(accounts.moved.values()) == pytest.approx(accounts.gained, abs=1e-6)


def test_a_log_that_lost_deaths_is_told_and_nothing_is_measured_on_it(tmp_path: Path) -> None:
    folder = made_run_of("NKWorld", tmp_path / "run")
    with np.load(folder / CHECKPOINT_FILE) as saved:
        kept = {name: saved[name][:-3] if "deaths/" in name else saved[name] for name in saved.files}
    np.savez(folder / CHECKPOINT_FILE, **kept)
    run = read_classic(folder)
    assert run.measured.error and run.finding("hill_1").value is None
    assert [name for name, fault in run.checks.items() if fault] == ["events without a gap"]
    text = ClassicReport((run,)).as_markdown()
    assert "Conservation: the log is broken" in text and "n/a: the log cannot be measured" in text


def test_a_run_without_a_log_says_so_and_shows_its_series(tmp_path: Path) -> None:
    report = ClassicReport.of([made_run_of("NKWorld", tmp_path / "run", record=False)])
    text = report.as_markdown()
    assert "kept no event log" in text and "best fitness 0." in text
    assert json.loads(report.as_json())["runs"][0]["population"] is None


def test_a_run_that_was_cut_off_is_told_as_far_as_its_checkpoint(tmp_path: Path) -> None:
    run = read_classic(killed_run(tmp_path / "run", after=21), shadows=1)
    assert (run.step, run.ending) == (16, "step 16 of 30: ended early")
    assert len(run.alive) == 17 and run.checks


def test_a_run_that_went_on_says_which_files_are_of_its_earlier_end(tmp_path: Path) -> None:
    folder = made_run_of("NKWorld", tmp_path / "run", steps=16)
    model, config = taken_up(folder, generations=40)
    kept = (folder / "summary.json").read_bytes()
    live(model, config, folder, lambda: model.tick < 24)
    (folder / "summary.json").write_bytes(kept)
    (note,) = read_classic(folder, shadows=1).notes
    assert "in step 16; this page is of step 24" in note


@pytest.mark.parametrize("said", [31, None, "16", 30])
def test_a_summary_of_no_earlier_step_is_no_earlier_end(said: object, tmp_path: Path) -> None:
    folder = made_run_of("NKWorld", tmp_path / "run")
    (folder / "summary.json").write_text(json.dumps({"generations": said}))
    assert read_classic(folder, shadows=1).notes == ()


def test_a_run_that_ends_while_its_checkpoint_is_read_is_told_as_it_was_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = killed_run(tmp_path / "run", after=21)
    held = ExitStack()
    held.enter_context(RunLock(folder))

    def read_while_it_ends(run: Path) -> tuple[EvoModel, ClassicConfig]:
        found = checkpointed(run)
        live(*taken_up(run), run, lambda: True)
        held.close()
        return found

    monkeypatch.setattr(reading, "checkpointed", read_while_it_ends)
    run = read_classic(folder, shadows=1)
    assert (run.ending, run.notes) == ("step 16 of 30: still running", ())


def test_invariants_are_looked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = read_classic(made_run_of("NKWorld", tmp_path / "run"), shadows=1)
    first = ClassicReport((run,)).as_markdown()
    monkeypatch.setattr(reading, "INVARIANTS", {"any": lambda log: pytest.fail("it was looked at again")})
    assert ClassicReport((run,)).as_markdown() == first


# ---------------------------------------------------------------- several


def test_runs_that_differ_in_their_seed_alone_are_one_column(tmp_path: Path) -> None:
    folders = [made_run_of("NKWorld", tmp_path / f"seed{seed}", seed=seed) for seed in range(3)]
    folders.append(made_run_of("NKWorld", tmp_path / "lot", selection="random"))
    folders.append(made_run_of("Boltzmann", tmp_path / "owners"))
    report = ClassicReport.of(folders)
    columns = columns_of(report.runs)
    assert {name: len(found) for name, found in columns.items()} == {
        "NKWorld selection=tournament": 3,
        "NKWorld selection=random": 1,
        "Boltzmann": 1,
    }
    text = report.as_markdown()
    assert "## Settings that differ" in text and "| NKWorld | selection | tournament |" in text
    row = next(line for line in text.splitlines() if line.startswith("| hill\\_1 (kinds) |"))
    assert row.count("n 3") == 1 and row.count("undecided") == 2
    assert len(json.loads(report.as_json())["runs"]) == 5
    assert report.as_html().count("<svg viewBox") > 5


def test_a_run_that_was_lived_three_times_is_one_run(tmp_path: Path) -> None:
    report = ClassicReport.of([made_run_of("NKWorld", tmp_path / name) for name in ("one", "two", "three")])
    assert {name: len(found) for name, found in columns_of(report.runs).items()} == {"NKWorld": 1}
    text = report.as_markdown()
    assert "a run of the same settings and seed already is: two, three." in text and "NKWorld 1." in text
    row = next(line for line in text.splitlines() if line.startswith("| hill\\_1 (kinds) |"))
    assert "undecided" in row and "n 3" not in row


def test_of_equal_runs_one_with_a_sound_log_is_measured(tmp_path: Path) -> None:
    sound, broken = (read_classic(made_run_of("NKWorld", tmp_path / name), shadows=1) for name in ("one", "two"))
    broken = replace(broken, measured=replace(broken.measured, error="the log is broken"))
    ((found,),) = columns_of([broken, sound]).values()
    assert found.error == ""


def test_the_series_of_the_page_are_those_of_the_file(tmp_path: Path) -> None:
    folder = made_run_of("WolfSheep", tmp_path / "run")
    with (folder / "series.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    series = read_classic(folder, shadows=1).series
    assert [float(row["sheep"]) for row in rows] == series["sheep"].tolist()
    assert classic_config(str(folder / "config.yaml")).set == SMALL["WolfSheep"]
