"""Conception: who bears children, with whom, what it costs, and who is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from world_fixtures import at_home, breeding_world, enrich, gates, teach, tiny_world, weight_change

from evolora_mesa.breeding import conceive
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.organelle import Organelle
from evolora_mesa.turnover import bury, keep_elites


def children(model: EcologyModel) -> list[Organelle]:
    before = {organelle.unique_id for organelle in model.organelles()}
    conceive(model)
    return [organelle for organelle in model.organelles() if organelle.unique_id not in before]


def reasons(model: EcologyModel) -> list[str]:
    return [row["reason"] for row in gates(model) if row["verdict"] == "refused"]


# ---------------------------------------------------------------- one parent


def test_a_rich_organelle_bears_a_copy_on_trial(petri: HostService) -> None:
    model = breeding_world(petri, **{"reproduction.merging": False, "reproduction.mutations": ["svd"]})
    parent = model.organelles()[2]
    teach(model, parent)
    enrich(model, parent, 10.0)
    (child,) = children(model)
    assert child.on_trial and not parent.on_trial
    assert (child.parents, child.lineage, child.age) == ((parent.unique_id,), parent.lineage, 0)
    assert child.cell is parent.cell
    (trial,) = model.gatehouse.trials
    assert (trial.child, trial.kind, trial.operator, trial.rivals) == (
        child.unique_id,
        "mutation",
        "svd",
        (parent.slot,),
    )
    own, child_own = weight_change(model, parent.slot), weight_change(model, child.slot)
    assert 0.005 < (child_own - own).norm() / own.norm() < 0.2


def test_a_birth_moves_energy_and_makes_none(petri: HostService) -> None:
    settings = {"reproduction.share": 0.25, "reproduction.cost": 0.5, "gate.budget": 0.5, "gate.stipend": 1.0}
    model = breeding_world(petri, **{**settings, "reproduction.merging": False})
    model.ledger.transfer(model.sun, model.grant, 3.0, "gift")
    parent = model.organelles()[0]
    enrich(model, parent, 10.5 - parent.energy)
    soil = model.ledger.balance(model.soil)
    (child,) = children(model)
    (trial,) = model.gatehouse.trials
    assert model.ledger.balance(model.soil) - soil == 0.5
    assert child.energy == 2.5
    assert model.ledger.balance(trial.account) == 6.0  # half of ten, and the stipend
    assert parent.energy == 2.5
    assert model.ledger.balance(model.grant) == 2.0
    assert model.ledger.total() == 0


def test_a_dominant_lineage_pays_more_for_a_birth(petri: HostService) -> None:
    paid = {}
    for cap in (0.2, 1.0):
        model = breeding_world(petri, **{"reproduction.merging": False, "diversity.lineage_cap": cap})
        for organelle in model.organelles():
            organelle.lineage = 1
        enrich(model, model.organelles()[0], 10.0)
        soil = model.ledger.balance(model.soil)
        children(model)
        paid[cap] = model.ledger.balance(model.soil) - soil
    assert paid[1.0] == pytest.approx(0.2)
    assert paid[0.2] == pytest.approx(0.2 * (1 + 4.0))


def test_the_poor_are_refused_and_the_floor_is_the_tuners(petri: HostService) -> None:
    model = breeding_world(petri, **{"reproduction.merging": False})
    assert children(model) == [] and set(reasons(model)) == {"low_energy"}
    model.tuner.floor = 1.0
    assert children(model)


def test_thrift_is_a_multiple_of_the_floor(petri: HostService) -> None:
    model = breeding_world(petri, **{"reproduction.merging": False})
    parent = model.organelles()[0]
    enrich(model, parent, 5.0)
    model.traits.thrift[parent.slot] = 3.0
    assert children(model) == []
    model.traits.thrift[parent.slot] = 1.0
    assert len(children(model)) == 1


def test_parents_rest_and_the_young_wait(petri: HostService) -> None:
    model = breeding_world(petri, **{"reproduction.merging": False, "reproduction.cooldown": 3})
    parent = model.organelles()[0]
    enrich(model, parent, 100.0)
    assert len(children(model)) == 1
    assert children(model) == [] and "cooldown" in reasons(model)
    model.tick += 3
    assert len(children(model)) == 1
    young = tiny_world(petri, **{"reproduction.maturity": 4, "reproduction.merging": False})
    for organelle in young.organelles():
        enrich(young, organelle, 100.0)
    assert children(young) == [] and gates(young) == []


def test_there_is_room_for_so_many_trials_and_organelles(petri: HostService) -> None:
    for limit in ({"gate.most_trials": 1}, {"population.maximum": 5}):
        model = breeding_world(petri, **{"reproduction.merging": False, **limit})
        for organelle in model.organelles():
            enrich(model, organelle, 100.0)
        assert len(children(model)) == 1
        assert reasons(model) == ["no_room"]


def test_mutation_strength_is_inherited_and_matters(petri: HostService) -> None:
    """The strong mutate more, and their children are strong."""
    moved = {}
    for strength in (0.01, 0.4):
        model = breeding_world(petri, **{"reproduction.merging": False, "reproduction.mutations": ["svd"]})
        parent = model.organelles()[0]
        teach(model, parent)
        enrich(model, parent, 10.0)
        model.traits.strength[parent.slot] = strength
        (child,) = children(model)
        own = weight_change(model, parent.slot)
        moved[strength] = float((weight_change(model, child.slot) - own).norm() / own.norm())
        assert 0.5 * strength < model.traits.strength[child.slot] < 2 * strength
    assert moved[0.4] > 8 * moved[0.01]


# ---------------------------------------------------------------- two parents


def test_two_organelles_with_different_homes_merge(petri: HostService) -> None:
    model = breeding_world(petri, **{"archive.enabled": False})
    first, second, *_ = model.organelles()
    for organelle, cell in ((first, 0), (second, 3)):
        teach(model, organelle)
        at_home(model, organelle, cell)
    enrich(model, first, 10.0)
    enrich(model, second, 4.0)
    (child,) = children(model)
    assert child.parents == (first.unique_id, second.unique_id)
    (trial,) = model.gatehouse.trials
    assert trial.kind == "merge" and trial.rivals == (first.slot, second.slot)
    assert [cells.tolist() for cells in trial.focus] == [[0], [3]]
    assert trial.shallower.tolist() == [2]  # one depth less than cell 3; cell 0 is the shallowest of its family
    assert trial.panel.tolist() == [1, 4, 5]
    mean = (weight_change(model, first.slot) + weight_change(model, second.slot)) / 2
    error = (weight_change(model, child.slot) - mean).norm() / mean.norm()
    left, values, right = torch.linalg.svd(mean)
    best = (left[:, :4] * values[:4]) @ right[:4]
    assert error == pytest.approx(float((best - mean).norm() / mean.norm()), abs=1e-4)  # the best of rank four
    family_of_second = divmod(3, model.grid.depths)
    assert model.beliefs.success(np.array([child.slot]))[0][family_of_second] > 0.6  # it believes who knows


def test_both_parents_pay(petri: HostService) -> None:
    model = breeding_world(petri, **{"archive.enabled": False})
    first, second, *_ = model.organelles()
    at_home(model, first, 0)
    at_home(model, second, 3)
    enrich(model, first, 10.0)
    enrich(model, second, 4.0)
    before = first.energy, second.energy
    children(model)
    assert first.energy < before[0] and second.energy < before[1]
    assert second.last_child == model.tick
    assert model.ledger.total() == 0


def test_those_who_live_in_the_same_cells_have_nothing_to_merge(petri: HostService) -> None:
    model = breeding_world(petri, **{"archive.enabled": False})
    for organelle in model.organelles():
        at_home(model, organelle, 2)
        enrich(model, organelle, 10.0)
    assert children(model) == [] and set(reasons(model)) == {"no_partner"}


def test_a_pair_that_promises_nothing_is_screened_out(petri: HostService) -> None:
    """The one is as good in the other's cells as the other: no child can gain on the union."""
    model = breeding_world(petri, **{"archive.enabled": False})
    first, *others = model.organelles()
    for organelle in model.organelles():
        for cell in range(6):
            favourite = cell == (0 if organelle is first else 3)
            at_home(model, organelle, cell, episodes=400 if favourite else 30)
    enrich(model, first, 10.0)
    assert children(model) == [] and reasons(model)[0] == "screen_failed"
    for other in others:
        at_home(model, other, 0, episodes=30, success=0.1)
    at_home(model, first, 3, episodes=30, success=0.1)
    assert len(children(model)) == 1  # each is bad where the other is good


def test_the_archive_gives_parents(petri: HostService) -> None:
    model = breeding_world(petri, **{"archive.parents": 1.0})
    parent, source, *_ = model.organelles()
    at_home(model, parent, 0)
    at_home(model, source, 4)
    teach(model, source)
    keep = weight_change(model, source.slot)
    keep_elites(model)
    bury(model, [source])
    enrich(model, parent, 10.0)
    used = len(model.bank.used_slots())
    (child,) = children(model)
    assert child.parents == (parent.unique_id, source.unique_id)
    (trial,) = model.gatehouse.trials
    assert torch.allclose(weight_change(model, trial.rivals[1]), keep)
    assert len(model.bank.used_slots()) == used + 2  # the child, and its second parent back from the archive


def test_nobody_merges_with_itself_or_with_the_archived_weights_of_somebody_alive(petri: HostService) -> None:
    model = breeding_world(petri, **{"archive.parents": 1.0})
    parent, neighbour, *_ = model.organelles()
    at_home(model, parent, 0)
    at_home(model, neighbour, 4)
    keep_elites(model)
    model.history.reset(np.array([parent.slot]))
    at_home(model, parent, 2)  # its own elite is of a cell where it no longer works
    enrich(model, parent, 10.0)
    (child,) = children(model)
    assert child.parents == (parent.unique_id, neighbour.unique_id)
    assert model.gatehouse.trials[0].rivals == (parent.slot, neighbour.slot)  # the living, not a copy


@pytest.mark.parametrize(
    "operator",
    ["sum", "average", "svd", "ties", "dare", "slerp", "uniform", "structured", "rank_component", "task_aware"],
)
def test_every_operator_bears_children(petri: HostService, operator: str) -> None:
    model = breeding_world(petri, **{"archive.enabled": False, "reproduction.operator": operator})
    first, second, *_ = model.organelles()
    for organelle, cell in ((first, 0), (second, 3)):
        teach(model, organelle)
        at_home(model, organelle, cell)
    enrich(model, first, 10.0)
    (child,) = children(model)
    assert model.bank.finite(torch.tensor([child.slot])).all()
    assert model.gatehouse.trials[0].operator == operator
    assert float(weight_change(model, child.slot).norm()) > 0
    assert model.ledger.total() == 0
