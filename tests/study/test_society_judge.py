"""The study of the judge: arms of the same seeds, and a page that holds each against the world without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from evolora_mesa.errors import ConfigError
from evolora_mesa.society.ratings import read_ratings
from evolora_mesa.study.society_judge import ARMS, judge_page, live_arm, rate_founders

TINY = {"population.initial": 3, "population.episodes": 3, "host.tune_cpu": False}


def test_arms_differ_in_who_is_paid_and_what_is_learned() -> None:
    off, strong = (live_arm(arm, 0, 3, TINY) for arm in ("off", "strong"))
    assert off.bonus == 0.0 < strong.bonus and off.episodes == strong.episodes == 27


def test_the_rated_arm_knows_the_judge_by_its_ratings_alone(tmp_path: Path) -> None:
    path = tmp_path / "ratings.jsonl"
    rate_founders(path, 0, duels=12, settings=TINY)
    found = read_ratings(path)
    assert found and all(one.choice == "a" for one in found if one.a.style == "ticks" != one.b.style)
    assert "society.judge.likes" not in ARMS["rated"]


def test_the_page_holds_every_arm_against_the_one_without() -> None:
    rows = [live_arm(arm, seed, 1, TINY) for seed in (0, 1) for arm in ("off", "strong")]
    page = judge_page(rows, 1, "the command")
    lines = [line for line in page.splitlines() if line.startswith(("| off", "| strong"))]
    assert "Made by `the command`." in page and [line.count("—") for line in lines] == [3, 0]


def test_there_is_no_other_arm() -> None:
    with pytest.raises(ConfigError, match=r"no such arm \(arms\): expected off, defaults"):
        live_arm("on", 0, 1)
