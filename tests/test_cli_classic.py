"""Every command that takes a run takes one of a classic model, or says in one line what to use instead."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from made_classic import DAMAGES, damage, founded_run, killed_run, made_run_of
from made_run import make_run

from evolora_mesa.alife.runs import CHECKPOINT_FILE, ended_by_itself, reached, summary_of
from evolora_mesa.alife.verification import verify_classic
from evolora_mesa.cli import main
from evolora_mesa.cli_app import opening_of
from evolora_mesa.record.lock import RunLock


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a mistake."""
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    return err


def files(folder: Path) -> dict[str, bytes]:
    """What a run came to, without what tells of its sittings."""
    names = ("config.yaml", "series.csv", "log/log.json", "log/phylogeny.csv")
    return {name: (folder / name).read_bytes() for name in names}


# ---------------------------------------------------------------- resume


def test_a_killed_run_goes_on_to_the_length_that_it_was_founded_with(capsys: pytest.CaptureFixture[str]) -> None:
    killed_run(Path("run"), after=21)
    assert main(["resume", "run"]) == 0
    assert capsys.readouterr().out.startswith("30 steps of NKWorld, seed 3.\n")
    assert files(Path("run")) == files(made_run_of("NKWorld", Path("unbroken")))


def test_a_killed_run_remembers_the_length_that_was_asked_for_last() -> None:
    run = made_run_of("NKWorld", Path("run"), steps=16)
    made_run_of("NKWorld", Path("longer"), steps=40)
    from evolora_mesa.alife.runs import live, taken_up

    def wanted() -> bool:
        if model.tick >= 27:
            raise KeyboardInterrupt
        return True

    model, config = taken_up(run, generations=40)
    with pytest.raises(KeyboardInterrupt):
        live(model, config, run, wanted)
    assert reached(run) == 24
    assert main(["resume", "run"]) == 0
    assert files(run) == files(Path("longer"))


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_anew() -> None:
    run = founded_run(Path("run"))
    assert main(["resume", "run"]) == 0
    assert files(run) == files(made_run_of("NKWorld", Path("unbroken")))


def test_a_run_that_is_over_is_left_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    run = made_run_of("NKWorld", Path("run"))
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["resume", "run"]) == 0
    assert capsys.readouterr().out.startswith("The run is over: it has all of its 30 steps.")
    assert {path: path.read_bytes() for path in before} == before


def test_a_model_that_ends_by_itself_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    run = made_run_of("WolfSheep", Path("run"), steps=500, sheep=0, wolves=2, grass=False)
    assert reached(run) < 500 and ended_by_itself(summary_of(run), reached(run))
    assert main(["resume", "run"]) == 0
    assert "The model has ended by itself." in capsys.readouterr().out
    assert main(["report", "run", "--md"]) == 0
    assert "the model ended by itself in step" in capsys.readouterr().out


def test_nobody_takes_a_run_up_that_somebody_writes(capsys: pytest.CaptureFixture[str]) -> None:
    with RunLock(killed_run(Path("run"), after=10)):
        assert "the run is being written" in refusal(capsys, "resume", "run")


# ---------------------------------------------------------------- report


def test_the_report_lies_in_the_run_and_figures_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    made_run_of("NKWorld", Path("one"))
    made_run_of("NKWorld", Path("two"), seed=4)
    assert main(["report", "one"]) == 0
    assert capsys.readouterr().out == "Written to one/report/report.html\n"
    assert "NKWorld, seed 3" in Path("one/report/report.html").read_text(encoding="utf-8")
    assert main(["report", "one", "--md"]) == 0
    assert capsys.readouterr().out.startswith("# NKWorld, seed 3\n")
    assert main(["report", "one", "two", "--json"]) == 0
    assert [run["seed"] for run in json.loads(capsys.readouterr().out)["runs"]] == [3, 4]
    assert main(["report", "one", "two"]) == 0
    assert capsys.readouterr().out == "Written to one/report/comparison.html\n"


@pytest.mark.parametrize("order", [("classic", "ours"), ("ours", "classic")])
def test_classics_and_worlds_are_not_set_side_by_side(
    order: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    made_run_of("NKWorld", Path("classic"))
    make_run(Path("ours"))
    assert "evolora compare MODEL --runs RUN" in refusal(capsys, "report", *order)
    assert "no store of a run here (nowhere/run.sqlite)" in refusal(capsys, "report", "classic", "nowhere")


@pytest.mark.parametrize("how", DAMAGES)
def test_a_checkpoint_that_cannot_be_read_is_one_line(how: str, capsys: pytest.CaptureFixture[str]) -> None:
    damage(made_run_of("NKWorld", Path("run")), how)
    for command in ("report", "replay", "watch", "resume", "verify"):
        assert "the checkpoint cannot be read" in refusal(capsys, command, "run")


def test_a_run_whose_settings_were_changed_afterwards_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    config = made_run_of("NKWorld", Path("run")) / "config.yaml"
    config.write_text(config.read_text().replace("population: 12", "population: 30"))
    for command in ("report", "replay", "verify", "resume"):
        line = refusal(capsys, command, "run")
        assert "other settings (run/config.yaml): expected population: 12, got 'population: 30'" in line


# ---------------------------------------------------------------- the others


def test_a_run_is_watched_to_its_checkpoint(capsys: pytest.CaptureFixture[str]) -> None:
    made_run_of("NKWorld", Path("done"))
    killed_run(Path("cut"), after=21)
    assert main(["watch", "done"]) == 0
    assert capsys.readouterr().out == "step 30 of 30\n"
    assert main(["watch", "cut"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("step 16 of 30\n") and "evolora resume cut" in told
    with RunLock(Path("cut")):
        assert main(["watch", "cut", "--once"]) == 0
    assert capsys.readouterr().out == "step 16 of 30\n"


def test_a_run_without_any_checkpoint_has_not_made_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    founded_run(Path("run"))
    assert main(["watch", "run"]) == 0
    assert capsys.readouterr().out.startswith("step 0 of 30\nNobody writes this run any more.")
    assert opening_of("run").run == "run"


def test_a_run_that_is_lived_again_comes_out_the_same_and_another_one_does_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = killed_run(Path("run"), after=21)
    assert main(["resume", "run"]) == 0
    capsys.readouterr()
    assert main(["replay", "run"]) == 0
    assert capsys.readouterr().out == f"the same: 30 steps, digest {verify_classic(run).digest}\n"
    with np.load(run / CHECKPOINT_FILE) as saved:
        kept = {name: 1 - saved[name] if name == "arrays/genomes" else saved[name] for name in saved.files}
    np.savez(run / CHECKPOINT_FILE, **kept)
    assert main(["replay", "run"]) == 1
    assert "different in step 30" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "instead"),
    [
        ("export", "series.csv"),
        ("lineage", "log/phylogeny.csv"),
        ("animate", "Classics page"),
        ("judge", "evolora report"),
        ("compare --runs", "evolora report"),
    ],
)
def test_what_makes_no_sense_says_what_to_use_instead(
    command: str, instead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = made_run_of("Boltzmann", Path("run"))
    before = sorted(run.rglob("*"))
    line = refusal(capsys, *command.split(), "run")
    assert "a run of a classic model" in line and instead in line
    assert sorted(run.rglob("*")) == before and list(Path().iterdir()) == [run]


def test_the_app_opens_with_a_run_of_a_classic() -> None:
    run = made_run_of("Boltzmann", Path("all/first"))
    opening = opening_of("all/first")
    assert (opening.run, opening.runs_folder) == ("first", run.resolve().parent)
    shutil.rmtree(run)
