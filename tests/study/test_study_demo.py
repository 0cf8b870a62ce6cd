"""The demo tells what happened, and tells it as it was."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import RunError
from evolora_mesa.study import demo
from evolora_mesa.study.demo import run_demo

TINY = {"generations": 8, "per_cell_select": 6, "per_cell_test": 12}


def played(config: WorldConfig, out: Path, **options: object) -> tuple:
    console = Console(file=io.StringIO(), width=100)
    result = run_demo(console=console, out=out, config=config, **{**TINY, **options})
    return result, console.file.getvalue()


def test_the_demo_ends_with_five_lines_the_files_and_the_next_commands(
    small_world: WorldConfig, tmp_path: Path
) -> None:
    result, text = played(small_world, tmp_path / "run")
    assert len(result.lines) == 5 and all(line in text for line in result.lines)
    commands = [line for line in text.splitlines() if line.startswith(("  python3 go.py", "  evolora"))]
    assert text.rstrip().splitlines()[-3:] == commands
    assert str(tmp_path / "run") in text
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"config.yaml", "run.sqlite", "checkpoint", "summary.json", "comparison.json"} < names
    kept = json.loads((tmp_path / "run" / "comparison.json").read_text(encoding="utf-8"))
    assert (kept["frozen"], kept["ecology"], kept["test_tasks"]) == (result.frozen, result.ecology, 48)
    assert kept["told"] == list(result.lines)


def test_the_demo_says_learned_exactly_when_the_interval_excludes_zero(
    small_world: WorldConfig, tmp_path: Path
) -> None:
    result, text = played(small_world, tmp_path / "run")
    assert ("It learned" in text) == (result.gain.low > 0)
    assert result.ecology - result.frozen == pytest.approx(result.gain.mean)


def test_on_random_weights_the_demo_claims_nothing(small_world: WorldConfig, tmp_path: Path) -> None:
    control = {"host.random_weights": True}
    result, text = played(small_world, tmp_path / "run", settings=control, generations=4, per_cell_select=2)
    assert result.ecology < 0.03
    assert "No learning shown" in text and "It learned" not in text
    assert "It solved none that the host did not" in text


def test_a_world_that_does_not_learn_is_not_praised(small_world: WorldConfig, tmp_path: Path) -> None:
    still = {"plasticity.rule": "none", "reproduction.enabled": False}
    result, text = played(small_world, tmp_path / "run", settings=still, generations=2)
    assert result.ecology == result.frozen
    assert "No learning shown" in text


def test_an_extinct_world_is_told_as_one(small_world: WorldConfig, tmp_path: Path) -> None:
    deadly = {"economy.ticket": 100.0, "economy.grace": 0, "economy.protected_age": 0}
    result, text = played(small_world, tmp_path / "run", settings=deadly)
    assert result.outcome == "extinct" and result.ecology == result.frozen
    assert "everybody died" in text and "It learned" not in text


@pytest.mark.parametrize(
    ("outcome", "ended_by", "said"),
    [
        ("interrupted", "SIGINT", "Ended early by Ctrl-C"),
        ("interrupted", "SIGTERM", "Ended early by SIGTERM"),
        ("output closed", None, ""),
    ],
)
def test_a_run_that_was_not_lived_to_its_end_is_not_compared(
    small_world: WorldConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    outcome: str,
    ended_by: str | None,
    said: str,
) -> None:
    summary = {"outcome": outcome, "ended_by": ended_by}
    monkeypatch.setattr(demo, "record_run", lambda model, folder, stream: summary)
    monkeypatch.setattr(demo, "deploy", lambda *rest: pytest.fail("compared"))
    result, text = played(small_world, tmp_path / "run")
    assert (result.outcome, result.ended_by, result.ecology) == (outcome, ended_by, None)
    assert said in text and "learned" not in text


def test_a_folder_with_content_is_refused(small_world: WorldConfig, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        played(small_world, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
