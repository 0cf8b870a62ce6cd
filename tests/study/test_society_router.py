"""The router study: examined lives, and a page that says what was found."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evolora_mesa.study.society_router import ARMS, LifeRow, RouterRow, live_with, main, router_page

TINY = {"population.initial": 3, "population.episodes": 3, "host.tune_cpu": False, "society.router.episodes": 4}


def test_a_life_with_a_router_is_examined_now_and_then_and_one_without_never() -> None:
    life, examined = live_with("router", 0, 2, 1, 1, TINY)
    assert [row.generation for row in examined] == [1, 2]
    for row in examined:
        shares = (row.routed, row.greedy, row.mean, row.single, row.oracle, row.bare)
        assert all(0 <= share <= 1 for share in shares)
    assert life.cpu_ms > 0
    without, nothing = live_with("off", 0, 2, 1, 1, TINY)
    assert nothing == [] and without.routed == 0.0


def test_the_page_has_a_line_for_every_examination_and_arm() -> None:
    rows = [
        RouterRow(seed, generation, 0.6, 0.6, 0.4, 0.5, 0.7 + 0.1 * seed, 0.2)
        for seed in (0, 1)
        for generation in (8, 16)
    ]
    lives = [
        LifeRow(arm, seed, 0.5 + 0.1 * (arm == "router"), 0.6, 8.0, {"organelle": (9, 6), "colony": (1, 1)}, 2.0)
        for seed in (0, 1)
        for arm in ARMS
    ]
    page = router_page(lives, rows, "the command")
    assert "Made by `the command`." in page
    lines = [line for line in page.splitlines() if line.startswith(("| 8 |", "| 16 |"))]
    assert len(lines) == 2 and all("| 15.0 [" in line and "| 20.0 [20.0, 20.0]" in line for line in lines)
    router, taken = [line for line in page.splitlines() if line.startswith("| router |")]
    assert "10.0 [10.0, 10.0]" in router
    assert taken == "| router | 90.0 %: 66.7 [66.7, 66.7] | 10.0 %: 100.0 [100.0, 100.0] | none |"


@pytest.mark.slow
def test_the_command_writes_page_and_rows(tmp_path: Path) -> None:
    said: list[str] = []
    given = ["--seeds", "1", "--generations", "2", "--every", "1", "--per-cell", "1", "--out", str(tmp_path)]
    assert main(given, said.append) == 0
    assert (tmp_path / "router.md").read_text(encoding="utf-8") == said[0]
    with (tmp_path / "router.csv").open(encoding="utf-8") as file:
        assert [row["generation"] for row in csv.DictReader(file)] == ["1", "2"]
