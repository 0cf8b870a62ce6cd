"""What comes from outside a command - its streams, signals, folders and guests - never ends it without a word."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from processes import PATIENCE, environment, wait_until
from safetensors.torch import load_file

from evolora_mesa.cli import main
from evolora_mesa.errors import RunError
from evolora_mesa.record.invariants import check
from evolora_mesa.record.store import RunStore

ROOT = Path(__file__).resolve().parent.parent
RUN = ["run", "smoke", "--generations", "1", "--out", "here", "--set=host.tune_cpu=false"]
MISTAKE, FAULT, UNHEARD = 2, 70, 74

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def shell(redirection: str, *arguments: str, **surroundings: str) -> subprocess.CompletedProcess[str]:
    """A command under a shell that redirects its streams."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-m", "evolora_mesa.cli", *arguments],
        env=environment(**surroundings),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE,
    )


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on the standard error of a command that must fail as a user's mistake."""
    assert main(arguments) == MISTAKE
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    return err


# ---------------------------------------------------------------------- streams


@posix
@pytest.mark.parametrize(
    ("redirection", "told"),
    [
        (">&-", "it is closed"),
        pytest.param("<&- >&- 2>&-", "", marks=pytest.mark.slow),
        pytest.param(
            ">/dev/full",
            "No space left on device",
            marks=[
                pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device here"),
                pytest.mark.slow,
            ],
        ),
    ],
)
def test_a_run_that_cannot_be_shown_is_kept_whole_and_says_so(redirection: str, told: str) -> None:
    done = shell(redirection, *RUN)
    assert done.returncode == UNHEARD
    assert done.stderr.count("\n") == bool(told)
    assert told in done.stderr
    assert json.loads(Path("here/summary.json").read_text(encoding="utf-8"))["outcome"] == "finished"
    with RunStore.open("here/run.sqlite") as store:
        assert [row["generation"] for row in store.tail(-1)] == [0, 1]
        assert check(store) == []  # nothing that was meant for the screen


@posix
@pytest.mark.parametrize("redirection", [">&-", ">/dev/full"])
@pytest.mark.parametrize("arguments", [["configs"], ["--help"], ["--version"], ["settings", "ticket"]])
def test_a_small_command_that_cannot_be_shown_fails_in_one_line(redirection: str, arguments: list[str]) -> None:
    if "full" in redirection and not Path("/dev/full").exists():
        pytest.skip("no such device here")
    done = shell(redirection, *arguments)
    assert done.returncode == UNHEARD
    assert done.stderr.startswith("error: cannot write the standard output: ") and done.stderr.count("\n") == 1


@posix
def test_a_reader_that_leaves_early_is_no_news() -> None:
    done = shell("2>err | true; cat err", "settings")
    assert done.stdout == ""


@posix
def test_a_mistake_has_its_exit_code_though_nobody_hears_of_it() -> None:
    assert shell("2>&-", "run", "nope").returncode == MISTAKE


@pytest.mark.slow
@posix
def test_a_name_beyond_the_encoding_is_escaped() -> None:
    arguments = [*RUN[:4], "--out", "ü€", *RUN[6:], "--quiet"]
    done = shell("", *arguments, PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.endswith("Written to \\xfc\\u20ac\n")
    done = shell("", *arguments, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr.count("\n")) == (MISTAKE, 1)
    assert "not empty (\\xfc\\u20ac)" in done.stderr


@pytest.mark.slow
@posix
def test_a_table_that_cannot_be_shown_is_saved_all_the_same() -> None:
    arguments = ["baselines", "--config=smoke", "--seeds=1", "--episodes=1", "--arms=frozen", "--out=here"]
    done = shell(">&-", *arguments, "--set=host.tune_cpu=false", '--set=name="[/b]"')
    assert done.returncode == UNHEARD
    assert sorted(path.suffix for path in Path("here").iterdir()) == [".csv", ".json", ".md"]


# ---------------------------------------------------------------------- signals


@posix
@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_kill_ends_a_run_in_order(name: str) -> None:
    number = signal.Signals[name]
    command = [sys.executable, "-m", "evolora_mesa.cli", "run", "smoke", "--generations", "1000000", "--out", "here"]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(number)
        out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert f"Ended early by {name}." in out
    summary = json.loads(Path("here/summary.json").read_text(encoding="utf-8"))
    assert (summary["outcome"], summary["ended_by"]) == ("interrupted", name)
    for file in Path("here/adapters").rglob("*.safetensors"):
        assert load_file(file)


@pytest.mark.slow
@posix
def test_a_kill_leaves_no_debris_of_a_training() -> None:
    command = [
        sys.executable,
        "-m",
        "evolora_mesa.cli",
        "host",
        "train",
        str(ROOT / "configs" / "hosts" / "petri.yaml"),
    ]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        wait_until(lambda: process.poll() is not None or any(Path().glob("out/.host-*/*")), "the training to begin")
        assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert not list(Path("out").iterdir())


# ---------------------------------------------------------------------- guests


@pytest.mark.parametrize(("code", "shown"), [(0, ": 0"), (1, ": 1"), (None, "")])
def test_code_that_ends_the_program_did_not_succeed(
    code: int | None, shown: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evolora_mesa.configfile.shipped_configs", lambda: sys.exit(code))
    assert main(["configs"]) == FAULT
    told = capsys.readouterr().err
    assert told == f"error: unexpected SystemExit{shown}; run with --debug for the traceback\n"


def test_code_that_reads_an_input_that_has_ended_is_a_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> None:
        raise EOFError("EOF when reading a line")

    monkeypatch.setattr("evolora_mesa.configfile.shipped_configs", read)
    assert main(["configs"]) == FAULT
    assert "EOFError" in capsys.readouterr().err


@pytest.mark.slow
@posix
def test_the_installed_script_finds_a_family_beside_its_user_as_the_module_does() -> None:
    Path("bin").mkdir()
    script = Path("bin/evolora")
    script.write_text("import sys\nfrom evolora_mesa.cli import main\nsys.exit(main())\n", encoding="utf-8")
    Path("beside.py").write_text("Count = int\n", encoding="utf-8")
    for program in ([str(script)], ["-m", "evolora_mesa.cli"]):
        done = subprocess.run(
            [sys.executable, *program, *RUN, "--set=tasks.user_families=[beside:Count]"],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == MISTAKE
        assert "not a task family (beside:Count)" in done.stderr  # it was imported, then judged


# ---------------------------------------------------------------------- folders


@pytest.mark.parametrize("option", ["--out", "--adapters"])
def test_an_empty_path_is_not_the_working_folder(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a path is empty" in refusal(capsys, "run", "smoke", option, "")
    assert not list(Path().iterdir())


def test_a_file_in_the_place_of_runs_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("runs").write_text("precious", encoding="utf-8")
    assert "would be below a file (runs)" in refusal(capsys, "run", "smoke")
    assert Path("runs").read_text(encoding="utf-8") == "precious"


def test_an_odd_folder_is_refused_before_the_host_is_loaded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evolora_mesa.model.EcologyModel.__init__", None)
    for out in ("a\nb", "x" * 300, "\udcff"):
        refusal(capsys, "run", "smoke", "--out", out)
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["baselines", "--seeds", "1000000000"], "--seeds"),
        (["baselines", "--arms", "nope", "--out", "new"], "'nope'"),
        (["baselines", "--out", "file/below"], "below a file"),
        (["specialists", "--episodes", "0"], "--episodes"),
        (["specialists", "--out", "folder"], "not the name of a JSON file"),
        (["specialists", "--out", "page.md"], "not the name of a JSON file"),
        (["specialists", "--out", "file/table.json"], "file"),
        (["specialists", "--host=-x"], "'-x'"),
        (["demo", "--out", "file"], "is a file"),
        (["demo", "--seed", str(2**63)], "'seed'"),
    ],
)
def test_a_long_measurement_is_refused_before_it_begins(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(path: str, **options: object) -> None:
        raise RunError("loaded", got=path)

    if "nope" not in arguments:  # the arms are known to the study alone
        monkeypatch.setattr("evolora_mesa.host.HostService.load", load)
    Path("file").touch()
    Path("folder").mkdir()
    assert told in refusal(capsys, *arguments)
    assert sorted(path.name for path in Path().iterdir()) == ["file", "folder"]


@posix
def test_a_working_folder_that_is_gone_is_told() -> None:
    script = f'mkdir gone; cd gone; rmdir ../gone; exec "{sys.executable}" -m evolora_mesa.cli doctor'
    done = subprocess.run(
        ["sh", "-c", script],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (MISTAKE, "")
    assert done.stderr == "error: the working folder is gone. Change to a folder that exists.\n"
