"""What a world is worth is measured on its last contracts, agrees with the baselines, and costs the world nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import ConfigError, LockedPoolError
from evolora_mesa.host import BARE, HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.study import worth as measuring
from evolora_mesa.study.baselines import run_baselines
from evolora_mesa.study.deployment import Ground, deploy, draw_panels
from evolora_mesa.study.panels import Marks, answer_panel, success_matrix
from evolora_mesa.study.worth import worth
from evolora_mesa.tasks import Pool, TaskSource, locked_test_pool

QUICK = {"per_cell": 4, "per_cell_choice": 2}


def grown(host: HostService, config: WorldConfig, generations: int, **settings: object) -> EcologyModel:
    model = EcologyModel(config, rng=0, host=host, **settings)
    for _ in range(generations):
        model.step()
    return model


@pytest.fixture(scope="module")
def world(petri: HostService, small_world: WorldConfig) -> EcologyModel:
    return grown(petri, small_world, 8)


def test_on_the_test_pool_the_figures_are_those_of_the_baselines(petri: HostService, small_world: WorldConfig) -> None:
    episodes = 256
    table = run_baselines(
        petri, small_world, seeds=[0], episodes=episodes, arms=("ecology",), per_cell_select=2, per_cell_test=4
    )
    (row,) = table.rows
    model = EcologyModel(small_world, rng=0, host=petri)
    lived = 0
    while lived < episodes:
        model.step()
        lived += model.tally.episodes + model.tally.gate_rows
    found = worth(model, "test", **QUICK)
    assert (found.routed, found.best_single, found.roi) == (row.routed, row.best_single, row.mean_roi)
    assert found.population + 1 == row.candidates


@pytest.mark.parametrize(("routing", "name"), [("learned", "routed"), ("uniform", "unrouted")])
def test_a_world_is_asked_as_its_own_routing_would_ask(petri: HostService, routing: str, name: str) -> None:
    world = EcologyModel("smoke", host=petri, rng=3, **{"forage.routing": routing, "adapter.initial_norm": 20.0})
    found = worth(world, **QUICK)
    assert found.routed != found.unrouted
    assert found.lived == getattr(found, name)


def test_unrouted_is_the_mean_over_all_organelles_on_the_same_prompts(world: EcologyModel) -> None:
    assert len(world.agents) <= 4
    ground = Ground.of(world.config)
    tasks = draw_panels(ground, 0, per_cell_select=2, per_cell_test=4).test
    slots = [organelle.slot for organelle in world.organelles()]
    matrix = success_matrix(world.host, world.bank, slots, tasks, ground.source, ground.contracts)
    assert worth(world, "test", **QUICK).unrouted == matrix.mean()
    assert len({*matrix.mean(1)}) > 1


def test_of_many_organelles_everybody_answers_as_often_in_every_cell(
    petri: HostService, small_world: WorldConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = EcologyModel(small_world, rng=0, host=petri, **{"population.initial": 8, "population.maximum": 8})
    asked: Counter[tuple[int, str, int]] = Counter()

    def noted(service, bank, slots: Sequence[int], tasks, *rest, **named) -> Marks:  # type: ignore[no-untyped-def]
        asked.update((slot, task.family, task.depth) for slot, task in zip(slots, tasks, strict=True))
        return answer_panel(service, bank, slots, tasks, *rest, **named)

    monkeypatch.setattr(measuring, "answer_panel", noted)
    worth(model, per_cell=4, routed=False)
    assert len(asked) == 8 * 4 and set(asked.values()) == {2}


def test_routes_that_were_learned_are_worth_more_than_none(world: EcologyModel) -> None:
    found = worth(world, per_cell=10)
    assert found.routed is not None and found.unrouted is not None and found.best_single is not None
    assert found.routed > found.unrouted + 0.1
    assert found.routed >= found.best_single > found.unrouted
    assert found.tokens is not None and 1 < found.tokens < 28
    assert found.population == len(world.agents)


def test_where_all_are_useless_the_bare_host_gets_the_tasks(petri: HostService, small_world: WorldConfig) -> None:
    model = EcologyModel(small_world, rng=0, host=petri)
    noise = torch.Generator().manual_seed(0)
    for organelle in model.organelles():
        model.bank.b["lm_head"][organelle.slot].normal_(0.0, 5.0, generator=noise)
    bare = worth(grown(petri, small_world, 0), "test", **QUICK)  # founders answer like the bare host
    found = worth(model, "test", **QUICK)
    assert found.routed == bare.routed == bare.unrouted
    assert found.unrouted is not None and found.routed is not None and found.unrouted < found.routed


def test_without_routes_fewer_answers_are_asked(world: EcologyModel) -> None:
    whole, part = worth(world, **QUICK), worth(world, **QUICK, routed=False)
    assert (part.routed, part.best_single) == (None, None)
    assert (part.unrouted, part.roi) == (whole.unrouted, whole.roi)
    assert part.answers == 4 * 4 * len(world.agents) < whole.answers


@pytest.mark.slow
def test_measuring_changes_nothing(petri: HostService, small_world: WorldConfig) -> None:
    plain, watched = (grown(petri, small_world, 3) for _ in range(2))
    worth(watched, "test", **QUICK)
    assert worth(watched, **QUICK) == worth(watched, **QUICK)
    for model in (plain, watched):
        for _ in range(3):
            model.step()
    figures = [
        model.datacollector.get_model_vars_dataframe().filter(regex="^(?!.*_seconds)") for model in (plain, watched)
    ]
    assert figures[0].equals(figures[1])


def test_while_settings_are_chosen_nothing_is_read_from_the_test_pool(
    world: EcologyModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw, drawn = TaskSource.draw, []

    def noted(self: TaskSource, pool: Pool, *rest: object) -> object:
        drawn.append(pool)
        return draw(self, pool, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(TaskSource, "draw", noted)
    worth(world, **QUICK)
    assert Counter(drawn) == {Pool.GATE: 8, Pool.SELECT: 16}
    drawn.clear()
    worth(world, "test", **QUICK)
    assert Counter(drawn) == {Pool.SELECT: 8, Pool.TEST: 16}


def test_inside_a_generation_the_test_pool_is_locked(world: EcologyModel) -> None:
    with locked_test_pool(), pytest.raises(LockedPoolError):
        worth(world, "test", **QUICK)


@pytest.mark.slow
def test_a_moved_world_is_measured_by_what_is_paid_now(petri: HostService, small_world: WorldConfig) -> None:
    model = grown(petri, small_world, 9, **{"seasons.shift_every": 8})
    slots = [BARE, *(organelle.slot for organelle in model.organelles())]
    accuracies = {}
    for generation in (8, 9):
        ground = Ground.of(model.config, generation)
        panels = draw_panels(ground, 0, per_cell_select=8, per_cell_test=10)
        accuracies[generation] = deploy(petri, model.bank, slots, ground, panels).accuracy
    found = worth(model, "test", per_cell=10)
    assert found.routed == accuracies[9] < accuracies[8] - 0.1


def test_a_world_without_life_is_worth_its_bare_host(petri: HostService, small_world: WorldConfig) -> None:
    deadly = {"economy.ticket": 1000.0, "economy.grace": 0, "economy.protected_age": 0, "reproduction.enabled": False}
    model = grown(petri, small_world, 2, **deadly)
    found = worth(model, "test", **QUICK)
    ground = Ground.of(model.config)
    panels = draw_panels(ground, 0, per_cell_select=2, per_cell_test=4)
    assert found.routed == found.best_single == deploy(petri, None, [BARE], ground, panels).accuracy
    assert (found.unrouted, found.population) == (None, 0)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"pool": "live"}, "no such pool"),
        ({"per_cell": 0}, r"\(per_cell\)"),
        ({"per_cell_choice": 0}, r"\(per_cell_choice\)"),
    ],
)
def test_bad_requests_are_refused(world: EcologyModel, wrong: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        worth(world, **wrong)


def test_the_tokens_are_those_of_the_routed_answers(world: EcologyModel) -> None:
    ground = Ground.of(world.config)
    panels = draw_panels(ground, 0, per_cell_select=2, per_cell_test=4)
    slots = [BARE, *(organelle.slot for organelle in world.organelles())]
    found = deploy(world.host, world.bank, slots, ground, panels)
    owners = [found.routes[task.family] for task in panels.test]
    marks = answer_panel(world.host, world.bank, owners, panels.test, ground.source, ground.contracts)
    assert worth(world, "test", **QUICK).tokens == np.mean(marks.written)


def test_the_baselines_refuse_a_moving_world(petri: HostService, small_world: WorldConfig) -> None:
    moving = small_world.model_copy(update={"seasons": small_world.seasons.model_copy(update={"shift_every": 2})})
    with pytest.raises(ConfigError, match=r"one season only.*seasons\.shift_every"):
        run_baselines(petri, moving, seeds=[0], episodes=64)
