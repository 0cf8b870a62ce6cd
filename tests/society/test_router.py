"""The team router: it learns who is best where, sends tasks there, and everybody is paid and pays as for any other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from colony_world import founded, quiet_world
from hint_world import listen, moved
from hypothesis import given
from hypothesis import strategies as some
from world_fixtures import adapters, agents, history, live, lively_world, tiny_world

from evolora_mesa.config_society import RouterConfig
from evolora_mesa.host import BARE, HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.state import restore, state_of
from evolora_mesa.record.tree import join, pack_tensors, split, unpack_tensors
from evolora_mesa.society.router import Arm, Router, most_appealing
from evolora_mesa.turnover import bury
from evolora_mesa.workload import Grades

ON = {"society.router.enabled": True}
ALONE = {"reproduction.enabled": False, "economy.grace": 1000}
HOST = Arm("bare", 0)


def believing(model: EcologyModel, arm: Arm) -> None:
    """Let the router know that one arm is always right, and that nobody else ever is."""
    model.router.meet(model, model.organelles())
    model.router.wins[:], model.router.losses[:] = 0.0, 1e6
    place = model.router.arms.index(arm)
    model.router.wins[place], model.router.losses[place] = 1e6, 0.0


def told(model: EcologyModel) -> dict[str, object]:
    [facts] = [facts for kind, _, facts in model.events if kind == "routed"]
    return facts


# ---------------------------------------------------------------- off


def test_a_world_without_a_router_sends_nothing_and_draws_nothing(petri: HostService) -> None:
    model = live(tiny_world(petri), 2)
    assert model.router.arms == [] and not any(kind == "routed" for kind, _, _ in model.events)
    assert not any("router" in name or "riders" in name for name in (*model.streams._numpy, *model.streams._python))
    assert model.tally.episodes == 4 * len(model.agents) and "routing" not in model.ledger.flows


# ---------------------------------------------------------------- choosing


def planted_regret(choice: str, seed: int) -> np.ndarray:
    """``[generations]`` success that was missed per task, where the arms' true successes never change."""
    rng = np.random.default_rng(seed)
    router = Router(RouterConfig(enabled=True, choice=choice, memory=0.99, spill=0.0), (3, 2))  # type: ignore[arg-type]
    router.arms = [HOST, *(Arm("organelle", number) for number in range(1, 10))]
    router.wins, router.losses = np.zeros((2, 10, 6))
    rates = rng.uniform(0.05, 0.6, (10, 6))
    rates[rng.integers(10, size=6), range(6)] = 0.9
    missed = []
    for _ in range(200):
        wanted = rng.integers(6, size=12)
        chosen = np.array(most_appealing(router.appeal(wanted, rng), np.ones((12, 10), bool), [12] * 10))
        right = rng.random(12) < rates[chosen, wanted]
        router.learn(chosen, wanted, right)
        missed.append(float((rates.max(0)[wanted] - rates[chosen, wanted]).mean()))
    return np.array(missed)


def test_regret_against_the_oracle_falls() -> None:
    missed = np.mean([planted_regret("thompson", seed) for seed in range(5)], axis=0)
    early, late = missed[:20].mean(), missed[-50:].mean()
    assert early > 0.25
    assert late < 0.25 * early


def test_regret_of_the_uniform_control_does_not_fall() -> None:
    missed = np.mean([planted_regret("uniform", seed) for seed in range(5)], axis=0)
    assert missed[-50:].mean() > 0.8 * missed[:20].mean() > 0.3


def test_evidence_fades_so_that_a_router_follows_those_who_change() -> None:
    router = Router(RouterConfig(enabled=True, memory=0.5, spill=0.0), (1, 1))
    router.arms, router.wins, router.losses = [HOST], np.zeros((1, 1)), np.zeros((1, 1))
    for right in [True] * 10 + [False] * 3:
        router.learn(np.zeros(8, dtype=int), np.zeros(8, dtype=int), np.full(8, right))
    assert router.success()[0, 0] < 0.2


def test_what_is_seen_at_one_depth_counts_a_little_at_the_others() -> None:
    router = Router(RouterConfig(enabled=True, spill=0.25), (2, 3))
    router.arms, router.wins, router.losses = [HOST], np.zeros((1, 6)), np.zeros((1, 6))
    router.learn(np.zeros(4, dtype=int), np.full(4, 1), np.array([True, True, True, False]))
    assert router.wins[0].tolist() == [0.75, 3.0, 0.75, 0, 0, 0]
    assert router.losses[0].tolist() == [0.25, 1.0, 0.25, 0, 0, 0]


@given(some.integers(0, 2**32), some.integers(1, 8), some.integers(1, 5))
def test_nobody_is_sent_more_than_it_has_room_for_or_what_it_may_not_work_at(seed: int, tasks: int, arms: int) -> None:
    rng = np.random.default_rng(seed)
    able, room = rng.random((tasks, arms)) < 0.6, rng.integers(0, 3, arms)
    chosen = most_appealing(rng.random((tasks, arms)), able, room.tolist())
    taken = [arm for arm in chosen if arm is not None]
    assert (np.bincount(taken, minlength=arms) <= room).all() if taken else True
    assert all(able[task, arm] for task, arm in enumerate(chosen) if arm is not None)
    for task, arm in enumerate(chosen):
        if arm is None:  # everybody able was full by then
            before = np.bincount([one for one in chosen[:task] if one is not None], minlength=arms)
            assert not (able[task] & (before < room)).any()


# ---------------------------------------------------------------- in the world


def test_a_task_that_an_organelle_is_sent_is_work_like_any_other(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_world(petri, **ON, **ALONE)
    one = model.organelles()[1]
    believing(model, Arm("organelle", one.unique_id))
    calls = listen(monkeypatch, petri)
    model.step()
    assert len(calls) == 1  # nothing is asked apart
    assert model.last_work is not None
    work, grades, ids = model.last_work
    own = ids[work.owners] == one.unique_id
    assert own.sum() == one.answered == 4 + 12
    assert len(work.tasks) == model.tally.episodes == 4 * 4 + 12
    sent = told(model)["tasks"]
    assert [task[2:4] for task in sent] == [["organelle", one.unique_id]] * 12  # type: ignore[index]
    assert (
        sorted((f, d) for f, d, *_ in sent)
        == sorted(  # type: ignore[misc]
            (cell // 2, cell % 2) for cell in work.cells[own][4:].tolist()
        )
    )
    assert model.tally.routed_right == grades.success[own][4:].sum() == told(model)["right"]
    costs = 0.0005 * work.prompt_tokens[own].sum() + 0.002 * work.generated_tokens[own].sum()
    assert one.spent > 1.0 + costs > 1.0 + 16 * 0.005


def test_what_it_is_sent_is_also_learned_from(petri: HostService) -> None:
    model = tiny_world(petri, **ON, **ALONE)
    one = model.organelles()[1]
    believing(model, Arm("organelle", one.unique_id))
    model.step()
    assert model.history.episodes[one.slot].sum() == 16


def test_the_bare_host_is_paid_into_the_grant_fund_which_pays_its_tokens(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_world(petri, **ON, **ALONE, **{"gate.grant_inflow": 1.0})
    believing(model, HOST)
    monkeypatch.setattr(
        "evolora_mesa.society.router.grade",
        lambda tasks, *_: Grades(np.ones(len(tasks)), np.ones(len(tasks), dtype=bool)),
    )
    calls = listen(monkeypatch, petri)
    book = moved(model)
    model.step()
    [(requests, answers)] = calls  # one call for all
    assert [request.slot for request in requests[-12:]] == [BARE] * 12
    assert all(request.slot != BARE for request in requests[:-12])
    assert told(model)["to"] == {"bare": 12} and model.tally.routed_right == 12
    earned = [quanta for _, target, quanta in book["reward"] if target == model.grant]
    assert len(earned) == 12 and min(earned) > 0
    tokens = sum(0.0005 * len(r) + 0.002 * len(w) for r, w in zip(answers.prompts, answers.tokens, strict=True))
    own = sum(
        0.0005 * len(r) + 0.002 * len(w) for r, w in zip(answers.prompts[:-12], answers.tokens[:-12], strict=True)
    )
    [(source, target, quanta)] = book["routing"]
    assert (source, target) == (model.grant, model.soil)
    assert quanta == pytest.approx(1e6 * (tokens - own), abs=2)
    assert model.ledger.total() == 0 and model.tally.episodes == 16


def test_riders_leave_everybodys_own_answers_and_lessons_alone(petri: HostService) -> None:
    off, on = tiny_world(petri, **ALONE), tiny_world(petri, **ON, **ALONE)
    believing(on, HOST)
    for model in (off, on):
        model.step()
    assert on.last_work is not None and off.last_work is not None
    assert on.last_work.workload.answers.texts == off.last_work.workload.answers.texts
    first, second = adapters(off), adapters(on)
    assert any(stack.any() for stack in first.values())
    for name in first:  # products over other batches may differ in the last bit
        torch.testing.assert_close(first[name], second[name], rtol=0, atol=1e-5)


def test_the_bare_host_can_be_left_out(petri: HostService) -> None:
    model = live(tiny_world(petri, **ON, **ALONE, **{"society.router.bare": False}), 2)
    assert [arm.kind for arm in model.router.arms] == ["organelle"] * 4
    assert told(model)["to"] == {"organelle": 12}


def test_the_confined_are_sent_only_what_is_theirs(petri: HostService) -> None:
    model = tiny_world(petri, **ON, **ALONE, **{"society.router.episodes": 40})
    one = model.organelles()[0]
    model.beliefs.confine(one.slot, np.array([2, 3]))
    believing(model, Arm("organelle", one.unique_id))
    model.step()
    cells = [2 * f + d for f, d, kind, number, _ in told(model)["tasks"] if number == one.unique_id]  # type: ignore[misc]
    assert cells and set(cells) <= {2, 3}
    assert len(cells) < 40


def test_of_newborns_it_believes_what_they_do_and_the_dead_are_forgotten(petri: HostService) -> None:
    model = live(tiny_world(petri, **ON, **ALONE), 1)
    one, other, *_ = model.organelles()
    place = model.router.arms.index(Arm("organelle", other.unique_id))
    kept = model.router.wins[place].copy()
    bury(model, [one])
    model.router.arms = [arm if arm.number != other.unique_id else Arm("organelle", 999) for arm in model.router.arms]
    model.beliefs.wins[other.slot], model.beliefs.losses[other.slot] = 7.0, 3.0
    model.router.meet(model, model.organelles())
    names = [arm.number for arm in model.router.arms]
    assert one.unique_id not in names and 999 not in names and len(names) == 1 + 3
    place = model.router.arms.index(Arm("organelle", other.unique_id))
    assert (model.router.wins[place] == 7.0).all() and (model.router.losses[place] == 3.0).all()
    assert not np.array_equal(kept, model.router.wins[place])


def test_it_learns_from_everybodys_own_work_too(petri: HostService) -> None:
    model = tiny_world(petri, **ON, **ALONE, **{"society.router.spill": 0.0})
    before = {o.unique_id: model.beliefs.wins[o.slot].sum() + model.beliefs.losses[o.slot].sum() for o in model.agents}
    model.step()
    assert not any(before.values())
    evidence = (model.router.wins + model.router.losses).sum(1)
    for place, arm in enumerate(model.router.arms[1:], start=1):
        [organelle] = [o for o in model.organelles() if o.unique_id == arm.number]
        assert evidence[place] == pytest.approx(organelle.answered)
    assert evidence[0] == told(model)["to"].get("bare", 0)  # type: ignore[attr-defined]


# ---------------------------------------------------------------- colonies


def test_a_colony_is_sent_its_next_joint_tasks(petri: HostService) -> None:
    model = quiet_world(petri, **ON)
    colony = founded(model, cells=range(6))
    believing(model, Arm("colony", colony.number))
    model.router.settings = model.router.settings.model_copy(update={"episodes": 60})
    model.step()
    [shift] = model.colonies.shifts
    assert model.last_work is not None
    cells = model.last_work.workload.cells[shift.rows[:, 0]].tolist()
    assert len(cells) == 2
    sent = [task for task in told(model)["tasks"] if task[2] == "colony"]  # type: ignore[index]
    assert [2 * family + depth for family, depth, *_ in sent] == cells == model.router.joint[colony.number]
    assert [task[3:] for task in sent] == [
        [colony.number, bool(right)] for right in model.colonies.sittings[0].team.grades.success
    ]
    place = model.router.arms.index(Arm("colony", colony.number))
    assert (model.router.wins + model.router.losses)[place, cells].min() > 0


def test_a_colony_is_sent_nothing_outside_its_cells(petri: HostService) -> None:
    model = quiet_world(petri, **ON)
    colony = founded(model, cells=(0, 5))
    believing(model, Arm("colony", colony.number))
    model.router.send(model, model.organelles(), np.zeros((4, 4), dtype=np.int64))
    assert set(model.router.joint.get(colony.number, [])) <= {0, 5}


# ---------------------------------------------------------------- going on


def test_a_world_put_back_goes_on_with_the_same_router(petri: HostService) -> None:
    model = live(lively_world(petri, **ON), 4)
    plain, tensors = split(state_of(model))
    saved = json.loads(json.dumps(plain, allow_nan=False))
    again = restore(model.config, join(saved, unpack_tensors(pack_tensors(tensors), saved, Path("tensors"))), petri)
    live(model, 4)
    live(again, 4)
    assert history(again) == history(model)
    assert agents(again) == agents(model)
    assert again.events == model.events
    assert again.router.arms == model.router.arms
    np.testing.assert_array_equal(again.router.wins, model.router.wins)
