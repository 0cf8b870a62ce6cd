"""A sweep whose supervisor and workers are killed comes to the very tables of one that nobody disturbed."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from processes import PATIENCE, descendants, environment, is_alive, wait_until

from evolora_mesa.record.layout import LOG_FILE
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
CLI = ("-m", "evolora_mesa.cli")
# The supervisor has written down its first result, and goes no further.
STANDING_STILL = """
import sys, time
from evolora_mesa.cli import main
from evolora_mesa.study.sweep.ledger import Ledger

write_down = Ledger.end

def stand_still(*what):
    write_down(*what)
    print("standing still", flush=True)
    time.sleep(600)

Ledger.end = stand_still
sys.exit(main(sys.argv[1:]))
"""


def sweep(
    folder: Path, tree: dict[str, Any] = TREE, *, program: tuple[str, str] = CLI, **surroundings: str
) -> subprocess.Popen[str]:
    spec = folder.parent / "spec.yaml"
    spec.write_text(dump_yaml(tree), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, *program, "sweep", str(spec), "--out", str(folder), "--workers", "2"],
        env=environment(**surroundings),
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


def kill(supervisor: subprocess.Popen[str]) -> None:
    """And see that nobody is left."""
    everybody = descendants(supervisor.pid)
    supervisor.kill()
    supervisor.communicate()
    wait_until(lambda: not any(map(is_alive, everybody)), "everybody to end")


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
    process = sweep(folder, LIGHT, program=("-c", STANDING_STILL))
    assert process.stdout is not None and "standing still\n" in process.stdout
    assert descendants(process.pid)
    kill(process)
    told = ended(sweep(folder, LIGHT))
    assert told.splitlines()[0].endswith("; 1 are done")
    assert tables(folder) == tables(calm)


@pytest.mark.slow
def test_killed_workers_are_begun_again(tmp_path: Path, calm: tuple[dict[str, bytes], float]) -> None:
    """In their fourth generation, counted from the founding, which one that goes on from its second never comes to."""
    folder = tmp_path / "sweep"
    ended(sweep(folder, EVOLORA_FAULT="store.begun:4"))
    logs = [path.read_text(encoding="utf-8") for path in folder.glob(f"runs/*/{LOG_FILE}")]
    assert ["goes on after generation 2" in log for log in logs] == [True] * 4
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
