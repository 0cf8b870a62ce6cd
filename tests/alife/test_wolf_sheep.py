"""WolfSheep: who eats whom, energy that adds up, nothing that is heritable unless it is asked for."""

import numpy as np
import pytest
from resuming import assert_resumes, stepped

from evolora_mesa.alife.wolf_sheep import Sheep, Wolf, WolfSheep, seek, wander
from evolora_mesa.alife.wolf_sheep.herd import ENERGY, GENERATION, HEADING, ID, STRIDE, Species, X, Y, cells_of, found
from evolora_mesa.alife.wolf_sheep.targets import lag, period, population
from evolora_mesa.errors import ConfigError

_SMALL = {"width": 20, "height": 16, "sheep": 60, "wolves": 20}
_SIZE = (9, 7)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def _herd(rng, cells):
    """Animals that stand amid ``cells`` and will not leave them, for their stride is 0."""
    herd = found(len(cells), Species("sheep", "grass", 4.0, 0.0), _SIZE, 0, rng)
    herd[Y], herd[X] = np.divmod(np.array(cells), _SIZE[0])
    herd[[X, Y]] += 0.5
    herd[STRIDE] = 0.0
    return herd


def _grass(*cells):
    grown = np.zeros(_SIZE[0] * _SIZE[1], bool)
    grown[list(cells)] = True
    return grown


# ---------------------------------------------------------------- meals


def test_grown_grass_feeds_one_sheep_of_those_on_its_cell_and_each_is_as_likely(rng):
    meals = np.zeros(4)
    for _ in range(300):
        grown = _grass(5, 6)
        fed = wander.graze(_herd(rng, [5, 5, 5, 8]), grown, _SIZE, rng)
        assert fed.sum() == 1 and not grown[5] and grown[6]
        meals += fed
    assert meals[3] == 0 and meals[:3].min() > 70


def test_wolves_on_a_cell_eat_a_different_sheep_each_and_none_from_elsewhere(rng):
    sheep, eaten = _herd(rng, [1, 1, 2, 3, 3, 3]), set()
    for _ in range(50):
        prey = wander.hunt(_herd(rng, [1, 1, 1, 3, 4]), sheep, _SIZE, rng)
        assert sorted(prey[:3]) == [-1, 0, 1] and prey[3] in (3, 4, 5) and prey[4] == -1
        eaten.add(int(prey[3]))
    assert eaten == {3, 4, 5}


def test_wolves_without_any_sheep_eat_nothing(rng):
    for hunt in (wander.hunt, seek.hunt):
        assert hunt(_herd(rng, [1, 2]), _herd(rng, []), _SIZE, rng).tolist() == [-1, -1]


def test_wanderers_go_one_stride_and_turn_by_fifty_degrees_at_most(rng):
    herd = found(500, Species("sheep", "grass", 4.0, 0.0), (1000, 1000), 0, rng)
    herd[[X, Y]] = 500.0
    herd[HEADING] = 0.0
    herd[STRIDE] = 2.0
    wander.graze(herd, np.zeros(1_000_000, bool), (1000, 1000), rng)
    assert np.allclose(np.hypot(herd[X] - 500, herd[Y] - 500), 2.0)
    assert 40 < np.degrees(np.abs(herd[HEADING])).max() <= 50


# Of cell 30 the four neighbours are 21, 29, 31 and 39.
def test_seeking_sheep_flee_wolves_and_prefer_grass(rng):
    for _ in range(20):
        sheep, grown = _herd(rng, [30]), _grass(29, 31)
        assert seek.graze(sheep, _herd(rng, [29]), grown, _SIZE, rng).tolist() == [True]
        assert cells_of(sheep, _SIZE).tolist() == [31] and grown[29] and not grown[31]
    surrounded = _herd(rng, [30])
    assert not seek.graze(surrounded, _herd(rng, [21, 29, 31, 39]), _grass(21), _SIZE, rng).any()
    assert cells_of(surrounded, _SIZE).tolist() == [30]


def test_seeking_sheep_see_what_those_before_them_have_eaten(rng):
    fed = [seek.graze(_herd(rng, [30, 30]), _herd(rng, []), _grass(29), _SIZE, rng) for _ in range(40)]
    assert all(meals.sum() == 1 for meals in fed)
    assert {int(meals.argmax()) for meals in fed} == {0, 1}


def test_seeking_wolves_go_where_sheep_are(rng):
    for _ in range(20):
        wolves = _herd(rng, [30, 0])
        prey = seek.hunt(wolves, _herd(rng, [39, 39]), _SIZE, rng)
        assert prey[0] in (0, 1) and prey[1] == -1
        assert cells_of(wolves, _SIZE)[0] == 39 and cells_of(wolves, _SIZE)[1] in (1, 8, 9, 54)


def test_eaten_grass_is_back_after_the_regrowth():
    model = WolfSheep(width=3, height=3, sheep=1, wolves=0, sheep_fertility=0.0, regrowth=5, sheep_gain=1.0)
    model.ripe[:] = 0
    model.step()
    (eaten,) = np.flatnonzero(~model.grown())
    model.herds[0] = model.herds[0][:, :0]
    back = [bool(stepped(model, 1).grown()[eaten]) for _ in range(6)]
    assert back == [False] * 5 + [True]


# ---------------------------------------------------------------- a whole world


@pytest.mark.parametrize("moves", ["wander", "seek"])
def test_the_log_adds_up_and_its_two_genotypes_are_the_species(moves):
    model = stepped(WolfSheep(**_SMALL, moves=moves), 80)
    log = model.log.close()
    births, deaths = log.stream("births"), log.stream("deaths")
    alive = {int(uid) for herd in model.herds for uid in herd[ID]}
    assert set(births["id"].tolist()) - set(deaths["id"].tolist()) == alive
    assert log.keys("geno") == ["sheep", "wolf"] and "heredity" not in log.capabilities
    geno = dict(zip(births["id"].tolist(), births["geno"].tolist(), strict=True))
    links = log.stream("links")
    assert len(links) > 50
    assert all(geno[c] == geno[p] for c, p in zip(links["child"].tolist(), links["parent"].tolist(), strict=True))
    assert {"eaten", "starved"} == set(log.frame("deaths")["cause"])


def test_a_child_takes_half_of_its_parents_energy():
    model = WolfSheep(**_SMALL, wolf_fertility=1.0, sheep_fertility=0.0, sheep_gain=0.0)
    model.herds[1][ENERGY] = 41.0
    model.herds[0] = model.herds[0][:, :0]
    model.step()
    assert model.herds[1].shape[1] == 40 and (model.herds[1][ENERGY] == 20.0).all()


def test_without_grass_sheep_need_no_energy():
    model = stepped(WolfSheep(grass=False, wolves=0), 20)
    assert model.herds[0].shape[1] > 150 and not len(model.log.close().stream("deaths"))
    assert model.series()["grass"] == [0] * 21


def test_strides_are_inherited_with_changes_only_when_asked_for():
    alike = stepped(WolfSheep(**_SMALL), 30)
    assert all((herd[STRIDE] == 1.0).all() for herd in alike.herds)
    model = stepped(WolfSheep(stride_drift=0.3), 30)
    log = model.log.close()
    assert "heredity" in log.capabilities and len(log.keys("geno")) > 8
    animals = np.concatenate(model.herds, axis=1)
    young = animals[:, animals[ID] >= 150]
    assert young.shape[1] > 20 and young[STRIDE].std() > 0.05
    assert (np.abs(young[STRIDE] - 1.0) <= 0.3 * young[GENERATION] + 1e-9).all()


def test_the_world_ends_when_nobody_is_left_or_sheep_are_everywhere():
    empty = stepped(WolfSheep(width=3, height=3, sheep=0, wolves=1, wolf_gain=0.5), 3)
    assert not empty.running and len(empty.agents) == 0 and empty.time_gen == 0.0
    full = stepped(WolfSheep(grass=False, wolves=0, sheep=90, most_sheep=90, sheep_fertility=0.5), 1)
    assert not full.running


def test_predator_and_prey_persist_with_grass_and_swing_with_the_wolves_behind():
    run = population(1, grass=True)
    assert len(run) == 1001
    assert 90 < period(run[200:, 0]) < 240 and 25 < lag(run[200:]) < 80


def test_predator_and_prey_do_not_persist_without_grass():
    assert len(population(0, grass=False)) < 400


def test_period_and_lag_of_a_made_wave():
    ticks = np.arange(800)
    wave = np.stack([np.sin(ticks / 100 * 2 * np.pi), np.sin((ticks - 25) / 100 * 2 * np.pi)], axis=1) + 5
    assert period(wave[:, 0]) == pytest.approx(100, rel=0.02) and lag(wave) == 25


# ---------------------------------------------------------------- as a Mesa model


@pytest.mark.parametrize("settings", [{"moves": "seek"}, {"stride_drift": 0.2}])
def test_a_resumed_run_is_the_unbroken_one(settings):
    assert_resumes(WolfSheep, **_SMALL, **settings)


def test_agents_mirror_the_herds_and_stay_the_same_while_they_live():
    model = WolfSheep(**_SMALL)
    before = {agent.uid: agent for agent in model.agents}
    assert len(before) == 80 and set(model.agents_by_type) == {Sheep, Wolf}
    stepped(model, 10)
    after = {agent.uid: agent for agent in model.agents}
    assert len(after) == sum(herd.shape[1] for herd in model.herds)
    assert 0 < len(before.keys() & after.keys()) < 80
    assert all(after[uid] is before[uid] for uid in before.keys() & after.keys())
    wolf = next(agent for agent in after.values() if isinstance(agent, Wolf))
    assert wolf.energy == model.herds[1][ENERGY, wolf.row] >= 0 and wolf.age <= 10
    assert (wolf.genotype_key(), wolf.phenotype_key(), wolf.niche()) == ("wolf", "wolf", "sheep")
    picture = model.picture()
    places = set(zip(picture["agents"]["x"].tolist(), picture["agents"]["y"].tolist(), strict=True))
    assert wolf.cell in places and picture["layers"]["grass"].shape == picture["shape"] == (20, 16)


def test_the_same_seed_is_the_same_run_with_or_without_a_log_and_another_is_not():
    first, second, other = (
        stepped(WolfSheep(**_SMALL, **extra), 20).series() for extra in ({}, {"record": False}, {"rng": 1})
    )
    assert first == second != other


@pytest.mark.parametrize(
    "wrong",
    [{"moves": "fly"}, {"sheep": -1}, {"sheep_fertility": 1.5}, {"moves": "seek", "stride_drift": 0.1}, {"width": 2}],
)
def test_wrong_settings_are_refused_in_one_line(wrong):
    with pytest.raises(ConfigError) as error:
        WolfSheep(**wrong)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_all_quick_targets_are_met():
    assert [target for target in WolfSheep.reference(quick=True) if not target.passed] == []
