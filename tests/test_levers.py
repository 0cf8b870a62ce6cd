"""The four levers of the factorial: routing, lifecycle, merging, learning. Each acts, alone and with the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch
from world_fixtures import (
    NOBODY_CAN_PAY,
    adapters,
    agents,
    at_home,
    breeding_world,
    eager_world,
    enrich,
    gates,
    history,
    live,
    teach,
    tiny_world,
)

from evolora_mesa.breeding import conceive
from evolora_mesa.evolution.trial import Decision, Trial
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.organelle import Organelle
from evolora_mesa.record.invariants import check
from evolora_mesa.record.recorder import Recorder
from evolora_mesa.record.state import restore, state_of
from evolora_mesa.record.store import RunStore
from evolora_mesa.tasks import Task
from evolora_mesa.turnover import bury

Settings = dict[str, object]

FIXED: Final[Settings] = {"population.roster": "fixed"}
UNIFORM: Final[Settings] = {"forage.routing": "uniform"}
LEVERS: Final[dict[str, dict[str, Settings]]] = {
    "routing": {"learned": {}, "uniform": UNIFORM},
    "lifecycle": {"on": {}, "off": FIXED},
    "merging": {"on": {}, "off": {"reproduction.merging": False}},
    "learning": {"on": {}, "off": {"plasticity.rule": "none"}},
}


# Half of all combinations holds every combination of four of the five levers.
COMBINATIONS = [(levels, every) for levels in product(*LEVERS.values()) for every in (0, 2)]
OFF = ("off", "uniform")
HALF = [
    place
    for place, (levels, every) in enumerate(COMBINATIONS)
    if (sum(level in OFF for level in levels) + (every > 0)) % 2 == 0
]


@pytest.mark.parametrize(
    ("levels", "every"),
    [
        pytest.param(*case, marks=() if place in HALF else pytest.mark.slow, id=f"{' '.join(case[0])} {case[1]}")
        for place, case in enumerate(COMBINATIONS)
    ],
)
def test_every_combination_lives_and_keeps_its_books(
    petri: HostService, tmp_path: Path, levels: tuple[str, ...], every: int
) -> None:
    chosen: Settings = {"seasons.shift_every": every, "record.episodes": "none"}
    for settings, level in zip(LEVERS.values(), levels, strict=True):
        chosen |= settings[level]
    model = EcologyModel("smoke", host=petri, rng=1, **chosen)
    with RunStore.create(tmp_path / "run.sqlite", model.config) as store:
        Recorder(store, model.config.record).attach(model)
        live(model, 6)
        assert check(store) == []
    assert model.ledger.total() == 0
    assert (levels[1] == "on") or len(model.agents) == 4
    assert (levels[2] == "on") or model.totals["merges"] == 0


# ---------------------------------------------------------------- routing


def set_on_one_cell(model: EcologyModel, cell: int) -> None:
    """Nobody wants or may do anything else."""
    model.beliefs.bias[(slice(None), *divmod(cell, model.grid.depths))] = 1000.0
    model.beliefs.exploration[:] = 0.0
    model.beliefs.curiosity[:] = 0.0
    for organelle in model.organelles():
        model.beliefs.confine(organelle.slot, np.array([cell]))


@pytest.mark.parametrize("routing", ["learned", "uniform"])
def test_under_uniform_routing_nothing_that_was_learned_or_inherited_has_a_say(
    petri: HostService, routing: str
) -> None:
    model = tiny_world(petri, **{"forage.routing": routing, "population.episodes": 250})
    set_on_one_cell(model, 4)
    cells = model.forage()
    counts = np.stack([np.bincount(own, minlength=6) for own in cells])
    if routing == "learned":
        assert (counts[:, 4] == 250).all()
    else:
        assert (np.abs(counts - 250 / 6) < 5 * np.sqrt(250 / 6)).all()
        assert len({tuple(own) for own in cells.tolist()}) == 4


# ---------------------------------------------------------------- the gate, by hand


def courting(host: HostService, **settings: object) -> tuple[EcologyModel, Trial]:
    """A world in which the first two organelles, of other homes, have just conceived; the second is the poorer."""
    quiet: Settings = {"gate.screen": False, "reproduction.births": 1, "gate.window": 24, "archive.parents": 0.0}
    model = breeding_world(host, **{**quiet, **settings})
    first, second, *_ = model.organelles()
    for organelle, cell, energy in ((first, 0, 40.0), (second, 3, 20.0)):
        teach(model, organelle)
        at_home(model, organelle, cell)
        enrich(model, organelle, energy)
    conceive(model)
    (trial,) = model.gatehouse.trials
    assert trial.parents == (first.unique_id, second.unique_id)
    return model, trial


def answers_by(model: EcologyModel, skill: Callable[[int, Task], bool]) -> None:
    """Answers at the gate are right where ``skill(slot, task)`` says so, and cost nothing."""

    def answer(_: EcologyModel, tasks: Sequence[Task], slots: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        right = [skill(slot, task) for slot, task in zip(slots, tasks, strict=True)]
        return np.array(right), np.zeros(len(tasks))

    model.gatehouse._answer = answer  # type: ignore[method-assign]


def judged(model: EcologyModel, most: int = 20) -> dict[str, object]:
    """Generations of gating alone until all trials have ended; the last row of the record."""
    while model.gatehouse.trials:
        model.tick += 1
        model.gatehouse.judge(model)
        most -= 1
        assert most
    return gates(model)[-1]


@pytest.mark.parametrize("routing", ["learned", "uniform"])
def test_where_nobody_can_be_confined_a_child_that_is_worse_elsewhere_does_not_pass(
    petri: HostService, routing: str
) -> None:
    model, trial = courting(petri, **{"forage.routing": routing})
    answers_by(model, lambda slot, task: (slot == trial.slot) != (task.family == "logic"))
    row = judged(model)
    expected = ("confined", "confined") if routing == "learned" else ("rejected", "cannot_confine")
    assert (row["verdict"], row["reason"]) == expected
    assert model.ledger.total() == 0


# ---------------------------------------------------------------- lifecycle


@pytest.mark.parametrize("settings", [NOBODY_CAN_PAY, NOBODY_CAN_PAY | {"economy.deaths": "random"}])
def test_on_a_fixed_roster_nobody_dies_of_debt(petri: HostService, settings: Settings) -> None:
    assert len(live(tiny_world(petri, **settings), 2).agents) == 0
    assert len(live(tiny_world(petri, **settings, **FIXED), 2).agents) == 4


@pytest.mark.slow
def test_on_a_fixed_roster_there_are_no_copies_and_no_elites_come_back(petri: HostService) -> None:
    eager: Settings = {"reproduction.merging": False, "reproduction.maturity": 2, "archive.evidence": 4.0}
    eager["population.minimum"] = 16  # so that elites are wanted all the time
    open_world, fixed = (live(eager_world(petri, **eager, **roster), 12) for roster in ({}, FIXED))
    assert open_world.totals["births"] > 0 and open_world.totals["revivals"] > 0
    assert fixed.archive is not None and fixed.archive.elites()
    assert [fixed.totals[name] for name in ("births", "deaths", "revivals")] == [0, 0, 0]
    assert [organelle.unique_id for organelle in fixed.organelles()] == list(range(1, 9))


def test_a_merge_on_a_fixed_roster_takes_the_place_of_the_poorer_parent_and_all_it_owns(petri: HostService) -> None:
    model, trial = courting(petri, **FIXED)
    first, second, *_ = model.organelles()
    cell, owned, accounts = second.cell, second.energy, model.ledger.balance(trial.account)
    assert second.energy < first.energy
    answers_by(model, lambda slot, _: slot == trial.slot)
    assert judged(model)["verdict"] == "accepted"
    child = next(organelle for organelle in model.organelles() if organelle.unique_id == trial.child)
    assert (child.slot, child.parents, child.lineage) == (trial.slot, trial.parents, first.lineage)
    assert child.cell is cell and not child.on_trial
    assert child.energy == pytest.approx(owned + accounts)
    assert second not in model.agents and first in model.agents and len(model.agents) == 4
    assert second.slot not in model.bank.used_slots()
    assert model.phylogeny[second.unique_id].cause == "replaced"
    record = model.phylogeny[child.unique_id]
    assert (record.parents, record.status, record.acceptance) == (trial.parents, "accepted", model.tick)
    happened = [(kind, who) for kind, who, _ in model.events if kind in ("birth", "accepted", "death")]
    assert happened == [("birth", child.unique_id), ("death", second.unique_id), ("accepted", child.unique_id)]
    assert (model.tally.births, model.tally.deaths, model.tally.merges) == (1, 1, 1)
    assert model.ledger.total() == 0
    upcoming = Organelle.upcoming_id(model)
    assert upcoming == child.unique_id + 1


def test_a_child_that_fails_on_a_fixed_roster_leaves_no_trace_but_its_row(petri: HostService) -> None:
    model, trial = courting(petri, **FIXED)
    first, second, *_ = model.organelles()
    owned = first.energy + second.energy + model.ledger.balance(trial.account)
    used = set(model.bank.used_slots())
    answers_by(model, lambda *_: True)
    assert judged(model)["reason"] == "futile"
    assert first.energy + second.energy == pytest.approx(owned)
    assert used - set(model.bank.used_slots()) == {trial.slot}
    assert [record.id for record in model.phylogeny] == [1, 2, 3, 4]
    assert len(model.agents) == 4 and model.ledger.total() == 0


def test_a_child_on_trial_does_not_work_on_a_fixed_roster(petri: HostService) -> None:
    model, trial = courting(petri, **FIXED)
    live(model, 1)
    assert trial in model.gatehouse.trials
    assert model.last_work is not None
    assert model.last_work.ids.tolist() == [1, 2, 3, 4] and len(model.agents) == 4


def test_a_child_whose_parents_have_both_left_has_no_place(petri: HostService) -> None:
    model, trial = courting(petri, **FIXED)
    answers_by(model, lambda slot, _: slot == trial.slot)
    parents = model.organelles()[:2]
    bury(model, parents, "replaced")
    assert {parent.slot for parent in parents} <= set(model.bank.used_slots())  # the trial still asks them
    row = judged(model)
    assert (row["verdict"], row["reason"], row["prompts"]) == ("rejected", "no_place", 0)
    assert not {trial.slot, *trial.rivals} & set(model.bank.used_slots())
    assert model.ledger.total() == 0


def test_a_child_whose_parents_left_while_it_was_judged_has_no_place_either(petri: HostService) -> None:
    model, trial = courting(petri, **FIXED)
    bury(model, model.organelles()[:2], "replaced")
    model.gatehouse._carry_out(model, Decision(trial, "accepted", "accepted", 0.5, 0.1, 0.9, 4.0, 0.9))
    assert (gates(model)[-1]["verdict"], gates(model)[-1]["reason"]) == ("rejected", "no_place")
    assert len(model.agents) == 2 and model.ledger.total() == 0


def test_without_a_gate_every_merge_replaces_a_parent_at_once(petri: HostService) -> None:
    eager = {"gate.enabled": False, "gate.screen": False, "reproduction.births": 4, "reproduction.cooldown": 0}
    model = breeding_world(petri, **FIXED, **eager)
    for organelle, cell, energy in zip(model.organelles(), (0, 2, 3, 5), (40.0, 35.0, 30.0, 25.0), strict=True):
        teach(model, organelle)
        at_home(model, organelle, cell)
        enrich(model, organelle, energy)
    conceive(model)
    replaced = {str(who) for kind, who, _ in model.events if kind == "death"}
    assert replaced.isdisjoint({row["parents"] for row in gates(model) if row["verdict"] == "refused"})
    assert model.tally.merges == model.tally.births == model.tally.deaths > 0
    assert len(model.agents) == 4 and model.gatehouse.trials == []
    assert model.ledger.total() == 0


def test_a_full_world_has_room_for_trials_on_a_fixed_roster(petri: HostService) -> None:
    full: Settings = {"population.initial": 4, "population.maximum": 4}
    model, trial = courting(petri, **FIXED, **full, **{"reproduction.sociability": 0.0})
    assert trial.kind == "merge"  # there are no copies, so everybody looks for a partner
    waiting = model.config.gate.most_trials
    assert model.bank.capacity == tiny_world(petri, **full).bank.capacity + waiting


def test_elites_are_no_parents_on_a_fixed_roster(petri: HostService) -> None:
    model, _ = courting(petri, **FIXED, **{"archive.parents": 1.0, "gate.most_trials": 4})
    assert model.archive is not None
    third = model.organelles()[2]
    one = np.ones(1)
    traits = model.traits.rows(np.array([third.slot]))
    model.archive.offer(np.array([5]), 5 * one, 0.9 * one, np.array([third.slot]), np.array([999]), one, traits, 0)
    for organelle in model.organelles():
        organelle.last_child = None
    at_home(model, third, 5)
    conceive(model)
    assert [999 in trial.parents for trial in model.gatehouse.trials] == [False, False]


@pytest.mark.slow
def test_merges_happen_on_a_fixed_roster_by_themselves_and_it_goes_on_after_a_stop(
    petri: HostService, tmp_path: Path
) -> None:
    model = eager_world(petri, **FIXED, **{"gate.window": 90})
    with RunStore.create(tmp_path / "run.sqlite", model.config) as store:
        Recorder(store, model.config.record).attach(model)
        while not (model.gatehouse.trials and model.totals["merges"]) and model.tick < 40:
            live(model, 1)
        assert model.totals["merges"] > 0 and len(model.gatehouse.trials) > 0
        assert set(store.frame("generations")["population"]) == {8}
        assert check(store) == []
    again = restore(model.config, state_of(model), petri)
    model.recorder = None
    model.ledger.observer = None
    live(model, 4)
    live(again, 4)
    assert history(again) == history(model) and agents(again) == agents(model)
    weights = adapters(model)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in adapters(again).items())


# ---------------------------------------------------------------- merging and learning


@pytest.mark.parametrize("roster", ["open", "fixed"])
def test_the_merging_lever_decides_whether_children_have_two_parents(petri: HostService, roster: str) -> None:
    kinds = {}
    for merging in (True, False):
        settings = {"reproduction.merging": merging, "population.roster": roster, "gate.screen": False}
        model = breeding_world(petri, **settings)
        for organelle, cell in zip(model.organelles(), (0, 2, 3, 5), strict=True):
            teach(model, organelle)
            at_home(model, organelle, cell)
            enrich(model, organelle, 30.0)
        conceive(model)
        kinds[merging] = {trial.kind for trial in model.gatehouse.trials}
    assert kinds == {True: {"merge"}, False: {"mutation"} if roster == "open" else set()}


@pytest.mark.parametrize("settings", [{}, UNIFORM], ids=["learned", "uniform"])
def test_the_learning_lever_decides_whether_a_fixed_roster_changes_at_all(
    petri: HostService, settings: Settings
) -> None:
    for rule in ("three_factor", "none"):
        still = {"plasticity.rule": rule, "reproduction.merging": False}
        model = tiny_world(petri, **settings, **FIXED, **still)
        before = adapters(model)
        live(model, 3)
        changed = any(not torch.equal(tensor, before[name]) for name, tensor in adapters(model).items())
        assert changed == (rule == "three_factor")
