"""Does a run that is killed again and again end as if nothing had happened?

    python benchmarks/crash_resume.py --kills 50

A run of a small world is started, killed (SIGKILL) after a random time, and resumed to its end; its digest of all
events, its adapters and the state in its last checkpoint are held against those of a run that nobody disturbed. One
that is killed before its first checkpoint is begun anew by the same command.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from evolora_mesa.record.layout import ADAPTERS_FOLDER, CHECKPOINT_FOLDER, STATE_FILE, SUMMARY_FILE, TENSORS_FILE

ROOT = Path(__file__).resolve().parents[1]
GENERATIONS = 12
WORLD = ("run", "smoke", "--generations", str(GENERATIONS), "--quiet", "--set", "record.checkpoint_every=3", "--out")
EVOLORA = (sys.executable, "-m", "evolora_mesa.cli")


def evolora(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*EVOLORA, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    )


def begin(folder: Path) -> tuple[subprocess.Popen[str], float]:
    """A run whose folder is there now, imports and the host's loading done, and since when."""
    process = evolora(*WORLD, str(folder))
    while not folder.exists():
        if process.poll() is not None:
            raise SystemExit(f"the run ended with {process.returncode}:\n{process.communicate()[0]}")
        time.sleep(0.002)
    return process, time.monotonic()


def finish(*arguments: str) -> str:
    process = evolora(*arguments)
    said = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}:\n{said}")
    return said


def ending(folder: Path) -> tuple[str, list[Any]]:
    """Digest of the events; adapters and last state without seconds."""
    adapters = folder / ADAPTERS_FOLDER
    checkpoint = folder / CHECKPOINT_FOLDER / f"gen-{GENERATIONS:06}"
    state = json.loads((checkpoint / STATE_FILE).read_bytes())
    for name in ("host_seconds", "step_seconds"):
        del state["figures"]["generations"][name]
    files = {path.relative_to(adapters): path.read_bytes() for path in adapters.rglob("*") if path.is_file()}
    digest = json.loads((folder / SUMMARY_FILE).read_text())["digest"]
    return digest, [files, state, (checkpoint / TENSORS_FILE).read_bytes()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as work:
        unbroken = Path(work, "unbroken")
        process, began = begin(unbroken)
        process.communicate()
        length = time.monotonic() - began
        digest, rest = ending(unbroken)
        equal, same_weights, anew, kills = 0, 0, 0, 0
        moments = []
        while kills < given.kills:
            folder = Path(work, "killed")
            process, began = begin(folder)
            time.sleep(max(0.0, began + draw.uniform(0.0, length) - time.monotonic()))
            process.kill()
            process.communicate()
            if process.returncode != 0:  # it can be over sooner than the first one was
                kills += 1
                found = [int(path.name[4:]) for path in (folder / CHECKPOINT_FOLDER).glob("gen-??????")]
                moments.append(max(found, default=-1))
                anew += "begun anew" in finish("resume", str(folder), "--quiet")
                end = ending(folder)
                equal += end[0] == digest
                same_weights += end[1] == rest
            shutil.rmtree(folder)
        print(f"kills {kills}, before the first checkpoint {anew}; newest checkpoints at {sorted(moments)}")
        print(f"equal digests {equal}/{kills}, equal adapters and states {same_weights}/{kills}")
    raise SystemExit(0 if equal == same_weights == kills else 1)


if __name__ == "__main__":
    main()
