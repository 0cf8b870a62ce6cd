"""Neutral shadows: as many births and deaths as the log at the same times, of agents drawn by lot."""

import numpy as np
import pytest
from made_log import moran_log

from evolora_mesa.alife.history import History
from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.shadow import shadows


@pytest.mark.parametrize("at_once", [False, True])
def test_a_shadow_lives_at_the_same_times_with_the_same_mutations(at_once):
    real = History.of(moran_log(60, merges=0.3, at_once=at_once).close(), "geno")
    n = len(real.born)
    for shadow in shadows(real, 3):
        assert (shadow.population == real.population).all()
        assert (shadow.born == real.born).all() and (shadow.died >= shadow.born).all()
        assert not (shadow.parent == real.parent).all()
        assert (shadow.born[shadow.parent] < shadow.born[shadow.child]).all()
        assert (shadow.died[shadow.parent] >= shadow.born[shadow.child]).all(), "parents live"
        fresh = real.source < 0
        assert (shadow.component[:n][fresh] == real.component[:n][fresh]).all()
        first = real.links_of[0][~fresh & ~real.literal]
        copied = real.child[first]
        assert (shadow.component[copied] == shadow.component[shadow.parent[first]]).all()


def test_two_parents_of_a_shadow_child_are_two():
    real = History.of(moran_log(60, merges=1.0).close(), "geno")
    shadow = next(shadows(real, 1))
    begin, count = shadow.links_of
    two = begin[count == 2]
    assert len(two) and (shadow.parent[two] != shadow.parent[two + 1]).all()


def test_the_same_seed_draws_the_same_shadows_for_every_kind_of_component():
    log = moran_log(40).close()
    geno, pheno = (list(shadows(History.of(log, kind), 2, seed=3)) for kind in ("geno", "pheno"))
    other = next(shadows(History.of(log, "geno"), 1, seed=4))
    assert all((a.parent == b.parent).all() and (a.died == b.died).all() for a, b in zip(geno, pheno, strict=True))
    assert not (geno[0].parent == geno[1].parent).all()
    assert not (other.parent == geno[0].parent).all()


def test_sorts_that_never_descend_from_each_other_do_not_in_a_shadow():
    rng = np.random.default_rng(0)
    log, born = EventLog(run={"apart": "niche"}), 40
    living = [list(range(30)), list(range(30, 40))]
    log.births(0, 0.0, range(40), niche=[0] * 30 + [1] * 10, geno=np.arange(40))
    for step in range(1, 60):
        for sort, (herd, many) in enumerate(zip(living, (6, 2), strict=True)):
            parents = rng.choice(herd, many)
            log.births(step, step / 5, born + np.arange(many), parents, niche=sort, geno=100 + sort)
            dead = rng.choice(herd, many, replace=False).tolist()
            log.deaths(step, step / 5, dead)
            herd[:] = [id for id in herd if id not in dead] + list(range(born, born + many))
            born += many
        log.changed(step, [living[0][0]], "pheno", step)
    log.snapshot(59, 12.0, sorted(living[0] + living[1]))
    real = History.of(log.close(), "pheno")
    for shadow in shadows(real, 3):
        assert (shadow.sort[shadow.parent] == shadow.sort[shadow.child]).all()
        assert not (shadow.parent == real.parent).all()
        alive = shadow.living(59)
        assert np.bincount(shadow.sort[alive]).tolist() == [30, 10]
        assert (shadow.sort[shadow.owner[len(real.born) :]] == 0).all(), "changes befall those of the sort"
        assert (shadow.born[shadow.parent] < shadow.born[shadow.child]).all()


def test_changes_in_life_befall_living_agents_of_the_shadow():
    log = EventLog()
    log.births(0, 0.0, range(20), pheno=0)
    for step in range(1, 11):
        log.changed(step, [step], "pheno", step)
    log.deaths(11, 1.0, range(10))
    log.snapshot(11, 1.0, range(10, 20))
    real = History.of(log.close(), "pheno")
    assert sorted(real.components_at(10)[1].tolist()) == [0] * 10 + list(range(1, 11))
    shadow = next(shadows(real, 1))
    assert len(shadow.components_at(10)[0]) == 20
    assert len(shadow.components_at(11)[0]) == 10
    assert set(shadow.owner[20:].tolist()) != set(range(1, 11))


def test_those_from_outside_are_taken_over_as_they_are():
    log = EventLog()
    log.births(0, 0.0, range(4), geno=np.arange(4))
    log.archive([0])
    log.births(1, 1.0, [4], [0], op="inject", geno=9)
    log.snapshot(1, 1.0, range(5))
    shadow = next(shadows(History.of(log.close(), "geno"), 1))
    assert shadow.component[4] == 9 and shadow.parent[0] == 0


def test_a_child_copies_what_its_parent_is_when_it_is_born():
    log = EventLog()
    log.births(0, 0.0, [0], pheno=0)
    log.changed(1, [0], "pheno", 5)
    log.births(2, 1.0, [1, 2], [0, 0], pheno=[5, 0])
    log.snapshot(2, 1.0, [0, 1, 2])
    assert History.of(log.close(), "pheno").source.tolist() == [-1, 0, -1]


def test_time_never_falls_when_the_mean_generation_does():
    log = EventLog()
    for step, time in enumerate([0.0, 1.0, 0.5, 2.0]):
        log.births(step, time, [step])
    log.snapshot(3, 2.0, range(4))
    assert History.of(log.close()).time.tolist() == [0, 1, 1, 2]
