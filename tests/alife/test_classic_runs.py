"""Runs of classic models in folders: cut off and taken up again, they come to what they would have come to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from made_classic import DAMAGES, damage, killed_run

from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.runs import CHECKPOINT_FILE, LOG_FOLDER, ClassicConfig, classic_config, founded, live, taken_up
from evolora_mesa.alife.verification import verify_classic
from evolora_mesa.cli import main
from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.study.sweep.reading import load_sweep

CONFIG = ClassicConfig(model="NKWorld", generations=30, seed=3, checkpoint_every=8, set={"population": 12})


class Killed(BaseException):
    """As a kill, it leaves what is written and nothing else."""


def lived(folder: Path, config: ClassicConfig = CONFIG, *, killed_after: int = 10**9) -> None:
    model = founded(config)
    folder.mkdir()

    def wanted() -> bool:
        if model.tick >= killed_after:
            raise Killed
        return True

    live(model, config, folder, wanted)


def assert_equal_runs(one: Path, other: Path) -> None:
    for name in ("series.csv", "log/log.json", "log/phylogeny.csv", "config.yaml"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    with np.load(one / "log/log.npz") as ours, np.load(other / "log/log.npz") as theirs:
        assert ours.files == theirs.files
        assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in ours.files)


@pytest.mark.parametrize("killed_after", [3, 8, 21])
def test_a_run_that_was_killed_goes_on_as_if_it_never_had_been(tmp_path: Path, killed_after: int) -> None:
    lived(tmp_path / "unbroken")
    with pytest.raises(Killed):
        lived(tmp_path / "broken", killed_after=killed_after)
    model, config = taken_up(tmp_path / "broken")
    assert model.tick == killed_after // 8 * 8
    live(model, config, tmp_path / "broken", lambda: True)
    assert_equal_runs(tmp_path / "broken", tmp_path / "unbroken")


def test_a_run_that_is_over_can_be_made_longer(tmp_path: Path) -> None:
    lived(tmp_path / "whole")
    lived(tmp_path / "parts", CONFIG.model_copy(update={"generations": 20}))
    model, config = taken_up(tmp_path / "parts", generations=30)
    live(model, config, tmp_path / "parts", lambda: True)
    (tmp_path / "parts" / "config.yaml").write_bytes((tmp_path / "whole" / "config.yaml").read_bytes())
    assert_equal_runs(tmp_path / "parts", tmp_path / "whole")


def test_the_log_of_a_run_adds_up_and_can_be_measured(tmp_path: Path) -> None:
    lived(tmp_path / "run")
    assert EventLog.load(tmp_path / "run" / LOG_FOLDER).closed


def test_a_checkpoint_holds_no_pickle_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    lived(tmp_path / "run")
    with np.load(tmp_path / "run" / CHECKPOINT_FILE, allow_pickle=False) as saved:
        assert all(saved[name].dtype != object for name in saved.files)
    (tmp_path / "run" / CHECKPOINT_FILE).write_bytes(b"PK")
    with pytest.raises(RunError, match="checkpoint cannot be read"):
        taken_up(tmp_path / "run")


def test_a_config_is_a_name_or_a_file_and_anything_else_is_no_classic(tmp_path: Path) -> None:
    named = classic_config("nkworld", ["population=12"], generations=5, seed=None)
    assert named == ClassicConfig(model="NKWorld", generations=5, set={"population": 12})
    file = tmp_path / "nk.yaml"
    file.write_text("model: NKWorld\nseed: 4\nset:\n  epistasis: 2\n")
    assert classic_config(str(file), generations=None) == ClassicConfig(model="NKWorld", seed=4, set={"epistasis": 2})
    assert classic_config("ecology") is None
    world = tmp_path / "world.yaml"
    world.write_text("extends: smoke\nname: mine\n")
    assert classic_config(str(world)) is None


def test_what_is_wrong_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "nk.yaml"
    file.write_text("model: NKWorld\ngenerations: -1\n")
    with pytest.raises(ConfigError, match=r"nk\.yaml:2"):
        classic_config(str(file))
    with pytest.raises(ConfigError, match="Did you mean 'population'"):
        founded(ClassicConfig(model="NKWorld", set={"populaton": 3}))


def test_run_and_resume_are_the_same_commands_as_for_worlds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["run", "nkworld", "--set", "population=12", "--generations", "6", "--seed", "3"]) == 0
    folder = tmp_path / "runs" / "NKWorld-seed3-1"
    assert main(["resume", str(folder), "--generations", "9"]) == 0
    assert json.loads((folder / "summary.json").read_text())["generations"] == 9
    assert main(["resume", str(folder), "--generations", "5"]) == 2
    assert main(["run", "nkworld", "--host", "petri"]) == 2
    assert "a classic model has no host" in capsys.readouterr().err


def test_sweeps_know_classic_models_by_their_names() -> None:
    spec, subject = load_sweep("alife_nk")
    assert spec.model == "evolora_mesa.alife.nk:NKWorld"
    assert {"mean_fitness", "mean_informative"} <= subject.figures


# ---------------------------------------------------------------- verified


def test_a_sound_run_is_verified_and_one_that_went_on_says_what_is_older(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    lived(run)
    assert main(["verify", str(run)]) == 0
    digest = verify_classic(run).digest
    assert capsys.readouterr().out == f"ok: step 30, finished, digest {digest}\n"
    with pytest.raises(Killed):
        model, config = taken_up(run, generations=60)
        live(model, config, run, lambda: model.tick < 45 or killed())
    found = verify_classic(run)
    assert (found.generation, found.ok, found.finished) == (40, True, False) and found.digest != digest
    assert found.results == "log, series and summary are those of step 30"


def killed() -> bool:
    raise Killed


@pytest.mark.parametrize("name", ["summary.json", "series.csv", "log/log.npz"])
def test_a_file_that_says_something_else_is_named(tmp_path: Path, name: str) -> None:
    lived(tmp_path / "run")
    lived(tmp_path / "other", CONFIG.model_copy(update={"seed": 4}))
    (tmp_path / "run" / name).write_bytes((tmp_path / "other" / name).read_bytes())
    (finding,) = verify_classic(tmp_path / "run").findings
    assert name.partition("/")[0] in finding.detail


def test_a_log_without_some_of_its_deaths_is_found_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    lived(run)
    with np.load(run / CHECKPOINT_FILE) as saved:
        kept = {name: saved[name] for name in saved.files}
    deaths = [name for name in kept if name.startswith("arrays/") and "deaths/" in name]
    assert deaths
    kept |= {name: kept[name][:-3] for name in deaths}
    np.savez(run / CHECKPOINT_FILE, **kept)
    assert main(["verify", str(run)]) != 0
    told = capsys.readouterr()
    assert "log" in told.out + told.err


@pytest.mark.parametrize("how", DAMAGES)
def test_a_checkpoint_that_cannot_be_read_is_one_line(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lived(tmp_path / "run")
    damage(tmp_path / "run", how)
    assert main(["verify", str(tmp_path / "run")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# ---------------------------------------------------------------- settings of a checkpoint


def edited(run: Path, before: str, after: str) -> Path:
    config = run / "config.yaml"
    assert before in config.read_text()
    config.write_text(config.read_text().replace(before, after))
    return run


def without_settings(run: Path) -> Path:
    """With a checkpoint as older versions wrote it."""
    with np.load(run / CHECKPOINT_FILE) as saved:
        kept = {name: saved[name] for name in saved.files}
    facts = json.loads(kept["facts"].tobytes())
    assert facts.pop("settings")
    kept["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    np.savez(run / CHECKPOINT_FILE, **kept)
    return run


def test_a_checkpoint_of_other_settings_is_refused_with_both(tmp_path: Path) -> None:
    run = edited(killed_run(tmp_path / "run", after=21), "population: 12", "population: 30")
    with pytest.raises(
        RunError, match=r"other settings \(.*config\.yaml\): expected population: 12, got 'population: 30'"
    ):
        taken_up(run)
    run = edited(killed_run(tmp_path / "other", after=21), "seed: 3", "seed: 4")
    with pytest.raises(RunError, match="expected seed: 3"):
        taken_up(run)


def test_a_setting_that_was_as_usual_and_is_given_now_is_another_one(tmp_path: Path) -> None:
    run = edited(killed_run(tmp_path / "run", after=21), "population: 12", "population: 12\n  mutation: 0.3")
    with pytest.raises(RunError, match=r"expected mutation: 0\.05, got .mutation: 0\.3"):
        taken_up(run)


def test_a_setting_that_is_written_down_as_it_usually_is_changes_nothing(tmp_path: Path) -> None:
    run = edited(killed_run(tmp_path / "run", after=21), "population: 12", "population: 12\n  mutation: 0.05")
    assert taken_up(run)[0].tick == 16


def test_a_checkpoint_of_an_older_version_is_still_read(tmp_path: Path) -> None:
    run = without_settings(killed_run(tmp_path / "run", after=21))
    assert taken_up(run)[0].tick == 16


def test_a_state_of_an_older_version_that_fits_nothing_is_one_line(tmp_path: Path) -> None:
    run = without_settings(killed_run(tmp_path / "run", after=21))
    with pytest.raises(RunError, match="the checkpoint cannot be read"):
        taken_up(edited(run, "population: 12", "population: 12\n  sites: 9"))
