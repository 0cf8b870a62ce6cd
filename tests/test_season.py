"""A moving world: contracts shift on time, and what was measured under the old ones is dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from repetitions import repeated
from world_fixtures import adapters, agents, at_home, breeding_world, eager_world, enrich, gates, history, live, teach
from world_fixtures import tiny_world as static_world

from evolora_mesa.breeding import conceive
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError
from evolora_mesa.ground import contracts_at
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.record.invariants import check
from evolora_mesa.record.recorder import Recorder
from evolora_mesa.record.state import restore, state_of
from evolora_mesa.record.store import RunStore
from evolora_mesa.study.deployment import Ground
from evolora_mesa.tasks import Pool
from evolora_mesa.tasks.styles import write_answer
from evolora_mesa.turnover import keep_elites
from evolora_mesa.workload import grade


def shifting_world(host: HostService, every: int = 2, **settings: object) -> EcologyModel:
    return static_world(host, **{"seasons.shift_every": every, **settings})


def styles(model: EcologyModel) -> list[str]:
    return [model.contracts.style(family, 1) for family in model.grid.families]


def seasons(model: EcologyModel) -> list[dict[str, object]]:
    """The facts of this generation's shifts."""
    return [facts for kind, _, facts in model.events if kind == "season"]


def recorded(model: EcologyModel, path: Path, generations: int) -> RunStore:
    store = RunStore.create(path, model.config)
    Recorder(store, model.config.record).attach(model)
    live(model, generations)
    return store


# ---------------------------------------------------------------- when and what


def test_every_season_is_as_long_as_the_setting_says(petri: HostService) -> None:
    model = shifting_world(petri, every=2)
    lived = [styles(model)]
    shifts = {}
    for _ in range(7):
        model.step()
        lived.append(styles(model))
        if told := seasons(model):
            shifts[model.tick] = told[0]["shift"]
    assert shifts == {3: 1, 5: 2, 7: 3}
    assert lived[0] == lived[1] == lived[2]
    assert lived[3] == lived[4] and lived[5] == lived[6]
    assert all(
        one != other
        for before, after in ((2, 3), (4, 5), (6, 7))
        for one, other in zip(lived[before], lived[after], strict=True)
    )


def test_after_a_shift_the_old_style_is_hardly_paid_and_the_new_one_in_full(petri: HostService) -> None:
    model = shifting_world(petri)
    task = model.draw_task(Pool.LIVE, 0, model.streams.python("tasks.live"))
    old = styles(model)[0]
    for generations, earned in ((2, 1.0), (1, 0.2)):
        live(model, generations)
        answers = [write_answer(style, task.target, task.scratch) for style in (old, styles(model)[0])]
        assert grade([task] * 2, answers, model.tasks, model.contracts).rewards.tolist() == [earned, 1.0]


def test_work_is_settled_by_the_contracts_of_its_season(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model = shifting_world(petri)
    at_work = []
    settle = EcologyModel.settle

    def watched(self: EcologyModel, workload):  # type: ignore[no-untyped-def]
        at_work.append(styles(self))
        return settle(self, workload)

    monkeypatch.setattr(EcologyModel, "settle", watched)
    live(model, 3)
    assert at_work[2] == styles(model) != at_work[1]


def test_contracts_follow_from_the_settings_and_the_generation(petri: HostService) -> None:
    model = shifting_world(petri)
    for generation in range(6):
        live(model, min(generation, 1))
        known = contracts_at(model.config, model.grid.families, model.tick)
        assert known.styles == model.contracts.styles == Ground.of(model.config, model.tick).contracts.styles
    assert Ground.of(model.config).contracts.styles == contracts_at(model.config, model.grid.families, 2).styles


def test_another_seed_has_other_shifts(petri: HostService) -> None:
    families = load_config("shifting").tasks.families
    after = [contracts_at(load_config("shifting", {"seed": seed}), families, 21).styles for seed in (1, 1, 2)]
    assert after[0] == after[1] != after[2]


def test_a_world_whose_families_pay_alike_cannot_shift(petri: HostService) -> None:
    alike = {"tasks.styles": {"math": "terse", "logic": "terse"}}
    with pytest.raises(ConfigError, match=r"contracts cannot shift.*seasons\.shift_every"):
        shifting_world(petri, **alike)
    static_world(petri, **alike)


# ---------------------------------------------------------------- what is dropped


def measured_world(host: HostService, **settings: object) -> EcologyModel:
    """At the end of its first season, with an open trial, elites, and a pair that has failed."""
    quiet = {"gate.screen": False, "reproduction.births": 1, "archive.parents": 0.0, "seasons.shift_every": 2}
    model = breeding_world(host, **{**quiet, **settings})
    live(model, 2)
    for trial in list(model.gatehouse.trials):
        model.gatehouse._end(model, trial, "rejected", "futile")
    first, second, third, *_ = model.organelles()
    for organelle, cell in ((first, 0), (second, 3), (third, 5)):
        teach(model, organelle)
        at_home(model, organelle, cell)
    enrich(model, first, 40.0)
    first.last_child = None
    model.events = []
    keep_elites(model)
    conceive(model)
    model.gatehouse._merges = {(0, 1): [0, 3]}
    model.gatehouse._tried = {(first.unique_id, third.unique_id): None, (7, 8): first.unique_id}
    return model


def test_a_shift_ends_the_trials_and_gives_their_money_back(petri: HostService) -> None:
    model = measured_world(petri)
    (trial,) = model.gatehouse.trials
    held = model.ledger.balance(trial.account)
    assert held > 0
    model.tick += 1
    model.season()
    assert model.gatehouse.trials == []
    assert (gates(model)[-1]["verdict"], gates(model)[-1]["reason"]) == ("rejected", "season")
    assert trial.child not in {organelle.unique_id for organelle in model.organelles()}
    assert trial.slot not in model.bank.used_slots()
    assert model.ledger.total() == 0


def test_after_a_shift_a_pair_that_failed_may_try_again_and_one_that_passed_may_not(petri: HostService) -> None:
    model = measured_world(petri)
    first, _, third, *_ = model.organelles()
    pair = first.unique_id, third.unique_id
    assert model.gatehouse.has_tried(model, *pair) and model.gatehouse.has_tried(model, 7, 8)
    assert model.gatehouse.compatibility(0, 1) < 0.5  # a trial of these families has failed
    model.tick += 1
    model.season()
    assert not model.gatehouse.has_tried(model, *pair)
    assert model.gatehouse.compatibility(0, 1) == 0.5
    assert model.gatehouse.has_tried(model, 7, 8)


def test_a_shift_empties_the_niches_of_the_cells_that_changed_and_those_alone(petri: HostService) -> None:
    model = measured_world(petri, **{"tasks.cell_styles": {"logic:2": "ticks"}})
    assert model.archive is not None
    cells = {elite.cell for elite in model.archive.elites()}
    assert {0, 3, 5} <= cells
    kept = model.history.episodes[:, 5].copy()
    model.tick += 1
    model.season()
    assert {elite.cell for elite in model.archive.elites()} == {5}
    assert not model.history.episodes[:, :5].any()
    np.testing.assert_array_equal(model.history.episodes[:, 5], kept)
    (facts,) = seasons(model)
    assert {niche // model.archive.bins for niche in facts["emptied"]} == cells - {5}
    assert facts["changed"] == ["word.count", "math", "logic"]


def test_organelles_are_not_told(petri: HostService) -> None:
    model = measured_world(petri)
    citizens = [organelle.slot for organelle in model.organelles() if not organelle.on_trial]
    before = model.beliefs.state_dict(), adapters(model)
    model.tick += 1
    model.season()
    assert all(np.array_equal(was, model.beliefs.state_dict()[name], equal_nan=True) for name, was in before[0].items())
    assert all(torch.equal(was[citizens], adapters(model)[name][citizens]) for name, was in before[1].items())


# ---------------------------------------------------------------- on record


def test_a_recorded_moving_world_breaks_no_invariant_and_tells_of_every_niche(
    petri: HostService, tmp_path: Path
) -> None:
    model = eager_world(petri, **{"seasons.shift_every": 8})
    with recorded(model, tmp_path / "run.sqlite", 20) as store:
        assert check(store) == []
        assert [row[0] for row in store.rows("SELECT generation FROM events WHERE kind = 'season'")] == [9, 17]
        query = "SELECT niche, MAX(generation) FROM archive GROUP BY niche HAVING objective IS NOT NULL ORDER BY niche"
        assert model.archive is not None
        assert [row[0] for row in store.rows(query)] == [elite.niche for elite in model.archive.elites()]
        assert next(store.rows("SELECT count(*) FROM archive WHERE objective IS NULL"))[0] > 0


def test_a_season_that_does_not_end_changes_no_bit(petri: HostService, tmp_path: Path) -> None:
    digests = []
    for every in (0, 5, 4):
        model = static_world(petri, **{"seasons.shift_every": every})
        with recorded(model, tmp_path / f"{every}.sqlite", 5) as store:
            digests.append(store.digest)
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("saved", [2, 6, *repeated(3)])
def test_a_world_put_back_in_any_season_goes_on_as_it_would_have(petri: HostService, saved: int) -> None:
    model = live(eager_world(petri, **{"seasons.shift_every": 3, "population.initial": 4}), saved)
    again = restore(model.config, state_of(model), petri)
    assert styles(again) == styles(model)
    live(model, 3)
    live(again, 3)
    assert history(again) == history(model) and agents(again) == agents(model)
    weights = adapters(model)
    assert all(torch.equal(tensor, weights[name]) for name, tensor in adapters(again).items())
