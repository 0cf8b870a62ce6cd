"""What a person meets on the command line: runs that leave a folder, and one clear line for every mistake."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import PATIENCE, environment

from evolora_mesa import __version__
from evolora_mesa.cli import main
from evolora_mesa.configfile import load_config
from evolora_mesa.record.reporters import MODEL_REPORTERS
from evolora_mesa.record.store import RunStore
from evolora_mesa.shipped import shipped_folder

PETRI = shipped_folder("models") / "petri"
UNTUNED = "--set=host.tune_cpu=false"  # in this process other tests follow
INTERRUPTED = 130


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "evolora_mesa.cli", *arguments]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    with RunStore.open(folder / "run.sqlite") as store:
        return store.tail(-1)


def untimed(folder: Path) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if not name.endswith("_seconds")} for row in rows_of(folder)]


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on the standard error of a command that must fail as a user's mistake."""
    code = main(arguments)
    out, err = capsys.readouterr()
    assert code == 2
    assert out == ""
    assert err.startswith("error: ") and err.count("\n") == 1 and err.endswith("\n")
    assert not [path.name for path in Path().rglob("*") if path.name.startswith(".run-")]
    return err


# ---------------------------------------------------------------------- a run


def test_a_run_writes_every_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "smoke", "--out", "here", "--seed", "4", UNTUNED]) == 0
    told = capsys.readouterr().out
    assert "3 generations in" in told and "Written to here" in told
    folder = Path("here")
    assert sorted(path.name for path in folder.iterdir()) == [
        "adapters",
        "checkpoint",
        "config.yaml",
        "log.txt",
        "phylogeny.csv",
        "run.lock",
        "run.sqlite",
        "summary.json",
    ]
    rows = rows_of(folder)
    assert list(rows[0]) == [*MODEL_REPORTERS, "digest"]
    assert [row["generation"] for row in rows] == [0, 1, 2, 3]
    config = load_config(folder / "config.yaml")
    assert (config.seed, config.generations, config.host.tune_cpu) == (4, 3, False)
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert (summary["outcome"], summary["seed"], summary["ledger_quanta"]) == ("finished", 4, 0)
    with (folder / "adapters" / "organelles.csv").open(encoding="utf-8", newline="") as file:
        organelles = list(csv.DictReader(file))
    assert list(organelles[0]) == ["unique_id", "lineage", "cell", "energy", "age", "roi"]
    assert len(organelles) == int(rows[-1]["population"])
    for organelle in organelles:
        files = sorted(path.name for path in (folder / "adapters" / organelle["unique_id"]).iterdir())
        assert files == ["adapter_config.json", "adapter_model.safetensors"]


def test_the_default_folder_is_numbered_and_quiet_prints_the_summary_only(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for number in (1, 2):
        assert main(["run", "smoke", "--generations", "0", "--quiet", UNTUNED]) == 0
        out = capsys.readouterr().out
        assert f"Written to {Path('runs') / f'smoke-seed0-{number}'}" in out
        assert "generation 0/0" not in out


def test_1e_3_in_yaml_is_a_number() -> None:
    Path("mine.yaml").write_text("extends: smoke\neconomy:\n  ticket: 1e-3\n", encoding="utf-8")
    assert main(["run", "mine.yaml", "--generations", "0", "--quiet", "--out", "here", UNTUNED]) == 0
    assert load_config(Path("here/config.yaml")).economy.ticket == 0.001


def test_an_extinct_world_ends_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    deadly = ["economy.ticket=1000", "economy.grace=0", "economy.protected_age=0"]
    settings = [part for setting in deadly for part in ("--set", setting)]
    assert main(["run", "smoke", "--generations", "9", "--out", "here", UNTUNED, *settings]) == 0
    assert "the world is extinct" in capsys.readouterr().out
    assert [row["population"] for row in rows_of(Path("here"))] == [4, 0]
    assert json.loads(Path("here/summary.json").read_text(encoding="utf-8"))["outcome"] == "extinct"
    assert [path.name for path in Path("here/adapters").iterdir()] == ["organelles.csv"]


def test_a_changed_host_is_an_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from evolora_mesa.model import EcologyModel

    live = EcologyModel.step

    def meddle(model: EcologyModel) -> None:
        live(model)
        model.host.host.final_norm += 1e-3

    monkeypatch.setattr(EcologyModel, "step", meddle)
    assert main(["run", "smoke", "--quiet", "--generations", "1", "--out", "here", UNTUNED]) == 2
    assert "the host's weights changed during the run" in capsys.readouterr().err
    assert not Path("here/summary.json").exists()


@pytest.mark.slow
def test_the_same_seed_is_the_same_run_whatever_the_hash_seed() -> None:
    for hash_seed in ("0", "1"):
        done = subprocess.run(
            command("run", "smoke", "--seed", "7", "--generations", "12", "--out", hash_seed),
            env=environment(PYTHONUTF8="1", PYTHONHASHSEED=hash_seed, FORCE_COLOR="1"),
            capture_output=True,
            text=True,
            check=True,
        )
        assert "\x1b" not in done.stdout and "\r" not in done.stdout  # a pipe is no terminal
        assert done.stdout.startswith("generation 0/12  alive 4  ")
        assert "generation 12/12" in done.stdout
    first, second = untimed(Path("0")), untimed(Path("1"))
    assert first == second
    assert len(first) == 13
    assert sum(int(row["births"]) for row in first) > 0  # otherwise little could differ
    for name in ("phylogeny.csv", "adapters/organelles.csv", "config.yaml"):
        assert (Path("0") / name).read_bytes() == (Path("1") / name).read_bytes()
    for file in Path("0/adapters").rglob("*.safetensors"):
        assert file.read_bytes() == (Path("1") / file.relative_to("0")).read_bytes()


def test_ctrl_c_ends_after_the_generation_with_files_and_summary() -> None:
    arguments = command("run", "smoke", "--generations", "1000000", "--out", "here")
    with subprocess.Popen(
        arguments, env=environment(PYTHONUTF8="1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith("generation 0/")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == INTERRUPTED
    assert "Ended early by Ctrl-C." in out and "Written to here" in out
    assert err == "finishing this generation; Ctrl-C again leaves at once\n"
    summary = json.loads(Path("here/summary.json").read_text(encoding="utf-8"))
    assert summary["outcome"] == "interrupted"
    assert [int(row["generation"]) for row in rows_of(Path("here"))] == list(range(summary["generations"] + 1))
    assert Path("here/adapters/organelles.csv").is_file()


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_the_run_without_noise() -> None:
    arguments = command("run", "smoke", "--generations", "1000000", "--out", "here")
    with subprocess.Popen(
        arguments, env=environment(PYTHONUTF8="1"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=PATIENCE) != 0
    assert json.loads(Path("here/summary.json").read_text(encoding="utf-8"))["outcome"] == "output closed"


# ---------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "smoke", "--set", "economy.tiket=1"], "Did you mean 'economy.ticket'?"),
        (["run", "smok"], "Did you mean 'smoke'?"),
        (["run", "smoke", "--set", "economy.ticket=much"], "expected number"),
        (["run", "smoke", "--set", "economy.ticket"], "expected section.name=value"),
        (["run", "smoke", "--set", "population.initial=0"], "expected whole number in [1, 65536]"),
        (["run", "smoke", "--generations", "-1"], "'generations'"),
        (["run", "smoke", "--seed", "-1"], "'seed'"),
        (["run", "smoke", "--generations", "few"], "--generations"),
        (["run", "smoke", "--host", "models/nowhere/at/all"], "host folder not found"),
        (["run", "smoke", "--sed", "1"], "--sed"),
        (["rnu"], "Did you mean 'run'?"),
        (["settings", "nosuchword"], "no such setting"),
        (["host", "train", "nowhere.yaml"], "nowhere.yaml"),
        (["host", "card", "nowhere"], "not the folder of an embedded host"),
        (["baselines", "--arms", "frozen,nope", "--seeds", "1", UNTUNED], "'nope'"),
    ],
)
def test_a_mistake_is_told_in_one_line_and_leaves_nothing(
    capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    if arguments[0] == "run":
        arguments = [*arguments, "--out", "here", UNTUNED]
    assert told in refusal(capsys, *arguments)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("extends: smoke\nseed: 1\nseed: 2\n", "mine.yaml:3"),
        ("extends: smoke\npopulation:\n  inital: 3\n", "Did you mean 'population.initial'?"),
        ("extends: smoke\npopulation:\n  initial: three\n", "mine.yaml:3"),
        ("", "empty config"),
    ],
)
def test_a_mistake_in_a_file_is_told_with_its_place(capsys: pytest.CaptureFixture[str], text: str, told: str) -> None:
    Path("mine.yaml").write_text(text, encoding="utf-8")
    assert told in refusal(capsys, "run", "mine.yaml", "--out", "here")
    assert [path.name for path in Path().iterdir()] == ["mine.yaml"]


def test_a_host_without_a_tokenizer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bare").mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(PETRI / name, "bare")
    told = refusal(capsys, "run", "smoke", "--host", "bare", "--out", "here", UNTUNED)
    assert "tokenizer" in told
    assert not Path("here").exists()


def test_a_folder_with_content_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Path("here").mkdir()
    Path("here/generations.csv").write_text("precious", encoding="utf-8")
    assert "not empty (here)" in refusal(capsys, "run", "smoke", "--out", "here", UNTUNED)
    assert Path("here/generations.csv").read_text(encoding="utf-8") == "precious"
    assert len(list(Path("here").iterdir())) == 1


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_an_output_that_cannot_be_written_is_refused(capsys: pytest.CaptureFixture[str], out: str) -> None:
    Path("file").write_text("precious", encoding="utf-8")
    assert "file" in refusal(capsys, "run", "smoke", "--generations", "0", "--out", out, UNTUNED)
    assert Path("file").read_text(encoding="utf-8") == "precious"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("locked").mkdir(mode=0o555)
    assert "Permission denied" in refusal(capsys, "run", "smoke", "--out", "locked/here", UNTUNED)


def test_a_fault_of_ours_is_one_line_and_a_traceback_only_on_request(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> dict[str, Path]:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("evolora_mesa.configfile.shipped_configs", fail)
    assert main(["configs"]) == 70
    told = capsys.readouterr().err
    assert told == "error: unexpected ZeroDivisionError: two lines; run with --debug for the traceback\n"
    assert main(["configs", "--debug"]) == 70
    assert "Traceback" in capsys.readouterr().err


# ---------------------------------------------------------------------- the small commands


def test_help_and_version_import_nothing_heavy() -> None:
    heavy = "torch", "mesa", "pandas", "numpy", "transformers", "pydantic", "scipy", "rich.console", "yaml"
    code = (
        "import sys; from evolora_mesa.cli import main; codes = [main([word]) for word in sys.argv[1:]];"
        f"print(codes, [name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help", "--version"],
        env=environment(PYTHONUTF8="1"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[0, 0] []"
    assert f"evolora-mesa {__version__}" in done.stdout
    for name in ("run", "demo", "baselines", "doctor", "configs", "settings", "host"):
        assert f"\n  {name} " in done.stdout


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_configs_lists_every_shipped_world(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names == sorted(path.stem for path in shipped_folder("configs").glob("*.yaml"))


def test_settings_finds_a_word_in_names_and_meanings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings", "ticket"]) == 0
    out = capsys.readouterr().out
    assert "economy.ticket" in out and "economy.grace" in out and "population.initial" not in out


def test_doctor_fails_when_a_check_fails(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from evolora_mesa.doctor import Check

    for ok, code in ((True, 0), (False, 1)):
        monkeypatch.setattr("evolora_mesa.doctor.examine", lambda ok=ok: [Check("python", ok, "found")])
        assert main(["doctor", "--json"]) == code
        assert json.loads(capsys.readouterr().out)["ok"] is ok


def test_baselines_print_one_json_object_and_write_their_files(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--config", "smoke", "--seeds", "2", "--episodes", "32", "--arms", "frozen,ecology"]
    assert main(["baselines", *arguments, "--json", "--out", "here", UNTUNED]) == 0
    out = capsys.readouterr().out
    assert [row["arm"] for row in json.loads(out)["rows"]] == ["frozen", "ecology"] * 2
    assert Path("here/baselines.json").read_text(encoding="utf-8") == out
    assert "--arms frozen,ecology" in Path("here/baselines.md").read_text(encoding="utf-8")
