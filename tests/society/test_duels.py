"""Duels are about fresh live prompts, between answers that differ, in an order that says nothing."""

from __future__ import annotations

import random

import pytest
from world_fixtures import NOBODY_CAN_PAY, live, teach, tiny_world

from evolora_mesa.errors import RunError
from evolora_mesa.host import BARE, HostService
from evolora_mesa.society.duels import draw_duels
from evolora_mesa.tasks import Pool, pool_of


def test_two_of_the_world_or_one_and_the_host_answer_a_live_prompt_in_one_call(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = live(tiny_world(petri), 1)
    calls = []
    answer = petri.answer
    monkeypatch.setattr(petri, "answer", lambda *given, **more: calls.append(given[0]) or answer(*given, **more))
    duels = draw_duels(model, 40, random.Random(1))
    assert len(duels) == 40 and len(calls) <= 8 and len(calls[0]) == 80
    alive = {organelle.unique_id for organelle in model.organelles()}
    pairs = [(duel.a.organelle, duel.b.organelle) for duel in duels]
    assert all(one != other and {one, other} <= alive | {None} for one, other in pairs)
    assert all(duel.a.text.strip() != duel.b.text.strip() for duel in duels)
    assert all(pool_of(duel.prompt) is Pool.LIVE for duel in duels)
    hosts = [(one is None, other is None) for one, other in pairs]
    assert hosts.count((True, False)) > 0 and hosts.count((False, True)) > 0 and hosts.count((False, False)) > 15
    assert {request.slot for request in calls[0]} >= {BARE, *(o.slot for o in model.organelles())}


def test_duels_are_the_same_for_the_same_random_numbers_and_move_nothing_in_the_world(petri: HostService) -> None:
    model, untouched = (live(tiny_world(petri), 1) for _ in range(2))
    assert draw_duels(model, 6, random.Random("x")) == draw_duels(model, 6, random.Random("x"))
    assert draw_duels(model, 6, random.Random("x")) != draw_duels(model, 6, random.Random("y"))
    assert model.streams.state_dict() == untouched.streams.state_dict()


def test_a_cell_can_be_asked_for(petri: HostService) -> None:
    duels = draw_duels(tiny_world(petri), 5, random.Random(1), cell=3)
    assert {(duel.family, duel.depth) for duel in duels} == {("math", 2)}


def test_answers_are_those_of_the_adapters_and_right_ones_are_known(petri: HostService) -> None:
    model = tiny_world(petri)
    for organelle in model.organelles():
        teach(model, organelle)
    plain = draw_duels(tiny_world(petri), 30, random.Random(1), cell=4)
    taught = draw_duels(model, 30, random.Random(1), cell=4)
    right = [sum(duel.a.right + duel.b.right for duel in duels) for duels in (plain, taught)]
    assert plain != taught and right[0] > right[1]


def test_of_an_extinct_world_nobody_can_be_rated(petri: HostService) -> None:
    model = live(tiny_world(petri, **NOBODY_CAN_PAY), 2)
    assert not model.organelles()
    with pytest.raises(RunError, match="nobody is alive"):
        draw_duels(model, 1, random.Random(1))
