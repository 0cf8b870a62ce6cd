"""A sweep whose supervisor and workers are killed comes to the very tables of one that nobody disturbed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from evolora_mesa.strictyaml import dump_yaml

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes through /proc")

TREE: dict[str, Any] = {
    "name": "kills",
    "base": "smoke",
    "generations": 4,
    "set": {"population.episodes": 2, "record.checkpoint_every": 2, "host.device": "cpu"},
    "factors": {"economy.ticket": [0.5, 1.5]},
    "seeds": 2,
    "metrics": {"success": {"figure": "success_rate", "reduce": "mean"}, "worth": {"worth": "unrouted"}},
}
LIGHT = {**TREE, "metrics": {"success": {"figure": "success_rate", "reduce": "mean"}}}
TABLES = ("results.csv", "summary.csv", "effects.csv")
PATIENCE = 120.0  # seconds


def sweep(folder: Path, tree: dict[str, Any] = TREE) -> subprocess.Popen[str]:
    spec = folder.parent / "spec.yaml"
    spec.write_text(dump_yaml(tree), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, "-m", "evolora_mesa.cli", "sweep", str(spec), "--out", str(folder), "--workers", "2"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    return told


def tables(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in TABLES}


def descendants(process: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{process}/task").glob("*"):
        try:
            children = [int(child) for child in (task / "children").read_text(encoding="ascii").split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


def is_alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def kill(supervisor: subprocess.Popen[str]) -> None:
    """And see that nobody is left."""
    everybody = descendants(supervisor.pid)
    supervisor.kill()
    supervisor.communicate()
    end = time.monotonic() + PATIENCE
    while any(map(is_alive, everybody)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(is_alive, everybody))


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """The tables of a sweep that nobody disturbs, and how long it took."""
    folder, began = tmp_path_factory.mktemp("calm") / "sweep", time.monotonic()
    ended(sweep(folder))
    return tables(folder), time.monotonic() - began


@pytest.mark.slow
def test_a_killed_supervisor_leaves_nobody_and_the_same_command_goes_on(tmp_path: Path) -> None:
    calm, folder = tmp_path / "calm", tmp_path / "sweep"
    ended(sweep(calm, LIGHT))
    process, end = sweep(folder, LIGHT), time.monotonic() + PATIENCE
    while time.monotonic() < end:
        time.sleep(0.01)
        if (folder / "results.csv").exists() and b",done," in (folder / "results.csv").read_bytes():
            break
    kill(process)
    told = ended(sweep(folder, LIGHT))
    assert " are done" in told.splitlines()[0]
    assert tables(folder) == tables(calm)


@pytest.mark.slow
def test_killed_workers_are_begun_again(tmp_path: Path, calm: tuple[dict[str, bytes], float]) -> None:
    folder = tmp_path / "sweep"
    process, killed = sweep(folder), set[Path]()
    while process.poll() is None:
        for lock in set(folder.glob("runs/*/run.lock")) - killed:
            note = lock.read_text(encoding="ascii").split()
            if len(killed) < 2 and len(note) > 1 and int(note[1]) in descendants(process.pid):
                os.kill(int(note[1]), signal.SIGKILL)
                killed.add(lock)
        time.sleep(0.002)
    ended(process)
    assert len(killed) == 2
    assert tables(folder) == calm[0]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_supervisors_killed_at_random_come_to_the_same_tables(
    tmp_path: Path, calm: tuple[dict[str, bytes], float], seed: int
) -> None:
    folder, draw = tmp_path / "sweep", random.Random(seed)
    for _ in range(3):
        process = sweep(folder)
        try:
            process.wait(draw.uniform(0.3, 1.0) * calm[1])
        except subprocess.TimeoutExpired:
            kill(process)
    ended(sweep(folder))
    assert tables(folder) == calm[0]
