"""The same seed is the same run: in one process, in two, beside another world, and as text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from world_fixtures import adapters, agents, history, live, lively_world, tiny_world

from evolora_mesa.host import HostService

_HERE = Path(__file__).parent
_STORY = """
import json
from world_fixtures import adapters, agents, history, live, lively_world
from evolora_mesa.host import HostService

model = live(lively_world(HostService.load("petri", device="cpu", tuned=False), rng=5), 5)
sums = {name: tensor.double().sum().item() for name, tensor in adapters(model).items()}
print(json.dumps([history(model), agents(model), sums]))
"""


def test_the_same_seed_is_the_same_run_and_another_is_not(petri: HostService) -> None:
    first, second, other = (lively_world(petri, rng=seed) for seed in (3, 3, 4))
    assert agents(first) == agents(second)  # the founders' first homes are drawn too
    for model in (first, second, other):
        live(model, 6)
    assert history(first) == history(second)
    assert agents(first) == agents(second)
    weights = adapters(second)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in adapters(first).items())
    assert history(first) != history(other)
    assert any(not torch.equal(tensor, weights[name]) for name, tensor in adapters(other).items())


def test_a_seed_may_be_text(petri: HostService) -> None:
    assert history(live(tiny_world(petri, rng="7"), 2)) == history(live(tiny_world(petri, rng=7), 2))


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_seed_the_config_gives_it(petri: HostService, nothing: str | None) -> None:
    model = tiny_world(petri, rng=nothing, seed=11)
    assert model.streams.seed == 11
    assert history(live(model, 2)) == history(live(tiny_world(petri, rng=11), 2))


@pytest.mark.parametrize("rule", ["reinforce", "evolution_strategy"])
def test_the_same_seed_is_the_same_run_under_rules_with_noise_of_their_own(petri: HostService, rule: str) -> None:
    settings = {"plasticity.rule": rule, "plasticity.pairs": 2}
    first, second = (live(lively_world(petri, **settings), 4) for _ in range(2))
    assert history(first) == history(second)


def test_two_worlds_on_one_host_do_not_disturb_one_another(petri: HostService) -> None:
    alone = live(lively_world(petri, rng=3), 5)
    first, second = lively_world(petri, rng=3), tiny_world(petri, rng=8, **{"plasticity.rule": "reinforce"})
    for _ in range(5):
        second.step()
        first.step()
    assert history(first) == history(alone)
    assert agents(first) == agents(alone)


def test_the_global_generators_have_no_say(petri: HostService) -> None:
    import random

    import numpy as np

    alone = history(live(tiny_world(petri), 3))
    model = tiny_world(petri)
    for seed in range(3):
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        before = random.getstate(), torch.get_rng_state()
        model.step()
        assert random.getstate() == before[0]
        assert torch.equal(torch.get_rng_state(), before[1])
    assert history(model) == alone


@pytest.mark.slow
def test_the_hash_seed_of_python_has_no_say() -> None:
    def story(hash_seed: str) -> object:
        environment = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join([str(_HERE.parent), str(_HERE)]),
        }
        done = subprocess.run(
            [sys.executable, "-c", "import torch; torch.set_num_threads(1)\n" + _STORY],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first, second = story("0"), story("1")
    assert first == second
    assert len(first[0]) == 6
