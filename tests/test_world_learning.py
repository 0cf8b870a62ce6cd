"""Learning inside a world: who changes, who does not, and what happens to a broken adapter."""

from __future__ import annotations

import math

import pytest
import torch
from world_fixtures import adapters, grade_all, live, lively_world, teach, tiny_world

from evolora_mesa.host import BARE, HostService


def test_without_learning_every_adapter_stays_bit_for_bit(petri: HostService) -> None:
    model = tiny_world(petri, **{"plasticity.rule": "none", "reproduction.enabled": False})
    for organelle in model.organelles():
        teach(model, organelle)
    before = adapters(model)
    live(model, 4)
    assert all(torch.equal(tensor, before[name]) for name, tensor in adapters(model).items())


def test_learning_changes_those_who_worked_and_nobody_else(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    verdicts = iter([True, False] * 1000)
    grade_all(monkeypatch, lambda task: next(verdicts))
    model = tiny_world(petri, **{"reproduction.enabled": False})
    [bystander] = model.bank.allocate(1, 4, torch.Generator().manual_seed(3)).tolist()
    before = adapters(model)
    live(model, 2)
    workers = {organelle.slot for organelle in model.organelles()}
    for name, tensor in adapters(model).items():
        changed = {slot for slot in range(model.bank.capacity) if not torch.equal(tensor[slot], before[name][slot])}
        if name.startswith("b."):
            assert changed == workers
        assert not changed & {BARE, bystander}


@pytest.mark.parametrize("rule", ["three_factor", "reinforce", "hebbian", "evolution_strategy", "none"])
def test_every_rule_lives_in_a_world(petri: HostService, rule: str) -> None:
    model = live(lively_world(petri, **{"plasticity.rule": rule, "plasticity.pairs": 2}), 6)
    slots = torch.tensor(model.bank.used_slots())
    assert model.ledger.total() == 0
    assert bool(model.bank.finite(slots).all())
    lived_in = {organelle.slot for organelle in model.organelles()}
    assert lived_in and lived_in <= set(slots.tolist())
    stand_ins = set(slots.tolist()) - lived_in
    assert bool(stand_ins) == (rule == "evolution_strategy")
    assert len(stand_ins) % 4 == 0  # two pairs for each organelle that worked


def test_stand_ins_do_the_work_and_their_owners_learn_from_it(petri: HostService) -> None:
    model = tiny_world(petri, **{"plasticity.rule": "evolution_strategy", "plasticity.pairs": 2})
    owners = {organelle.slot for organelle in model.organelles()}
    model.season()
    workload = model.work(model.forage())
    assert set(workload.slots.tolist()) == owners
    assert len(set(workload.answered_by.tolist())) == 16
    assert not set(workload.answered_by.tolist()) & (owners | {BARE})


@pytest.mark.parametrize("rule", ["three_factor", "reinforce", "hebbian", "evolution_strategy"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_an_adapter_that_is_not_finite_is_quarantined_and_the_world_lives_on(
    petri: HostService, rule: str, number: float
) -> None:
    model = live(tiny_world(petri, **{"plasticity.rule": rule, "plasticity.pairs": 2, "economy.endowment": 5.0}), 1)
    victim = model.organelles()[1]
    model.bank.a["lm_head"][victim.slot, 0, 0] = number
    model.bank.b["lm_head"][victim.slot] = number
    model.step()
    assert model.tally.quarantined == 1
    assert bool(model.bank.finite(torch.tensor([organelle.slot for organelle in model.organelles()])).all())
    live(model, 2)
    assert model.tally.quarantined == 0
    assert victim in model.agents


def test_the_host_is_frozen(petri: HostService) -> None:
    before = petri.fingerprint()
    live(lively_world(petri), 4)
    assert petri.fingerprint() == before
