"""Who goes bankrupt, who is protected, who comes back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from world_fixtures import (
    NOBODY_CAN_PAY,
    at_home,
    breeding_world,
    enrich,
    live,
    lively_world,
    teach,
    tiny_world,
    weight_change,
)

from evolora_mesa.breeding import conceive
from evolora_mesa.errors import LedgerError
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.turnover import bury, doomed, fill_empty_niches, keep_elites


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
    bury(model, [victim])
    assert model.tally.deaths == 1
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
    model = live(breeding_world(petri, **{"reproduction.enabled": False, "reproduction.merging": False}), 3)
    victim, parent, *_ = model.organelles()
    slot = victim.slot
    model.beliefs.wins[slot] = 77.0
    model.beliefs.confine(slot, np.array([3]))
    model.history.episodes[slot] = 77.0
    bury(model, [victim])
    enrich(model, parent, 100.0)
    conceive(model)
    child = model.organelles()[-1]
    assert child.slot == slot
    np.testing.assert_array_equal(model.beliefs.wins[slot], 0.5 * model.beliefs.wins[parent.slot])
    assert model.beliefs.exploration[slot] > 0
    assert model.beliefs.allowed[slot].all()
    assert not model.history.episodes[slot].any()


# ---------------------------------------------------------------- the neutral world


def test_in_a_neutral_world_anybody_dies_for_the_bankrupt(petri: HostService) -> None:
    """As many die as are bankrupt, but the bankrupt as likely as anybody of age."""
    struck = {True: 0, False: 0}
    for seed in range(12):
        model = tiny_world(
            petri, rng=seed, **{"economy.deaths": "random", "economy.protected_age": 0, "economy.grace": 0}
        )
        bankrupt = model.organelles()[0]
        bankrupt.unpaid_tickets = 1
        (dead,) = doomed(model)
        struck[dead is bankrupt] += 1
        assert not bankrupt.bankrupt  # its debt is forgiven: somebody has died for it
    assert struck[False] > struck[True] > 0


# ---------------------------------------------------------------- the archive


def test_elites_are_kept_and_come_back_into_an_empty_niche(petri: HostService) -> None:
    model = tiny_world(petri, **{"population.maximum": 12, "population.minimum": 0})
    best, *others = model.organelles()
    teach(model, best)
    at_home(model, best, 4)
    for organelle in others:
        at_home(model, organelle, 0)
    keep_elites(model)
    kept, lineage = weight_change(model, best.slot), best.lineage
    bury(model, [best])
    model.ledger.transfer(model.sun, model.grant, 10.0, "gift")
    grant = model.ledger.balance(model.grant)
    fill_empty_niches(model)
    back = model.organelles()[-1]
    assert torch.allclose(weight_change(model, back.slot), kept)
    assert (back.parents, back.lineage, back.cell.coordinate) == ((best.unique_id,), lineage, (2, 0))
    assert (back.energy, back.on_trial) == (model.config.economy.endowment, False)
    assert grant - model.ledger.balance(model.grant) == model.config.economy.endowment
    assert model.tally.revivals == 1
    at_home(model, back, 4)
    for organelle, cell in zip(model.organelles(), (0, 2), strict=False):
        at_home(model, organelle, cell, episodes=400.0)
    fill_empty_niches(model)
    assert model.tally.revivals == 1  # every family is lived on


@pytest.mark.parametrize("obstacle", ["no_archive", "no_money", "no_elite"])
def test_nobody_comes_back_for_nothing(petri: HostService, obstacle: str) -> None:
    model = tiny_world(petri, **{"population.maximum": 12, "archive.enabled": obstacle != "no_archive"})
    best = model.organelles()[0]
    at_home(model, best, 4, success=0.0 if obstacle == "no_elite" else 0.9)
    keep_elites(model)
    bury(model, [best])
    if obstacle != "no_money":
        model.ledger.transfer(model.sun, model.grant, 10.0, "gift")
    fill_empty_niches(model)
    assert model.tally.revivals == 0


def test_nobody_comes_back_into_a_full_world(petri: HostService) -> None:
    model = tiny_world(petri, **{"population.maximum": 4, "population.minimum": 4, "population.initial": 4})
    best, second, *_ = model.organelles()
    at_home(model, best, 4)
    keep_elites(model)
    second.on_trial = True  # three citizens, fewer than the minimum, but four organelles
    model.ledger.transfer(model.sun, model.grant, 10.0, "gift")
    fill_empty_niches(model)
    assert model.tally.revivals == 0


def test_births_have_the_first_claim_on_room(petri: HostService) -> None:
    model = tiny_world(petri, **{"population.maximum": 8, "population.minimum": 0, "gate.most_trials": 4})
    at_home(model, model.organelles()[0], 4)
    keep_elites(model)
    model.history.reset(np.array([model.organelles()[0].slot]))
    model.ledger.transfer(model.sun, model.grant, 10.0, "gift")
    fill_empty_niches(model)
    assert model.tally.revivals == 0  # four of eight seats are for trials


# ---------------------------------------------------------------- the record of it


def test_births_and_deaths_add_up_to_the_change_of_the_population(petri: HostService) -> None:
    model = live(lively_world(petri), 12)
    frame = model.datacollector.get_model_vars_dataframe()
    born, died = (model.datacollector.get_table_dataframe(name) for name in ("births", "deaths"))
    assert len(born) and len(died)
    assert len(model.agents) == 4 + len(born) - len(died)
    change = frame["population"].diff().fillna(0)
    np.testing.assert_array_equal(change, (frame["births"] + frame["revivals"] - frame["deaths"]))
    frame["births"] += frame["revivals"]  # who comes back is in the table, too
    for table, column in ((born, "births"), (died, "deaths")):
        per_generation = table["generation"].value_counts().reindex(frame["generation"], fill_value=0)
        np.testing.assert_array_equal(per_generation.to_numpy(), frame[column].to_numpy())
    known = {1, 2, 3, 4} | set(born["unique_id"])
    assert {int(parent) for parents in born["parents"] for parent in parents.split()} <= known
    assert set(born["lineage"]) <= {1, 2, 3, 4}
    assert set(died["unique_id"]) | {organelle.unique_id for organelle in model.organelles()} == known
