"""The study of colonies: planted votes, one short life, and what is made of lives."""

from __future__ import annotations

import numpy as np
import pytest
from world_fixtures import TINY

from evolora_mesa.host import HostService
from evolora_mesa.society.joint import condorcet
from evolora_mesa.study.society_colonies import Examined, Life, colonies_page, live_through, planted_success, to_csv


@pytest.mark.parametrize(("members", "chance"), [(2, 0.7), (3, 0.6), (3, 0.8), (4, 0.7)])
def test_planted_teams_reach_condorcets_prediction(members: int, chance: float) -> None:
    seen = np.mean([planted_success(members, chance, 4000, seed) for seed in range(5)])
    assert seen == pytest.approx(condorcet(chance, members), abs=0.015)


def test_a_life_without_colonies_has_none(petri: HostService) -> None:
    life = live_through(petri, "ecology", "off", 1, generations=2, **TINY)
    assert (life.founded, life.tasks, life.examined) == (0, 0, [])
    assert 0 <= life.success <= 1 and life.cpu_ms > 0


def test_differences_are_paired_by_seed_and_what_is_missing_is_not_zero() -> None:
    lives = [Life("off", seed, success=0.5, cpu_ms=2.0) for seed in range(3)]
    for seed in range(3):
        examined = [Examined(100, 80, 60, 90, 61, 91)]
        lives.append(
            Life("best member", seed, proposed=3, founded=1, success=0.6, cpu_ms=2.5, examined=examined, lived=[9])
        )
    lives[-1].rungs.append(("fused", False, 40, 20, 1000, 30, 2000))
    text = colonies_page(lives, 2, "command")
    assert "| 60.0 [60.0, 60.0] | 10.0 [10.0, 10.0] | 2.50 [2.50, 2.50] | 0.50 [0.50, 0.50] |" in text
    assert "20.0 [20.0, 20.0] | -10.0 [-10.0, -10.0]" in text
    assert "| fused | 1 | 0 | 50.0 | 75.0 | 20.00 | 15.00 |" in text
    assert "| distilled | 0 | — |" in text
    assert to_csv(lives).count("\n") == 7
