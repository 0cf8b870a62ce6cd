"""Policies at work: asked in one call, paid for, inherited, and felt in where, how much and with whom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_policies import HOSTILE
from world_fixtures import agents, at_home, breeding_world, enrich, history, live, lively_world, teach, tiny_world

from evolora_mesa.breeding import _partner
from evolora_mesa.host import Answers, HostService, Request
from evolora_mesa.model import EcologyModel
from evolora_mesa.nursery import Mate
from evolora_mesa.organelle import Organelle
from evolora_mesa.record.state import restore, state_of
from evolora_mesa.record.tree import join, pack_tensors, split, unpack_tensors
from evolora_mesa.society.policy import NEUTRAL, Bounds, Policy, parse_policy, policy_prompt

ON = {"society.policy.enabled": True}
NOTHING_ASKED = {"asked": 0, "genuine": 0, "constrained": 0, "failed": 0, "tokens": 0}


def wish(model: EcologyModel, organelle: Organelle, **wanted: object) -> None:
    """Put a policy into force as if the organelle had written it."""
    policy = NEUTRAL.model_copy(update=wanted)
    assert isinstance(policy, Policy)
    model.policies._write(organelle.slot, policy)
    model.policies._owner[organelle.slot] = organelle.unique_id


def asked(model: EcologyModel) -> None:
    """Let everybody write a policy now."""
    model.tick = 1
    model.policies.think(model)


def answering(
    monkeypatch: pytest.MonkeyPatch, host: HostService, texts: Sequence[str] | None = None
) -> list[list[Request]]:
    """The requests of all host calls from now on; ``texts`` takes the place of what the host says."""
    calls: list[list[Request]] = []
    answer = HostService.answer

    def listened(requests: Sequence[Request], *rest: object, **options: object) -> Answers:
        calls.append(list(requests))
        answers = answer(host, requests, *rest, **options)  # type: ignore[arg-type]
        return answers if texts is None else replace(answers, texts=list(texts))

    monkeypatch.setattr(host, "answer", listened)
    return calls


def policy_events(model: EcologyModel) -> dict[int | None, dict[str, object]]:
    return {who: facts for kind, who, facts in model.events if kind == "policy"}


# ---------------------------------------------------------------- off


def test_a_world_without_policies_asks_for_none_and_pays_for_none(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = answering(monkeypatch, petri)
    model = tiny_world(petri, **{"reproduction.enabled": False})
    model.step()
    assert len(calls) == 1 and not any(request.guided for request in calls[0])
    assert model.policies.counts == NOTHING_ASKED
    assert not policy_events(model)
    assert not any("policy" in name for name in (*model.streams._numpy, *model.streams._python))
    assert not model.tally.fees or not any(model.tally.fees.values())
    assert model.policies.reads.all() and model.policies.posts.all()


def test_neutral_policies_change_nothing_that_is_done(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    off = live(tiny_world(petri), 3)
    monkeypatch.setattr("evolora_mesa.society.policies.parse_policy", lambda *_: None)
    free = {"economy.prompt_token": 0.0, "economy.generated_token": 0.0}
    on, off = (live(tiny_world(petri, **free, **settings), 3) for settings in (ON, {}))
    assert history(on) == history(off)
    assert agents(on) == agents(off)


# ---------------------------------------------------------------- asking


def test_everybody_is_asked_at_once_every_so_many_generations(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_world(petri, **ON, **{"society.policy.every": 3, "reproduction.enabled": False})
    calls = answering(monkeypatch, petri)
    calls_asked = []
    for _ in range(7):
        calls.clear()
        alive = {organelle.unique_id for organelle in model.organelles()}
        model.step()
        guided = [call for call in calls if any(request.guided for request in call)]
        calls_asked.append(len(guided))
        if guided:
            assert all(request.guided for request in guided[0]) and len(guided[0]) == len(alive)
            assert set(policy_events(model)) == alive
    assert calls_asked == [1, 0, 0, 1, 0, 0, 1]
    assert model.policies.counts["asked"] == model.policies.counts["constrained"] > 0
    assert model.policies.counts["genuine"] == model.policies.counts["failed"] == 0


def test_every_token_of_a_policy_is_paid_for_and_counts_as_spent(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Answers] = []
    answer = HostService.answer
    monkeypatch.setattr(
        petri, "answer", lambda *given, **options: seen.append(answer(petri, *given, **options)) or seen[-1]
    )
    model = tiny_world(petri, **ON)
    moved: dict[str, int] = {}

    def note(reason: str, _: object, __: object, quanta: np.ndarray) -> None:
        moved[reason] = moved.get(reason, 0) + int(quanta.sum())

    model.ledger.observer = note
    model.step()
    price = [
        0.0005 * len(read) + 0.002 * len(wrote) for read, wrote in zip(seen[0].prompts, seen[0].tokens, strict=True)
    ]
    assert min(price) > 0.05
    assert moved["policy"] / 1e6 == pytest.approx(sum(price), abs=1e-5)
    assert model.ledger.total() == 0
    for organelle, fee in zip(model.organelles(), price, strict=True):
        assert model.tally.fees[organelle.unique_id] == pytest.approx(fee, abs=1e-6)
        assert organelle.spent > 1.0 + fee  # a ticket, the fee, and the living


def test_the_poor_pay_what_they_have(petri: HostService) -> None:
    model = tiny_world(petri, **ON, **{"economy.endowment": 0.01})
    asked(model)
    assert [organelle.energy for organelle in model.organelles()] == [0.0] * 4
    assert model.policies.counts["constrained"] == 4
    assert model.ledger.total() == 0


@pytest.mark.parametrize("sampled", [False, True])
def test_what_is_written_comes_from_the_adapter_and_from_chance_only_where_it_is_sampled(
    petri: HostService, sampled: bool
) -> None:
    settings = {"economy.endowment": 3.0, "society.policy.sampled": sampled, "forage.initial_bias": 0.0}
    model = tiny_world(petri, **ON, **settings)
    one, twin, other, another = model.organelles()
    for organelle in (other, another):
        teach(model, organelle)
        for stack in model.bank.b.values():
            stack[organelle.slot] *= 10
    asked(model)
    facts = policy_events(model)
    assert (facts[one.unique_id] == facts[twin.unique_id]) == (not sampled)
    assert len({str(fact) for fact in facts.values()}) >= 3


def test_forty_hostile_answers_are_counted_charged_and_change_nothing(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd = {"population.initial": 40, "population.maximum": 41, "society.policy.constrained": False}
    model = tiny_world(petri, **ON, **crowd)
    answering(monkeypatch, petri, list(HOSTILE.values()))
    before = [organelle.energy for organelle in model.organelles()]
    asked(model)
    assert model.policies.counts == {
        **NOTHING_ASKED,
        "asked": 40,
        "failed": 40,
        "tokens": model.policies.counts["tokens"],
    }
    assert all(o.energy < energy for o, energy in zip(model.organelles(), before, strict=True))
    facts = policy_events(model)
    assert len(facts) == 40
    assert all(fact == {"parsed": "failed", **NEUTRAL.model_dump()} for fact in facts.values())
    assert not model.policies.preferred.any() and (model.policies.budget == 1).all()


def test_only_what_was_written_freely_is_genuine(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_world(petri, **ON, **{"society.policy.constrained": False})
    good = '{"c":"math","b":0.5,"k":1,"r":false,"p":true,"m":"near"}'
    answering(monkeypatch, petri, [good, "5", good, "{}"])
    asked(model)
    counts = model.policies.counts
    assert (counts["genuine"], counts["failed"], counts["constrained"]) == (2, 2, 0)
    slots = [organelle.slot for organelle in model.organelles()]
    assert model.policies.reads[slots].tolist() == [False, True, False, True]
    assert model.policies.posts[slots].all()


@pytest.mark.parametrize("example", [False, True])
def test_random_weights_write_no_genuine_policy(example: bool) -> None:
    host = HostService.load("petri", device="cpu", tuned=False, random_weights=True)
    prompt = policy_prompt(2.0, [("math:1", 0.5)], example=example)
    answers = host.answer([Request(0, prompt, key) for key in range(200)], temperature=1.0, max_new_tokens=64)
    assert not any(parse_policy(text, Bounds(["math", "math:1"])) for text in answers.texts)


# ---------------------------------------------------------------- taking effect


def test_a_preferred_cell_is_chosen_more_often(petri: HostService) -> None:
    model = tiny_world(petri, **ON, **{"population.episodes": 64, "forage.initial_bias": 0.0})
    one = model.organelles()[0]
    wish(model, one, cell="logic:2")
    home = model.grid.families.index("logic") * 2 + 1
    cells = np.concatenate([model.forage() for _ in range(8)], axis=1)
    assert np.mean(cells[0] == home) > 2 * np.mean(cells[1] == home)


def test_a_preferred_family_means_all_its_depths(petri: HostService) -> None:
    model = tiny_world(petri, **ON)
    one = model.organelles()[0]
    wish(model, one, cell="math")
    expected = np.zeros(model.beliefs.shape)
    expected[model.grid.families.index("math")] = 0.1
    np.testing.assert_array_equal(model.policies.pull(np.array([one.slot]))[0], expected)


def test_a_small_budget_leaves_episodes_out_and_is_charged_for_fewer_tokens(petri: HostService) -> None:
    thrifty, free = (tiny_world(petri, **ON, **{"reproduction.enabled": False}) for _ in range(2))
    for model in (thrifty, free):
        model.episode_cost[:] = 0.1
        for organelle in model.organelles():
            wish(model, organelle, **({"budget": 0.125} if model is thrifty else {}))
        model.tick = 1  # nobody is asked in the second generation
        model.step()
    assert thrifty.tally.episodes == 2 * 4 and free.tally.episodes == 4 * 4  # 0.125 of 2.0 are two times 0.1
    tokens = [model.tally.prompt_tokens + model.tally.generated_tokens for model in (thrifty, free)]
    assert tokens[0] < 0.7 * tokens[1]
    spent = [sum(organelle.spent for organelle in model.organelles()) for model in (thrifty, free)]
    assert spent[0] < spent[1]
    assert thrifty.ledger.total() == 0


def test_what_is_reserved_is_not_worked_with_but_one_episode_is_always_done(petri: HostService) -> None:
    model = tiny_world(petri, **ON)
    model.episode_cost[:] = 0.1
    one, other, third, _ = model.organelles()
    wish(model, one, reserve=1.75)  # of 2.0
    wish(model, other, reserve=2.0)
    wish(model, third, budget=0.0)
    cells = np.zeros((4, 4), dtype=int)
    left = model.policies.within_budget(model, model.organelles(), cells)
    assert (left >= 0).sum(1).tolist() == [2, 1, 1, 4]
    enrich(model, other, 5.0)
    assert (model.policies.within_budget(model, model.organelles(), cells) >= 0).sum(1).tolist() == [2, 4, 1, 4]


@pytest.mark.parametrize(("wanted", "where"), [("near", 1), ("far", 4), ("any", None)])
def test_a_partner_of_the_wanted_kind_is_preferred(petri: HostService, wanted: str, where: int | None) -> None:
    model = breeding_world(petri, **ON, **{"society.policy.taste": 1.0, "archive.parents": 0.0, "gate.screen": False})
    parent, near, far, _ = model.organelles()
    at_home(model, parent, 0)  # word.count:1
    at_home(model, near, 1)  # word.count:2
    at_home(model, far, 4)  # logic:1
    wish(model, parent, partner=wanted)
    chosen = [_partner(model, parent, np.random.default_rng(seed)) for seed in range(40)]
    homes = [int(mate.focus[0]) for mate in chosen if isinstance(mate, Mate)]
    assert len(homes) == 40
    if where is None:
        assert 8 < homes.count(1) < 32
    else:
        assert homes.count(where) > 28


# ---------------------------------------------------------------- inheriting and going on


def test_children_live_by_a_parents_policy_until_they_write_their_own(petri: HostService) -> None:
    model = live(lively_world(petri, **ON, **{"society.policy.every": 1000}), 1)
    patron = model.organelles()[0]
    wish(model, patron, cell="logic", budget=0.25, reads=False, partner="far")
    for _ in range(4):
        model.step()
    children = [organelle for organelle in model.organelles() if organelle.parents[:1] == (patron.unique_id,)]
    model.policies.think(model)  # for those born just now
    assert children
    for child in children:
        for array in model.policies._arrays().values():
            np.testing.assert_array_equal(array[child.slot], array[patron.slot])


def test_whoever_gets_the_slot_of_a_stranger_does_not_get_its_policy(petri: HostService) -> None:
    model = tiny_world(petri, **ON, **{"society.policy.every": 1000})
    model.tick = 2  # everybody was asked in the first generation
    one = model.organelles()[0]
    wish(model, one, cell="logic", reads=False)
    model.policies._owner[one.slot] = 999
    model.policies.think(model)
    assert model.policies.reads[one.slot] and not model.policies.preferred[one.slot].any()


def test_a_world_put_back_goes_on_with_the_same_policies(petri: HostService) -> None:
    model = live(lively_world(petri, **ON, **{"society.policy.every": 3}), 5)
    plain, tensors = split(state_of(model))
    saved = json.loads(json.dumps(plain, allow_nan=False))
    again = restore(model.config, join(saved, unpack_tensors(pack_tensors(tensors), saved, Path("tensors"))), petri)
    live(model, 5)
    live(again, 5)
    assert history(again) == history(model)
    assert agents(again) == agents(model)
    assert again.events == model.events
    assert again.policies.counts == model.policies.counts
    for one, other in zip(again.policies._arrays().values(), model.policies._arrays().values(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert all(torch.equal(again.bank.a[name], stack) for name, stack in model.bank.a.items())
    assert model.policies.counts["asked"] > 12
