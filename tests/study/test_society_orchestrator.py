"""The orchestrator study: all ways of answering the same composites, and a page that says what was found."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evolora_mesa.study.society_orchestrator import ARMS, WAYS, LifeRow, WayRow, examine, live_with, main
from evolora_mesa.study.society_orchestrator import orchestrator_page as page_of

TINY = {
    "population.initial": 3,
    "population.episodes": 3,
    "host.tune_cpu": False,
    "society.orchestrator.composites": 3,
}


def test_all_ways_answer_and_the_whole_is_given_at_least_as_many_tokens() -> None:
    life, model = live_with("step", 0, 2, TINY)
    assert model.orchestrator.counts["composites"] == 3 and life.cpu_ms > 0
    before = model.ledger.holdings()[1].tolist(), dict(model.orchestrator.counts)
    rows = examine(model, 0, 4)
    assert [row.way for row in rows] == list(WAYS)
    assert all(0 <= row.right <= 1 and row.tokens > 0 for row in rows)
    assert all(row.tokens >= rows[0].tokens for row in rows if row.way.startswith("whole"))
    assert (model.ledger.holdings()[1].tolist(), dict(model.orchestrator.counts)) == before


def test_a_life_without_composites_has_none() -> None:
    life, model = live_with("off", 0, 1, TINY)
    assert (life.early, life.late, life.known) == (0.0, 0.0, 0.0)
    assert model.orchestrator.counts["composites"] == 0


def test_the_page_holds_every_way_against_the_true_decomposition() -> None:
    rows = [WayRow(seed, way, 0.5 - 0.1 * (way != "given"), 0.7, 40.0) for seed in (0, 1) for way in WAYS]
    lives = [LifeRow(arm, seed, 0.1, 0.4, 1.0, 0.5, 8.0, 2.0) for seed in (0, 1) for arm in ARMS]
    page = page_of(lives, rows, "the command")
    assert "Made by `the command`." in page
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in page.splitlines() if line.startswith("| ")}
    assert set(WAYS) <= set(lines) and set(ARMS) <= set(lines)
    assert all("-10.0 [-10.0, -10.0]" in lines[way] for way in WAYS if way != "given")


@pytest.mark.slow
def test_the_command_writes_page_and_rows(tmp_path: Path) -> None:
    said: list[str] = []
    assert main(["--seeds", "1", "--generations", "2", "--composites", "2", "--out", str(tmp_path)], said.append) == 0
    assert (tmp_path / "orchestrator.md").read_text(encoding="utf-8") == said[0]
    with (tmp_path / "orchestrator.csv").open(encoding="utf-8") as file:
        assert [row["way"] for row in csv.DictReader(file)] == list(WAYS)
