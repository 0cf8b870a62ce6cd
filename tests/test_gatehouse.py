"""The gate in a world: who pays, who is asked what, and what becomes of those who pass or fail."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from world_fixtures import adapters, at_home, breeding_world, enrich, gates, teach

from evolora_mesa.breeding import conceive
from evolora_mesa.evolution.trial import Decision
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.organelle import Organelle
from evolora_mesa.tasks import Pool, Task
from evolora_mesa.tasks.pools import pool_of
from evolora_mesa.turnover import bury

ONE_PARENT = {"reproduction.merging": False}
# One trial that is not decided after its first eight prompts.
PATIENT = {
    "gate.screen": False,
    "reproduction.births": 1,
    "gate.futility": 0.001,
    "gate.window": 8,
    "gate.window_low": 8,
}
PRICE = 0.01


def on_trial(model: EcologyModel) -> Organelle:
    """A child before its gate: of the first organelle, or of the first and the second where merging is on."""
    first, second, *_ = model.organelles()
    for organelle, cell in ((first, 0), (second, 3)):
        teach(model, organelle)
        at_home(model, organelle, cell)
    enrich(model, first, 40.0)
    enrich(model, second, 20.0)
    conceive(model)
    child = next(organelle for organelle in model.organelles() if organelle.on_trial)
    return child


def answers_by(model: EcologyModel, skill: Callable[[int, Task], bool]) -> list[Task]:
    """Answers at the gate are right where ``skill(slot, task)`` says so; the tasks asked are kept in the list."""
    asked: list[Task] = []

    def answer(_: EcologyModel, tasks: Sequence[Task], slots: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        asked.extend(tasks)
        right = [skill(slot, task) for slot, task in zip(slots, tasks, strict=True)]
        return np.array(right), np.full(len(tasks), PRICE)

    model.gatehouse._answer = answer  # type: ignore[method-assign]
    return asked


def judge(model: EcologyModel, most: int = 20) -> dict[str, object]:
    """Generations of gating alone until the trial has ended; the last row of the record."""
    while model.gatehouse.trials:
        model.tick += 1
        model.gatehouse.judge(model)
        most -= 1
        assert most
    return gates(model)[-1]


# ---------------------------------------------------------------- verdicts


def test_a_better_child_becomes_a_citizen_and_owns_what_is_left(petri: HostService) -> None:
    model = breeding_world(petri, **ONE_PARENT, **{"gate.screen": False})
    child = on_trial(model)
    (trial,) = model.gatehouse.trials[:1]
    model.gatehouse.trials[1:] = []
    answers_by(model, lambda slot, _: slot == child.slot)
    before, total = child.energy, model.ledger.balance(trial.account)
    row = judge(model)
    assert (row["verdict"], row["reason"], row["child"]) == ("accepted", "accepted", child.unique_id)
    assert not child.on_trial and child in model.organelles()
    assert child.energy == pytest.approx(before + total - row["energy"])
    assert row["uplift"] == 1.0 and row["log_e"] >= np.log(20)
    assert (model.tally.promotions, model.tally.merges) == (1, 0)
    assert model.ledger.total() == 0


def test_a_child_that_gains_nothing_leaves_the_world_and_the_money_goes_back(petri: HostService) -> None:
    model = breeding_world(petri, **ONE_PARENT, **{"gate.screen": False, "reproduction.births": 1})
    child = on_trial(model)
    (trial,) = model.gatehouse.trials
    parent = next(o for o in model.organelles() if o.unique_id == trial.parents[0])
    owned = parent.energy + child.energy + model.ledger.balance(trial.account)
    answers_by(model, lambda *_: True)
    row = judge(model)
    assert (row["verdict"], row["reason"]) == ("rejected", "futile")
    assert child not in model.organelles()
    assert parent.energy == pytest.approx(owned - row["energy"])
    assert child.slot not in model.bank.used_slots()
    assert model.tally.promotions == 0
    assert model.ledger.total() == 0


def test_a_merge_beats_both_parents_and_a_pair_that_failed_is_not_tried_again(petri: HostService) -> None:
    model = breeding_world(petri, **{"archive.enabled": False, "gate.screen": False, "reproduction.births": 1})
    child = on_trial(model)
    (trial,) = model.gatehouse.trials
    first, second = (o for o in model.organelles() if o.unique_id in trial.parents)
    homes = {first.slot: "word.count", second.slot: "math"}
    answers_by(model, lambda slot, task: slot == child.slot or homes.get(slot) == task.family)
    row = judge(model)
    assert (row["kind"], row["verdict"]) == ("merge", "accepted")
    assert model.tally.merges == 1
    assert model.gatehouse.has_tried(model, second.unique_id, first.unique_id)  # as long as their child lives
    bury(model, [child])
    assert not model.gatehouse.has_tried(model, first.unique_id, second.unique_id)
    assert 0.3 < row["uplift"] < 0.7  # on the union, where either parent is right on half
    failing = breeding_world(petri, **{"archive.enabled": False, "gate.screen": False, "reproduction.births": 1})
    on_trial(failing)
    (trial,) = failing.gatehouse.trials
    answers_by(failing, lambda *_: True)
    assert judge(failing)["verdict"] == "rejected"
    one, other = (o for o in failing.organelles() if o.unique_id in trial.parents)
    assert failing.gatehouse.has_tried(failing, one.unique_id, other.unique_id)
    assert failing.gatehouse.has_tried(failing, other.unique_id, one.unique_id)
    assert failing.gatehouse.compatibility(0, 1) < 0.5


def test_a_confined_child_works_in_its_parents_cells_only(petri: HostService) -> None:
    model = breeding_world(petri, **{"archive.enabled": False, "gate.screen": False, "reproduction.births": 1})
    child = on_trial(model)
    (trial,) = model.gatehouse.trials
    home = {(model.grid.families[cell // 2], cell % 2 + 1) for cell in trial.cells.tolist()}
    answers_by(model, lambda slot, task: (slot == child.slot) == ((task.family, task.depth) in home))
    while model.gatehouse.trials:
        model.tick += 1
        # one depth shallower nothing is lost
        model.gatehouse.trials[0].counts[:, 2] = [0, 400, 0]
        model.gatehouse.judge(model)
    assert gates(model)[-1]["verdict"] == "confined"
    assert (model.tally.confined, model.tally.merges) == (1, 1)
    model.beliefs.exploration[child.slot] = 1.0
    chosen = model.beliefs.choose(
        np.array([child.slot]), np.ones((3, 2)), np.zeros((3, 2)), 500, np.random.default_rng(0)
    )
    assert set(chosen.ravel().tolist()) == set(trial.cells.tolist())


def test_without_a_gate_every_child_is_a_citizen_at_once(petri: HostService) -> None:
    model = breeding_world(petri, **ONE_PARENT, **{"gate.enabled": False})
    enrich(model, model.organelles()[0], 40.0)
    conceive(model)
    assert not any(organelle.on_trial for organelle in model.organelles())
    assert not model.gatehouse.trials
    assert [row["reason"] for row in gates(model) if row["verdict"] == "accepted"] == ["ungated"]
    assert model.tally.promotions == 1


def test_a_trial_whose_child_dies_is_over(petri: HostService) -> None:
    model = breeding_world(petri, **ONE_PARENT, **{"reproduction.births": 1})
    child = on_trial(model)
    (trial,) = model.gatehouse.trials
    bury(model, [child])
    row = judge(model)
    assert (row["verdict"], row["reason"], row["prompts"]) == ("rejected", "child_died", 0)
    assert model.ledger.total() == 0
    assert not model.bank.ranks[trial.slot].any()


def test_a_dead_parents_weights_stay_until_the_trial_ends(petri: HostService) -> None:
    model = breeding_world(petri, **ONE_PARENT, **{"reproduction.births": 1, "gate.screen": False})
    child = on_trial(model)
    (trial,) = model.gatehouse.trials
    parent = next(o for o in model.organelles() if o.unique_id == trial.parents[0])
    slot, weights = parent.slot, model.bank.read(parent.slot)
    bury(model, [parent])
    kept = model.bank.read(slot)
    assert all(torch.equal(kept[name][1], weights[name][1]) for name in weights)
    answers_by(model, lambda answered_by, _: answered_by == child.slot)
    assert judge(model)["verdict"] == "accepted"
    assert slot not in model.bank.used_slots()


# ---------------------------------------------------------------- prompts and money


def test_prompts_come_from_the_gate_pool_and_teach_nobody(petri: HostService) -> None:
    model = breeding_world(petri, **{"archive.enabled": False, **PATIENT})
    on_trial(model)
    calls: list[list[str]] = []
    answer = model.host.answer

    def heard(requests: Sequence[object], *args: object, **options: object) -> object:
        calls.append([request.prompt for request in requests])  # type: ignore[attr-defined]
        return answer(requests, *args, **options)  # type: ignore[arg-type]

    model.host.answer = heard  # type: ignore[method-assign, assignment]
    try:
        before, believed, worked = adapters(model), model.beliefs.wins.copy(), model.history.episodes.copy()
        model.tick += 1
        model.gatehouse.judge(model)
    finally:
        del model.host.answer
    assert len(calls) == 1
    (prompts,) = calls
    assert {pool_of(prompt) for prompt in prompts} == {Pool.GATE}
    assert prompts[: len(prompts) // 3] == prompts[len(prompts) // 3 : 2 * len(prompts) // 3]  # the same for all
    after = adapters(model)
    assert all(torch.equal(after[name], before[name]) for name in before)
    np.testing.assert_array_equal(model.beliefs.wins, believed)
    np.testing.assert_array_equal(model.history.episodes, worked)
    assert model.tally.gate_rows == len(prompts) == 3 * model.tuner.window
    assert model.tally.gate_tokens > 0 and model.tally.episodes == 0


def test_all_trials_share_one_host_call(petri: HostService) -> None:
    model = breeding_world(petri, **ONE_PARENT, **{"gate.screen": False, "reproduction.births": 3})
    for organelle in model.organelles()[2:]:
        enrich(model, organelle, 30.0)
    on_trial(model)
    assert len(model.gatehouse.trials) > 1
    calls = []
    original = model.gatehouse._answer

    def counted(*args: object) -> object:
        calls.append(len(args[1]))  # type: ignore[arg-type]
        return original(*args)  # type: ignore[arg-type]

    model.gatehouse._answer = counted  # type: ignore[method-assign, assignment]
    model.tick += 1
    model.gatehouse.judge(model)
    assert calls == [2 * model.tuner.window * len(model.datacollector.tables["gates"]["child"])]


def test_a_trial_without_money_waits_and_the_promising_get_a_grant(petri: HostService) -> None:
    waiting = {}
    for promising in (True, False):
        model = breeding_world(petri, **ONE_PARENT, **PATIENT)
        model.episode_cost[:] = 0.02
        child = on_trial(model)
        (trial,) = model.gatehouse.trials
        model.ledger.transfer(trial.account, model.soil, model.ledger.balance(trial.account), "theft")
        model.ledger.transfer(model.sun, model.grant, 5.0, "gift")
        trial.absorb(
            np.zeros(4, int), np.full(4, trial.focus[0][0]), np.full(4, promising), np.full((1, 4), not promising)
        )
        asked = answers_by(model, lambda slot, _, own=child.slot: slot == own)
        model.tick += 1
        model.gatehouse.judge(model)
        waiting[promising] = gates(model)[-1]["reason"]
        assert bool(asked) is promising
        assert (model.ledger.balance(model.grant) < 5.0) is promising
        assert model.ledger.total() == 0
    assert waiting == {True: "low_power", False: "low_energy"}


def test_gate_answers_are_paid_by_the_trial(petri: HostService) -> None:
    model = breeding_world(petri, **ONE_PARENT, **PATIENT)
    on_trial(model)
    (trial,) = model.gatehouse.trials
    before, soil = model.ledger.balance(trial.account), model.ledger.balance(model.soil)
    answers_by(model, lambda *_: True)
    model.tick += 1
    model.gatehouse.judge(model)
    paid = 2 * model.tuner.window * PRICE
    assert before - model.ledger.balance(trial.account) == pytest.approx(paid) == trial.energy
    assert model.ledger.balance(model.soil) - soil == pytest.approx(paid)
    assert model.ledger.flows["gate"] == pytest.approx(paid)


def test_the_screen_ends_a_clearly_worse_child_before_a_prompt_is_paid(petri: HostService) -> None:
    for screened in (True, False):
        model = breeding_world(petri, **ONE_PARENT, **{"gate.screen": screened, "reproduction.births": 1})
        child = on_trial(model)
        (trial,) = model.gatehouse.trials
        for cell in trial.focus[0].tolist():
            at_home(model, child, cell, success=0.1)
        asked = answers_by(model, lambda *_: True)
        model.tick += 1
        model.gatehouse.judge(model)
        assert bool(asked) is not screened
        assert (gates(model)[-1]["reason"] == "screen_failed") is screened


def test_an_observer_sees_every_decision_while_the_slots_are_still_owned(petri: HostService) -> None:
    model = breeding_world(petri, **ONE_PARENT, **{"gate.screen": False, "reproduction.births": 1})
    child = on_trial(model)
    seen: list[tuple[str, bool]] = []

    def observe(decision: Decision) -> None:
        owned = {decision.trial.slot, *decision.trial.rivals} <= set(model.bank.used_slots())
        seen.append((decision.verdict, owned))

    model.gatehouse.observer = observe
    answers_by(model, lambda slot, _: slot != child.slot)
    judge(model)
    assert seen[-1][0] == "rejected" and all(owned for _, owned in seen)
    assert len(seen) == len([row for row in gates(model) if row["verdict"] != "refused"])


def test_the_refund_goes_to_those_who_paid_to_the_last_quantum(petri: HostService) -> None:
    """An elite's original that lives has paid nothing; and halves that are rounded up would overdraw the fund."""
    model = breeding_world(
        petri, **{"archive.enabled": False, **PATIENT, "gate.stipend": 0.0, "gate.grant_inflow": 0.0}
    )
    child = on_trial(model)
    (trial,) = model.gatehouse.trials
    payer, other = (o for o in model.organelles() if o.unique_id in trial.parents)
    trial.funders = (payer.unique_id,)
    before, owned = other.energy, payer.energy + child.energy + model.ledger.balance(trial.account)
    model.ledger.transfer(model.sun, trial.account, 0.000001, "gift")  # an odd number of quanta
    bury(model, [child])
    soil = child_energy_gone = owned - payer.energy - model.ledger.balance(trial.account)
    judge(model)
    assert other.energy == before
    assert payer.energy == pytest.approx(owned - child_energy_gone + 0.000001)
    assert soil >= 0 and model.ledger.total() == 0
    for odd in (1, 2, 3):
        both = breeding_world(petri, **{"archive.enabled": False, **PATIENT, "gate.stipend": 0.0})
        child = on_trial(both)
        (trial,) = both.gatehouse.trials
        both.ledger.transfer(both.sun, trial.account, odd / 1_000_000, "gift")
        bury(both, [child])
        judge(both)
        assert both.ledger.balance(both.grant) == 0.0
        assert both.ledger.total() == 0


def test_a_trial_that_asks_all_its_prompts_elsewhere_is_not_held_up_by_them(petri: HostService) -> None:
    model = breeding_world(petri, **{"archive.enabled": False, **PATIENT})
    on_trial(model)
    (trial,) = model.gatehouse.trials
    trial.prompts[:] = [40, model.config.gate.most_pairs, model.config.gate.most_pairs]
    assert [group.name for group in trial.needs(1, model.config.gate)] == ["FOCUS"]
    trial.counts[:, 0] = [400, 0, 0]
    trial.counts[:, 1] = [0, 400, 0]
    assert trial.needs(1, model.config.gate) == []
    model.tick += 1
    model.gatehouse.judge(model)
    assert gates(model)[-1]["verdict"] == "confined"  # better, and nothing is known about elsewhere
