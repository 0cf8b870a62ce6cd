"""Sugarscape: rule M to the letter, sugar that adds up, children of two parents, genes that evolve."""

import random

import numpy as np
import pytest
from resuming import assert_resumes, stepped

from evolora_mesa.alife.sugarscape import Forager, Sugarscape
from evolora_mesa.alife.sugarscape.courtship import Courtship
from evolora_mesa.alife.sugarscape.landscape import PEAKS, SIDE, adjacent, capacity, peaks, sight_of
from evolora_mesa.alife.sugarscape.people import (
    BORN,
    ENDOWMENT,
    FEMALE,
    GENERATION,
    ID,
    LIFESPAN,
    METABOLISM,
    SITE,
    SUGAR,
    VISION,
    blank,
)
from evolora_mesa.alife.sugarscape.turns import Turns
from evolora_mesa.errors import ConfigError


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def _site(x, y):
    return y % SIDE * SIDE + x % SIDE


def _people(rng, *places, vision=3, metabolism=1, sugar=10):
    people = blank(len(places), 0, 0, rng)
    people[SITE] = [_site(*place) for place in places]
    people[VISION], people[METABOLISM], people[SUGAR], people[ENDOWMENT] = vision, metabolism, sugar, sugar
    return people


def _ground(**sugar):
    """Sugar by place: ``x5_y7=4``."""
    ground = np.zeros(SIDE * SIDE, np.int64)
    for place, amount in sugar.items():
        x, y = (int(part[1:]) for part in place.split("_"))
        ground[_site(x, y)] = amount
    return ground


def _turn(people, ground, rng, shape="cross", torus=True):
    turns = Turns(people, ground, sight_of(shape, torus), rng)
    turns.act()
    return turns


# ---------------------------------------------------------------- the ground


def test_the_map_has_the_published_sum_two_peaks_and_a_bare_corner():
    ground = capacity()
    assert ground.sum() == 4622 and ground.min() == 0 and ground.max() == 4
    assert [int((ground[peaks(True) == place] == 4).sum()) > 90 for place in (0, 1)] == [True, True]
    assert ground[_site(39, 9)] == ground[_site(14, 34)] == 4 and ground[_site(0, 0)] == ground[_site(49, 49)] == 0
    assert PEAKS[peaks(True)[_site(39, 9)]] == "north-east peak"


def test_a_forager_sees_four_directions_or_a_diamond_and_beyond_the_edge_on_a_torus_only():
    def seen(shape, torus, at, vision):
        return {(site % SIDE, site // SIDE) for site in sight_of(shape, torus)(_site(*at), vision).sites}

    assert seen("cross", True, (0, 0), 1) == {(0, 0), (1, 0), (49, 0), (0, 1), (0, 49)}
    assert seen("cross", False, (0, 0), 2) == {(0, 0), (1, 0), (2, 0), (0, 1), (0, 2)}
    assert len(seen("cross", True, (7, 7), 6)) == 25
    assert seen("diamond", False, (0, 0), 2) == {(1, 0), (2, 0), (0, 1), (0, 2), (1, 1)}
    assert len(seen("diamond", True, (7, 7), 6)) == 84


# ---------------------------------------------------------------- rule M


def test_foragers_take_the_richest_site_in_view_and_the_nearest_of_them(rng):
    ground = _ground(x13_y10=2, x10_y12=3, x10_y7=3, x14_y10=4)
    turns = _turn(_people(rng, (10, 10)), ground, rng)
    assert turns.sites == [_site(10, 12)] and turns.sugar == [12.0] and turns.harvest == [3]
    assert turns.ground[_site(10, 12)] == 0 and turns.ground[_site(10, 7)] == 3


def test_foragers_stay_when_nothing_else_is_better(rng):
    assert _turn(_people(rng, (10, 10)), _ground(x10_y10=2, x11_y10=2), rng).sites == [_site(10, 10)]
    assert _turn(_people(rng, (10, 10)), _ground(), rng).sites == [_site(10, 10)]


def test_equals_at_the_same_distance_are_drawn_with_the_same_chance(rng):
    went = [_turn(_people(rng, (10, 10)), _ground(x12_y10=1, x8_y10=1, x10_y12=1), rng).sites[0] for _ in range(300)]
    counts = [went.count(_site(*place)) for place in ((12, 10), (8, 10), (10, 12))]
    assert sum(counts) == 300 and min(counts) > 70


def test_a_taken_site_is_no_choice_and_one_that_was_left_is(rng):
    # Two foragers, one site of value: whoever comes first has it, and each does in half of the cases.
    first = []
    for _ in range(60):
        turns = _turn(_people(rng, (10, 10), (12, 10)), _ground(x11_y10=4), rng)
        assert sorted(turns.harvest) == [0, 4] and len(set(turns.sites)) == 2
        first.append(turns.harvest.index(4))
    assert 15 < sum(first) < 45
    # The first one's own site, once it is left, is free for the second, which sees nothing else.
    found = set()
    for _ in range(60):
        people = _people(rng, (10, 10), (13, 10))
        people[VISION] = [5, 3]
        turns = _turn(people, _ground(x10_y10=3, x10_y14=4), rng)
        found.add(tuple(turns.harvest))
    assert found == {(4, 3), (4, 0)}


def test_a_forager_with_every_site_in_view_taken_stays(rng):
    everywhere = [(x, y) for y in range(SIDE) for x in range(SIDE)]
    assert _turn(_people(rng, *everywhere), _ground(), rng, "diamond").sites == list(range(SIDE * SIDE))
    assert _turn(_people(rng, (5, 5), vision=1), _ground(x5_y5=4), rng, "diamond").harvest == [0]


def test_who_cannot_pay_starves_and_frees_its_site(rng):
    turns = _turn(_people(rng, (10, 10), (30, 30), metabolism=4, sugar=3), _ground(x11_y10=2), rng)
    assert turns.starved == [False, True] and turns.sugar == [1.0, -1.0]
    assert turns.offer[_site(11, 10)] == -1 and turns.offer[turns.sites[1]] == 0


# ---------------------------------------------------------------- rule S


def _couple(rng, **changed):
    """A woman and a man side by side, both fertile; they see no sugar and stay."""
    people = _people(rng, (10, 10), (11, 10), sugar=21)
    people[FEMALE] = [1, 0]
    people[VISION], people[METABOLISM] = [2, 5], [3, 4]
    for row, value in changed.items():
        people[{"female": FEMALE, "endowment": ENDOWMENT}[row]] = value
    return people


def _court(people, rng, of_age=(True, True)):
    turns = Turns(people, _ground(), sight_of("cross", True), rng)
    courtship = Courtship(turns, people, np.array(of_age), adjacent(True), random.Random(0))
    return turns, list(courtship.court(0))


def test_a_child_has_each_gene_of_either_parent_and_half_of_both_endowments(rng):
    turns, (child,) = _court(_couple(rng), rng)
    assert child.parents == (0, 1) and child.sugar == 20 and turns.sugar == [11.0, 11.0]
    assert child.vision in (2, 5) and child.metabolism in (3, 4)
    assert child.site in adjacent(True)[_site(10, 10)] + adjacent(True)[_site(11, 10)]
    assert turns.offer[child.site] == -1


@pytest.mark.parametrize("changed", [{"female": [1, 1]}, {"female": [0, 0]}, {"endowment": [21, 22]}])
def test_parents_differ_in_sex_and_are_no_poorer_than_at_birth(rng, changed):
    assert _court(_couple(rng, **changed), rng)[1] == []


@pytest.mark.parametrize("of_age", [(True, False), (False, True)])
def test_parents_are_of_childbearing_age(rng, of_age):
    assert _court(_couple(rng), rng, of_age)[1] == []


def test_who_has_moved_away_or_starved_is_no_parent_and_who_has_come_is(rng):
    people = _couple(rng)
    turns = Turns(people, _ground(), sight_of("cross", True), rng)
    courtship = Courtship(turns, people, np.array([True, True]), adjacent(True), random.Random(0))
    turns.sites[1] = _site(14, 10)
    courtship.follow(1, _site(11, 10))
    assert list(courtship.court(0)) == []
    turns.sites[1] = _site(10, 11)
    courtship.follow(1, _site(14, 10))
    assert len(list(courtship.court(0))) == 1
    turns.sugar[:], turns.starved[1] = [50.0, 50.0], True
    courtship.follow(1, _site(10, 11))
    assert list(courtship.court(0)) == []


def test_every_child_of_a_run_has_genes_and_parents_of_the_log():
    model = stepped(Sugarscape(rules="S"), 40)
    log = model.log.close()
    links, births = log.stream("links"), log.stream("births")
    genes = dict(zip(births["id"].tolist(), births["geno"].tolist(), strict=True))
    keys = log.keys("geno")
    children = np.unique(links["child"])
    assert len(children) > 20 and len(links) == 2 * len(children) and set(links["weight"]) == {0.5}
    for child in children.tolist():
        parents = [keys[genes[parent]] for parent in links["parent"][links["child"] == child].tolist()]
        vision, metabolism = keys[genes[child]]
        assert vision in [key[0] for key in parents] and metabolism in [key[1] for key in parents]
    assert model.people[GENERATION].max() >= 1 and model.time_gen > 0


# ---------------------------------------------------------------- a whole world


@pytest.mark.parametrize("rules", ["M", "R", "S"])
def test_the_log_adds_up_and_sugar_comes_from_the_ground(rules):
    model = Sugarscape(rules=rules, agents=300, growback=0)
    before = int(model.people[SUGAR].sum() + model.ground.sum())
    stepped(model, 40)
    log = model.log.close()
    moved = log.frame("energy").groupby("account")["amount"].sum()
    assert moved["harvest"] == 4622 - model.ground.sum() and len(log.stream("deaths")) > 50
    after = model.people[SUGAR].sum() + model.ground.sum()
    assert after == before + moved["metabolism"] + moved["residual_at_death"] + moved.get("endowment", 0.0)
    births, deaths = log.stream("births"), log.stream("deaths")
    assert set(births["id"].tolist()) - set(deaths["id"].tolist()) == set(model.people[ID].astype(int).tolist())
    assert len(set(model.people[SITE].tolist())) == model.people.shape[1]
    assert ("heredity" in log.capabilities) == (rules == "S") and ("birth" in log.capabilities) == (rules != "M")


def test_sugar_grows_by_one_a_tick_up_to_the_capacity():
    model = Sugarscape(agents=0)
    model.ground[:] = 0
    grown = []
    for _ in range(5):
        model.step()
        grown.append(int(model.ground.sum()))
    assert grown == [int(np.minimum(capacity(), tick).sum()) for tick in (1, 2, 3, 4, 5)]
    assert not model.running


def test_the_dead_are_replaced_by_strangers_under_rules_r_and_nobody_is_older_than_a_hundred():
    model = stepped(Sugarscape(rules="R", agents=120), 130)
    assert model.series()["foragers"] == [120] * 131
    log = model.log.close()
    assert set(log.frame("births")["op"]) == {"init", "inject"} and set(log.frame("deaths")["cause"]) == {
        "age",
        "starved",
    }
    assert not len(log.stream("links"))
    assert (model.tick - model.people[BORN] < model.people[LIFESPAN]).all() and model.people[LIFESPAN].max() <= 100
    assert model.people[BORN].min() > 20


def test_niches_follow_foragers_from_peak_to_peak():
    log = stepped(Sugarscape(rules="M"), 30).log.close()
    born = dict(zip(log.stream("births")["id"].tolist(), log.stream("births")["niche"].tolist(), strict=True))
    changes = log.stream("changes")
    for uid, code in zip(changes["id"].tolist(), changes["code"].tolist(), strict=True):
        assert born[uid] != code
        born[uid] = code
    assert len(changes) > 5
    marks, snapshots = log.stream("marks"), log.stream("snapshots")
    end = slice(int(marks["first"][-1]), None)
    assert all(born[uid] == niche for uid, niche in zip(snapshots["id"][end], snapshots["niche"][end], strict=True))


def test_vision_rises_and_metabolism_falls_where_foragers_live_or_die_by_them():
    series = stepped(Sugarscape(rules="S", record=False), 100).series()
    assert series["vision"][-1] > series["vision"][0] + 0.2
    assert series["metabolism"][-1] < series["metabolism"][0] - 0.8


# ---------------------------------------------------------------- as a Mesa model


@pytest.mark.parametrize("rules", ["R", "S"])
def test_a_resumed_run_is_the_unbroken_one(rules):
    assert_resumes(Sugarscape, rules=rules, agents=250, before=20)


def test_agents_mirror_the_array_and_stay_the_same_while_they_live():
    model = Sugarscape(rules="M")
    before = {agent.uid: agent for agent in model.agents}
    stepped(model, 12)
    after = {agent.uid: agent for agent in model.agents}
    assert len(before) == 400 and len(after) == model.people.shape[1] < 400
    assert all(after[uid] is before[uid] for uid in after) and set(model.agents_by_type) == {Forager}
    forager = next(iter(after.values()))
    assert forager.energy == model.people[SUGAR, forager.row] > 0 and forager.age == 12
    assert forager.genotype_key() == (forager.vision, forager.metabolism) == forager.phenotype_key()
    x, y = forager.cell
    assert model.people[SITE, forager.row] == _site(x, y) and forager.niche() == PEAKS[peaks(True)[_site(x, y)]]
    picture = model.picture()
    assert picture["layers"]["sugar"][x, y] == model.ground[_site(x, y)] and picture["shape"] == (50, 50)


def test_the_same_seed_is_the_same_run_with_or_without_a_log_and_another_is_not():
    first, second, other = (stepped(Sugarscape(**extra), 15).series() for extra in ({}, {"record": False}, {"rng": 1}))
    assert first == second != other


@pytest.mark.parametrize(
    "wrong",
    [{"rules": "T"}, {"agents": 2501}, {"vision_max": 25}, {"endowment_min": 9, "endowment_max": 8}, {"sight": "far"}],
)
def test_wrong_settings_are_refused_in_one_line(wrong):
    with pytest.raises(ConfigError) as error:
        Sugarscape(**wrong)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_all_quick_targets_are_met():
    assert [target for target in Sugarscape.reference(quick=True) if not target.passed] == []
