"""HostSymbiont: its results at small size, a log that adds up, and a run that can be taken up where it was left."""

import numpy as np
import pytest

from evolora_mesa.alife.host_symbiont import Host, HostSymbiont, Symbiont, conditions
from evolora_mesa.alife.host_symbiont.interaction import HOST, ID, SYMBIONT, VALUE
from evolora_mesa.alife.log_schema import OPS
from evolora_mesa.errors import ConfigError

_SMALL = {"width": 12, "height": 10}


def _run(updates: int, **settings) -> HostSymbiont:
    model = HostSymbiont(**{**_SMALL, **settings})
    for _ in range(updates):
        model.step()
    return model


def test_inherited_symbionts_become_mutualists_and_infectious_ones_parasites():
    faithful, roving = (_run(250, width=16, height=16, vertical=vertical, record=False) for vertical in (1.0, 0.0))
    assert faithful.symbionts().mean() > 0.5
    assert roving.symbionts().mean() < -0.5


def test_symbionts_that_give_and_are_not_inherited_die_out():
    model = conditions.run(conditions.CONDITIONS["mutualist, VT 0"].settings, seed=0, side=20)
    assert len(model.symbionts()) == 0 and model.tick < 1001


def test_the_log_adds_up_and_knows_everybody():
    model = _run(120, vertical=0.5, snapshot_every=40)
    log = model.log.close()
    births, deaths = log.stream("births"), log.stream("deaths")
    alive = {int(uid) for kind in (HOST, SYMBIONT) for uid in model.tenants[kind, ID] if uid >= 0}
    assert len(deaths) > 100
    assert set(births["id"].tolist()) - set(deaths["id"].tolist()) == alive
    words = log.keys("niche")
    by_id = dict(zip(births["id"].tolist(), births["niche"].tolist(), strict=True))
    assert 1.0 < model.turnovers < len(births) / 120
    links = log.stream("links")
    assert all(by_id[c] == by_id[p] for c, p in zip(links["child"].tolist(), links["parent"].tolist(), strict=True))
    assert words == ["host", "symbiont"]


def test_genotypes_are_tenths_of_the_value_and_phenotypes_its_sign_beyond_four_tenths():
    model = _run(0, width=3, height=3, infection=20.0)
    model.tenants[:, VALUE] = [-1.0, -0.45, -0.4, -0.05, 0.0, 0.35, 0.4, 0.95, 1.0]
    model.tenants[SYMBIONT, ID] = np.arange(100, 109)
    seen = sorted(
        (agent.value, agent.genotype_key(), agent.phenotype_key()) for agent in model.agents_by_type[Symbiont]
    )
    assert [key for _, key, _ in seen] == [
        f"symbiont {low}" for low in ("-1.0", "-0.5", "-0.4", "-0.1", "+0.0", "+0.3", "+0.4", "+0.9", "+0.9")
    ]
    assert [key for _, _, key in seen] == ["parasite"] * 2 + ["neutral symbiont"] * 4 + ["mutualist"] * 3


def test_agents_are_hosts_and_symbionts_that_stay_themselves_while_they_live():
    model = _run(30, vertical=0.5)
    hosts, symbionts = model.agents_by_type[Host], model.agents_by_type[Symbiont]
    assert len(hosts) == 120 and len(symbionts) == len(model.symbionts())
    before = {agent.uid: agent for agent in model.agents}
    ages = {uid: agent.age for uid, agent in before.items()}
    model.step()
    now = {agent.uid: agent for agent in model.agents}
    stayed = before.keys() & now.keys()
    assert len(stayed) > 60 and all(before[uid] is now[uid] for uid in stayed)
    assert all(now[uid].age == ages[uid] + 1 for uid in stayed)
    assert now.keys() - stayed and all(now[uid].age == 0 for uid in now.keys() - stayed)
    one = model.agents_by_type[Host][0]
    assert one.age == model.tick - model.born[HOST, one.row]
    assert one.cell == (one.row % 12, one.row // 12)
    assert one.trait() == {"value": one.value} and one.niche() == "host" and one.fitness() is None
    assert one.generation >= 0 and one.energy >= 0


def test_on_the_grid_offspring_stays_next_door():
    model = _run(0, spatial=True)
    for cell, around in enumerate(model.neighbours):
        far = np.abs(np.stack([around % 12 - cell % 12, around // 12 - cell // 12]))
        assert (np.minimum(far, np.array([[12], [10]]) - far).max(axis=0) == 1).all() and len(set(around)) == 8
    assert _reach(spatial=True) == 1 < _reach(spatial=False)


def _reach(*, spatial: bool) -> int:
    """Distance to the first host that the only symbiont infects: with 99 points an update, in the second one."""
    start = {"host_start": 0.0, "symbiont_start": -0.99, "mutation_size": 0.0, "infection": 1 / 900}
    model = _run(2, width=30, height=30, spatial=spatial, **start)
    y, x = np.divmod(np.flatnonzero(model.alive(SYMBIONT)), 30)
    return max(min(int(abs(d[1] - d[0])), 30 - int(abs(d[1] - d[0]))) for d in (x, y))


def test_a_resumed_run_is_the_unbroken_one():
    settings = {"vertical": 0.5, "mutation_rate": 0.5, "snapshot_every": 20}
    unbroken, broken = _run(60, **settings), _run(25, **settings)
    state, then = broken.state_dict(), {agent.uid for agent in broken.agents}
    broken.step()
    resumed = HostSymbiont(**_SMALL, **settings)
    assert {agent.generation for agent in resumed.agents} == {0.0}
    resumed.load_state_dict(state)
    assert {agent.uid for agent in resumed.agents} == then
    for _ in range(35):
        resumed.step()
    assert (resumed.tenants == unbroken.tenants).all() and (resumed.born == unbroken.born).all()
    assert repr(resumed.series()) == repr(unbroken.series())
    for stream in ("births", "deaths", "links", "energy", "snapshots"):
        ours, theirs = (model.log.close().stream(stream) for model in (resumed, unbroken))
        assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in theirs)


def test_the_same_seed_is_the_same_run_with_or_without_a_log_and_another_is_not():
    assert (_run(20).tenants == _run(20, record=False).tenants).all()
    assert (_run(20).tenants != _run(20, rng=1).tenants).any()


def test_half_of_the_children_mutate_at_a_rate_of_a_half_and_by_the_size_that_was_asked_for():
    model = _run(10, width=40, height=40, host_start=0.0, infection=0.0, mutation_rate=0.5, mutation_size=0.1)
    births = model.log.stream("births")
    mutated = births["op"][births["step"] == 10] == OPS.index("mutate")
    assert 1000 < len(mutated) < 1600  # the others were replaced before their turn
    assert mutated.mean() == pytest.approx(0.5, abs=0.05)
    values = model.tenants[HOST, VALUE]
    assert values[values != 0].std() == pytest.approx(0.1, abs=0.01)


def test_mutation_of_size_nought_is_cloning():
    log = _run(60, mutation_size=0.0, host_start=0.25, symbiont_start=-0.25).log.close()
    assert set(log.frame("births")["op"]) == {"init", "clone"}
    assert set(log.frame("deaths")["cause"]) == {"overwritten"}
    values = log.stream("snapshots")["trait.value"]
    assert set(values.tolist()) == {0.25, -0.25}


def test_a_picture_has_the_shape_of_the_world():
    model = _run(20)
    picture = model.picture()
    assert picture["shape"] == (12, 10)
    assert all(layer.shape == (12, 10) for layer in picture["layers"].values())
    assert picture["layers"]["host"][3, 2] == model.tenants[HOST, VALUE, 2 * 12 + 3]
    assert np.isnan(picture["layers"]["symbiont"]).sum() == (~model.alive(SYMBIONT)).sum()
    assert len(picture["series"]["mean_symbiont"]) == 21


@pytest.mark.parametrize(
    "settings",
    [
        {"width": 2},
        {"vertical": 1.1},
        {"host_start": "mutualist"},
        {"symbiont_start": -2.0},
        {"infection": -1},
        {"spatial": "no"},
    ],
)
def test_what_cannot_be_is_refused_in_one_line(settings):
    with pytest.raises(ConfigError) as error:
        HostSymbiont(**settings)
    assert "\n" not in str(error.value)


def test_every_condition_is_a_world():
    for condition in conditions.CONDITIONS.values():
        HostSymbiont(**{**_SMALL, **condition.settings}).step()


@pytest.mark.slow
def test_upstreams_thresholds_hold_in_small_worlds():
    found = conditions.targets(quick=True)
    assert len(found) == 3 and all(target.passed for target in found), found
