"""A run of the world itself on the same ruler."""

import sqlite3

import numpy as np
import pytest

from evolora_mesa.alife.evolora_log import CAPABILITIES, evolora_log
from evolora_mesa.alife.metrics import measure
from evolora_mesa.cli import main
from evolora_mesa.errors import LogError, RunError


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "run"
    words = ["--set", "economy.ticket=2", "--set", "host.tune_cpu=false"]
    assert main(["run", "smoke", "--generations", "10", "--quiet", "--out", str(folder), *words]) == 0
    return folder


def rows(run, query: str) -> list[tuple]:
    with sqlite3.connect(f"file:{run}/run.sqlite?mode=ro", uri=True) as store:
        return store.execute(query).fetchall()


def test_every_birth_and_death_of_the_run_is_in_the_log(run):
    log = evolora_log(run)
    assert log.closed and log.capabilities == CAPABILITIES
    lives = rows(run, "SELECT id, parents, destruction FROM phylogeny ORDER BY id")
    born = log.frame("births").sort_values("id")
    assert born["id"].tolist() == [id for id, _, _ in lives]
    died = {id: end for id, _, end in lives if end is not None}
    deaths = log.frame("deaths")
    assert died and dict(zip(deaths["id"], deaths["step"], strict=True)) == died
    assert set(deaths["cause"]) == {"starved"}
    links = log.frame("links").groupby("child")["parent"].apply(list).to_dict()
    assert links == {id: list(map(int, parents.split())) for id, parents, _ in lives if parents}


def test_the_accounts_explain_the_energies_and_the_evaluations_the_income(run):
    log = evolora_log(run)
    energy = log.frame("energy").groupby("account")["amount"].sum()
    paid = rows(run, "SELECT total(quanta) / 1e6 FROM ledger WHERE reason = 'reward' AND target_kind = 'organelle'")
    assert energy["reward"] == pytest.approx(paid[0][0])
    assert energy["ticket"] < 0
    assert log.stream("evals")["reward"].sum() == pytest.approx(paid[0][0])
    held = log.stream("snapshots")["energy"]
    last = log.stream("marks")["first"][-1]
    assert held[last:].sum() == pytest.approx(
        rows(run, "SELECT total(energy) FROM organelles WHERE generation = 10")[0][0]
    )
    costs = log.stream("evals")["cost"] * 1.0
    spent = rows(run, "SELECT total(quanta) / 1e6 FROM ledger WHERE source_kind = 'organelle' AND target_kind = 'soil'")
    assert 0 < costs.sum() <= spent[0][0]


def test_a_phenotype_is_the_set_of_cells_solved_lately(run):
    log = evolora_log(run, window=3, least_episodes=2)
    done = rows(
        run,
        "SELECT organelle, family * 2 + depth, count(*), sum(success) FROM episodes "
        "WHERE generation BETWEEN 8 AND 10 GROUP BY 1, 2",
    )
    expected: dict[int, int] = {}
    for id, cell, episodes, right in done:
        expected[id] = expected.get(id, 0) | (1 << cell if episodes >= 2 and right >= 0.5 * episodes else 0)
    first = int(log.stream("marks")["first"][-1])
    snapshots = log.stream("snapshots")
    told = {
        int(id): log.keys("pheno")[code]
        for id, code in zip(snapshots["id"][first:], snapshots["pheno"][first:], strict=True)
    }
    assert told == {id: expected[id] for id in told} and any(told.values())


def test_a_cell_is_solved_only_after_enough_episodes(run):
    few, many = (evolora_log(run, window=3, least_episodes=least) for least in (1, 10**6))
    assert set(many.stream("changes")["what"]) <= {1}, "only niches change when nobody has tried enough"
    assert 0 in set(few.stream("changes")["what"])
    for wrong in ({"window": 0}, {"least_success": 1.5}, {"least_episodes": 0}):
        with pytest.raises(LogError, match="out of range"):
            evolora_log(run, **wrong)


def spoiled(run, folder, *queries: str):
    """A copy of the run, with its store changed."""
    folder.mkdir()
    (folder / "run.sqlite").write_bytes((run / "run.sqlite").read_bytes())
    with sqlite3.connect(folder / "run.sqlite") as store:
        for query in queries:
            store.execute(query)
    return folder


def test_the_dead_are_parents_when_they_are_in_the_archive(run, tmp_path):
    (dead, since), *_ = rows(run, "SELECT id, destruction FROM phylogeny WHERE destruction < 10 ORDER BY 2")
    new = "INSERT INTO events (generation, sequence, kind, organelle, data) VALUES "
    orphan = (
        f'{new} ({since + 1}, 10000, \'birth\', 999, \'{{"parents": [{dead}], "genome": "g"}}\')',
        f"{new} ({since + 1}, 10001, 'death', 999, '{{\"cause\": \"bankrupt\"}}')",
    )
    log = evolora_log(spoiled(run, tmp_path / "kept", *orphan, f"UPDATE archive SET organelle = {dead}"))
    assert log.archived == {dead} and dead in set(log.stream("links")["parent"])
    with pytest.raises(LogError, match="not archived"):
        evolora_log(spoiled(run, tmp_path / "lost", *orphan, "DELETE FROM archive"))


def test_a_run_that_lost_a_birth_or_a_cells_account_is_refused(run, tmp_path):
    with pytest.raises(LogError, match="birth of everybody"):
        evolora_log(spoiled(run, tmp_path / "birth", "DELETE FROM events WHERE kind = 'founded'"))
    ((last,),) = rows(run, "SELECT max(target) FROM ledger WHERE target_kind = 'cell'")
    queries = [f"DELETE FROM ledger WHERE {end}_kind = 'cell' AND {end} = {last}" for end in ("source", "target")]
    with pytest.raises(LogError, match="cannot be told by their accounts"):
        evolora_log(spoiled(run, tmp_path / "account", *queries))


def test_the_ruler_measures_it(run):
    findings = measure(evolora_log(run), shadows=5).findings
    assert findings["tasks_solved"].value >= 1
    assert findings["closure_error"].value < 1e-9
    assert findings["complexity"].value is None and findings["complexity"].why == "no complexity"
    assert 0 < findings["qd_coverage"].value <= 1
    assert findings["hill_1"].value >= 1 and len(findings["hill_1"].shadows) == 5
    assert all(np.isfinite(finding.shadows).all() for finding in findings.values())


def test_a_run_that_lost_a_death_is_refused(run, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    (copy / "run.sqlite").write_bytes((run / "run.sqlite").read_bytes())
    with sqlite3.connect(copy / "run.sqlite") as store:
        store.execute("DELETE FROM events WHERE kind = 'death'")
    with pytest.raises(LogError, match="births less deaths"):
        evolora_log(copy)
    with pytest.raises(RunError):
        evolora_log(tmp_path)
