"""At Mesa's rules our models do what its own examples do: what `benchmarks/alife_speed.py` rests on."""

import numpy as np
import pytest
from mesa.examples.advanced.sugarscape_g1mt.model import SugarscapeG1mt
from mesa.examples.advanced.wolf_sheep.agents import Sheep, Wolf
from mesa.examples.advanced.wolf_sheep.model import WolfSheep as MesaWolfSheep
from mesa.experimental.devs import ABMSimulator
from resuming import stepped

from evolora_mesa.alife.sugarscape import Sugarscape
from evolora_mesa.alife.wolf_sheep import WolfSheep

SEEDS = range(4)
pytestmark = pytest.mark.slow


def test_seeking_animals_are_as_many_as_mesas():
    def theirs(seed):
        model = MesaWolfSheep(width=51, height=51, seed=seed, simulator=ABMSimulator())
        model.simulator.run_for(60)
        return [len(model.agents_by_type[kind]) for kind in (Sheep, Wolf)]

    def ours(seed):
        return [herd.shape[1] for herd in stepped(WolfSheep(rng=seed, moves="seek", record=False), 60).herds]

    found, wanted = (np.mean([count(seed) for seed in SEEDS], axis=0) for count in (ours, theirs))
    assert found == pytest.approx(wanted, rel=0.15)


def test_foragers_with_a_diamond_in_view_are_as_many_as_mesas_without_spice():
    def theirs(seed):
        model = SugarscapeG1mt(
            initial_population=400, endowment_min=5, endowment_max=25, metabolism_max=4, vision_max=6,
            enable_trade=False, seed=seed,
        )  # fmt: skip
        model.datacollector.model_reporters.clear()
        for agent in model.agents:
            agent.metabolism_spice, agent.spice = 0, 1
        for _ in range(30):
            model.step()
        return len(model.agents)

    def ours(seed):
        settings = {"rules": "M", "sight": "diamond", "torus": False, "record": False}
        return stepped(Sugarscape(rng=seed, **settings), 30).people.shape[1]

    found, wanted = (np.mean([count(seed) for seed in SEEDS]) for count in (ours, theirs))
    assert found == pytest.approx(wanted, rel=0.08)
