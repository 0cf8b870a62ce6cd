"""Planted teams: copies err apart or together, a vote is a vote, and the page says which of both there were."""

from __future__ import annotations

import numpy as np
import pytest

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.host import BARE, HostService
from evolora_mesa.streams import Streams
from evolora_mesa.study import society_planted
from evolora_mesa.study.deployment import Ground
from evolora_mesa.study.society_planted import PlantedTeam, planted_page, planted_teams
from evolora_mesa.tasks import Pool


@pytest.fixture
def world() -> WorldConfig:
    return load_config("ecology", {"tasks.families": ["word.count"], "tasks.depths": 1, "host.tune_cpu": False})


def test_errors_are_told_apart_from_errors_that_are_shared() -> None:
    rng = np.random.default_rng(0)
    apart = rng.random((3, 20_000)) < 0.7
    assert society_planted._spread(apart) == pytest.approx(1.0, abs=0.03)
    assert society_planted._spread(np.repeat(apart[:1], 3, axis=0)) == 0.0
    assert np.isnan(society_planted._spread(np.ones((3, 5), dtype=bool)))


def test_one_who_is_asked_three_times_nearly_greedily_says_the_same_three_times(
    petri: HostService, world: WorldConfig
) -> None:
    bank = petri.new_bank(world.adapter.sites, capacity=1)
    room = society_planted._Room(petri, bank, Ground.of(world), "word.count", Streams(0))
    single, vote = room.right([BARE] * 3, Pool.TEST, 96, 0.001)
    assert (single == single[0]).all() and (vote == single[0]).all()
    warm, _ = room.right([BARE] * 3, Pool.TEST, 96, 1.0)
    assert not (warm == warm[0]).all()


def test_teams_are_made_of_noisy_copies_of_a_specialist_and_read_at_every_temperature(
    petri: HostService, world: WorldConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_EPISODES", 96), ("_COPIES", 3), ("_GATE", 24), ("_TEST", 96)):
        monkeypatch.setattr(society_planted, name, value)
    noise: list[float] = []
    mutate = society_planted.mutate
    monkeypatch.setattr(
        society_planted,
        "mutate",
        lambda *given, **how: noise.extend(how["strength"].tolist()) or mutate(*given, **how),
    )
    teams = planted_teams(petri, world, 3)
    assert [(team.seed, team.family, team.temperature) for team in teams] == [
        (3, "word.count", 0.001), (3, "word.count", 1.0),
    ]  # fmt: skip
    assert noise == [strength for strength in society_planted._LOUD for _ in range(3)]
    cold, warm = teams
    assert all(0 <= share <= 1 for team in teams for share in (team.single, team.vote, team.best_of))
    assert cold.single > warm.single and cold.spread == warm.spread


def test_the_page_holds_a_vote_against_the_best_member_where_errors_are_apart_and_where_they_are_shared() -> None:
    teams = [
        PlantedTeam(seed, family, 1.0, 0.5, vote, 0.6, spread)
        for seed in (0, 1)
        for family, vote, spread in (("a", 0.8, 0.9), ("b", 0.6, 0.2))
    ]
    page = planted_page(teams, "the command")
    assert "Made by `the command`." in page
    assert (
        "| 1, independent | 2 | 50.0 [50.0, 50.0] | 80.0 [80.0, 80.0] | 60.0 [60.0, 60.0] | 20.0 [20.0, 20.0] |" in page
    )
    assert "| 1, shared | 2 | 50.0 [50.0, 50.0] | 60.0 [60.0, 60.0] | 60.0 [60.0, 60.0] | 0.0 [0.0, 0.0] |" in page
