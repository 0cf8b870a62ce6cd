"""``evolora sweep`` and ``evolora replay`` from the outside: commands, what they say, and their exit codes."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from processes import PATIENCE, environment, wait_until

from evolora_mesa.cli import main
from evolora_mesa.record.store import RunStore
from evolora_mesa.strictyaml import dump_yaml
from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.check import Pilot
from evolora_mesa.study.sweep.job import Result
from evolora_mesa.study.sweep.ledger import Ledger
from evolora_mesa.study.sweep.reading import load_sweep
from evolora_mesa.study.sweep.work import run_job

HERE = Path(__file__).parent
MODELS = HERE / "study" / "sweep"

FRAGILE = {
    "name": "fragile",
    "model": "odd_models:Fragile",
    "generations": 5,
    "factors": {"grief": ["", "raise"]},
    "seeds": 2,
    "metrics": {"height": {"figure": "height"}},
}
WORLD = {
    "name": "tiny",
    "base": "smoke",
    "generations": 1,
    "set": {"population.episodes": 1, "host.device": "cpu"},
    "factors": {"economy.ticket": [0.5]},
    "seeds": 1,
    "metrics": {"success": {"figure": "success_rate"}},
}


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(MODELS))
    monkeypatch.chdir(tmp_path)


def spec_file(folder: Path, tree: dict[str, Any], **changes: Any) -> str:
    path = folder / "spec.yaml"
    path.write_text(dump_yaml({**tree, **changes}), encoding="utf-8")
    return str(path)


def lived(folder: Path, tree: dict[str, Any]) -> tuple[Path, str]:
    """The folder of the first run of a sweep, lived in this process, and its digest."""
    job = Agenda(*load_sweep(spec_file(folder, tree))).ready({})[0]
    return folder / job.key, run_job(job, folder / job.key).digest


def results(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "results.csv").read_text(encoding="utf-8"))))


def times_begun(folder: Path) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(folder / "sweep.sqlite")) as connection:
        return dict(connection.execute("SELECT key, begun FROM runs"))


@pytest.mark.slow
def test_one_bad_cell_of_twenty_costs_its_own_run_only_and_the_command_that_is_told_runs_it_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    griefs = [*(f"none {number}" for number in range(13)), "raise", *(f"none {number}" for number in range(13, 19))]
    spec, out = spec_file(tmp_path, FRAGILE, factors={"grief": griefs}, seeds=1), tmp_path / "out"
    assert main(["sweep", spec, "--out", str(out), "--workers", "2"]) == 1
    rows = results(out)
    assert [row["status"] for row in rows] == ["done"] * 13 + ["failed"] + ["done"] * 6
    assert [row["error"] for row in rows if row["error"]] == ["ValueError: a bad day and a second line"]
    (failed,) = (row["run"] for row in rows if row["status"] == "failed")
    _, _, command = capfd.readouterr().out.strip().splitlines()[-1].partition("Only those again: ")
    assert command.startswith(f"evolora sweep {spec} --out {out}") and command.endswith(f"--retry {failed}")
    assert main(shlex.split(command)[1:]) == 1
    assert times_begun(out) == {row["run"]: 1 + (row["run"] == failed) for row in rows}
    capfd.readouterr()
    assert main(["sweep", spec, "--out", str(out), "--retry", rows[0]["run"]]) == 2
    assert "no failed run" in capfd.readouterr().err


def test_a_finished_sweep_says_so_and_a_larger_one_adds_to_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    small = {**FRAGILE, "model": "odd_models:Counter", "factors": {"slope": [1.0]}}
    assert main(["sweep", spec_file(tmp_path, small), "--out", str(out), "--quiet"]) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.csv")}
    capfd.readouterr()
    assert main(["sweep", spec_file(tmp_path, small), "--out", str(out)]) == 0
    assert capfd.readouterr().out.startswith("The sweep is finished: all of its 2 runs are over.")
    assert before and all(path.stat().st_mtime_ns == then for path, then in before.items())
    larger = spec_file(tmp_path, small, factors={"slope": [1.0, 2.0]})
    assert main(["sweep", larger, "--out", str(out), "--format", "json"]) == 0
    told = capfd.readouterr()
    assert "2 are done" in told.err and len(json.loads(told.out)["runs"]) == 4
    assert [row["height"] for row in results(out)] == ["5.0", "5.0", "10.0", "10.0"]


def test_a_dry_run_tells_what_it_takes_and_leaves_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = spec_file(tmp_path, FRAGILE)
    assert main(["sweep", spec, "--dry-run", "--workers", "2"]) == 0
    assert "4 runs x ~" in capfd.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]


def test_a_dry_run_counts_what_is_done_and_plans_where_nothing_has_ended_yet(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = {**FRAGILE, "factors": {"grief": [""]}}
    spec, out = spec_file(tmp_path, tree), tmp_path / "out"
    out.mkdir()
    with Ledger(out):  # as a sweep that was killed before its first run
        pass
    assert main(["sweep", spec, "--dry-run", "--out", str(out)]) == 0
    assert "2 runs x ~" in capfd.readouterr().out and list(out.iterdir()) == [out / "sweep.sqlite"]
    with Ledger(out) as ledger:
        for job in Agenda(*load_sweep(spec)).ready({}):
            ledger.begin(job)
            ledger.end(job, Result(outcome="finished", wall_seconds=1.0, metrics={"height": 5.0}))
    assert main(["sweep", spec_file(tmp_path, tree, seeds=3), "--dry-run", "--out", str(out)]) == 0
    assert "; 2 are done" in capfd.readouterr().out
    monkeypatch.setattr("evolora_mesa.study.sweep.check.fly", lambda *_: Pilot(1.0, None))
    other = spec_file(tmp_path, tree, metrics={"luck": {"figure": "luck"}})
    assert main(["sweep", other, "--dry-run", "--out", str(out)]) == 0
    assert "are done" not in capfd.readouterr().out


def test_how_much_it_is_is_told_before_a_pilot_that_may_hang(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hanging(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("evolora_mesa.study.sweep.check.fly", hanging)
    assert main(["sweep", spec_file(tmp_path, FRAGILE), "--dry-run"]) == 130
    assert capfd.readouterr().out == "fragile: 2 cells x 2 seeds = 4 runs of 5 generations\n"


@pytest.mark.slow
def test_a_long_sweep_wants_a_yes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    spec = spec_file(tmp_path, {**FRAGILE, "factors": {"grief": [""]}}, seeds=201)
    assert main(["sweep", spec]) == 2
    assert "201 runs are more than 200" in capfd.readouterr().err
    assert not (tmp_path / "sweeps" / "fragile" / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--engine", "slurm"], "no such engine"),
        (["--format", "pdf"], "no such format"),
        (["--workers", "0"], "--workers"),
        (["--retry", "0123"], "no failed run"),
    ],
)
def test_a_mistake_in_the_command_is_told_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["sweep", spec_file(tmp_path, FRAGILE), *arguments]) == 2
    error = capfd.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.slow
def test_a_limit_of_the_command_wins_over_the_spec(tmp_path: Path) -> None:
    sleepy = {**FRAGILE, "factors": {"grief": ["sleep"]}, "seeds": 1, "limits": {"seconds": 600.0}}
    sleepy["set"] = {"trace": str(tmp_path / "trace")}
    assert main(["sweep", spec_file(tmp_path, sleepy), "--out", "out", "--timeout", "0.3", "--quiet"]) == 1
    assert [row["error"] for row in results(tmp_path / "out")] == ["no end within 0.3 s"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_ends_a_sweep_in_order_and_the_same_command_goes_on(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    trace = tmp_path / "trace"
    tree = {**FRAGILE, "factors": {"grief": ["", "sleep"]}, "seeds": 1, "set": {"trace": str(trace)}}
    process = subprocess.Popen(
        [sys.executable, "-m", "evolora_mesa.cli", "sweep", spec_file(tmp_path, tree), "--out", "out"],
        env=environment(MODELS),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(
            lambda: process.poll() is not None or (trace.exists() and results(tmp_path / "out")), "a run to be over"
        )
        os.killpg(process.pid, number)  # as a terminal does
        told, error = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == code, (told, error)
    assert "1 of 2 runs are done; the same command goes on: evolora sweep" in told.splitlines()[-1]
    assert [row["status"] for row in results(tmp_path / "out")] == ["done"]


def test_a_run_of_a_sweep_is_lived_again_to_the_same_digest(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run, digest = lived(tmp_path, WORLD)
    assert main(["replay", str(run)]) == 0
    assert capfd.readouterr().out == f"the same: 1 generations, digest {digest}\n"
    with RunStore.open_for_append(run / "run.sqlite", 1) as store:
        store._connection.execute("UPDATE generations SET digest = 'ab' WHERE generation = 1")
    assert main(["replay", str(run), "--json"]) == 1
    found = json.loads(capfd.readouterr().out)
    assert (found["generation"], found["digest"], found["recorded"]) == (1, digest, "ab")


def test_a_run_of_another_model_is_lived_again_too(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run, digest = lived(tmp_path, {**FRAGILE, "model": "odd_models:Counter", "factors": {"slope": [1.0]}})
    assert main(["replay", str(run)]) == 0
    assert capfd.readouterr().out == f"the same: 5 generations, digest {digest}\n"


def test_what_is_no_run_is_not_lived_again(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(tmp_path)]) == 2
    assert "not the folder of a run" in capfd.readouterr().err
