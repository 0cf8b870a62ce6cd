"""Routes go to the best candidate, and to the bare host where nobody is better."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import LockedPoolError
from evolora_mesa.host import BARE, HostService
from evolora_mesa.study import deployment
from evolora_mesa.study.deployment import Ground, deploy, draw_panels
from evolora_mesa.study.lanes import fine_tune_lanes
from evolora_mesa.study.panels import answer_panel, family_of, success_matrix
from evolora_mesa.study.routing import choose_routes, score_routes
from evolora_mesa.tasks import Pool, locked_test_pool, pool_of

GROUPS = np.array([0, 0, 1, 1])


def test_each_group_goes_to_the_candidate_that_is_best_in_it() -> None:
    success = np.array([[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0]], dtype=bool)
    assert choose_routes(success, GROUPS, 2).tolist() == [1, 2]


def test_the_first_candidate_stays_where_nobody_is_better() -> None:
    success = np.array([[1, 0, 1, 1], [0, 1, 1, 1], [0, 0, 1, 0]], dtype=bool)
    assert choose_routes(success, GROUPS, 2).tolist() == [0, 0]


def test_a_route_is_scored_on_the_other_panel() -> None:
    other = np.array([[0, 0, 1, 1], [1, 1, 0, 0]], dtype=bool)
    assert score_routes(np.array([1, 0]), 0, other, GROUPS) == (1.0, 0.5)
    assert score_routes(np.array([0, 1]), 1, other, GROUPS) == (0.0, 0.5)


def test_panels_are_fixed_by_the_seed_and_come_from_their_own_pools(small_world: WorldConfig) -> None:
    ground = Ground.of(small_world)
    panels = draw_panels(ground, 3, per_cell_select=2, per_cell_test=3)
    assert panels == draw_panels(ground, 3, per_cell_select=2, per_cell_test=3)
    assert panels != draw_panels(ground, 4, per_cell_select=2, per_cell_test=3)
    assert {pool_of(task.prompt) for task in panels.select} == {Pool.SELECT}
    assert {pool_of(task.prompt) for task in panels.test} == {Pool.TEST}
    assert (len(panels.select), len(panels.test)) == (8, 12)


def test_a_world_cannot_read_the_panels(small_world: WorldConfig) -> None:
    with locked_test_pool(), pytest.raises(LockedPoolError):
        draw_panels(Ground.of(small_world), 0)


def test_a_deployment_agrees_with_the_full_matrix_and_leaves_the_useless_adapter_alone(
    petri: HostService, small_world: WorldConfig
) -> None:
    ground = Ground.of(small_world)
    generator = torch.Generator().manual_seed(0)
    bank = petri.new_bank(["last.down_proj", "lm_head"], capacity=3)
    slots = bank.allocate(2, 4, generator)
    good, bad = slots.tolist()
    lane = [("json.repair", 1), ("json.repair", 2)]
    fine_tune_lanes(petri, bank, slots[:1], [lane], ground.source, ground.contracts, episodes=128, rows=16, seed=0)
    bank.b["lm_head"][bad] = 5.0 * torch.randn(bank.b["lm_head"][bad].shape, generator=generator)
    panels = draw_panels(ground, 0, per_cell_select=8, per_cell_test=8)
    found = deploy(petri, bank, [BARE, good, bad], ground, panels)
    assert found.routes["json.repair"] == good and bad not in found.routes.values()

    def matrix(tasks: list) -> np.ndarray:
        return success_matrix(petri, bank, [BARE, good, bad], tasks, ground.source, ground.contracts)

    groups = family_of(panels.test, ground.families)
    selected, tested = matrix(panels.select), matrix(panels.test)
    routes = choose_routes(selected, family_of(panels.select, ground.families), 2)
    expected = score_routes(routes, int(selected.mean(1).argmax()), tested, groups)
    assert (found.accuracy, found.best_single) == expected
    assert found.accuracy == pytest.approx(np.mean(list(found.by_family.values())))


def test_the_choice_is_made_without_a_look_at_the_test_panel(
    petri: HostService, small_world: WorldConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noted(service, bank, slots, tasks, *rest, **options):
        asked.append({pool_of(task.prompt) for task in tasks})
        return answer_panel(service, bank, slots, tasks, *rest, **options)

    monkeypatch.setattr(deployment, "answer_panel", noted)
    ground = Ground.of(small_world)
    bank = petri.new_bank(["lm_head"], capacity=2)
    bank.allocate(1, 1, torch.Generator().manual_seed(0))
    deploy(petri, bank, [BARE, 1], ground, draw_panels(ground, 0, per_cell_select=2, per_cell_test=2))
    assert asked == [{Pool.SELECT}, {Pool.TEST}]


def test_with_one_candidate_nothing_is_selected(petri: HostService, small_world: WorldConfig) -> None:
    ground = Ground.of(small_world)
    found = deploy(petri, None, [BARE], ground, draw_panels(ground, 0, per_cell_select=2, per_cell_test=2))
    assert found.accuracy == found.best_single
    assert found.selection_tokens == 0
