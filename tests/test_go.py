"""go.py in a folder with a space and an ü; small programs pose as pip, pytest and the CLI: no network."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import venv
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "go.py"

# Steered by environment variables. The editable link is what hatchling writes.
FAKE_PIP = """
import json, os, sys
from pathlib import Path
here = Path(__file__).resolve().parent
arguments = sys.argv[1:]
with open(os.environ["FAKE_LOG"], "a") as log:
    log.write(json.dumps(arguments) + "\\n")
if "--dry-run" in arguments:
    print(os.environ.get("FAKE_PLAN", "ERROR: no such option: --report"))
    sys.exit(0 if "FAKE_PLAN" in os.environ else 2)
if "FAKE_PIP_FAILS" in os.environ:
    print("Collecting torch")
    print("ERROR: No matching distribution found for torch")
    sys.exit(1)
(here.parent / "_editable_impl_evolora_mesa.pth").write_text(os.getcwd(), encoding="utf-8")
"""
FAKE_CHILD = """
import os, sys
print("{name}", sys.argv[1:], os.environ.get("HF_HUB_OFFLINE"), os.environ["PYTHONUTF8"], flush=True)
slow = "slow" in sys.argv
sys.exit(int(os.environ.get("FAKE_SLOW_EXIT" if slow else "FAKE_EXIT", "0")))
"""


class Project:
    """A copy of go.py in a folder of its own, loaded as a module, with a log of what its pip was asked."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.log = folder, folder.parent / "pip.log"
        folder.mkdir()
        shutil.copy(SOURCE, folder)
        shutil.copy(SOURCE.parent / "pyproject.toml", folder)
        monkeypatch.chdir(folder.parent)  # `python -m` looks there first: not into the real package
        monkeypatch.setenv("FAKE_LOG", str(self.log))
        for name in ("CI", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        spec = importlib.util.spec_from_file_location("go_under_test", folder / "go.py")
        assert spec is not None and spec.loader is not None
        self.go = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.go)
        monkeypatch.setattr(self.go, "make_venv", self.make_venv)
        self.venvs_made = 0

    def make_venv(self, lock: int) -> tuple[int, list[str]]:
        self.venvs_made += 1
        self.populate()
        return 0, []

    def populate(self) -> None:
        """A real environment without pip's minutes: the interpreter, and three small programs."""
        venv.create(self.go.VENV, with_pip=False, symlinks=os.name != "nt")
        packages = self.packages()
        self.program(packages / "pip" / "__main__.py", FAKE_PIP)
        self.program(packages / "pytest" / "__main__.py", FAKE_CHILD.format(name="pytest"))
        self.program(packages / "evolora_mesa" / "cli.py", FAKE_CHILD.format(name="cli"))

    def packages(self) -> Path:
        if os.name == "nt":
            return self.go.VENV / "Lib" / "site-packages"
        return self.go.VENV / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"

    @staticmethod
    def program(path: Path, text: str) -> None:
        path.parent.mkdir(exist_ok=True)
        path.parent.joinpath("__init__.py").touch()
        path.write_text(text, encoding="utf-8")

    def installs(self) -> int:
        """How often pip was asked to install (dry runs do not count)."""
        return sum("--dry-run" not in arguments for arguments in self.pip_calls())

    def pip_calls(self) -> list[list[str]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


@pytest.fixture
def project(tmp_path, monkeypatch):
    return Project(tmp_path / "gö mesa", monkeypatch)


def plan(*names: str) -> str:
    return json.dumps({"install": [{"metadata": {"name": name}} for name in names]})


# --- what is refused, in one line


def test_go_can_be_read_by_python_3_7():
    ast.parse(SOURCE.read_text(encoding="utf-8"), feature_version=(3, 7))


def test_an_old_python_is_told_which_one_is_needed(project, monkeypatch, capsys):
    check = project.go.check_python
    monkeypatch.setattr(project.go, "check_python", lambda: check((3, 10, 4)))
    assert project.go.main(["demo"]) == 1
    message = capsys.readouterr().err
    assert "needs Python 3.11 or newer, this is 3.10" in message and message.count("\n") == 1


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
def test_a_python_without_venv_names_the_package_to_install(project, missing):
    with pytest.raises(project.go.Trouble, match=f"no module {missing}.*python3-venv"):
        project.go.check_venv_modules(lambda name: None if name == missing else object())


def test_a_folder_that_cannot_be_written_is_one_line(project, monkeypatch, capsys):
    project.go.LOCK.mkdir()  # opening it fails for every user, root too
    assert project.go.main(["setup"]) == 1
    message = capsys.readouterr().err
    assert "cannot set up" in message and "may write to" in message and message.count("\n") == 1


def test_setup_takes_no_arguments(project, capsys):
    assert project.go.main(["setup", "--fast"]) == 2
    assert "--fast" in capsys.readouterr().err and not project.go.VENV.exists()


def test_help_installs_nothing(project, capsys):
    assert project.go.main(["--help"]) == 0
    assert "python3 go.py demo" in capsys.readouterr().out and not project.go.VENV.exists()


def test_a_failing_pip_shows_its_last_lines_and_leaves_no_stamp(project, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_PIP_FAILS", "1")
    assert project.go.main(["setup"]) == 1
    message = capsys.readouterr().err
    assert "No matching distribution found for torch" in message and "call again" in message
    assert project.go.read_stamp() == {}


# --- set-up, and how it heals


def test_set_up_happens_once(project):
    assert project.go.main(["setup"]) == 0
    assert project.go.main(["setup"]) == 0
    assert (project.venvs_made, project.installs()) == (1, 1)
    assert project.pip_calls()[-1][-2:] == ["-e", ".[dev]"]


def test_ci_installs_ray_as_well_and_leaves_it_there(project, monkeypatch):
    project.go.main(["setup"])
    monkeypatch.setenv("CI", "true")
    assert project.go.main(["setup"]) == project.go.main(["setup"]) == 0
    assert (project.venvs_made, project.installs()) == (1, 2)
    assert project.pip_calls()[-1][-2:] == ["-e", ".[dev,ray]"]
    monkeypatch.delenv("CI")
    assert project.go.main(["setup"]) == 0
    assert project.installs() == 2


def test_a_stamp_of_an_earlier_go_installs_again(project):
    project.go.main(["setup"])
    stamp = json.loads(project.go.STAMP.read_text(encoding="utf-8"))
    del stamp["extras"]
    project.go.STAMP.write_text(json.dumps(stamp), encoding="utf-8")
    assert project.go.main(["setup"]) == 0
    assert (project.venvs_made, project.installs()) == (1, 2)


def test_a_finished_set_up_needs_no_write_access(project, monkeypatch):
    project.go.main(["setup"])
    project.go.LOCK.unlink()
    project.go.LOCK.mkdir()
    assert project.go.main(["setup"]) == 0


def test_a_changed_pyproject_installs_again_into_the_same_venv(project):
    project.go.main(["setup"])
    with open(project.folder / "pyproject.toml", "a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    assert project.go.main(["setup"]) == 0
    assert (project.venvs_made, project.installs()) == (1, 2)


def test_a_missing_stamp_installs_again(project):
    project.go.main(["setup"])
    project.go.STAMP.unlink()
    assert project.go.main(["setup"]) == 0
    assert (project.venvs_made, project.installs()) == (1, 2)


def test_an_interrupted_installation_starts_afresh_at_the_next_call(project, monkeypatch):
    def interrupted(command, lock):
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(project.go, "run_quietly", interrupted)
        assert project.go.main(["setup"]) == 130
    half_written = project.packages() / "half"
    half_written.touch()
    assert project.go.main(["setup"]) == 0
    assert not half_written.exists() and project.venvs_made == 2


def test_an_interrupted_making_of_the_venv_starts_afresh_too(project, monkeypatch):
    def interrupted(lock):
        project.populate()  # looks complete, though its pip may be half unpacked
        raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(project.go, "make_venv", interrupted)
        assert project.go.main(["setup"]) == 130
    assert project.go.main(["setup"]) == 0
    assert project.venvs_made == 1


def test_a_pip_that_installs_for_the_user_by_default_installs_into_the_venv(project, monkeypatch):
    monkeypatch.setenv("PIP_USER", "1")
    assert project.go.pip_environment()["PIP_USER"] == "0"


@pytest.mark.parametrize("damage", ["no interpreter", "dangling interpreter", "no pip", "only a folder"])
def test_a_broken_venv_is_rebuilt(project, damage):
    project.go.main(["setup"])
    python = project.go.venv_python()
    if damage == "no interpreter":
        python.unlink()
    elif damage == "dangling interpreter":
        python.unlink()
        python.symlink_to(project.folder / "python of yesterday")
    elif damage == "no pip":
        project.go.STAMP.unlink()
        shutil.rmtree(project.packages() / "pip")
    else:
        shutil.rmtree(project.go.VENV)
        project.go.VENV.mkdir()
    assert project.go.main(["run"]) == 0
    assert project.venvs_made == 2


def test_a_moved_folder_gets_a_venv_of_its_own(project):
    project.go.main(["setup"])
    stamp = project.go.read_stamp()
    project.go.STAMP.write_text(json.dumps({**stamp, "folder": "another"}))
    assert project.go.main(["setup"]) == 0
    assert project.venvs_made == 2


def test_a_python_that_changed_under_the_venv_rebuilds_it(project):
    project.go.main(["setup"])
    stamp = project.go.read_stamp()
    project.go.STAMP.write_text(json.dumps({**stamp, "python": "3.99"}))
    assert project.go.main(["setup"]) == 0
    assert project.venvs_made == 2


@pytest.mark.skipif(os.name == "nt", reason="the C locale is a matter of POSIX")
def test_the_environment_starts_in_the_c_locale_from_a_path_that_is_not_ascii(project, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    assert project.go.main(["setup"]) == 0
    assert project.go.main(["run", "ecology"]) == 0
    assert project.venvs_made == 1


@pytest.mark.skipif(os.name == "nt", reason="without fcntl there is no lock")
def test_a_second_go_waits_for_the_first_and_then_finds_the_work_done(project, monkeypatch):
    project.go.main(["setup"])
    stamp = project.go.STAMP.read_text()
    project.go.STAMP.write_text(project.go.UNFINISHED)  # as while pip of the first one runs
    waiting, codes = threading.Event(), []
    monkeypatch.setattr(project.go, "say", lambda message: waiting.set() if "waiting" in message else None)
    with project.go.exclusive():
        second = threading.Thread(target=lambda: codes.append(project.go.main(["setup"])))
        second.start()
        assert waiting.wait(timeout=60)
        project.go.STAMP.write_text(stamp)
    second.join(timeout=60)
    assert codes == [0] and project.installs() == 1


# --- gigabytes of CUDA


@pytest.fixture
def linux(project, monkeypatch):
    ask = project.go.announce_cuda
    monkeypatch.setattr(project.go, "announce_cuda", lambda: ask("linux"))


@pytest.mark.usefixtures("linux")
def test_cuda_wheels_are_announced_before_anything_is_fetched(project, monkeypatch, capsys):
    monkeypatch.setenv("FAKE_PLAN", plan("torch", "nvidia-cublas", "triton"))
    assert project.go.main(["setup"]) == 0
    message = next(line for line in capsys.readouterr().err.splitlines() if "gigabytes" in line)
    for words in ("CUDA", "PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL"):
        assert words in message
    assert "://" not in message and project.installs() == 1
    assert "torch>=2.6,<2.14" in project.pip_calls()[0]


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize("answer", [plan("torch", "numpy"), "not JSON", "{}", None])
def test_a_cpu_plan_or_a_failed_dry_run_goes_on(project, monkeypatch, answer):
    if answer is not None:
        monkeypatch.setenv("FAKE_PLAN", answer)
    assert project.go.main(["setup"]) == 0
    assert project.installs() == 1


@pytest.mark.usefixtures("linux")
def test_a_torch_that_is_there_already_is_not_asked_about(project, monkeypatch):
    monkeypatch.setenv("FAKE_PLAN", plan("torch", "nvidia-cublas"))
    project.go.VENV.mkdir()
    project.populate()
    (project.packages() / "torch.py").touch()
    assert project.go.main(["setup"]) == 0
    assert project.installs() == len(project.pip_calls()) == 1


# --- what runs then


def test_a_command_reaches_the_cli_and_its_exit_code_comes_back(project, monkeypatch, capfd):
    monkeypatch.setenv("FAKE_EXIT", "7")
    assert project.go.main(["run", "ecology", "--set", "a b=ü"]) == 7
    assert "cli ['run', 'ecology', '--set', 'a b=ü'] None 1" in capfd.readouterr().out


def test_the_demo_runs_offline(project, capfd):
    assert project.go.main(["demo", "--seed", "1"]) == 0
    assert "cli ['demo', '--seed', '1'] 1 1" in capfd.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="signals as exit codes are a matter of POSIX")
def test_a_child_that_a_signal_ended_gives_128_plus_its_number(project):
    project.go.main(["setup"])
    assert project.go.run(["-c", "import os; os.kill(os.getpid(), 9)"]) == 137


@pytest.fixture
def hears_ctrl_c():
    """As in a terminal: what a script starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hears_ctrl_c")
@pytest.mark.skipif(os.name == "nt", reason="signals are a matter of POSIX")
def test_after_ctrl_c_the_child_ends_in_its_own_time_and_the_code_is_130(project, monkeypatch, tmp_path):
    project.go.main(["setup"])
    started, ended = tmp_path / "started", tmp_path / "ended"
    # The child presses Ctrl-C on its parent, as a terminal does for both, and then still finishes.
    project.program(
        project.packages() / "evolora_mesa" / "cli.py",
        f"import os, pathlib, signal\npathlib.Path({str(started)!r}).touch()\n"
        f"os.kill(os.getppid(), signal.SIGINT)\npathlib.Path({str(ended)!r}).touch()\n",
    )
    assert project.go.main(["run"]) == 130
    assert started.exists() and ended.exists()


@pytest.mark.usefixtures("hears_ctrl_c")
@pytest.mark.skipif(os.name == "nt", reason="signals are a matter of POSIX")
def test_ctrl_c_while_the_child_is_being_started_waits_for_it_too(project, monkeypatch, tmp_path):
    class Popen(subprocess.Popen):
        def __init__(self, command, **options):
            super().__init__(command, **options)
            if "evolora_mesa.cli" in command:
                signal.raise_signal(signal.SIGINT)

    project.go.main(["setup"])
    ended = tmp_path / "ended"
    project.program(
        project.packages() / "evolora_mesa" / "cli.py",
        f"import pathlib, time\ntime.sleep(0.5)\npathlib.Path({str(ended)!r}).touch()\n",
    )
    monkeypatch.setattr(project.go.subprocess, "Popen", Popen)
    assert project.go.main(["run"]) == 130
    assert ended.exists()


def test_tests_leave_the_slow_ones_out(project, capfd):
    assert project.go.main(["test", "-q"]) == 0
    out = capfd.readouterr().out
    assert "pytest ['-n', '2', '--dist', 'loadfile', '-m', 'not slow', '-q'] 1 1" in out and out.count("pytest") == 1


def test_a_marker_of_ones_own_replaces_the_default(project, capfd):
    assert project.go.main(["test", "-m", "slow"]) == 0
    assert capfd.readouterr().out == "pytest ['-m', 'slow'] 1 1\n"


@pytest.mark.parametrize(
    ("fast", "slow", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (0, 5, 0), (5, 0, 0), (5, 5, 5), (1, 5, 1)]
)
def test_ci_runs_fast_and_slow_and_fails_with_either(project, monkeypatch, capfd, fast, slow, code):
    """5 is pytest's "no tests ran": a selection may well hold only slow ones, or none."""
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("FAKE_EXIT", str(fast))
    monkeypatch.setenv("FAKE_SLOW_EXIT", str(slow))
    assert project.go.main(["test"]) == code
    assert capfd.readouterr().out == (
        "pytest ['-n', '2', '--dist', 'loadfile', '-m', 'not slow'] 1 1\npytest ['-m', 'slow'] 1 1\n"
    )
