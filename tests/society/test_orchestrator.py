"""The orchestrator: it learns what steps are, auctions them, hands answers on, replaces who fails, and pays by step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from composite_world import GIVEN, ON, WORLD, answering, composites, planned, team_world
from hint_world import listen, moved
from world_fixtures import adapters, agents, history, live, lively_world, tiny_world

from evolora_mesa.errors import TaskError
from evolora_mesa.host import Answers, HostService, Request
from evolora_mesa.record.state import restore, state_of
from evolora_mesa.record.tree import join, pack_tensors, split, unpack_tensors
from evolora_mesa.society.questions import Questions
from evolora_mesa.tasks.composite import Composite
from evolora_mesa.turnover import bury
from evolora_mesa.workload import Grades, JointRows

PAID_CELLS = {"economy.pool_limit": 1000.0, "economy.inflow": 1000.0}


def worthless(rows: int) -> Grades:
    return Grades(np.zeros(rows), np.zeros(rows, dtype=bool))


# ---------------------------------------------------------------- off


def test_a_world_without_an_orchestrator_asks_and_draws_nothing(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = listen(monkeypatch, petri)
    model = live(tiny_world(petri, **WORLD), 2)
    assert len(calls) == 2 and not composites(model)
    assert not any("orchestrator" in name for name in (*model.streams._numpy, *model.streams._python))
    assert "composite" not in model.ledger.flows and model.orchestrator.lexicon.words == ()


def test_families_that_make_no_composite_are_refused(petri: HostService) -> None:
    with pytest.raises(TaskError, match="no composite task can be made of these families"):
        tiny_world(petri, **ON, **{"tasks.families": ["logic", "math"]})


# ---------------------------------------------------------------- handing on


def test_first_steps_ride_in_the_one_call_and_every_further_round_is_one_call_for_all(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = answering(monkeypatch, petri)
    model = team_world(petri, **GIVEN)
    model.step()
    lengths = [len(facts["chain"]) for facts in composites(model)]
    assert len(lengths) == 6
    assert [len(call) for call in calls] == [
        16 + 6,
        6,
        *([sum(length == 3 for length in lengths)] if 3 in lengths else []),
    ]
    assert all(facts["right"] for facts in composites(model))
    assert model.tally.composites == model.tally.composites_right == 6


def test_each_step_is_asked_about_the_answer_before(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = team_world(petri, **GIVEN)
    [job] = planned(model, "word.count", "math")
    said = iter(["7", "3"])
    monkeypatch.setattr(
        petri,
        "answer",
        lambda requests, *rest, **options: replace(
            HostService.answer(petri, requests, *rest, **options), texts=[next(said)]
        ),
    )
    asked = job.prompts()[0]
    model.orchestrator.deliver(model, JointRows.none())
    assert job.composite.content in asked
    assert job._content == "7"
    assert job.prompts()[0].split(": ")[1].startswith("7")
    assert [attempt.right for attempt in job.attempts] == [
        job.composite.steps[0].answer(job.composite.content) == "7",
        job.composite.steps[1].answer("7") == "3",
    ]


def test_composites_come_only_in_their_turn(petri: HostService) -> None:
    model = team_world(petri, **GIVEN, **{"society.orchestrator.every": 3})
    asked = []
    for _ in range(7):
        model.step()
        asked.append(len(composites(model)))
    assert asked == [6, 0, 0, 6, 0, 0, 6]


def test_composites_change_nothing_of_what_everybody_learns(petri: HostService) -> None:
    off, on = live(tiny_world(petri, **WORLD), 1), live(team_world(petri), 1)
    first, second = adapters(off), adapters(on)
    assert any(stack.any() for stack in first.values())
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=1e-5)


# ---------------------------------------------------------------- learned decomposition


@pytest.mark.parametrize("credit", ["step", "end"])
def test_what_words_mean_is_learned_from_outcomes(
    petri: HostService, monkeypatch: pytest.MonkeyPatch, credit: str
) -> None:
    answering(monkeypatch, petri)
    model = team_world(petri, **{"society.orchestrator.credit": credit, "society.orchestrator.composites": 12})
    first: list[float] = []
    last: list[float] = []
    for generation in range(24):
        model.step()
        (first if generation < 1 else last if generation >= 18 else []).append(model.tally.composites_right / 12)
    assert model.orchestrator.lexicon.known == 1.0
    assert np.mean(first) < 0.4
    assert np.mean(last) > 0.8


def test_the_true_decomposition_needs_no_learning(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(monkeypatch, petri)
    model = live(team_world(petri, **GIVEN), 1)
    assert model.tally.composites_right == 6
    assert not model.orchestrator.lexicon.wins.any()


def test_words_are_dealt_by_the_seed_and_say_nothing(petri: HostService) -> None:
    one, other = (team_world(petri, rng=seed).orchestrator.lexicon for seed in (1, 2))
    assert len(set(one.words)) == 3 and one.words != other.words
    assert not set(one.words) & {"word.count", "math", "sequence"}
    assert one.known == 0.0


# ---------------------------------------------------------------- money


def test_a_right_composite_is_paid_by_the_true_cells_to_who_did_the_steps(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, petri)
    model = team_world(petri, **GIVEN, **PAID_CELLS)
    monkeypatch.setattr("evolora_mesa.model.grade", lambda tasks, *_: worthless(len(tasks)))
    book = moved(model)
    model.step()
    account = {organelle.unique_id: organelle.account for organelle in model.organelles()}
    families, price = model.grid.families, model.grid.layer("price")
    due = sorted(
        (int(model.cell_accounts[2 * families.index(family) + facts["depth"]]), account[member])
        for facts in composites(model)
        for family, member in zip(facts["chain"], facts["members"], strict=True)
    )
    assert sorted((source, target) for source, target, _ in book["reward"]) == due
    assert {quanta for *_, quanta in book["reward"]} <= set(np.rint(1e6 * price.ravel()).astype(int).tolist())
    assert sum(o.earned for o in model.organelles()) == pytest.approx(sum(q for *_, q in book["reward"]) / 1e6)
    assert model.ledger.total() == 0


def test_tokens_of_steps_are_paid_for_whether_the_end_is_right_or_not(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = listen(monkeypatch, petri, ["1"])
    model = team_world(petri, **GIVEN, **{"economy.endowment": 50.0})
    book = moved(model)
    model.step()
    assert model.tally.composites_right < 6
    price = 0.0
    for place, (_, answers) in enumerate(calls):
        rows = slice(16, None) if place == 0 else slice(None)
        read, written = (sum(map(len, tokens[rows])) for tokens in (answers.prompts, answers.tokens))
        price += 0.0005 * read + 0.002 * written
    assert sum(quanta for *_, quanta in book["composite"]) == pytest.approx(1e6 * price, abs=10)
    assert {target for _, target, _ in book["composite"]} == {model.soil}
    assert model.orchestrator.counts["tokens"] == sum(facts["tokens"] for facts in composites(model))
    members = {member for facts in composites(model) for member in facts["members"]}
    assert {who for who, fee in model.tally.fees.items() if fee > 0} == members
    assert model.ledger.total() == 0


def test_a_wrong_end_pays_nobody(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    listen(monkeypatch, petri, ["-999"])
    model = team_world(petri, **GIVEN)
    model.step()
    assert model.tally.composites == 6 and model.tally.composites_right == 0
    assert "reward" not in model.ledger.flows


# ---------------------------------------------------------------- faults


def test_who_dies_between_foraging_and_work_is_replaced_by_the_next_bidder(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = team_world(petri, **GIVEN)
    model.tick += 1
    model.season()
    cells = model.forage()
    jobs = model.orchestrator.jobs
    victim, heir = jobs[0].bidders[0][:2]
    hit = [job for job in jobs if any(bidders[0] == victim for bidders in job.bidders)]
    place = [organelle.unique_id for organelle in model.organelles()].index(victim)
    bury(model, [model.organelles()[place]])
    answering(monkeypatch, petri)
    workload = model.work(np.delete(cells, place, 0))
    model.learn(workload, model.settle(workload))
    assert all(job.success for job in jobs)
    assert jobs[0].attempts[0].member == heir
    assert all(job.replaced for job in hit)
    assert victim not in {attempt.member for job in jobs for attempt in job.attempts}
    assert model.ledger.total() == 0


def test_who_dies_between_two_steps_is_replaced_too_and_paid_no_more(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = team_world(petri, **GIVEN)
    [job] = planned(model, "word.count", "math")
    first, second = (model.organelles()[place].unique_id for place in (0, 1))
    job.bidders[:] = [[first, second], [first, second]]
    answering(monkeypatch, petri)
    questions = Questions()
    model.orchestrator.ask(model, questions)
    model.orchestrator.hear(model, questions.put(model, "test"))
    bury(model, [model.organelles()[0]])
    joint = model.orchestrator.deliver(model, JointRows.none())
    assert [attempt.member for attempt in job.attempts] == [first, second] and job.success
    assert joint.accounts.tolist() == [model.organelles()[0].account]


def test_an_answer_without_sense_goes_to_the_next_bidder_in_the_same_batch(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = team_world(petri, **GIVEN)
    job, other = planned(model, "word.count", "math", count=2)
    ids = [organelle.unique_id for organelle in model.organelles()]
    job.bidders[:] = [ids[:2], ids[:1]]
    other.bidders[:] = [ids[1:2], ids[1:2]]
    calls = answering(monkeypatch, petri)
    spoiled = petri.answer
    slots = {organelle.unique_id: organelle.slot for organelle in model.organelles()}

    def answer(requests: Sequence[Request], *rest: object, **options: object) -> Answers:
        answers = spoiled(requests, *rest, **options)  # type: ignore[arg-type]
        first = len(calls) == 1
        texts = [
            "no number" if first and request.slot == slots[ids[0]] else text
            for request, text in zip(requests, answers.texts, strict=True)
        ]
        return replace(answers, texts=texts)

    monkeypatch.setattr(petri, "answer", answer)
    model.orchestrator.deliver(model, JointRows.none())
    assert [(a.step, a.member, a.well_formed) for a in job.attempts] == [
        (0, ids[0], False),
        (0, ids[1], True),
        (1, ids[0], True),
    ]
    assert job.success and job.replaced == 1 and other.success and not other.replaced
    assert [len(call) for call in calls] == [2, 2, 1]  # the second try rides with the other's second step


def test_after_the_last_replacement_a_composite_is_given_up(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = team_world(petri, **GIVEN, **{"society.orchestrator.replacements": 2})
    calls = answering(monkeypatch, petri, wrong=["Count", "How many", "Word total"])
    [job] = planned(model, "word.count", "math")
    model.orchestrator.deliver(model, JointRows.none())
    assert job.over and not job.success and job.answer is None
    assert len(job.attempts) == len(calls) == 3
    assert len({attempt.member for attempt in job.attempts}) == 3


def test_without_a_bidder_nothing_is_asked(petri: HostService) -> None:
    model = team_world(petri, **GIVEN)
    for organelle in model.organelles():
        model.beliefs.confine(organelle.slot, np.array([7]))  # logic
    model.step()
    assert model.tally.composites == 6 and model.tally.composites_right == 0
    assert all(not facts["members"] and not facts["tokens"] for facts in composites(model))


# ---------------------------------------------------------------- the whole to one


def test_the_monolithic_control_asks_one_organelle_for_the_whole_as_often_as_there_are_steps(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = team_world(petri, **{"society.orchestrator.decomposition": "monolithic"})
    job, other = planned(model, "word.count", "math", "sequence", count=2)
    texts = [job.composite.answer, "12345", job.composite.answer, "0", "1", "0"]
    calls = listen(monkeypatch, petri, texts)
    joint = model.orchestrator.deliver(model, JointRows.none())
    [(requests, _)] = calls
    assert [request.prompt for request in requests] == [job.composite.prompt] * 3 + [other.composite.prompt] * 3
    assert len({request.slot for request in requests[:3]}) == 1
    assert len({request.key for request in requests}) == 6
    assert job.success and other.answer == "0"
    assert len(set(joint.accounts.tolist())) == 1 and len(joint.cells) == 3


# ---------------------------------------------------------------- going on


def test_a_world_put_back_goes_on_with_the_same_orchestrator(petri: HostService) -> None:
    families = {"tasks.families": ["word.count", "math", "sequence"]}
    model = live(lively_world(petri, **ON, **families), 4)
    plain, tensors = split(state_of(model))
    saved = json.loads(json.dumps(plain, allow_nan=False))
    again = restore(model.config, join(saved, unpack_tensors(pack_tensors(tensors), saved, Path("tensors"))), petri)
    live(model, 4)
    live(again, 4)
    assert history(again) == history(model)
    assert agents(again) == agents(model)
    assert again.events == model.events
    assert again.orchestrator.counts == model.orchestrator.counts
    np.testing.assert_array_equal(again.orchestrator.lexicon.wins, model.orchestrator.lexicon.wins)
    assert model.orchestrator.counts["composites"] == 48


def test_the_composites_of_a_world_are_of_the_live_pool_and_of_its_families(petri: HostService) -> None:
    model = team_world(petri)
    model.tick = 1
    model.orchestrator.plan(model, model.organelles())
    drawn: list[Composite] = [job.composite for job in model.orchestrator.jobs]
    assert len(drawn) == 6
    assert {step.family for composite in drawn for step in composite.steps} <= {"word.count", "math", "sequence"}
