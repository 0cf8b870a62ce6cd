"""Made-up worlds in event logs, for the tests of what measures them."""

from __future__ import annotations

import numpy as np

from evolora_mesa.alife.log import EventLog

EVERYTHING = ("energy", "birth", "heredity", "death", "niches", "multi_parent", "tasks", "complexity", "descriptor")


def moran_log(
    steps: int = 300,
    *,
    agents: int = 60,
    turned_over: int = 6,
    mutants: float = 0.1,
    advantage: float = 0.0,
    merges: float = 0.0,
    at_once: bool = False,
    seed: int = 0,
) -> EventLog:
    """A population of constant size whose genotypes mutate; not closed.

    Args:
        advantage: every mutant's fitness is its parent's times a factor exp(N(0, advantage)); 0 is drift.
        merges: share of births with a second parent, of weight .25.
        at_once: all die when the next generation is born.
    """
    rng = np.random.default_rng(seed)
    log = EventLog(EVERYTHING, run={"model": "Moran"})
    ids, kinds, fitness, trait = np.arange(agents), np.zeros(agents, int), np.ones(agents), np.zeros(agents)
    born, known = agents, 1
    log.births(0, 0.0, ids)
    log.snapshot(0, 0.0, ids, traits={"z": trait}, fitness=fitness)
    many = agents if at_once else turned_over
    for step in range(1, steps + 1):
        now = step * many / agents
        first = rng.choice(agents, many, p=fitness / fitness.sum())
        second = (first + rng.integers(1, agents, many)) % agents
        merged = rng.random(many) < merges
        mutant = rng.random(many) < mutants
        theirs, fit = kinds[first].copy(), fitness[first].copy()
        theirs[mutant] = np.arange(known, known + mutant.sum())
        fit[mutant] *= np.exp(rng.normal(0.0, advantage, mutant.sum())) if advantage else 1.0
        passed_on = np.where(merged, 0.75 * trait[first] + 0.25 * trait[second], trait[first])
        children = np.arange(born, born + many)
        parents = np.stack([ids[first], np.where(merged, ids[second], -1)], axis=1)
        weights = np.where(merged[:, None], [0.75, 0.25], [1.0, 0.0])
        op = np.where(merged, 3, np.where(mutant, 2, 1))
        log.births(step, now, children, parents, weights, op, theirs, theirs // 2)
        victims = np.arange(agents) if at_once else rng.choice(agents, many, replace=False)
        log.deaths(step, now, ids[victims])
        ids[victims], kinds[victims], fitness[victims] = children, theirs, fit
        trait[victims] = passed_on + rng.normal(0.0, 0.1, many)
        born, known = born + many, known + int(mutant.sum())
        if step % 10 == 0:
            log.snapshot(step, now, ids, geno=kinds, pheno=kinds // 2, traits={"z": trait}, fitness=fitness)
    return log


def without(log: EventLog, stream: str, rows: np.ndarray) -> EventLog:
    """The log with rows of a stream gone, as if they had never been written: the events are counted anew."""
    table = log.stream(stream)
    table.replace({name: np.delete(table[name], rows) for name in table})
    events = [log.stream(name) for name in ("births", "deaths", "changes")]
    order = np.sort(np.concatenate([events_of["seq"] for events_of in events]))
    for events_of in events:
        events_of.replace(events_of.arrays() | {"seq": np.searchsorted(order, events_of["seq"])})
    marks = log.stream("marks")
    marks.replace(marks.arrays() | {"events": np.searchsorted(order, marks["events"])})
    log._events = len(order)
    return log
