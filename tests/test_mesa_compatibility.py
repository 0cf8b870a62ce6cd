"""What Mesa users do with a model: build it bare, sweep it, look at it, throw it away."""

from __future__ import annotations

import gc
import inspect
import weakref

import mesa
import numpy as np
import pandas as pd
import pytest
from mesa.discrete_space import Cell
from world_fixtures import NOBODY_CAN_PAY, TINY, live, lively_world, tiny_world

from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.organelle import Organelle

# A list is swept over, so settings that are lists go in as a list of one.
SWEPT = {name: [value] for name, value in TINY.items()}


def forget(model: mesa.Model) -> None:
    """Drop what Mesa holds of a finished model: 3.3 counts agents by class, and cells cache neighbours."""
    getattr(mesa.Agent, "_ids", {}).pop(model, None)
    for cached in (Cell.get_neighborhood, Cell._neighborhood):
        cached.cache_clear()


def test_a_model_without_arguments_lives_ten_generations() -> None:
    model = EcologyModel()
    for _ in range(10):
        model.step()
    assert model.running
    assert model.tick == 10
    assert len(model.agents) >= 1


def test_the_agents_are_a_mesa_agent_set(petri: HostService) -> None:
    model = live(tiny_world(petri), 2)
    assert list(model.agents_by_type) == [Organelle]
    richest = model.agents.select(lambda organelle: organelle.energy >= model.agents.agg("energy", max), at_most=1)
    assert next(iter(richest)).energy == max(organelle.energy for organelle in model.organelles())
    by_family = model.agents.groupby(lambda organelle: organelle.cell.coordinate[0]).count()
    assert sum(by_family.values()) == len(model.agents)
    assert model.steps == model.tick


def test_run_model_ends_when_the_last_organelle_is_gone(petri: HostService) -> None:
    model = tiny_world(petri, **NOBODY_CAN_PAY)
    model.run_model()
    assert model.tick == 1


def test_a_sweep_over_dotted_names_and_seeds_runs(petri: HostService) -> None:
    rows = mesa.batch_run(
        EcologyModel,
        {"config": "ecology", "host": petri, "rng": [1, 2], "economy.ticket": [0.25, 1.0], **SWEPT},
        number_processes=1,
        data_collection_period=1,
        max_steps=2,
        display_progress=False,
    )
    frame = pd.DataFrame(rows)
    assert set(frame["RunId"]) == {0, 1, 2, 3}
    assert set(zip(frame["rng"], frame["economy.ticket"], strict=True)) == {(s, t) for s in (1, 2) for t in (0.25, 1.0)}
    assert set(frame["generation"]) >= {0, 1, 2}
    assert {"population", "accuracy", "energy", "cell", "AgentID"} <= set(frame.columns)
    spent = frame[frame["generation"] == 2].groupby("economy.ticket")["energy_soil"].mean()
    assert spent[1.0] > spent[0.25]


def test_a_run_of_a_sweep_is_the_run_of_its_own_model(petri: HostService) -> None:
    rows = mesa.batch_run(
        EcologyModel,
        {"host": petri, "rng": 9, **SWEPT},
        data_collection_period=1,
        max_steps=2,
        display_progress=False,
    )
    swept = {row["generation"]: row["energy_soil"] for row in rows}
    model = live(tiny_world(petri, rng=9), 2)
    alone = model.datacollector.get_model_vars_dataframe().set_index("generation")["energy_soil"]
    assert all(swept[generation] == alone[generation] for generation in range(3))


def test_numbers_of_numpy_are_numbers(petri: HostService) -> None:
    model = tiny_world(petri, rng=np.int64(3), **{"population.initial": np.int64(2), "economy.ticket": np.float64(0.5)})
    assert len(model.agents) == 2
    assert model.config.economy.ticket == 0.5


def test_a_finished_model_is_freed(petri: HostService) -> None:
    model = live(lively_world(petri), 4)
    dead_and_alive = [
        weakref.ref(model),
        weakref.ref(model.bank),
        *(weakref.ref(o) for o in model.organelles()),
    ]
    forget(model)
    del model
    gc.collect()
    assert [reference() for reference in dead_and_alive] == [None] * len(dead_and_alive)


def test_the_dead_are_freed_while_the_world_lives_on(petri: HostService) -> None:
    model = tiny_world(petri, **NOBODY_CAN_PAY)
    gone = [weakref.ref(organelle) for organelle in model.organelles()]
    live(model, 1)
    gc.collect()
    assert [reference() for reference in gone] == [None] * 4


def test_agents_hold_no_tensors(petri: HostService) -> None:
    import torch

    model = live(tiny_world(petri), 1)
    for organelle in model.organelles():
        assert not [name for name, value in vars(organelle).items() if isinstance(value, torch.Tensor | np.ndarray)]


def test_the_signature_is_one_that_mesas_user_interface_accepts() -> None:
    parameters = inspect.signature(EcologyModel.__init__).parameters
    kinds = {name: parameter.kind for name, parameter in parameters.items()}
    assert inspect.Parameter.VAR_POSITIONAL not in kinds.values()
    assert kinds["kwargs"] is inspect.Parameter.VAR_KEYWORD  # looked for by this name
    assert all(
        parameter.default is not inspect.Parameter.empty
        for name, parameter in parameters.items()
        if name not in ("self", "kwargs")
    )


def test_mesas_user_interface_accepts_dotted_parameters() -> None:
    pytest.importorskip("solara")
    pytest.importorskip("altair", reason="Mesa's user interface needs altair (the extra dev has it)")
    from mesa.visualization.solara_viz import _check_model_params

    _check_model_params(EcologyModel.__init__, {"config": "smoke", "rng": "7", "economy.ticket": 0.3})
