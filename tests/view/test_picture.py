"""Pictures show the world as it is, share nothing with it, and leave it as it was."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from world_fixtures import eager_world, live, lively_world, tiny_world

from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.state import state_of
from evolora_mesa.society.colony import Colony
from evolora_mesa.tasks.grid import LAYERS
from evolora_mesa.view.forget import forget
from evolora_mesa.view.inspect import inspect
from evolora_mesa.view.notebook import Notebook
from evolora_mesa.view.picture import Picture, read_trials, take_picture


def watched(model: EcologyModel, generations: int, picture: Picture | None = None) -> Picture:
    """Live, and take a picture of every generation."""
    picture = picture or take_picture(model)
    for _ in range(generations):
        model.step()
        picture = take_picture(model, picture)
    return picture


def same(one: object, other: object) -> bool:
    """Whether two states are equal to the bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, torch.Tensor) and isinstance(other, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    return one == other or (one != one and other != other)


def without_times(model: EcologyModel) -> dict[str, Any]:
    """The state of a world but for the seconds that it took."""
    state = state_of(model)
    for name in ("host_seconds", "step_seconds"):
        del state["figures"]["generations"][name]
    return state


def test_the_founding_is_a_picture_too(petri: HostService) -> None:
    model = tiny_world(petri)
    picture = take_picture(model)
    assert (picture.tick, picture.families, picture.depths) == (0, model.grid.families, 2)
    assert len(picture.organelles) == 4 and len(picture.series) == 1
    assert picture.trials == picture.verdicts == picture.events == () and picture.note == ""


def test_organelles_are_as_they_are_in_the_world(petri: HostService) -> None:
    model = live(tiny_world(petri), 3)
    who = take_picture(model).organelles
    alive = model.organelles()
    assert who.id.tolist() == [organelle.unique_id for organelle in alive]
    assert who.energy.tolist() == [organelle.energy for organelle in alive]
    assert who.roi.tolist() == [organelle.roi for organelle in alive]
    places = [organelle.cell.coordinate for organelle in alive]
    assert list(zip(who.family.tolist(), who.depth.tolist(), strict=True)) == places
    assert who.place(int(who.id[2])) == 2 and who.place(999) is None and who.place(None) is None


def test_the_best_family_is_that_of_most_successes(petri: HostService) -> None:
    model = tiny_world(petri)
    slot = model.organelles()[1].slot
    model.history.wins[slot] = [0, 1, 0, 3, 1, 1]  # three families at two depths
    assert take_picture(model).organelles.skill.tolist() == [-1, 1, -1, -1]


def test_members_of_founded_colonies_have_their_number(petri: HostService) -> None:
    model = tiny_world(petri)
    team = {"mode": "vote", "cells": [0], "pot": 0, "born": 0}
    model.colonies.living = [
        Colony(number=7, members=[1, 3], founded=0, **team),
        Colony(number=8, members=[2, 4], **team),  # on trial itself
    ]
    assert take_picture(model).organelles.colony.tolist() == [7, -1, 7, -1]


def test_layers_are_copies(petri: HostService) -> None:
    model = tiny_world(petri)
    picture = take_picture(model)
    before = {name: picture.layers[name].copy() for name in LAYERS}
    live(model, 2)
    assert all(np.array_equal(picture.layers[name], before[name]) for name in LAYERS)
    assert picture.layers["open"].all()


def test_looking_on_changes_nothing(petri: HostService) -> None:
    seen, unseen = (eager_world(petri, rng=3) for _ in range(2))
    picture = take_picture(seen)
    for _ in range(6):
        seen.step()
        unseen.step()
        picture = take_picture(seen, picture)
        inspect(seen, int(picture.organelles.id[0]))
    assert np.isfinite(picture.layers["frozen"]).all()  # the host was asked meanwhile
    assert same(without_times(seen), without_times(unseen))


def test_series_go_on_from_picture_to_picture_as_if_taken_at_once(petri: HostService) -> None:
    model = tiny_world(petri)
    picture = watched(model, 4)
    at_once = take_picture(model)
    for name in ("generation", "population", "success_rate", "energy_cells"):
        assert picture.series[name].tolist() == pytest.approx(at_once.series[name].tolist(), nan_ok=True)
    assert picture.series["generation"].tolist() == [0, 1, 2, 3, 4]


def test_generations_between_two_pictures_are_in_the_series(petri: HostService) -> None:
    model = tiny_world(petri)
    first = take_picture(model)
    assert take_picture(live(model, 3), first).series["generation"].tolist() == [0, 1, 2, 3]


def test_a_world_that_was_set_back_begins_a_new_course(petri: HostService) -> None:
    old = watched(tiny_world(petri), 3)
    assert take_picture(tiny_world(petri), old).series["generation"].tolist() == [0]


def test_evidence_climbs_from_the_generation_of_birth_to_the_verdict(petri: HostService) -> None:
    model = eager_world(petri, **{"reproduction.maturity": 1, "reproduction.floor": 0.5, "reproduction.floor_low": 0.5})
    picture, open_paths = take_picture(model), {}
    while not picture.verdicts:
        assert model.tick < 40
        picture = watched(model, 1, picture)
        assert [trial.child for trial in picture.trials] == [trial.child for trial in model.gatehouse.trials]
        for view, trial in zip(picture.trials, model.gatehouse.trials, strict=True):
            assert view.log_e == pytest.approx(trial.log_evidence())
            open_paths[view.child] = view.path
    verdict = picture.verdicts[-1]
    assert verdict.verdict in ("accepted", "confined", "rejected") and verdict.reason != "low_power"
    assert verdict.path[:-1] == open_paths[verdict.child][: len(verdict.path) - 1]
    assert verdict.generation == model.tick
    assert take_picture(model).verdicts[-1].child == verdict.child  # also for somebody who comes later


def test_refusals_are_no_trials() -> None:
    refusal = {"verdict": "refused", "child": None, "generation": 1, "log_e": None}
    assert read_trials(iter([refusal])) == ((), ())


def test_births_and_deaths_are_news(petri: HostService) -> None:
    model = lively_world(petri)
    kinds = {event.kind for event in watched(model, 12).events}
    assert {"birth", "death", "accepted"} <= kinds


def test_the_archive_is_drawn_by_family_depth_and_cost(petri: HostService) -> None:
    model = live(tiny_world(petri, **{"archive.evidence": 1.0}), 4)
    niches, elites = take_picture(model).archive, model.archive.elites()
    assert niches is not None and len(niches.objective) == len(elites) > 0
    bins = model.archive.bins
    where = zip(niches.family, niches.depth, niches.bin, strict=True)
    assert [(family * 2 + depth) * bins + bin for family, depth, bin in where] == [elite.niche for elite in elites]
    assert niches.organelle.tolist() == [elite.organelle for elite in elites]


def test_a_world_without_an_archive_has_none(petri: HostService) -> None:
    assert take_picture(tiny_world(petri, **{"archive.enabled": False})).archive is None


def test_an_extinct_world_says_so(petri: HostService) -> None:
    model = tiny_world(petri)
    picture = take_picture(model)
    for organelle in model.organelles():
        organelle.remove()
    model.step()
    picture = take_picture(model, picture)
    assert len(picture.organelles) == 0
    assert "extinct" in picture.note


def test_neither_pictures_nor_the_notebook_keep_a_world_alive(petri: HostService) -> None:
    model = tiny_world(petri)
    picture, gone = watched(model, 2), weakref.ref(model)
    assert Notebook.of(model).sheets
    forget(model)
    del model
    gc.collect()
    assert gone() is None and picture.tick == 2


def test_the_notebook_listens_beside_whoever_listened_before(petri: HostService) -> None:
    model, heard = tiny_world(petri), []
    model.ledger.observer = lambda reason, *rows: heard.append(reason)
    watched(model, 2)
    told = [transfer.reason for sheet in Notebook.of(model).sheets for transfer in sheet.transfers]
    assert heard == told and "reward" in told
