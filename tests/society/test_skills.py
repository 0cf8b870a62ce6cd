"""Skill factors: what they do to an adapter, where they move, what they cost, and who inherits them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from world_fixtures import (
    adapters,
    agents,
    at_home,
    breeding_world,
    eager_world,
    enrich,
    history,
    live,
    teach,
    tiny_world,
    weight_change,
)

from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.nursery import Mate, bear, revive
from evolora_mesa.plasticity.health import HealthReport
from evolora_mesa.plasticity.rule import Gradients
from evolora_mesa.record.state import restore, state_of
from evolora_mesa.record.tree import join, pack_tensors, split, unpack_tensors
from evolora_mesa.society.skills import skill_directions
from evolora_mesa.turnover import keep_elites

ON = {"society.skills.enabled": True}
HARDLY_LEARNING = {"plasticity.learning_rate": 1e-12}
BARREN = {"reproduction.enabled": False}


def factors(seed: int, rank: int = 3, padded: int = 5, count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """A and B of adapters that are not balanced, with unused rows and columns."""
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.zeros(count, padded, 12), torch.zeros(count, 9, padded)
    a[:, :rank] = torch.randn(count, rank, 12, generator=generator)
    b[:, :, :rank] = 3 * torch.randn(count, 9, rank, generator=generator)
    return a, b


def taught_world(host: HostService, **changed: object) -> EcologyModel:
    """Everybody has an adapter of its own from the beginning."""
    model = tiny_world(host, **{**ON, **BARREN, **changed})
    for organelle in model.organelles():
        teach(model, organelle)
    return model


# ---------------------------------------------------------------- on weights


@given(seed=st.integers(0, 1000), rank=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_factors_scale_the_singular_values_and_turn_nothing(seed: int, rank: int) -> None:
    a, b = factors(seed, rank)
    directions = skill_directions(a, b)
    z = torch.tensor([0.5, 2.0, 1.0, 3.0, 0.25])
    worn = directions.scaled(b, z.expand(2, 5)) @ a
    left, values, right = torch.linalg.svd(b @ a, full_matrices=False)
    expected = (left[:, :, :5] * (values[:, :5] * z)[:, None, :]) @ right[:, :5]
    torch.testing.assert_close(worn, expected, rtol=0.0, atol=1e-4 * float(values.max()))


@given(seed=st.integers(0, 1000), rank=st.integers(1, 5))
@settings(max_examples=25, deadline=None)
def test_where_all_factors_are_one_the_adapter_is_the_same_to_the_last_bit(seed: int, rank: int) -> None:
    a, b = factors(seed, rank)
    b[1] = 0.0  # a newborn's
    assert torch.equal(skill_directions(a, b).scaled(b, torch.ones(2, 5)), b)


def test_unused_ranks_stay_unused() -> None:
    a, b = factors(0)
    worn = skill_directions(a, b).scaled(b, torch.full((2, 5), 2.0))
    assert not worn[:, :, 3:].any()
    torch.testing.assert_close(worn, 2 * b, rtol=1e-4, atol=1e-4)


def test_the_pull_is_the_slope_of_the_reward_in_the_log_factors() -> None:
    a, b = factors(3, rank=4)
    directions = skill_directions(a, b)
    slope = torch.randn(2, 9, 12, generator=torch.Generator().manual_seed(9))  # of the reward in ΔW
    pull = directions.pull(slope @ a.transpose(1, 2))

    def reward(log_factors: torch.Tensor) -> torch.Tensor:
        return (slope * (directions.scaled(b, log_factors.exp()) @ a)).sum((1, 2))

    for place in range(4):
        step = torch.zeros(2, 5)
        step[:, place] = 1e-2
        measured = (reward(step) - reward(-step)) / 2e-2
        torch.testing.assert_close(pull[:, place], measured, rtol=2e-2, atol=2e-2)
    assert not pull[:, 4].any()


# ---------------------------------------------------------------- off


def test_a_world_without_skill_factors_has_none_and_pays_for_none(petri: HostService) -> None:
    model = tiny_world(petri)
    paid: list[str] = []
    model.ledger.observer = lambda reason, *_: paid.append(reason)
    live(model, 3)
    assert not model.skills.factors.any() and "skills" not in paid
    assert not [kind for kind, _, _ in model.events if kind == "adapted"]
    assert not any("skill" in name for name in (*model.streams._numpy, *model.streams._python))


def test_without_learning_there_is_nothing_that_factors_could_follow() -> None:
    with pytest.raises(ConfigError, match=r"skill factors follow the gradients.*another learning rule"):
        load_config("smoke", {**ON, "plasticity.rule": "none"})


# ---------------------------------------------------------------- in a life


def test_factors_move_up_the_few_shot_gradient_and_the_adapter_wears_them(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = taught_world(petri, **HARDLY_LEARNING)
    before, seen = adapters(model), []
    learn = model.learner.learn

    def listening(work: object, told: object) -> HealthReport:
        return learn(work, lambda gradients: (seen.append(gradients), told(gradients)))  # type: ignore[arg-type, operator]

    monkeypatch.setattr(model.learner, "learn", listening)
    model.step()
    assert model.skills.factors.any()
    gained = torch.zeros(len(seen[0].slots))
    for site in model.bank.sites:
        change = model.bank.b[site.name][seen[0].slots] - before[f"b.{site.name}"][seen[0].slots]
        gained += (change * seen[0].b[site.name]).sum((1, 2))
    assert (gained >= -1e-6).all() and gained.max() > 1e-4
    for organelle in model.organelles():
        for place, site in enumerate(model.bank.sites):
            slot = organelle.slot
            was = torch.linalg.svdvals(before[f"b.{site.name}"][slot] @ before[f"a.{site.name}"][slot])[:4]
            now = torch.linalg.svdvals(weight_change(model, slot, site.name))[:4]
            ratio = (now / was).log()
            torch.testing.assert_close(ratio, model.skills.factors[slot, place, :4], rtol=0.0, atol=1e-3)


def test_without_a_pull_factors_relax_and_give_the_adapter_back(petri: HostService) -> None:
    model = taught_world(petri, **HARDLY_LEARNING, **{"society.skills.memory": 0.5})
    slots = torch.tensor([organelle.slot for organelle in model.organelles()])
    innate = {site.name: model.bank.b[site.name][slots] @ model.bank.a[site.name][slots] for site in model.bank.sites}
    live(model, 2)
    worn = model.skills.factors.abs().max()
    nothing = Gradients(slots, {}, {})
    work = model.last_work
    assert work is not None
    rows = type("Rows", (), {"slots": work.workload.slots})()
    for _ in range(20):
        model.skills._adapt(model, model.organelles(), rows, nothing)  # type: ignore[arg-type]
    assert worn > 1e-3 and model.skills.factors.abs().max() < 1e-5
    for site in model.bank.sites:
        back = model.bank.b[site.name][slots] @ model.bank.a[site.name][slots]
        torch.testing.assert_close(back, innate[site.name], rtol=0.0, atol=1e-4)


def test_factors_stay_within_their_spread(petri: HostService) -> None:
    model = live(taught_world(petri, **{"society.skills.rate": 10.0, "society.skills.spread": 0.05}), 4)
    assert model.skills.factors.abs().max() == pytest.approx(0.05)


def test_every_example_is_paid_for_and_counts_as_spent(petri: HostService) -> None:
    spent = []
    for price in (0.0, 0.01):
        model = taught_world(petri, **{"society.skills.price": price})
        moved: dict[str, float] = {}

        def note(reason: str, _: object, __: object, quanta: np.ndarray, moved: dict[str, float] = moved) -> None:
            moved[reason] = moved.get(reason, 0.0) + quanta.sum() / 1e6

        model.ledger.observer = note
        model.step()
        assert moved.get("skills", 0.0) == pytest.approx(price * model.tally.episodes)
        assert model.ledger.total() == 0
        spent.append(np.array([organelle.spent for organelle in model.organelles()]))
    np.testing.assert_allclose(spent[1] - spent[0], 0.04, atol=1e-5)  # four episodes each


def test_who_cannot_pay_does_not_adapt(petri: HostService) -> None:
    model = taught_world(petri, **{"society.skills.price": 100.0})
    rich = model.organelles()[0]
    enrich(model, rich, 5000.0)
    model.step()
    assert model.skills.factors[rich.slot].any()
    assert not model.skills.factors[[organelle.slot for organelle in model.organelles()[1:]]].any()
    (facts,) = [facts for kind, _, facts in model.events if kind == "adapted"]
    assert facts["organelles"] == 1 and facts["strength"] > 0


def test_who_is_put_back_to_earlier_weights_begins_with_factors_of_one(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = taught_world(petri)
    first, second, *_ = (organelle.slot for organelle in model.organelles())
    monkeypatch.setattr(model.learner._health, "check", lambda *_: HealthReport([], [first]))
    model.step()
    assert not model.skills.factors[first].any() and model.skills.factors[second].any()


# ---------------------------------------------------------------- inheritance


def test_a_child_has_the_mean_of_its_parents_log_factors(petri: HostService) -> None:
    model = breeding_world(petri, **ON)
    first, second, third, *_ = model.organelles()
    for organelle, cell in ((first, 0), (second, 3)):
        teach(model, organelle)
        at_home(model, organelle, cell)
        enrich(model, organelle, 40.0)
    model.skills._welcome(model, model.organelles())
    model.skills.factors[first.slot], model.skills.factors[second.slot] = 0.4, -0.2
    trial = bear(model, [Mate.of(model, first), Mate.of(model, second)])
    clone = bear(model, [Mate.of(model, first)])
    model.skills._welcome(model, model.organelles())
    assert torch.allclose(model.skills.factors[trial.slot], torch.tensor(0.1))
    assert torch.allclose(model.skills.factors[clone.slot], torch.tensor(0.4))
    assert not model.skills.factors[third.slot].any()


def test_an_elite_that_comes_back_wears_what_it_was_kept_with(petri: HostService) -> None:
    model = breeding_world(petri, **ON)
    first = model.organelles()[0]
    teach(model, first)
    at_home(model, first, 0)
    keep_elites(model)
    model.skills._welcome(model, model.organelles())
    model.skills.factors[first.slot] = 0.4
    assert model.archive is not None
    model.ledger.transfer(model.sun, model.grant, 10.0, "gift")
    elite = revive(model, next(elite for elite in model.archive.elites() if elite.organelle == first.unique_id))
    model.skills._welcome(model, model.organelles())
    assert not model.skills.factors[elite.slot].any()


def test_factors_do_not_stay_behind_in_a_slot(petri: HostService) -> None:
    model = live(taught_world(petri), 1)
    first, second, *_ = model.organelles()
    model.skills.factors[:] = 0.3
    first.unique_id = 1000  # somebody else, without parents
    model.skills._welcome(model, model.organelles())
    assert not model.skills.factors[first.slot].any() and model.skills.factors[second.slot].all()


# ---------------------------------------------------------------- on record


@pytest.mark.slow
def test_a_world_with_skill_factors_goes_on_after_a_break_as_it_would_have(petri: HostService) -> None:
    model = live(eager_world(petri, **ON, **{"population.initial": 4, "reproduction.maturity": 2}), 4)
    plain, tensors = split(state_of(model))
    saved = json.loads(json.dumps(plain))
    again = restore(model.config, join(saved, unpack_tensors(pack_tensors(tensors), saved, Path("tensors"))), petri)
    assert torch.equal(again.skills.factors, model.skills.factors) and model.skills.factors.any()
    live(model, 4)
    live(again, 4)
    assert history(again) == history(model) and agents(again) == agents(model)
    weights = adapters(model)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in adapters(again).items())
    assert torch.equal(again.skills.factors, model.skills.factors)
