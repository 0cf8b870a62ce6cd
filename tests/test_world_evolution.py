"""Selection in living worlds: every mechanism leaves a mark, and without it the mark is missing."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from world_fixtures import eager_world, gates, history, live

from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel


@pytest.fixture(scope="module")
def eager(petri: HostService) -> EcologyModel:
    return live(eager_world(petri), 30)


def figures(model: EcologyModel, name: str) -> list[float]:
    return [row[name] for row in history(model)]  # type: ignore[misc]


def test_merges_pass_the_gate_and_are_better_than_their_parents(eager: EcologyModel) -> None:
    accepted = [row for row in gates(eager) if row["verdict"] in ("accepted", "confined") and row["kind"] == "merge"]
    assert accepted
    assert all(row["uplift"] > 0 and row["log_e"] >= np.log(1 / eager.config.gate.alpha) for row in accepted)
    assert sum(figures(eager, "merges")) == len(accepted)
    for row in accepted:
        record = eager.phylogeny[int(row["child"])]
        assert len(record.parents) == 2 and record.status in ("accepted", "confined")


def test_counters_are_apart_and_add_up(eager: EcologyModel) -> None:
    rows, total = gates(eager), {name: sum(figures(eager, name)) for name in ("births", "merges", "promotions")}
    ended = [row for row in rows if row["verdict"] in ("accepted", "confined", "rejected")]
    assert total["births"] == len(ended) + len(eager.gatehouse.trials)
    passed = [row for row in ended if row["verdict"] != "rejected"]
    assert total["merges"] + total["promotions"] == len(passed)
    assert total["merges"] == sum(row["kind"] == "merge" for row in passed)
    assert sum(figures(eager, "confined")) == sum(row["verdict"] == "confined" for row in passed)
    assert sum(figures(eager, "refusals")) == sum(row["verdict"] == "refused" for row in rows)
    assert total["births"] > total["merges"] + total["promotions"] > 0  # a birth is no success yet


def test_the_book_of_lives_agrees_with_the_world(eager: EcologyModel) -> None:
    living = {record.id for record in eager.phylogeny if record.alive}
    assert living == {organelle.unique_id for organelle in eager.organelles()}
    for organelle in eager.organelles():
        record = eager.phylogeny[organelle.unique_id]
        assert (record.parents, record.lineage) == (organelle.parents, organelle.lineage)
        assert (record.status == "trial") is organelle.on_trial
    eager.phylogeny.check()


def test_no_slot_and_no_energy_is_lost(eager: EcologyModel) -> None:
    needed = {organelle.slot for organelle in eager.organelles()}
    needed |= {slot for trial in eager.gatehouse.trials for slot in trial.rivals}
    assert set(eager.bank.used_slots()) == needed
    accounts = eager.ledger.state_dict()["accounts"]
    assert sum(row["kind"] == "trial" for row in accounts) == len(eager.gatehouse.trials)
    assert eager.ledger.total() == 0


@pytest.mark.slow
def test_the_same_seed_is_the_same_evolution(petri: HostService, eager: EcologyModel) -> None:
    again = live(eager_world(petri), 30)
    assert json.dumps(history(again)) == json.dumps(history(eager))
    assert json.dumps(gates(again), default=str) == json.dumps(gates(eager), default=str)
    assert all(torch.equal(again.bank.b[name], eager.bank.b[name]) for name in eager.bank.b)


# ---------------------------------------------------------------- each mechanism switched off


@pytest.mark.slow
def test_without_merging_nobody_merges(petri: HostService) -> None:
    model = live(eager_world(petri, **{"reproduction.merging": False}), 16)
    assert sum(figures(model, "births")) > 0
    assert {row["kind"] for row in gates(model) if row["verdict"] != "refused"} == {"mutation"}


def test_without_the_gate_every_child_stays(petri: HostService, eager: EcologyModel) -> None:
    model = live(eager_world(petri, **{"gate.enabled": False}), 16)
    assert sum(figures(model, "merges")) + sum(figures(model, "promotions")) == sum(figures(model, "births")) > 0
    assert sum(figures(model, "gate_answers")) == 0
    assert any(row["reason"] == "futile" for row in gates(eager))  # which the gate would have stopped


@pytest.mark.slow
def test_without_the_archive_no_elite_comes_back_or_gives_a_child(petri: HostService) -> None:
    settings = {"economy.ticket": 1.6, "archive.parents": 1.0}
    kept = live(eager_world(petri, **settings), 24)
    lost = live(eager_world(petri, **settings, **{"archive.enabled": False}), 24)
    assert max(figures(kept, "coverage")) > 0.2
    assert sum(figures(kept, "revivals")) > 0
    assert sum(figures(lost, "revivals")) == 0
    assert all(value is None for value in figures(lost, "coverage"))


def test_random_weights_pass_no_gate() -> None:
    noise = HostService.load("petri", device="cpu", tuned=False, random_weights=True)
    model = live(eager_world(noise, **{"economy.ticket": 0.0, "economy.endowment": 50.0}), 16)
    assert sum(figures(model, "births")) > 0
    assert sum(figures(model, "merges")) == sum(figures(model, "promotions")) == 0
    assert sum(figures(model, "revivals")) == 0
    assert model.archive is not None and model.archive.coverage == 0.0


@pytest.mark.slow
def test_a_world_that_stands_still_is_given_relief(petri: HostService) -> None:
    """Nobody learns and nobody reproduces: the reward cannot rise, so mutation and curiosity are doubled."""
    still = {"plasticity.rule": "none", "reproduction.enabled": False, "diversity.plateau_window": 8}
    model = live(eager_world(petri, **still), 20)
    assert figures(model, "stalled")[-1] == 1 and model.relief.factor == 2.0
    assert figures(model, "stalled")[4] == 0
    assert live(eager_world(petri, **still, **{"diversity.relief": 1.0}), 20).relief.factor == 1.0
