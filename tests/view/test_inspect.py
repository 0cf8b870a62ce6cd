"""An organelle from the inside: what it shows is what the world knows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_picture import watched
from world_fixtures import at_home, live, lively_world, tiny_world

from evolora_mesa.errors import RunError
from evolora_mesa.evolution.traits import TRAITS
from evolora_mesa.host import HostService
from evolora_mesa.record.state import state_of
from evolora_mesa.view.inspect import inspect


def test_an_unknown_number_is_refused_in_one_line(petri: HostService) -> None:
    with pytest.raises(RunError, match="no such organelle") as refused:
        inspect(tiny_world(petri), 999)
    assert "\n" not in str(refused.value)


def test_a_founder_has_its_life_and_its_traits(petri: HostService) -> None:
    model = tiny_world(petri)
    found = inspect(model, 2)
    assert found.alive and found.life.status == "founder" and found.children == ()
    slot = np.array([model.organelles()[1].slot])
    assert [name for name, _ in found.traits] == list(TRAITS)
    assert [value for _, value in found.traits] == model.traits.rows(slot)[0].tolist()
    assert found.energy == model.organelles()[1].energy


def test_entries_add_up_to_what_the_energy_has_changed_by(petri: HostService) -> None:
    model = tiny_world(petri)
    picture = watched(model, 0)
    before = {organelle.unique_id: organelle.energy for organelle in model.organelles()}
    watched(model, 3, picture)
    for organelle in model.organelles():
        found = inspect(model, organelle.unique_id)
        changed = organelle.energy - before[organelle.unique_id]
        assert sum(entry.amount for entry in found.entries) == pytest.approx(changed, abs=1e-6)
        assert {"ticket", "living"} <= {entry.reason for entry in found.entries}
        assert [entry.generation for entry in found.entries] == sorted(
            (entry.generation for entry in found.entries), reverse=True
        )


def test_rewards_name_the_cell_that_paid(petri: HostService) -> None:
    model = tiny_world(petri)
    watched(model, 4)
    entries = [entry for organelle in model.organelles() for entry in inspect(model, organelle.unique_id).entries]
    rewards = {entry.other for entry in entries if entry.reason == "reward"}
    assert rewards and rewards <= {f"{family}, depth {depth}" for family in model.grid.families for depth in (1, 2)}
    assert {entry.other for entry in entries if entry.reason == "ticket"} == {"soil"}


def test_skills_have_wilsons_intervals_and_most_work_comes_first(petri: HostService) -> None:
    model = tiny_world(petri)
    one = model.organelles()[0]
    at_home(model, one, 3, episodes=40, success=0.9)
    at_home(model, one, 0, episodes=10, success=0.5)
    first, second = inspect(model, one.unique_id).skills
    assert (first.family, first.depth, second.family, second.depth) == (1, 1, 0, 0)
    assert (first.success, first.low, first.high) == pytest.approx((0.9, 0.76947, 0.96043), abs=1e-4)  # statsmodels
    assert second.low == pytest.approx(0.2366, abs=1e-4) and second.high == pytest.approx(0.7634, abs=1e-4)
    assert first.style == model.contracts.style("math", 2)


def test_the_spectrum_is_that_of_the_weight_change(petri: HostService) -> None:
    model = live(tiny_world(petri, **{"adapter.scaling": 2.0}), 2)
    one = model.organelles()[0]
    for spectrum in inspect(model, one.unique_id).spectra:
        a, b = model.bank.read(one.slot)[spectrum.site]
        expected = torch.linalg.svdvals(2.0 * b @ a)[: len(spectrum.values)]
        assert torch.allclose(torch.tensor(spectrum.values), expected, atol=1e-4)
    assert any(value > 0 for spectrum in inspect(model, one.unique_id).spectra for value in spectrum.values)


def test_episodes_are_its_own_and_graded_as_the_world_graded_them(petri: HostService) -> None:
    model = tiny_world(petri)
    watched(model, 2)
    work, grades, ids = model.last_work
    for organelle in model.organelles():
        latest = [ep for ep in inspect(model, organelle.unique_id).episodes if ep.generation == 2]
        rows = np.flatnonzero(ids[work.owners] == organelle.unique_id)
        assert [ep.prompt for ep in latest] == [work.tasks[row].prompt for row in rows]
        assert [ep.answer for ep in latest] == [work.answers.texts[row] for row in rows]
        assert [ep.success for ep in latest] == grades.success[rows].tolist()
        assert [ep.reward for ep in latest] == grades.rewards[rows].tolist()


def test_only_the_last_generations_are_remembered(petri: HostService) -> None:
    model = tiny_world(petri)
    watched(model, 12)
    for organelle in model.organelles():
        found = inspect(model, organelle.unique_id)
        assert len(found.episodes) <= 16 and len(found.entries) <= 40


def test_the_dead_have_their_lives_and_children_only(petri: HostService) -> None:
    model = lively_world(petri)
    watched(model, 8)
    dead = next(record for record in model.phylogeny if not record.alive)
    found = inspect(model, dead.id)
    assert not found.alive and found.life == dead
    assert found.episodes == found.spectra == found.entries == found.skills == ()
    patron = inspect(model, 1)
    assert patron.children and all(model.phylogeny[child].parents[0] == 1 for child, _ in patron.children)
    fates = dict(patron.children)
    assert all((fates[id] == model.phylogeny[id].cause) or model.phylogeny[id].alive for id in fates)


def test_inspecting_draws_no_random_number(petri: HostService) -> None:
    model = live(tiny_world(petri), 2)
    before = state_of(model)["streams"]
    for organelle in model.organelles():
        inspect(model, organelle.unique_id)
    assert state_of(model)["streams"] == before
