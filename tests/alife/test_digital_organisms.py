"""DigitalOrganisms: a world that fills, evolves, is logged in full and can be taken up where it was left."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evolora_mesa.alife.digital_organisms import DigitalOrganisms, layout
from evolora_mesa.alife.digital_organisms.genome import LONGEST, ancestor
from evolora_mesa.alife.digital_organisms.jit import COMPILED
from evolora_mesa.alife.digital_organisms.programs import program
from evolora_mesa.alife.digital_organisms.schedule import pick, weigh
from evolora_mesa.alife.digital_organisms.tasks import TASKS
from evolora_mesa.errors import ConfigError

_SMALL = {"width": 6, "height": 6, "genome": ancestor(50)}
_NO_MUTATION = {"copy_mutation": 0.0, "insertion": 0.0, "deletion": 0.0}


def _run(updates: int, **settings) -> DigitalOrganisms:
    model = DigitalOrganisms(**{**_SMALL, **settings})
    for _ in range(updates):
        model.step()
    return model


def _digest(model: DigitalOrganisms) -> str:
    facts = [model.organisms.cpu, model.organisms.merit, model.levels, model.chance]
    return hashlib.sha256(b"".join(array.tobytes() for array in facts)).hexdigest()


@pytest.mark.slow
def test_one_replicator_fills_the_world_with_copies_of_itself_if_nothing_mutates():
    model = _run(80, **_NO_MUTATION)
    assert model.alive.all()
    assert {agent.genome for agent in model.agents} == {ancestor(50)}
    assert 80 * 30 / 189 - 2 < model.time_gen < 80 * 30 / 189 + 1  # a division of the ancestor takes 189 instructions
    assert model.log.keys("geno") == [ancestor(50)]


def test_mutations_make_genotypes_and_lengths():
    model = _run(120)
    assert len(model.log.keys("geno")) > 20
    assert len(set(model.facts(layout.LENGTH).tolist())) > 1
    words = model.log.frame("births")["op"]
    assert {"init", "clone", "mutate"} == set(words)


def test_an_update_executes_its_turns_and_no_more():
    model = _run(30)
    before, living = model.executed, int(model.alive.sum())
    model.step()
    assert model.executed - before == 30 * living


def test_the_processor_goes_to_merit():
    tree, chance, n = np.zeros(8), np.array([1, 2, 3, 4]), 4000
    for row, merit in enumerate((1.0, 0.0, 3.0)):
        weigh(tree, row, merit)
    counts = np.bincount([pick(tree, chance) for _ in range(n)], minlength=3)
    assert counts[1] == 0 and abs(counts[2] / n - 0.75) < 0.03


def test_a_task_multiplies_merit_where_it_is_rewarded_and_is_seen_where_it_is_not():
    paid, unpaid = (_run(60, **_NO_MUTATION, genome=program("EQU", 60), rewarded=names) for names in (TASKS, ("NOT",)))
    assert paid.solvers("EQU") == unpaid.solvers("EQU") == 36
    assert set(paid.organisms.merit) == {32.0 * merit for merit in unpaid.organisms.merit}
    assert {agent.phenotype_key() for agent in unpaid.agents} == {256}
    known = [paid.log.keys("pheno")[code] for code in paid.log.stream("births")["pheno"]]
    assert known[0] == 0 and set(known[1:]) == {256}  # a newborn is known by its parent's tasks
    assert {agent.niche() for agent in paid.agents} == {"EQU"} and {agent.niche() for agent in unpaid.agents} == {None}


def test_who_earns_more_takes_over():
    model = DigitalOrganisms(width=8, height=8, genome=program("NAND", 50), rng=2)
    while model.tick < 300:
        model.step()
    assert model.solvers("NAND") > 32
    unpaid = DigitalOrganisms(width=8, height=8, genome=program("NAND", 50), rng=2, rewarded=())
    while unpaid.tick < 300:
        unpaid.step()
    assert unpaid.solvers("NAND") < model.solvers("NAND")


def test_without_a_division_an_organism_dies_of_age_and_the_world_stops():
    model = DigitalOrganisms(genome="c" * 20, width=3, height=3)
    while model.running:
        model.step()
    assert model.tick == -(-20 * 20 // 30) and not model.alive.any()
    assert model.log.close().frame("deaths")["cause"].tolist() == ["age"]
    assert len(model.agents) == 0


def test_a_child_in_a_full_world_kills_whom_it_replaces():
    model = _run(120)
    causes = model.log.frame("deaths")["cause"].value_counts()
    assert causes["overwritten"] > 50
    assert model.alive.sum() == len(model.log.stream("births")) - len(model.log.stream("deaths"))


def test_children_live_next_to_their_parents_on_the_torus():
    model = DigitalOrganisms(width=9, height=7, genome=ancestor(50), snapshot_every=1)
    place: dict[int, tuple[int, int]] = {}
    while model.tick < 60:
        model.step()
        place |= {agent.uid: agent.cell for agent in model.agents}
    links = model.log.stream("links")
    known = [
        pair for pair in zip(links["child"].tolist(), links["parent"].tolist(), strict=True) if {*pair} <= {*place}
    ]
    apart = {
        min(abs(place[a][axis] - place[b][axis]), size - abs(place[a][axis] - place[b][axis]))
        for a, b in known
        for axis, size in enumerate((9, 7))
    }
    assert len(known) > 30 and apart == {0, 1}


def test_the_log_adds_up_and_its_last_snapshot_is_the_world():
    model = _run(100, genome=program("NOT", 50), snapshot_every=20)
    log = model.log.close()
    snapshots = log.frame("snapshots")
    last = snapshots[snapshots["step"] == 100]
    assert sorted(last["id"]) == sorted(model.facts(layout.ID).tolist())
    assert last["energy"].sum() == pytest.approx(model.organisms.merit.sum())
    phenotypes = log.keys("pheno")
    assert sorted(phenotypes[code] for code in last["pheno"]) == sorted(model.facts(layout.PHENOTYPE).tolist())
    genomes = log.keys("geno")
    assert {genomes[code] for code in last["geno"]} == {agent.genome for agent in model.agents}
    assert set(log.frame("evals")["task"]) >= {"NOT"}
    assert len(log.stream("complexities")) >= 1


def test_changes_in_the_log_lead_from_births_to_the_living():
    model = _run(100, genome=program("NOT", 50))
    births, changes = model.log.stream("births"), model.log.frame("changes")
    for what, key in (("pheno", "phenotype_key"), ("niche", "niche")):
        now = dict(zip(births["id"].tolist(), births[what].tolist(), strict=True))
        told = changes[changes["what"] == what]
        now |= dict(zip(told["id"], told["code"], strict=True))
        words = [*model.log.keys(what), None]  # code -1 is nothing
        assert len(told) > 5
        assert all(words[now[agent.uid]] == getattr(agent, key)() for agent in model.agents)


def test_limited_resources_are_eaten_and_rewards_are_what_was_eaten():
    model = _run(100, genome=program("NOT", 50), inflow=5.0)
    resources = model.log.close().frame("resources")
    not_, equ = (resources[resources["resource"] == task] for task in ("NOT", "EQU"))
    assert not_["consumed"].sum() > 0 == equ["consumed"].sum()
    level = not_["inflow"].sum() - not_["outflow"].sum() - not_["consumed"].sum()
    assert level == pytest.approx(not_["level"].iloc[-1]) == pytest.approx(model.levels[0])
    evals = model.log.frame("evals")
    assert evals[evals["task"] == "NOT"]["reward"].sum() == pytest.approx(not_["consumed"].sum())
    assert model.organisms.merit.max() > model.facts(layout.LENGTH).max()
    assert model.levels[8] == pytest.approx(5 * (1 - 0.99**100) / 0.01)


@pytest.mark.parametrize("settings", [{}, {"inflow": 3.0}], ids=["unlimited", "resources"])
def test_a_resumed_run_is_the_unbroken_one(settings):
    whole, first = _run(70, **settings), _run(33, **settings)
    state = first.state_dict()
    second = DigitalOrganisms(**{**_SMALL, **settings})
    second.load_state_dict(state)
    for _ in range(37):
        second.step()
    assert _digest(second) == _digest(whole)
    assert second.series() == whole.series()
    assert second.log.close().frame("births").equals(whole.log.close().frame("births"))
    assert state["arrays"]["memory"].shape[1] < LONGEST


def test_seeds_repeat_and_differ_and_recording_changes_nothing():
    assert _digest(_run(50, rng=1)) == _digest(_run(50, rng=1, record=False)) != _digest(_run(50, rng=2))


def test_a_full_buffer_of_events_is_emptied_and_the_update_goes_on(monkeypatch):
    usual = _run(60)
    monkeypatch.setattr("evolora_mesa.alife.digital_organisms.model._ROOM", 8)
    tight = _run(60)
    assert _digest(tight) == _digest(usual)
    assert sorted(tight.log.close().stream("births")["id"]) == sorted(usual.log.stream("births")["id"])


def test_the_picture_shows_who_lives_where():
    model = _run(20)
    picture = model.picture()
    alive = ~np.isnan(picture["layers"]["merit"])
    assert picture["shape"] == (6, 6) == alive.shape
    assert alive.sum() == len(picture["agents"]["x"]) == len(model.agents)
    assert alive[picture["agents"]["x"], picture["agents"]["y"]].all()
    assert {agent.cell for agent in model.agents} == set(
        zip(picture["agents"]["x"].tolist(), picture["agents"]["y"].tolist(), strict=True)
    )
    assert len(picture["series"]["organisms"]) == 21


def test_impossible_worlds_are_refused_in_one_line():
    for settings in ({"width": 2}, {"rewarded": ("NOT", "MAYBE")}, {"copy_mutation": 1.5}, {"genome": "x"}):
        with pytest.raises(ConfigError) as caught:
            DigitalOrganisms(**{**_SMALL, **settings})
        assert "\n" not in str(caught.value)


def _elsewhere(code: str) -> str:
    """What ``code`` prints without compiled kernels."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-W", "error::RuntimeWarning", "-c", code], env=environment,
                          capture_output=True, text=True, check=True)  # fmt: skip
    return done.stdout.strip()


@pytest.mark.skipif(not COMPILED, reason="numba is not installed: there is one kernel only")
def test_plain_python_and_numba_run_the_same_world_and_large_ones_ask_for_numba():
    code = """
from evolora_mesa.alife.digital_organisms import DigitalOrganisms
from evolora_mesa.alife.digital_organisms.genome import ancestor
from evolora_mesa.errors import ConfigError
import hashlib
model = DigitalOrganisms(width=6, height=6, genome=ancestor(50), inflow=3.0)
for _ in range(60):
    model.step()
facts = [model.organisms.cpu, model.organisms.merit, model.levels, model.chance]
print(hashlib.sha256(b"".join(array.tobytes() for array in facts)).hexdigest())
try:
    DigitalOrganisms(width=20, height=20)
except ConfigError as error:
    print(error)
"""
    digest, refusal = _elsewhere(code).splitlines()
    assert digest == _digest(_run(60, inflow=3.0))
    assert refusal.startswith("so large a world needs numba") and refusal.endswith("or make it 12 × 12.")


def test_quick_validation_passes_every_target():
    found = DigitalOrganisms.reference(quick=True)
    assert [target.name for target in found if not target.passed] == []
    assert sum(target.kind == "exact" for target in found) == 12


@pytest.mark.slow
def test_full_validation_passes_every_target():
    if not COMPILED:
        pytest.skip("needs numba")
    found = DigitalOrganisms.reference(quick=False)
    assert [(target.name, target.measured) for target in found if not target.passed] == []
