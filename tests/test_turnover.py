"""Birth and death: who goes bankrupt, who is protected, who inherits what."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from world_fixtures import NOBODY_CAN_PAY, enrich, live, lively_world, teach, tiny_world, weight_change

from evolora_mesa.errors import LedgerError
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.turnover import bear, bury


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def generations_until_death(model: EcologyModel, most: int = 12) -> int:
    for generation in range(1, most + 1):
        model.step()
        if not model.agents:
            return generation
    raise AssertionError("still alive")


# ---------------------------------------------------------------- death


@pytest.mark.parametrize("grace", [0, 2])
def test_the_ticket_after_the_grace_is_the_last(petri: HostService, grace: int) -> None:
    model = tiny_world(petri, **{**NOBODY_CAN_PAY, "economy.grace": grace})
    assert generations_until_death(model) == grace + 1


def test_newborns_are_protected(petri: HostService) -> None:
    assert generations_until_death(tiny_world(petri, **{**NOBODY_CAN_PAY, "economy.protected_age": 5})) == 5


def test_a_paid_ticket_forgives_the_unpaid_ones(petri: HostService) -> None:
    model = tiny_world(petri, **{**NOBODY_CAN_PAY, "economy.grace": 5})
    live(model, 2)
    saved, *others = model.organelles()
    assert [organelle.unpaid_tickets for organelle in model.organelles()] == [2, 2, 2, 2]
    enrich(model, saved, 1002.0)
    live(model, 1)
    assert saved.unpaid_tickets == 0
    assert {organelle.unpaid_tickets for organelle in others} == {3}
    assert {organelle.energy for organelle in others} == {0.0}  # who cannot pay in full pays what there is


def test_the_energy_of_the_dead_goes_to_the_soil(petri: HostService) -> None:
    model = live(tiny_world(petri), 1)
    victim, *others = model.organelles()
    enrich(model, victim, 3.0)
    teach(model, victim)
    soil, left, slot = model.ledger.balance(model.soil), victim.energy, victim.slot
    assert bury(model, [victim]) == 1
    assert model.ledger.balance(model.soil) == pytest.approx(soil + left)
    assert model.ledger.total() == 0
    with pytest.raises(LedgerError):
        model.ledger.balance(victim.account)
    assert model.organelles() == others
    assert slot not in model.bank.used_slots()
    for stack in (*model.bank.a.values(), *model.bank.b.values()):
        assert not stack[slot].any()
    assert model.bank.ranks[slot].tolist() == [0, 0]
    assert all(victim not in cell.agents for cell in model.grid.all_cells)


def test_a_newborn_in_the_slot_of_the_dead_remembers_nothing_of_them(petri: HostService) -> None:
    model = live(tiny_world(petri, **{"reproduction.enabled": False}), 3)
    victim, parent, *_ = model.organelles()
    slot = victim.slot
    model.beliefs.wins[slot] = 77.0
    bury(model, [victim])
    enrich(model, parent, 10.0)
    assert bear(model, generator()) == 1
    child = model.organelles()[-1]
    assert child.slot == slot
    np.testing.assert_array_equal(model.beliefs.wins[slot], 0.5 * model.beliefs.wins[parent.slot])
    assert model.beliefs.exploration[slot] > 0


# ---------------------------------------------------------------- birth


def test_the_rich_bear_a_child_of_their_lineage(petri: HostService) -> None:
    model = tiny_world(petri)
    founder = model.organelles()[2]
    enrich(model, founder, 5.0)
    assert bear(model, generator(1)) == 1
    child = model.organelles()[-1]
    assert (child.parent_id, child.lineage, child.age) == (founder.unique_id, founder.unique_id, 0)
    enrich(model, child, 5.0)
    assert bear(model, generator(2)) == 1
    grandchild = model.organelles()[-1]
    assert (grandchild.parent_id, grandchild.lineage) == (child.unique_id, founder.unique_id)
    assert grandchild.cell is child.cell is founder.cell
    assert len({organelle.slot for organelle in model.organelles()}) == 6


def test_parent_child_and_cost_conserve_energy(petri: HostService) -> None:
    model = tiny_world(petri, **{"reproduction.share": 0.25, "reproduction.cost": 0.5})
    parent = model.organelles()[0]
    enrich(model, parent, 6.5)
    soil = model.ledger.balance(model.soil)
    assert bear(model, generator()) == 1
    child = model.organelles()[-1]
    assert (parent.energy, child.energy) == (6.0, 2.0)
    assert model.ledger.balance(model.soil) - soil == 0.5
    assert model.ledger.total() == 0


def test_a_child_differs_from_its_parent_by_about_the_strength(petri: HostService) -> None:
    model = tiny_world(petri, **{"reproduction.strength": 0.1, "reproduction.rank_change": 0.0})
    parent = model.organelles()[0]
    teach(model, parent)
    enrich(model, parent, 6.0)
    before = weight_change(model, parent.slot)
    bear(model, generator())
    child = model.organelles()[-1]
    assert torch.equal(weight_change(model, parent.slot), before)
    distance = (weight_change(model, child.slot) - before).norm() / before.norm()
    assert 0.05 < distance < 0.2


def test_only_those_above_the_threshold_breed_and_the_richest_first(petri: HostService) -> None:
    model = tiny_world(petri)
    poor, rich, richer, richest = model.organelles()
    for organelle, energy in ((poor, 1.9), (rich, 3.0), (richer, 4.0), (richest, 5.0)):
        enrich(model, organelle, energy)
    assert bear(model, generator()) == 2  # room for two in a world of six
    assert [child.parent_id for child in model.organelles()[4:]] == [richest.unique_id, richer.unique_id]
    assert bear(model, generator()) == 0
    assert rich.energy == 5.0


def test_the_world_never_holds_more_than_its_maximum(petri: HostService) -> None:
    model = tiny_world(petri, **{"economy.endowment": 50.0})
    sizes = []
    for _ in range(4):
        model.step()
        sizes.append(len(model.agents))
    assert max(sizes) == sizes[-1] == model.config.population.maximum


def test_nobody_is_born_where_reproduction_is_off(petri: HostService) -> None:
    model = live(tiny_world(petri, **{"economy.endowment": 50.0, "reproduction.enabled": False}), 3)
    assert len(model.agents) == 4
    assert model.datacollector.get_table_dataframe("births").empty


# ---------------------------------------------------------------- the record of it


def test_births_and_deaths_add_up_to_the_change_of_the_population(petri: HostService) -> None:
    model = live(lively_world(petri), 12)
    frame = model.datacollector.get_model_vars_dataframe()
    born, died = (model.datacollector.get_table_dataframe(name) for name in ("births", "deaths"))
    assert len(born) and len(died)
    assert len(model.agents) == 4 + len(born) - len(died)
    change = frame["population"].diff().fillna(0)
    np.testing.assert_array_equal(change, (frame["births"] - frame["deaths"]))
    for table, column in ((born, "births"), (died, "deaths")):
        per_generation = table["generation"].value_counts().reindex(frame["generation"], fill_value=0)
        np.testing.assert_array_equal(per_generation.to_numpy(), frame[column].to_numpy())
    known = {1, 2, 3, 4} | set(born["unique_id"])
    assert set(born["parent_id"]) <= known
    assert set(born["lineage"]) <= {1, 2, 3, 4}
    assert set(died["unique_id"]) | {organelle.unique_id for organelle in model.organelles()} == known
