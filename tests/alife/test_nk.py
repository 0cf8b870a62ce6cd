"""NKWorld: it adapts when it selects, its log holds, and it can be taken up where it was left."""

import numpy as np
import pytest

from evolora_mesa.alife.metrics import Measured, measure
from evolora_mesa.alife.nk import TREATMENTS, NKGenome, NKWorld
from evolora_mesa.errors import ConfigError

_SMALL = {"sites": 10, "population": 30}


def _run(generations: int, **settings) -> NKWorld:
    model = NKWorld(**{**_SMALL, **settings})
    for _ in range(generations):
        model.step()
    return model


def test_selection_finds_the_one_optimum_of_a_landscape_without_epistasis():
    model = _run(200, epistasis=0, mutation=0.02, record=False)
    assert model.fitness.max() == pytest.approx(model.landscape.table.max(axis=1).mean())
    chance = _run(200, epistasis=0, mutation=0.02, selection="random", record=False)
    assert chance.fitness.mean() < model.fitness.mean() - 0.05


def test_sharing_keeps_genomes_apart_that_tournaments_alone_draw_together():
    settings = {"population": 60, "mutation": 0.01, "sharing_threshold": 3.0, "record": False}
    kinds = {}
    for selection in ("tournament", "sharing"):
        kinds[selection] = len(np.unique(_run(80, selection=selection, **settings).genomes, axis=0))
    assert kinds["sharing"] > 2 * kinds["tournament"]


def test_every_generation_is_replaced_and_the_log_adds_up():
    model = _run(40)
    log = model.log.close()
    births, deaths = log.stream("births"), log.stream("deaths")
    assert len(births) == 41 * 30 and len(deaths) == 40 * 30
    assert set(births["id"]) - set(deaths["id"]) == set(model.ids)
    links = log.stream("links")
    assert (links["parent"] // 30 == links["child"] // 30 - 1).all()


def test_a_birth_is_logged_as_what_it_is():
    model = _run(0)
    before = model.genomes.copy()
    model.step()
    births, links = model.log.stream("births"), model.log.stream("links")
    parents = before[links["parent"]]
    same = (parents == model.genomes).all(axis=1)
    assert 0 < same.sum() < 30
    assert [births["op"][30:][same].tolist(), births["op"][30:][~same].tolist()] == [
        [1] * same.sum(),
        [2] * (~same).sum(),
    ]
    keys = model.log.keys("geno")
    assert [keys[code].decode() for code in births["geno"][30:]] == ["".join(map(str, row)) for row in model.genomes]


def test_agents_are_the_genomes_that_live_now():
    model = _run(3)
    assert len(model.agents) == 30
    assert {agent.uid for agent in model.agents} == set(model.ids)
    best = max(model.agents, key=NKGenome.fitness)
    assert best.fitness() == model.fitness.max()
    assert best.genotype_key() == "".join(map(str, model.genomes[best.row]))
    skeleton = best.phenotype_key()
    assert len(skeleton) - skeleton.count("-") == model.informative[best.row].sum()
    assert best.niche() is None and best.generation == 3 and set(best.trait()) == {"ones", "fitness"}
    model.step()
    assert {agent.uid for agent in model.agents} == set(model.ids)
    assert len(model.agents_by_type[NKGenome]) == 30


def test_the_environment_changes_to_and_fro():
    model = _run(0, period=5)
    first, other = model.landscapes
    seen = []
    for _ in range(11):
        model.step()
        seen.append(model.landscape is first)
        assert model.fitness == pytest.approx((first if seen[-1] else other).fitness(model.genomes))
    assert seen == [True] * 4 + [False] * 5 + [True] * 2


def test_a_genotype_has_no_complexity_of_its_own_where_the_environment_changes():
    assert "complexity" not in _run(3, period=5).log.capabilities and "complexity" in _run(3).log.capabilities
    assert not len(_run(3, period=5).log.stream("complexities"))


def test_a_resumed_run_is_the_unbroken_one():
    unbroken, broken = _run(25, period=7, selection="sharing"), _run(11, period=7, selection="sharing")
    state = broken.state_dict()
    broken.step()
    resumed = NKWorld(**_SMALL, period=7, selection="sharing")
    resumed.load_state_dict(state)
    for _ in range(14):
        resumed.step()
    assert (resumed.genomes == unbroken.genomes).all() and (resumed.ids == unbroken.ids).all()
    assert resumed.series() == unbroken.series()
    for stream in ("births", "deaths", "links", "snapshots", "complexities"):
        ours, theirs = (model.log.close().stream(stream) for model in (resumed, unbroken))
        assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in theirs)


def test_the_same_seed_is_the_same_run_with_or_without_a_log_and_another_is_not():
    assert (_run(10).genomes == _run(10, record=False).genomes).all()
    assert (_run(10).genomes != _run(10, rng=1).genomes).any()


def test_a_picture_shows_the_fittest_first():
    picture = _run(5).picture()
    width, height = picture["shape"]
    assert all(layer.shape == (width, height) for layer in picture["layers"].values())
    assert (np.diff(picture["agents"]["colour"]) <= 0).all()
    assert len(picture["series"]["best_fitness"]) == 6


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_treatment_is_a_world(name):
    small = {} if name == "long genome" else {"sites": 12}
    model = NKWorld.treatment(name, population=8, **small)
    model.step()
    assert model.genomes.shape[0] == 8


@pytest.mark.parametrize(
    "settings",
    [
        {"sites": 5, "epistasis": 5},
        {"population": 1},
        {"mutation": 1.5},
        {"selection": "luck"},
        {"epistasis": 19.0},
        {"sites": 400, "epistasis": 30},
    ],
)
def test_what_cannot_be_is_refused_in_one_line(settings):
    with pytest.raises(ConfigError) as error:
        NKWorld(**settings)
    assert "\n" not in str(error.value)


def test_an_unknown_treatment_is_refused():
    with pytest.raises(ConfigError, match="base"):
        NKWorld.treatment("k11")


def test_random_selection_is_not_reported_as_evolution():
    """The trap: by change and novelty alone, drift would look like evolution, and adaptation like nothing."""
    names = ("change", "novelty", "ecology", "activity_mean", "activity_median", "activity_new", "complexity")
    runs = {name: [_measured(name, names, seed) for seed in range(3)] for name in ("base", "random")}

    def median(treatment: str, metric: str, of: str) -> float:
        return float(np.median([getattr(run.findings[metric], of) for run in runs[treatment]]))

    assert median("random", "change", "value") > median("base", "change", "value") + 1.5
    for name in names[:-1]:
        assert abs(median("random", name, "z")) < 2.5, name
    for name in ("change", "novelty", "activity_mean", "activity_median"):
        assert abs(median("base", name, "z")) > 5, name
    assert {run.dynamics for run in runs["random"]} <= {"1", "2", "undecided"}
    assert median("random", "complexity", "value") < 14 < 18 < median("base", "complexity", "value")


def _measured(treatment: str, names: tuple[str, ...], seed: int) -> Measured:
    model = NKWorld.treatment(treatment, population=50, rng=seed)
    for _ in range(250):
        model.step()
    return measure(model.log.close(), names, shadows=20, filter=50, resolution=10)


@pytest.mark.slow
def test_the_figures_of_the_paper_come_out():
    found = NKWorld.reference(quick=True)
    assert len(found) == 20 and all(target.passed for target in found), found
