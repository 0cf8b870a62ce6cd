"""What becomes of a batch when something goes wrong: `mesa.batch_run` and this package, asked the same questions.

    python benchmarks/sweep_features.py [--json FILE]

Every answer comes from a process of its own that is given a minute; "hangs" means that it was over before the batch
was. Prints a Markdown table. Exits with 1 when an answer of this package is not the wanted one.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from common import machine
from sweep_models import Seldom, Walk

HERE = Path(__file__).resolve().parent

_PATIENCE = 60.0  # seconds
_SPEC = """
name: features
model: sweep_models:Walk
set: {SETTINGS}
factors: {FACTORS}
seeds: 1
generations: 3
metrics:
  place: {figure: place}
"""

Batch = Callable[..., list[dict[str, Any]]]


def batch_of(tool: str) -> Batch:
    if tool == "mesa":
        from mesa.batchrunner import batch_run
    else:
        from evolora_mesa import batch_run  # type: ignore[assignment]
    return batch_run


# --- one question each; `batch` is either function


def steps(batch: Batch, aside: Path) -> str:
    batch(Walk, {}, max_steps=10, display_progress=False)
    return str(Walk.steps_in_this_process)


def seeds(batch: Batch, aside: Path) -> str:
    rows = batch(Walk, {"seed": 42}, iterations=3, max_steps=200, display_progress=False)
    return str(len({(row["place"], row["seed"]) for row in rows}))


def seldom(batch: Batch, aside: Path) -> str:
    rows = batch(Seldom, {}, max_steps=9, display_progress=False)
    return f"{len(rows)} row"


def order(batch: Batch, aside: Path) -> str:
    rows = batch(Walk, {"seconds": [0.5, 0.0, 0.0, 0.0]}, number_processes=2, max_steps=3, display_progress=False)
    numbers = [row["RunId"] for row in rows]
    return "that of the runs" if numbers == sorted(numbers) else "that in which they ended"


def raising(batch: Batch, aside: Path) -> str:
    given = {"accident": ["", "", "raise", ""]}
    try:
        return f"{len(batch(Walk, given, number_processes=2, max_steps=3, display_progress=False))} of 3"
    except Exception as error:
        return f"{len(getattr(error, 'rows', []))} of 3, then {type(error).__name__}"


def killed(batch: Batch, aside: Path) -> str:
    given = {"accident": ["", "", "kill", ""], "trace": str(aside / "trace")}
    return f"{len(batch(Walk, given, number_processes=2, max_steps=3, display_progress=False))} of 4"


QUESTIONS: dict[str, tuple[str, Callable[[Batch, Path], str], str]] = {
    "steps": ("`max_steps=10`: steps run", steps, "10"),
    "seeds": ("`seed=42` and 3 iterations: different runs", seeds, "3"),
    "seldom": ("a model that collects every third step", seldom, "1 row"),
    "order": ("order of the rows under 2 processes", order, "that of the runs"),
    "raising": ("one run of four raises: rows of the others", raising, "3 of 3, then BatchError"),
    "killed": ("a worker is killed: runs in the result", killed, "4 of 4"),
}


def asked(question: str, tool: str) -> str:
    """The answer of a process of its own."""
    command = [sys.executable, __file__, "--question", question, "--tool", tool]
    with tempfile.TemporaryDirectory() as aside:
        child = subprocess.Popen(
            [*command, "--aside", aside],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = child.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)  # its session, with the workers that it waits for
            child.communicate()
            return "hangs"
    lines = (out if child.returncode == 0 else err).strip().splitlines()
    return lines[-1] if lines else f"exit code {child.returncode}"


# --- what only sweeps are asked


def sweep(folder: Path, settings: str, factors: str, *options: str) -> subprocess.Popen[str]:
    spec = folder / "features.yaml"
    spec.write_text(_SPEC.replace("{SETTINGS}", settings).replace("{FACTORS}", factors), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "evolora_mesa.cli", "sweep", str(spec), "--out", str(folder / "out"), *options],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished_rows(folder: Path) -> int:
    table = folder / "out" / "results.csv"
    lines = table.read_text(encoding="utf-8").splitlines() if table.exists() else []
    return sum(",done," in line for line in lines)


def unknown_name() -> str:
    with tempfile.TemporaryDirectory() as aside:
        child = sweep(Path(aside), "{}", "{secconds: [0, 1]}")
        told, _ = child.communicate(timeout=_PATIENCE)
        begun = (Path(aside) / "out" / "runs").exists()
    hint = told.strip().splitlines()[-1].rpartition(". ")[2]
    return f"{'after a run began' if begun else 'before the first run'}: {hint}"


def killed_supervisor() -> str:
    """Rows that are there when the whole batch is killed after the second, and after the same command once more."""
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        arguments = ("{seconds: 0.3}", "{trace: [a, b, c, d, e, f]}", "--workers", "2", "--quiet")
        child = sweep(folder, *arguments)
        patience = time.monotonic() + _PATIENCE
        while finished_rows(folder) < 2 and time.monotonic() < patience:
            time.sleep(0.02)
        child.kill()
        child.communicate()
        left = finished_rows(folder)
        sweep(folder, *arguments).communicate(timeout=_PATIENCE)
        return f"{left} of 6, and {finished_rows(folder)} of 6 after the same command again"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--question", choices=QUESTIONS, help=argparse.SUPPRESS)
    parser.add_argument("--tool", choices=("mesa", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--aside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.question:
        print(QUESTIONS[arguments.question][1](batch_of(arguments.tool), arguments.aside))
        return 0
    rows, right = [], True
    for name, (text, _, wanted) in QUESTIONS.items():
        answers = {tool: asked(name, tool) for tool in ("mesa", "ours")}
        right &= answers["ours"] == wanted
        rows.append({"question": text, **answers})
    rows.append(
        {
            "question": "an unknown parameter is noticed (`evolora sweep`)",
            "mesa": "in the first run",
            "ours": unknown_name(),
        }
    )
    after = killed_supervisor()
    right &= after.endswith("6 of 6 after the same command again")
    rows.append(
        {
            "question": "the whole batch is killed (`evolora sweep`): runs left",
            "mesa": "none, they are in memory",
            "ours": after,
        }
    )
    print("| question | `mesa.batch_run` | here |\n|---|---|---|")
    for row in rows:
        print(f"| {row['question']} | {row['mesa']} | {row['ours']} |")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"machine": machine(), "rows": rows}, indent=2) + "\n", encoding="utf-8")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
