"""The doors of a world: its seed, its host, and the families that a user wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from world_fixtures import live, tiny_world

from evolora_mesa.errors import ConfigError, TaskError
from evolora_mesa.host import HostService

USER_FAMILY = """
import sys
from evolora_mesa.tasks import Family, Problem

class Fickle(Family):
    name, templates, asked = "fickle", ("Say:",), 0

    def problem(self, rng, depth):
        Fickle.asked += 1
        if Fickle.asked > 400:
            sys.exit(0)
        word = str(rng.randrange(10**6))
        return Problem(word, word, word + "0")
"""


@pytest.mark.parametrize("rng", [7, np.int64(7), "7", " 7 "])
def test_the_seed_that_is_run_is_the_seed_that_is_recorded(petri: HostService, rng: int | str) -> None:
    model = tiny_world(petri, rng=rng)
    assert model.config.seed == model.streams.seed == 7
    assert type(model.config.seed) is int


@pytest.mark.parametrize("rng", [None, "", " "])
def test_without_a_seed_the_configs_is_taken(petri: HostService, rng: str | None) -> None:
    assert tiny_world(petri, rng=rng, seed=5).streams.seed == 5
    assert tiny_world(petri, rng=rng).streams.seed == 0


@pytest.mark.parametrize(
    "rng",
    [
        *(2.7, 2.0, -1, 2**63, True, np.True_, float("nan"), [1], np.array([1, 2]), np.random.default_rng(1), b"7"),
        *("7x", "-1", "2.7", "None", "\u0663", "9" * 5000),
    ],
    ids=lambda rng: f"{type(rng).__name__}-{str(rng)[:5]}",
)
def test_a_seed_that_is_no_whole_number_from_zero_is_refused(petri: HostService, rng: object) -> None:
    with pytest.raises(ConfigError, match=r"'seed'.*whole number in \[0, ") as caught:
        tiny_world(petri, rng=rng)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_two_seeds_are_one_too_many(petri: HostService) -> None:
    with pytest.raises(ConfigError, match=r"given twice \(rng and seed\)"):
        tiny_world(petri, rng=7, seed=8)


@pytest.mark.parametrize("host", ["petri", 3, HostService])
def test_a_host_that_is_not_loaded_is_answered_with_how_to_load_it(host: object) -> None:
    with pytest.raises(ConfigError, match=r"expected a HostService, .*Pass HostService\.load\('petri'\)"):
        tiny_world(host)  # type: ignore[arg-type]


def test_a_user_family_that_exits_late_in_a_run_ends_it_with_an_error_of_its_own(
    petri: HostService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fickle_garden.py").write_text(USER_FAMILY, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    settings = {"tasks.families": [], "tasks.user_families": ["fickle_garden:Fickle"], "economy.ticket": 0.0}
    model = live(tiny_world(petri, **settings), 2)
    with pytest.raises(
        TaskError, match=r"task family fails \(fickle:[12], fickle_garden:Fickle\): got 'SystemExit: 0'"
    ):
        live(model, 100)
