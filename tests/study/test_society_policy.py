"""The policy study: arms of the same seeds, and a page that says what was found."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.society_policy import ARMS, genuine, live_arm, main, policy_page

TINY = {"population.initial": 3, "population.episodes": 3, "host.tune_cpu": False}


def test_an_arm_counts_its_policies_and_the_arm_without_has_none() -> None:
    off, greedy, free = (live_arm(arm, 0, 2, TINY) for arm in ("off", "greedy", "free"))
    assert (off.asked, off.policy_tokens) == (0, 0.0)
    assert greedy.asked == greedy.constrained == free.asked == 3
    assert free.genuine + free.failed == 3 and free.constrained == 0
    assert 0 < greedy.policy_tokens < 1
    assert off.episodes == free.episodes == 18


def test_there_is_no_other_arm() -> None:
    with pytest.raises(ConfigError, match=r"no such arm \(arms\): expected off, greedy"):
        live_arm("grdy", 0, 1)


def test_the_page_holds_every_arm_against_the_one_without() -> None:
    rows = [live_arm(arm, seed, 1, TINY) for seed in (0, 1) for arm in ("off", "greedy")]
    page = policy_page(rows, [["petri", "0", "0"]], 1, "the command")
    assert "Made by `the command`." in page
    lines = [line for line in page.splitlines() if line.startswith(("| off", "| greedy"))]
    assert len(lines) == 2
    assert lines[0].count("—") == 4 and "0 of 6" in lines[1]


def test_neither_petri_nor_random_weights_write_policies_on_their_own() -> None:
    for random_weights in (False, True):
        assert genuine(random_weights=random_weights, example=True, prompts=100) == 0


@pytest.mark.slow
def test_the_command_writes_page_and_rows(tmp_path: Path) -> None:
    said: list[str] = []
    assert main(["--seeds", "1", "--generations", "1", "--out", str(tmp_path)], said.append) == 0
    assert (tmp_path / "policy.md").read_text(encoding="utf-8") == said[0]
    with (tmp_path / "policy.csv").open(encoding="utf-8") as file:
        assert [row["arm"] for row in csv.DictReader(file)] == list(ARMS)
