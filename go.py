#!/usr/bin/env python3
"""Set up Evolora-Mesa in .venv beside this file, and run it. Needs Python 3.11 or newer, nothing else.

  python3 go.py demo              a small ecology on the shipped host, explained
  python3 go.py test [PYTEST...]  the tests (marker `slow` only with CI=true or -m slow; CI=true installs Ray for them)
  python3 go.py setup             set up without running anything
  python3 go.py app               the world in your browser
  python3 go.py COMMAND [...]     any other command of `evolora`, for example: run ecology, doctor, --version

Set-up happens at the first call and when pyproject.toml changes; pip's own environment variables apply.
"""

from __future__ import annotations

import collections
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: two set-ups at once are not kept apart there
    fcntl = None

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "evolora-stamp.json"
LOCK = ROOT / ".venv.lock"
UNFINISHED = "unfinished"  # not JSON, so that a stamp cut short reads the same

OLDEST_PYTHON = (3, 11)
NO_TESTS_RAN = 5  # pytest's exit code
TWO_PROCESSES = ["-n", "2", "--dist", "loadfile"]  # a file's tests share what it takes long to make
DRY_RUN_SECONDS = 120  # the CUDA question may not hold up the set-up longer than this
LINES_SHOWN = 12  # of a failed command
SEPARATOR = "\n  "

PROBE = """
import importlib.util, json, sys, sysconfig
print(json.dumps({"python": "%d.%d" % sys.version_info[:2], "new_enough": sys.version_info >= (3, 11),
                  "pip": importlib.util.find_spec("pip") is not None,
                  "torch": importlib.util.find_spec("torch") is not None,
                  "packages": sysconfig.get_path("purelib")}))
"""


class Trouble(Exception):
    """Something the user can mend; `code` becomes the exit code."""

    def __init__(self, message, code=1):
        super().__init__(message)
        self.code = code


def say(message):
    """Messages go to stderr: stdout belongs to the command that runs."""
    print(message, file=sys.stderr, flush=True)


def check_python(version=sys.version_info):
    if tuple(version[:2]) < OLDEST_PYTHON:
        raise Trouble(
            f"Evolora-Mesa needs Python 3.11 or newer, this is {version[0]}.{version[1]}. Install a newer "
            "one and call it by name, for example: python3.12 go.py demo"
        )


def check_venv_modules(find=importlib.util.find_spec):
    missing = [name for name in ("venv", "ensurepip") if find(name) is None]
    if missing:
        raise Trouble(
            f"this Python cannot make virtual environments (no module {' and '.join(missing)}). Install the "
            "package python3-venv (Debian, Ubuntu: sudo apt install python3-venv), then call again."
        )


def venv_python():
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def base_environment(**more):
    return dict(os.environ, PYTHONUTF8="1", **more)


def probe():
    """What .venv's Python says of itself, as a dict with the keys of PROBE; None when it does not run."""
    try:
        command = [str(venv_python()), "-c", PROBE]
        answer = subprocess.run(command, env=base_environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return json.loads(answer.stdout) if answer.returncode == 0 else None
    except (OSError, ValueError):
        return None


def wanted_stamp(found):
    """What a finished set-up is valid for: this folder, this pyproject.toml, the environment's Python."""
    return {
        "folder": folder_digest(),
        "pyproject": hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest(),
        "python": found["python"],
        "extras": ["dev", "ray"] if os.environ.get("CI") == "true" else ["dev"],  # some slow tests need Ray
    }


def is_finished(found, stamp):
    """Whether .venv holds all that is wanted of it; more extras than that do no harm."""
    if not (found and stamp and isinstance(stamp.get("extras"), list)):
        return False
    wanted = wanted_stamp(found)
    return set(wanted["extras"]) <= set(stamp["extras"]) and {**stamp, "extras": wanted["extras"]} == wanted


def folder_digest():
    return hashlib.sha256(os.fsencode(str(ROOT))).hexdigest()  # of the bytes: the same in every locale


def read_stamp():
    """None where go.py never worked; {} where a set-up did not finish; else what it finished for."""
    try:
        stamp = json.loads(STAMP.read_text(encoding="utf-8"))
    except OSError:
        return None
    except ValueError:
        return {}
    return stamp if isinstance(stamp, dict) else {}


@contextlib.contextmanager
def exclusive():
    """Only one set-up at a time in this folder. The kernel drops the lock with its holder: none goes stale.

    Yields the lock's file descriptor: pip inherits it, so that a pip that outlives a killed go.py holds it.
    """
    with open(LOCK, "a") as handle:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another go.py is setting up this folder; waiting for it.")
                fcntl.flock(handle, fcntl.LOCK_EX)
            except OSError:
                pass  # a file system without locks, as some network drives are
        yield handle.fileno()


def ensure_ready():
    """Bring .venv to the state that pyproject.toml asks for; at once when it is there already."""
    try:
        found = probe()
        if is_finished(found, read_stamp()):
            return
        check_venv_modules()
        with exclusive() as lock:
            found, stamp = probe(), read_stamp()  # again: another go.py may just have finished
            if is_finished(found, stamp):
                return
            if not is_usable(found, stamp):
                rebuild_venv(lock)
                found = probe()
                if found is None:
                    raise Trouble(f"the Python in {VENV} was just made and does not run")
            install(found, lock)
    except OSError as error:
        raise Trouble(
            f"cannot set up {VENV} ({error}). Use a copy of the project in a folder that you may write to, "
            "on a disk with 3 GB free."
        ) from error


def is_usable(found, stamp):
    """Whether pip may install over .venv. An unfinished set-up may have left half-written files: then not."""
    if not (found and found["pip"] and found["new_enough"]):
        return False
    unchanged = {"folder": folder_digest(), "python": found["python"]}
    return stamp is None or all(stamp.get(key) == value for key, value in unchanged.items())


def rebuild_venv(lock):
    if os.path.lexists(str(VENV)):
        say("Removing a broken, unfinished or moved .venv.")
        shutil.rmtree(str(VENV))
    VENV.mkdir()
    STAMP.write_text(UNFINISHED, encoding="utf-8")
    say("Making .venv (once).")
    code, lines = make_venv(lock)
    if code:
        raise Trouble(f"python could not make {VENV}. Its last lines:\n  {SEPARATOR.join(lines)}")


def make_venv(lock):
    # The base interpreter: this one may itself live in the .venv that was just removed.
    base = getattr(sys, "_base_executable", None) or sys.executable
    return run_quietly([base, "-m", "venv", str(VENV)], lock)


def install(found, lock):
    """pip install -e .[dev], between an unfinished stamp and a finished one."""
    stamp = wanted_stamp(found)
    STAMP.write_text(UNFINISHED, encoding="utf-8")
    if not found["torch"]:
        announce_cuda()
    say("Installing Evolora-Mesa and what it needs (once; about 2.5 GB on disk).")
    code, lines = run_quietly(pip("install", "--progress-bar", "off", "-e", f".[{','.join(stamp['extras'])}]"), lock)
    if code:
        raise Trouble(
            f"pip could not install Evolora-Mesa. Its last lines:\n  {SEPARATOR.join(lines)}\n"
            "Check the network, the free disk space and pip's settings, then call again: it starts afresh."
        )
    escape_source_path(Path(found["packages"]))
    STAMP.write_text(json.dumps(stamp), encoding="utf-8")


def escape_source_path(packages):
    """Write the editable install's link to this folder in ASCII.

    Up to Python 3.12 `site` decodes .pth files by the locale, even in UTF-8 mode. So with LC_ALL=C an ü in
    the path stops every start of the environment's Python; escaped in an import line it does not.
    """
    for link in packages.glob("*evolora_mesa*.pth") if not str(ROOT).isascii() else ():
        link.write_text(f"import sys; sys.path.append({str(ROOT)!a})\n", encoding="ascii")


def pip(*arguments):
    return [str(venv_python()), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]


def pip_environment():
    return base_environment(PIP_USER="0")  # `user = true` in a pip.conf fails inside a venv


def run_quietly(command, lock):
    """Run `command` in the project's folder, show its long downloads. Returns (exit code, its last lines)."""
    keep = {} if os.name == "nt" else {"pass_fds": (lock,)}
    tail = collections.deque(maxlen=LINES_SHOWN)
    with subprocess.Popen(
        command,
        cwd=str(ROOT),
        env=pip_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        **keep,
    ) as process:
        for line in process.stdout:
            line = line.strip()
            if line:
                tail.append(line)
            if line.startswith("Downloading ") and line.endswith("MB)"):
                say(f"  {line}")
            elif line.startswith("Installing collected packages"):
                say("  Unpacking")
    return process.returncode, list(tail)


def announce_cuda(platform=sys.platform):
    """Ask pip what torch would bring along, and say so before gigabytes are fetched that a laptop has no use for."""
    if not platform.startswith("linux"):
        return
    command = pip("install", "--dry-run", "--quiet", "--retries", "0", "--report", "-", torch_requirement())
    try:
        answer = subprocess.run(
            command,
            env=pip_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=DRY_RUN_SECONDS,
        )
        plan = [item["metadata"]["name"] for item in json.loads(answer.stdout)["install"]]
    except (subprocess.TimeoutExpired, ValueError, KeyError):
        return  # an old pip, or no network: the installation itself has the better message
    if any(name.lower().startswith("nvidia-") for name in plan):
        say(
            "Note: pip is about to fetch gigabytes of CUDA wheels with torch; to avoid that, stop now (Ctrl-C), set "
            "PIP_EXTRA_INDEX_URL (or PIP_INDEX_URL) to PyTorch's CPU index, and call again."
        )


def torch_requirement():
    import tomllib  # here: an older Python must reach the message about its version

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return next(line for line in project["dependencies"] if line.startswith("torch"))


def run(arguments, offline=False, folder=None):
    """Run the environment's Python with `arguments`; returns its exit code, 130 after Ctrl-C."""
    environment = base_environment(TOKENIZERS_PARALLELISM="false")
    if offline:
        environment.setdefault("HF_HUB_OFFLINE", "1")
    interrupts, before = [], signal.getsignal(signal.SIGINT)
    if before != signal.SIG_IGN:  # the terminal sends it to the child too: wait for its orderly end
        signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
    children, told = [], []

    def end(*_):  # a told end leaves no orphan
        told.append(True)
        for child in children:
            child.terminate()

    before_kill = signal.signal(signal.SIGTERM, end)
    try:
        children.append(subprocess.Popen([str(venv_python()), *arguments], env=environment, cwd=folder))
        if told:
            children[0].terminate()
        code = children[0].wait()
    finally:
        signal.signal(signal.SIGTERM, before_kill)
        signal.signal(signal.SIGINT, before)
    if interrupts:
        raise KeyboardInterrupt
    return code if code >= 0 else 128 - code


def run_tests(arguments):
    """pytest without the slow tests, on two processes; with CI=true the slow ones follow, whatever the first said."""
    if any(argument.startswith("-m") for argument in arguments):
        return pytest(arguments)
    fast = pytest([*TWO_PROCESSES, "-m", "not slow", *arguments])
    if os.environ.get("CI") != "true":
        return fast
    slow = pytest(["-m", "slow", *arguments])
    codes = [code for code in (fast, slow) if code != NO_TESTS_RAN]
    if fast not in (0, NO_TESTS_RAN):
        say(f"error: the tests that are not slow failed (exit code {fast}); see above.")
    return max(codes) if codes else NO_TESTS_RAN


def pytest(arguments):
    return run(["-m", "pytest", *arguments], offline=True, folder=str(ROOT))


def main(arguments):
    """Do what `arguments` ask; returns the exit code."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if arguments else 2
    try:
        check_python()
        if arguments[0] == "setup" and len(arguments) > 1:
            raise Trouble(f"setup takes no arguments, got: {' '.join(arguments[1:])}", code=2)
        ensure_ready()
        if arguments[0] == "setup":
            say("Ready. Next: python3 go.py demo")
            return 0
        if arguments[0] == "test":
            return run_tests(arguments[1:])
        return run(["-m", "evolora_mesa.cli", *arguments], offline=arguments[0] == "demo")
    except Trouble as trouble:
        say(f"error: {trouble}")
        return trouble.code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
