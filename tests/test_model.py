"""One generation: its phases, its energy, its movement, its prompts, its end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from world_fixtures import (
    NOBODY_CAN_PAY,
    PHASES,
    agents,
    enrich,
    grade_all,
    live,
    lively_world,
    send_all_to,
    tiny_world,
)

from evolora_mesa.economy import half_success_price
from evolora_mesa.errors import ConfigError, LockedPoolError
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.tasks import Pool
from evolora_mesa.tasks.pools import pool_of


def after_every_phase(model: EcologyModel, look: Callable[[str], None]) -> None:
    """Call ``look(phase)`` whenever a phase of the model has ended."""

    def watched(name: str, phase: Callable[..., object]) -> Callable[..., object]:
        def run(*args: object) -> object:
            result = phase(*args)
            look(name)
            return result

        return run

    for name in (*PHASES, "record"):
        setattr(model, name, watched(name, getattr(model, name)))


# ---------------------------------------------------------------- phases and energy


def test_a_generation_runs_its_phases_in_order(petri: HostService) -> None:
    model, seen = tiny_world(petri), []
    after_every_phase(model, seen.append)
    live(model, 2)
    assert seen == [*PHASES, "record"] * 2
    assert model.tick == 2


def test_energy_sums_to_zero_after_every_phase_of_a_run_with_births_and_deaths(petri: HostService) -> None:
    model, deaths, births = lively_world(petri), 0, 0

    def look(phase: str) -> None:
        assert model.ledger.total() == 0, phase
        accounts = model.ledger.state_dict()["accounts"]
        assert all(row["quanta"] >= 0 for row in accounts if row["kind"] != "sun"), phase
        owned = {row["id"] for row in accounts if row["kind"] == "organelle"}
        assert owned == {organelle.account for organelle in model.organelles()}, phase

    after_every_phase(model, look)
    for _ in range(12):
        model.step()
        births, deaths = births + model.tally.births, deaths + model.tally.deaths
    assert births and deaths
    held = model.ledger.by_kind()
    assert -held["sun"] == pytest.approx(
        held["soil"] + held["cell"] + held["organelle"] + held["grant"] + held["trial"]
    )
    assert held["organelle"] == pytest.approx(sum(organelle.energy for organelle in model.organelles()))


def test_pools_grow_by_the_inflow_and_stop_at_their_limit(petri: HostService) -> None:
    model = tiny_world(petri, **{"economy.inflow": 1.5, "economy.pool_limit": 4.0})
    levels = []
    for _ in range(4):
        model.season()
        levels.append(model.ledger.balance(model.cell_accounts).tolist())
    assert levels == [[level] * 6 for level in (1.5, 3.0, 4.0, 4.0)]


def test_what_moves_in_a_generation_adds_up(petri: HostService) -> None:
    model = live(tiny_world(petri), 3)
    flows = model.ledger.flows
    assert flows["reward"] == pytest.approx(sum(organelle.earned for organelle in model.organelles()))
    assert flows["ticket"] + flows["living"] == pytest.approx(sum(organelle.spent for organelle in model.organelles()))
    assert model.tally.episodes == sum(organelle.answered for organelle in model.organelles()) == 16
    assert model.tally.succeeded == sum(organelle.succeeded for organelle in model.organelles())


def test_tokens_and_adapter_size_are_paid_for_besides_the_ticket(petri: HostService) -> None:
    model = tiny_world(petri, **{"economy.ticket": 0.25, "reproduction.enabled": False})
    model.step()
    economy = model.config.economy
    sizes = model.bank.parameter_counts(torch.tensor([organelle.slot for organelle in model.organelles()]))
    expected = (
        economy.prompt_token * model.tally.prompt_tokens
        + economy.generated_token * model.tally.generated_tokens
        + economy.adapter_kiloparameter * int(sizes.sum()) / 1000
    )
    assert model.ledger.flows["living"] == pytest.approx(expected, abs=1e-5)
    assert model.ledger.flows["ticket"] == 0.25 * len(model.agents)


# ---------------------------------------------------------------- prices and crowding


def test_the_price_peaks_where_half_the_answers_succeed(petri: HostService) -> None:
    model = tiny_world(petri)
    model.grid.layer("success")[:] = np.array([[0.0, 0.2], [0.5, 0.6], [0.8, 1.0]])
    model.season()
    price, economy = model.grid.layer("price"), model.config.economy
    assert np.unravel_index(price.argmax(), price.shape) == (1, 0)
    assert price[1, 0] == economy.price_high
    assert price[0, 0] == price[2, 1] == economy.price_low


@pytest.mark.parametrize(("right", "rate"), [(True, 1.0), (False, 0.0)])
def test_success_and_then_the_price_follow_what_was_answered(
    petri: HostService, monkeypatch: pytest.MonkeyPatch, right: bool, rate: float
) -> None:
    grade_all(monkeypatch, lambda task: right)
    model = tiny_world(petri, **{"economy.success_memory": 0.5})
    send_all_to(model, 3)
    before = model.grid.layer("success").copy()
    model.step()
    after = model.grid.layer("success")
    assert after[1, 1] == pytest.approx(before[1, 1] + 0.5 * (rate - before[1, 1]))
    elsewhere = np.ones_like(after, dtype=bool)
    elsewhere[1, 1] = False
    np.testing.assert_array_equal(after[elsewhere], before[elsewhere])
    model.season()
    expected = half_success_price(after, model.config.economy.price_low, model.config.economy.price_high)
    np.testing.assert_array_equal(model.grid.layer("price"), expected)


def test_a_crowded_cell_pays_less_per_head(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    grade_all(monkeypatch, lambda task: True)

    def earned_by_each(heads: int) -> list[float]:
        model = tiny_world(petri, **{"population.initial": heads, "economy.inflow": 3.0})
        send_all_to(model, 0)
        model.step()
        return [organelle.earned for organelle in model.organelles()]

    alone, crowd = earned_by_each(1), earned_by_each(4)
    price = half_success_price(0.3, 0.1, 1.0)
    assert alone == pytest.approx([4 * float(price)])  # four episodes, all paid in full
    assert crowd == pytest.approx([3.0 / 4] * 4, abs=1e-5)  # the whole pool, in equal shares
    assert max(crowd) < min(alone)


def test_the_unworked_cells_keep_their_energy(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    grade_all(monkeypatch, lambda task: True)
    model = tiny_world(petri)
    send_all_to(model, 0)
    model.step()
    pools = model.ledger.balance(model.cell_accounts)
    assert pools[1:].tolist() == [model.config.economy.inflow] * 5
    np.testing.assert_array_equal(model.grid.layer("pool").ravel(), pools)


# ---------------------------------------------------------------- what is known


def test_everyone_remembers_its_own_episodes(petri: HostService) -> None:
    model = tiny_world(petri, **{"forage.spill": 0.0, "reproduction.enabled": False})
    model.step()
    slots = [organelle.slot for organelle in model.organelles()]
    wins, losses = model.beliefs.wins[slots].sum((1, 2)), model.beliefs.losses[slots].sum((1, 2))
    assert wins.tolist() == [organelle.succeeded for organelle in model.organelles()]
    assert (wins + losses).tolist() == [4.0] * 4
    assert not np.delete(model.beliefs.wins + model.beliefs.losses, slots, axis=0).any()


def test_foragers_reckon_with_the_crowd_and_with_the_tokens(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    grade_all(monkeypatch, lambda task: True)
    model, expected = tiny_world(petri, **{"economy.inflow": 1.0}), []
    send_all_to(model, 3)
    choose = model.beliefs.choose

    def watched(slots: np.ndarray, income: np.ndarray, cost: np.ndarray, *rest: object) -> np.ndarray:
        expected.append((income / model.grid.layer("price"), cost.copy()))
        return choose(slots, income, cost, *rest)

    monkeypatch.setattr(model.beliefs, "choose", watched)
    live(model, 2)
    (first_share, first_cost), (share, cost) = expected
    assert (first_share == 1.0).all() and not first_cost.any()
    assert share[1, 1] < 0.6  # the pool of 1 paid a small part of what sixteen right answers claimed
    assert np.delete(share.ravel(), 3).tolist() == [1.0] * 5
    assert cost[1, 1] > 0.0 and not np.delete(cost.ravel(), 3).any()


def test_progress_is_seen_where_success_changes_and_nowhere_else(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = [False]
    grade_all(monkeypatch, lambda task: right[0])
    model = tiny_world(petri, **{"population.initial": 1, "economy.ticket": 0.0, "reproduction.enabled": False})
    send_all_to(model, 3)
    assert np.isnan(model.accuracy), "nothing is claimed before the first answer"
    model.step()
    assert model.accuracy == 0.0 and not model.grid.layer("learning_progress").any()
    right[0] = True
    accuracy, progress = [model.accuracy], []
    for _ in range(60):
        model.step()
        accuracy.append(model.accuracy)
        progress.append(model.grid.layer("learning_progress")[1, 1])
    assert all(later > earlier for earlier, later in pairwise(accuracy))
    assert accuracy[1] - accuracy[0] == pytest.approx(0.1 * (1.0 - accuracy[0]))
    assert max(progress) > 0.2 and progress[-1] < 0.1  # it rises while answers get better, and fades when they are good
    assert not np.delete(model.grid.layer("learning_progress").ravel(), 3).any()


# ---------------------------------------------------------------- movement


def test_an_organelle_lives_in_the_cell_it_chose_most(petri: HostService) -> None:
    model = tiny_world(petri, **{"forage.exploration": 0.5, "population.episodes": 16})
    model.season()
    for _ in range(5):
        cells = model.forage()
        for organelle, chosen in zip(model.organelles(), cells, strict=True):
            family, depth = organelle.cell.coordinate
            counts = np.bincount(chosen, minlength=6)
            assert counts[family * 2 + depth] == counts.max()
            assert organelle in organelle.cell.agents


def test_the_occupancy_is_how_many_really_live_in_each_cell(petri: HostService) -> None:
    model = lively_world(petri)
    for _ in range(12):
        model.step()
        counted = np.zeros((3, 2))
        for organelle in model.organelles():
            counted[organelle.cell.coordinate] += 1
        np.testing.assert_array_equal(model.grid.layer("occupancy"), counted)
        by_mesa = [[len(model.grid[family, depth].agents) for depth in range(2)] for family in range(3)]
        np.testing.assert_array_equal(by_mesa, counted)


# ---------------------------------------------------------------- pools of prompts


def test_a_generation_draws_from_the_live_pool_alone(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    model, pools = tiny_world(petri), []
    draw = model.tasks.draw

    def watched(pool: Pool, *args: object) -> object:
        task = draw(pool, *args)
        pools.append((pool, pool_of(task.prompt)))
        return task

    monkeypatch.setattr(model.tasks, "draw", watched)
    live(model, 3)
    assert set(pools) == {(Pool.LIVE, Pool.LIVE)}
    assert len(pools) == 3 * 16


@pytest.mark.parametrize("phase", PHASES)
def test_the_test_pool_is_locked_during_every_phase_and_open_between_generations(
    petri: HostService, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    model = tiny_world(petri)

    def peek(*_: object) -> None:
        model.tasks.draw(Pool.TEST, "math", 1, model.streams.python("peek"))

    monkeypatch.setattr(model, phase, peek)
    with pytest.raises(LockedPoolError):
        model.step()
    peek()


# ---------------------------------------------------------------- extinction


@pytest.mark.parametrize("rule", ["three_factor", "evolution_strategy", "none"])
def test_an_extinct_world_stops_and_further_steps_do_no_harm(petri: HostService, rule: str) -> None:
    model = tiny_world(petri, **NOBODY_CAN_PAY, **{"plasticity.rule": rule, "plasticity.pairs": 2})
    assert model.running
    model.step()
    assert (model.running, len(model.agents), model.tally.deaths) == (False, 0, 4)
    live(model, 2)
    assert not model.running
    assert model.tally.episodes == model.tally.births == model.tally.deaths == 0
    assert model.ledger.total() == 0
    assert model.ledger.by_kind()["organelle"] == 0.0
    assert model.grid.layer("occupancy").sum() == 0
    np.testing.assert_array_equal(model.grid.layer("pool").ravel(), model.ledger.balance(model.cell_accounts))
    assert model.snapshot.organelles == ()
    assert model.snapshot.row["cells_occupied"] == 0


# ---------------------------------------------------------------- snapshot


def test_a_snapshot_is_immutable_and_shares_nothing_with_the_world(petri: HostService) -> None:
    model = live(tiny_world(petri), 2)
    seen = model.snapshot
    layers = {name: array.copy() for name, array in seen.layers.items()}
    row, organelles = dict(seen.row), seen.organelles
    live(model, 2)
    for name in layers:
        model.grid.layer(name)[:] = -1.0
    assert (seen.tick, seen.row, seen.organelles) == (2, row, organelles)
    for name, array in layers.items():
        np.testing.assert_array_equal(seen.layers[name], array)
        assert not np.shares_memory(seen.layers[name], model.grid.layer(name))
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen.tick = 5
    assert model.snapshot is not seen
    assert model.snapshot.tick == 4


def test_a_snapshot_shows_the_world_as_it_is(petri: HostService) -> None:
    model = lively_world(petri)
    for _ in range(8):
        model.step()
        shown = [(v.unique_id, v.lineage, (v.family, v.depth), v.energy, v.age) for v in model.snapshot.organelles]
        assert shown == [(o.unique_id, o.lineage, o.cell.coordinate, o.energy, o.age) for o in model.organelles()]
        assert model.snapshot.row["population"] == len(shown)
        assert model.snapshot.families == ("word.count", "math", "logic")


# ---------------------------------------------------------------- shipped worlds and settings


@pytest.mark.parametrize("config", ["frozen", "single"])
def test_the_worlds_of_one_organelle_live(petri: HostService, config: str) -> None:
    model = live(EcologyModel(config, host=petri, **{"population.episodes": 16}), 3)
    [organelle] = model.organelles()
    assert model.tally.episodes == organelle.answered == 16
    learned = bool((model.bank.norms(torch.tensor([organelle.slot])) > 0).any())
    assert learned == (config == "single")


def test_nothing_succeeds_on_a_host_of_random_weights() -> None:
    model = EcologyModel("random_host", **{"population.initial": 8, "host.tune_cpu": False})
    succeeded = episodes = 0
    for _ in range(5):
        model.step()
        succeeded, episodes = succeeded + model.tally.succeeded, episodes + model.tally.episodes
    assert episodes == 5 * 8 * 8
    assert succeeded <= 0.02 * episodes


def test_settings_by_dotted_name_reach_the_world(petri: HostService) -> None:
    model = tiny_world(petri, **{"economy.ticket": 0.125, "tasks.cell_styles": {"math:2": "quoted"}})
    assert model.config.economy.ticket == model.tariff.ticket == 0.125
    assert model.contracts.style("math", 2) == "quoted"
    assert model.contracts.style("math", 1) == "work"


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("economy.tickett", 0.3, "did you mean 'economy.ticket'"),
        ("population.initial", 0, "population.initial"),
        ("population.initial", 7, "maximum"),
        ("economy.ticket", "much", "economy.ticket"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(petri: HostService, name: str, value: object, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        tiny_world(petri, **{name: value})
    message = str(caught.value)
    assert complaint.lower() in message.lower()
    assert "\n" not in message


def test_founders_start_as_the_bare_host_with_their_endowment(petri: HostService) -> None:
    model = tiny_world(petri)
    assert [organelle.energy for organelle in model.organelles()] == [2.0] * 4
    slots = torch.tensor([organelle.slot for organelle in model.organelles()])
    assert not model.bank.norms(slots).any()
    assert len(set(slots.tolist())) == 4
    assert [organelle.lineage for organelle in model.organelles()] == [o.unique_id for o in model.organelles()]


def test_return_on_investment_is_earned_over_spent(petri: HostService) -> None:
    model = tiny_world(petri)
    organelle = model.organelles()[0]
    assert organelle.roi == 0.0
    live(model, 1)
    assert organelle.roi == organelle.earned / organelle.spent
    enrich(model, organelle, 1.0)
    assert agents(model)[0][5] == organelle.energy


def test_answers_that_leave_no_room_for_a_prompt_are_refused_at_the_door(petri: HostService) -> None:
    with pytest.raises(ConfigError, match=r"host\.max_new_tokens.*less than 512, got 512"):
        tiny_world(petri, **{"host.max_new_tokens": 512})
