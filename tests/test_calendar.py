"""A world by a calendar: contracts shift, families leave and come back, winters come and go, when they are to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from world_fixtures import adapters, agents, at_home, breeding_world, eager_world, enrich, history, live, teach
from world_fixtures import tiny_world as static_world

from evolora_mesa.breeding import _elite, conceive
from evolora_mesa.configfile import dump_config, load_config
from evolora_mesa.errors import ConfigError
from evolora_mesa.ground import open_cells
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.invariants import check
from evolora_mesa.record.recorder import Recorder
from evolora_mesa.record.state import restore, state_of
from evolora_mesa.record.store import RunStore
from evolora_mesa.turnover import fill_empty_niches, keep_elites

MATH_AWAY = [{"at": 2, "leave": ["math"]}, {"at": 4, "come": ["math"]}]
MATH = slice(2, 4)  # flat cells of the second family of three, at two depths


def world(host: HostService, schedule: list[dict[str, object]], **settings: object) -> EcologyModel:
    return static_world(host, **{"seasons.schedule": schedule, **settings})


def told(model: EcologyModel, *kinds: str) -> list[tuple[str, dict[str, object]]]:
    """What this generation has on record of the seasons."""
    of_seasons = kinds or ("season", "families_left", "families_came", "winter_began", "winter_ended")
    return [(kind, facts) for kind, _, facts in model.events if kind in of_seasons]


def begin(model: EcologyModel) -> EcologyModel:
    """The next generation, as far as its season."""
    model.tick += 1
    model.events = []
    model.season()
    return model


def answered_cells(model: EcologyModel) -> set[int]:
    assert model.last_work is not None
    return set(model.last_work.workload.cells.tolist())


# ---------------------------------------------------------------- the calendar


@pytest.mark.parametrize(
    ("schedule", "line"),
    [
        ([{"at": 3}], r"schedule\.0\.at.*nothing changes"),
        ([{"at": 3, "shift": "prices"}], r"schedule\.0\.shift.*contracts.*prices"),
        ([{"at": 0, "shift": "contracts"}], r"schedule\.0\.at.*in \[1"),
        ([{"shift": "contracts"}], r"schedule\.0\.at.*missing"),
        ([{"at": 3, "shfit": "contracts"}], r"shfit.*Did you mean 'shift'"),
        ([{"at": 9, "shift": "contracts"}, {"at": 9, "leave": ["math"]}], r"schedule\.1\.at.*order.*got 9"),
        ([{"at": 3, "winter": {"inflow": 0.5, "until": 3}}], r"schedule\.0\.winter.*over before.*after generation 3"),
        ([{"at": 3, "winter": {"inflow": 1.5, "until": 5}}], r"schedule\.0\.winter\.inflow.*in \[0, 1\]"),
        (
            [{"at": 3, "winter": {"inflow": 0.5, "until": 9}}, {"at": 8, "winter": {"inflow": 0.5, "until": 12}}],
            r"schedule\.1\.winter.*two winters.*from generation 9 on",
        ),
        ([{"at": 3, "leave": ["maths"]}], r"schedule\.0\.leave.*no such family.*math.*'maths'"),
        ([{"at": 3, "leave": ["math"]}, {"at": 5, "leave": ["math"]}], r"schedule\.1\.leave.*leaves twice"),
        ([{"at": 3, "come": ["math"]}], r"schedule\.0\.come.*has not left"),
        ([{"at": 3, "leave": ["math", "math"]}], r"schedule\.0\.leave.*one family twice"),
        ([{"at": 3, "leave": ["math", "logic", "word.count"]}], r"schedule\.0\.leave.*the last family leaves"),
    ],
)
def test_a_calendar_that_cannot_be_is_told_in_one_line_with_its_place(
    schedule: list[dict[str, object]], line: str
) -> None:
    with pytest.raises(ConfigError, match=line) as caught:
        load_config("smoke", {"seasons.schedule": schedule})
    assert "\n" not in str(caught.value)


def test_a_mistake_in_a_file_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "world.yaml"
    path.write_text(
        "extends: smoke\nseasons:\n  schedule:\n    - {at: 5, leave: [math]}\n    - {at: 4, come: [math]}\n"
    )
    with pytest.raises(ConfigError, match=r"world\.yaml:5.*after generation 5, got 4"):
        load_config(path)


def test_a_calendar_survives_being_written_down(tmp_path: Path) -> None:
    config = load_config("seasons")
    path = tmp_path / "again.yaml"
    path.write_text(dump_config(config))
    assert load_config(path) == config and len(config.seasons.schedule) == 4


def test_a_misspelt_user_family_is_found_when_the_names_are_known() -> None:
    own = {"tasks.user_families": ["my.tasks:Mine"], "seasons.schedule": [{"at": 2, "leave": ["minne"]}]}
    config = load_config("smoke", own)  # its name is not known before its import
    with pytest.raises(ConfigError, match=r"no such family.*seasons\.schedule\[0\].*'minne'.*Did you mean 'mine'"):
        open_cells(config, [*config.tasks.families, "mine"], 0)


# ---------------------------------------------------------------- contracts


def test_contracts_shift_when_the_calendar_says_and_beside_regular_seasons(petri: HostService) -> None:
    seasons = load_config(
        "smoke", {"seasons.shift_every": 3, "seasons.schedule": [{"at": 2, "shift": "contracts"}]}
    ).seasons
    assert [seasons.shifts_until(generation) for generation in range(8)] == [0, 0, 1, 1, 2, 2, 2, 3]
    model = world(petri, [{"at": 2, "shift": "contracts"}])
    first = model.contracts.styles
    assert begin(model).contracts.styles == first and told(model) == []
    assert begin(model).contracts.styles != first
    assert told(model)[0][1]["shift"] == 1
    second = model.contracts.styles
    assert begin(model).contracts.styles == second and told(model) == []


# ---------------------------------------------------------------- families that leave and come


@pytest.mark.parametrize("routing", ["learned", "uniform"])
def test_a_family_that_has_left_is_not_asked_and_one_that_is_back_is(petri: HostService, routing: str) -> None:
    model = world(petri, MATH_AWAY, **{"forage.routing": routing, "forage.exploration": 1.0})
    asked, events = [], []
    for _ in range(5):
        model.step()
        asked.append(bool(answered_cells(model) & {2, 3}))
        events += told(model)
        assert model.open.ravel().tolist() == [True, True, *[model.tick not in (2, 3)] * 2, True, True]
        if model.tick in (2, 3):
            assert model.grid.layer("occupancy")[1].sum() == 0
    assert asked == [True, False, False, True, True]
    assert events == [("families_left", {"families": ["math"]}), ("families_came", {"families": ["math"]})]
    assert model.ledger.total() == 0


def test_pools_of_a_family_that_has_left_wait_as_they_are(petri: HostService) -> None:
    model = world(petri, MATH_AWAY)
    model.step()
    before = model.ledger.balance(model.cell_accounts)
    assert before[MATH].all()
    for _ in range(2):
        begin(model)
        assert (model.ledger.balance(model.cell_accounts)[MATH] == before[MATH]).all()
        assert not model.grid.layer("price")[1].any() and model.grid.layer("price")[0].all()
    begin(model)
    assert (model.ledger.balance(model.cell_accounts)[MATH] > before[MATH]).all()
    assert model.grid.layer("price")[1].all()


def test_who_is_confined_to_cells_that_are_gone_may_work_elsewhere(petri: HostService) -> None:
    model = world(petri, MATH_AWAY)
    first = model.organelles()[0]
    model.beliefs.confine(first.slot, np.array([2, 3]))
    places = []
    for _ in range(4):
        model.step()
        work = model.last_work
        assert work is not None
        places.append(set(work.workload.cells[work.ids[work.workload.owners] == first.unique_id].tolist()))
    inside = {2, 3}
    assert places[0] <= inside and places[3] <= inside
    assert places[1].isdisjoint(inside) and places[2].isdisjoint(inside) and places[1] and places[2]


def bred(host: HostService, schedule: list[dict[str, object]]) -> EcologyModel:
    """At the end of its first generation, with an open trial and elites in all families."""
    quiet = {"gate.screen": False, "reproduction.births": 1, "archive.parents": 0.0, "seasons.schedule": schedule}
    model = breeding_world(host, **quiet)
    live(model, 1)
    for trial in list(model.gatehouse.trials):
        model.gatehouse._end(model, trial, "rejected", "futile")
    first, second, third, *_ = model.organelles()
    for organelle, cell in ((first, 0), (second, 3), (third, 5)):
        teach(model, organelle)
        at_home(model, organelle, cell)
    enrich(model, first, 40.0)
    first.last_child = None
    keep_elites(model)
    conceive(model)
    assert model.gatehouse.trials
    return model


def test_when_a_family_leaves_trials_end_and_its_past_is_forgotten_but_its_elites_wait(petri: HostService) -> None:
    model = bred(petri, MATH_AWAY)
    assert model.archive is not None
    before = model.history.episodes.copy()
    elites = {elite.cell for elite in model.archive.elites()}
    assert 3 in elites and before[:, MATH].any()
    begin(model)
    assert model.gatehouse.trials == [] and model.ledger.total() == 0
    assert not model.history.episodes[:, MATH].any()
    np.testing.assert_array_equal(model.history.episodes[:, :2], before[:, :2])
    assert {elite.cell for elite in model.archive.elites()} == elites


def test_when_a_family_comes_back_nothing_ends(petri: HostService) -> None:
    model = bred(petri, [{"at": 1, "leave": ["word.count"]}, {"at": 2, "come": ["word.count"]}])
    before = model.history.episodes.copy()
    begin(model)
    assert told(model)[0][0] == "families_came"
    assert model.gatehouse.trials
    np.testing.assert_array_equal(model.history.episodes, before)


def test_no_elite_of_a_family_that_is_away_comes_back_or_becomes_a_parent(petri: HostService) -> None:
    model = bred(petri, MATH_AWAY)
    assert model.archive is not None
    for trial in list(model.gatehouse.trials):
        model.gatehouse._end(model, trial, "rejected", "futile")
    first, second, _, *rest = model.organelles()
    for organelle in (second, *rest):
        organelle.remove()
    model.ledger.transfer(model.sun, model.grant, 10.0, "gift")
    own = np.zeros(len(model.cell_accounts), dtype=bool)
    rng = np.random.default_rng(0)
    begin(model)
    assert {elite.cell for elite in model.archive.elites() if elite.organelle == second.unique_id} == {3}
    own[[0, 1, 4, 5]] = True  # the only strange cells are those of the family that is away
    assert _elite(model, first, own, rng) is None
    fill_empty_niches(model)
    assert not [kind for kind, _, _ in model.events if kind == "revived"]
    model.tick += 1
    begin(model)
    assert model.open.all()
    assert _elite(model, first, own, rng) is not None
    fill_empty_niches(model)
    assert [kind for kind, _, _ in model.events if kind == "revived"] == ["revived"]


def test_trials_ask_nothing_of_a_family_that_is_away(petri: HostService) -> None:
    model = bred(petri, [{"at": 1, "leave": ["math"]}])
    for trial in model.gatehouse.trials:
        assert set(trial.panel.tolist()) and {0, 1, 4, 5} >= set(trial.panel.tolist())


# ---------------------------------------------------------------- winters


def test_in_winter_the_sun_gives_its_share_to_pools_and_grants(petri: HostService) -> None:
    winter = [{"at": 2, "winter": {"inflow": 0.25, "until": 4}}]
    model = world(petri, winter, **{"economy.pool_limit": 1000.0, "gate.grant_limit": 1000.0, "economy.inflow": 2.0})
    given, events = [], []
    for _ in range(4):
        before = model.ledger.balance(model.cell_accounts).sum(), float(model.ledger.balance(model.grant))
        begin(model)
        after = model.ledger.balance(model.cell_accounts).sum(), float(model.ledger.balance(model.grant))
        given.append([float(b - a) for a, b in zip(before, after, strict=True)])
        events.append(told(model))
    grant = model.config.gate.grant_inflow
    assert np.allclose(given, [[12.0, grant], [3.0, grant / 4], [3.0, grant / 4], [12.0, grant]])
    assert events == [[], [("winter_began", {"inflow": 0.25, "until": 4})], [], [("winter_ended", {})]]


# ---------------------------------------------------------------- on record


def test_a_calendar_of_later_changes_changes_no_bit(petri: HostService, tmp_path: Path) -> None:
    digests = []
    for place, schedule in enumerate(([], [{"at": 9, "leave": ["math"]}], [{"at": 3, "leave": ["math"]}])):
        model = world(petri, schedule)
        with RunStore.create(tmp_path / f"{place}.sqlite", model.config) as store:
            Recorder(store, model.config.record).attach(model)
            live(model, 4)
            digests.append(store.digest)
    assert digests[0] == digests[1] != digests[2]


FULL = [
    {"at": 3, "shift": "contracts", "leave": ["logic"]},
    {"at": 5, "winter": {"inflow": 0.3, "until": 8}},
    {"at": 7, "come": ["logic"], "shift": "contracts"},
]


def test_a_recorded_world_with_a_full_calendar_breaks_no_invariant(petri: HostService, tmp_path: Path) -> None:
    model = eager_world(petri, **{"seasons.schedule": FULL, "population.initial": 4})
    with RunStore.create(tmp_path / "run.sqlite", model.config) as store:
        Recorder(store, model.config.record).attach(model)
        live(model, 9)
        assert check(store) == []
        query = (
            "SELECT generation, kind FROM events WHERE kind IN "
            "('season', 'families_left', 'families_came', 'winter_began', 'winter_ended') ORDER BY generation, sequence"
        )
        assert list(store.rows(query)) == [
            (3, "season"),
            (3, "families_left"),
            (5, "winter_began"),
            (7, "season"),
            (7, "families_came"),
            (8, "winter_ended"),
        ]


@pytest.mark.parametrize("saved", [2, 4, 6])
def test_a_world_put_back_at_any_time_of_its_calendar_goes_on_as_it_would_have(petri: HostService, saved: int) -> None:
    model = live(eager_world(petri, **{"seasons.schedule": FULL, "population.initial": 4}), saved)
    again = restore(model.config, state_of(model), petri)
    assert (again.open == model.open).all()
    live(model, 3)
    live(again, 3)
    assert history(again) == history(model) and agents(again) == agents(model)
    weights = adapters(model)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in adapters(again).items())
