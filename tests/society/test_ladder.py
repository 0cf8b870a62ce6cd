"""Colonies of real specialists take in a third one and become one adapter, by their own work and through the gate."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from colony_world import auditioning, founded, quiet_world, told
from world_fixtures import at_home, enrich, live

from evolora_mesa.config import PlasticityConfig
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.charter import climb, open_audition
from evolora_mesa.society.colony import Audition, Colony, Counts, Lesson
from evolora_mesa.society.council import judge_colonies
from evolora_mesa.society.funding import can_begin, can_go_on, ceiling
from evolora_mesa.society.ladder import FEWEST_LESSONS, teaching_tokens
from evolora_mesa.study.lanes import train_lanes
from evolora_mesa.turnover import bury

FAMILIES = ("logic", "string.sort", "word.count", "code.format")  # the last is paid in the style of the second
OPEN = {
    "tasks.families": list(FAMILIES),
    "population.initial": 3,
    "population.episodes": 6,
    "plasticity.rule": "none",
    "economy.inflow": 20.0,
    "economy.pool_limit": 20.0,
    "society.colonies.modes": ["skill"],
    "society.colonies.rest": 0,
    "society.colonies.window": 16,
    "society.colonies.episodes": 6,
}
Weights = dict[str, tuple[torch.Tensor, torch.Tensor]]


@pytest.fixture(scope="module")
def specialists(petri: HostService) -> dict[str, Weights]:
    """An adapter for each family, trained by reward."""
    model = quiet_world(petri, **OPEN)
    slots = model.bank.allocate(len(FAMILIES), 4, model.weights_generator)
    lanes = [[(family, 1), (family, 2)] for family in FAMILIES]
    settings = PlasticityConfig()
    train_lanes(petri, model.bank, slots, lanes, model.tasks, model.contracts, settings, episodes=320, rows=16, seed=0)
    return {family: model.bank.read(slot) for family, slot in zip(FAMILIES, slots.tolist(), strict=True)}


def planted(
    petri: HostService, specialists: dict[str, Weights], families: Sequence[str], **settings: object
) -> EcologyModel:
    """A world of three specialists, who know what each can do."""
    model = quiet_world(petri, **{**OPEN, "tasks.families": list(families), **settings})
    for place, (organelle, family) in enumerate(zip(model.organelles(), families, strict=True)):
        model.bank.write(organelle.slot, specialists[family])
        for cell in range(2 * len(families)):
            at_home(model, organelle, cell, success=0.9 if cell // 2 == place else 0.1)
    return model


def purposes(colony: Colony, model: EcologyModel, generations: int) -> list[str]:
    """What it tried, in the order in which that began."""
    seen: list[str] = []
    for _ in range(generations):
        if colony not in model.colonies.living:
            break
        model.step()
        if colony.audition is not None and seen[-1:] != [colony.audition.purpose]:
            seen.append(colony.audition.purpose)
    return seen


@pytest.mark.parametrize(("third", "helps"), [("word.count", True), ("code.format", False)])
def test_a_third_specialist_joins_where_the_team_does_better_with_it(
    petri: HostService, specialists: dict[str, Weights], third: str, helps: bool
) -> None:
    families = (*FAMILIES[:2], third)
    model = planted(petri, specialists, families, **{"society.colonies.ladder": False})
    colony = founded(model, (0, 1), mode="skill", cells=range(6))
    enrich_pot(model, colony)
    live(model, 5)
    assert len(colony.members) == 2 + helps
    assert colony.tried == "expansion"


def test_a_colony_becomes_one_adapter_that_was_taught_its_own_paid_answers(
    petri: HostService, specialists: dict[str, Weights]
) -> None:
    model = planted(petri, specialists, FAMILIES[:3], **{"society.colonies.size": 2})
    colony = founded(model, (0, 1), mode="skill", cells=range(4))
    taught = 0.0
    for _ in range(40):
        model.step()
        taught += model.ledger.flows.get("distilling", 0.0)
        if colony.rung == "distilled":
            break
    assert colony.rung == "distilled" and taught > 0
    [climbed] = told(model, "colony_climbed")
    assert climbed["tokens"] < climbed["rival_tokens"]
    assert climbed["right"] > 0.8 * climbed["rival_right"]


def enrich_pot(model: EcologyModel, colony: Colony, energy: float = 20.0) -> None:
    model.ledger.transfer(model.sun, colony.pot, energy, "gift")


def with_lessons(colony: Colony, count: int = FEWEST_LESSONS) -> None:
    colony.lessons = [Lesson([5] * 20, [6] * 5) for _ in range(count)]


# ---------------------------------------------------------------- turns and money


def test_rungs_and_members_are_tried_by_turns_and_distilling_has_its_turn(petri: HostService) -> None:
    model = quiet_world(petri, **{"society.colonies.rest": 0, "society.colonies.probation": 1})
    colony = founded(model, (0, 1))
    with_lessons(colony)
    enrich_pot(model, colony)
    tried = purposes(colony, model, 12)
    assert tried[:4] == ["distilled", "expansion", "fused", "expansion"] and "distilled" in tried[4:]


def test_nothing_is_distilled_on_credit(petri: HostService) -> None:
    model = quiet_world(petri)
    colony = founded(model, (0, 1))
    with_lessons(colony)
    settings = model.config.society.colonies
    price = model.tariff.prompt_token * teaching_tokens(colony.lessons, settings.epochs)
    audition = Audition("distilled", model.tick)
    held = model.ledger.balance(colony.pot)
    model.ledger.transfer(colony.pot, model.sun, held - settings.reserve - price, "gift")
    assert not can_begin(model, colony, audition) and can_begin(model, colony, Audition("expansion", model.tick))
    model.ledger.transfer(model.sun, colony.pot, 0.01, "gift")
    assert can_begin(model, colony, audition)


def test_a_colony_that_can_be_taught_saves_for_it(petri: HostService) -> None:
    model = quiet_world(petri, **{"society.colonies.reserve": 0.01})
    colony = founded(model, (0, 1))
    least = ceiling(model, colony)
    with_lessons(colony, FEWEST_LESSONS - 1)
    assert ceiling(model, colony) == least == 0.02
    with_lessons(colony)
    assert ceiling(model, colony) > least
    audition = Audition("distilled", model.tick)
    model.ledger.transfer(colony.pot, model.sun, model.ledger.balance(colony.pot), "gift")
    model.ledger.transfer(model.sun, colony.pot, ceiling(model, colony), "gift")
    assert can_begin(model, colony, audition)
    colony.rung = "distilled"
    assert ceiling(model, colony) == least


def test_the_grant_fund_helps_a_trial_while_it_looks_promising(petri: HostService) -> None:
    model = live(quiet_world(petri), 1)  # what answers cost is known
    colony = founded(model, (0, 1))
    for organelle in model.organelles():
        enrich(model, organelle, 1.0)
    model.ledger.transfer(colony.pot, model.sun, model.ledger.balance(colony.pot), "gift")
    audition = auditioning(model, colony, Audition("expansion", model.tick))
    granted = model.ledger.balance(model.grant)
    assert granted > 0 and can_go_on(model, colony)
    assert model.ledger.balance(model.grant) < granted and model.ledger.balance(colony.pot) > 0
    model.ledger.transfer(colony.pot, model.sun, model.ledger.balance(colony.pot), "gift")
    audition.counts = Counts(0, 10, 10)
    assert not can_go_on(model, colony)


def test_what_is_handed_on_in_a_trial_is_paid_for_too(petri: HostService) -> None:
    model = quiet_world(petri)
    colony = founded(model, (0, 1), mode="handoff")
    colony.founded = None  # so that it has no paid work
    audition = auditioning(model, colony, Audition("founding", model.tick))
    live(model, 1)
    assert model.ledger.flows["message"] > 0
    assert audition.energy == pytest.approx(model.ledger.flows["message"] + model.ledger.flows["colony gate"])


def test_the_child_of_a_colony_that_has_climbed_is_born_when_there_is_room(petri: HostService) -> None:
    model = quiet_world(petri, **{"reproduction.enabled": True, "reproduction.floor": 16.0, "population.maximum": 4})
    colony = founded(model, (0, 1))
    open_audition(model, colony, Audition("fused", model.tick))
    climb(model, colony)
    assert colony.expecting and len(model.agents) == 4
    judge_colonies(model)
    assert colony.expecting and not model.gatehouse.trials
    bury(model, model.organelles()[-1:])
    judge_colonies(model)
    assert not colony.expecting and model.gatehouse.trials[0].operator == "fused"


def test_a_colony_that_was_just_founded_may_begin_with_an_empty_pot(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = quiet_world(petri)
    colony = founded(model, (0, 1))
    colony.founded = None
    auditioning(model, colony, Audition("founding", model.tick)).counts = Counts(60, 0, 0)
    model.ledger.transfer(colony.pot, model.sun, model.ledger.balance(colony.pot), "gift")
    monkeypatch.setattr("evolora_mesa.society.joint_work.can_go_on", lambda *_: False)
    live(model, 1)
    assert colony.founded == model.tick and colony in model.colonies.living
