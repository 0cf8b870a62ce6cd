"""The event log of a recorded Evolora run, so that it is measured on the same ruler as the classic models.

What an organelle is: genotype, the hash of its genome at birth; phenotype, the set of cells that it has solved lately;
niche, the cell that has paid it most lately. Both are known only by its work, so a newborn has solved nothing, and what
it does later are changes. The line of founders (clade) is told by the births themselves.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from evolora_mesa.alife.log import EventLog
from evolora_mesa.alife.log_schema import NONE
from evolora_mesa.economy.ledger import QUANTA_PER_ENERGY
from evolora_mesa.errors import LogError
from evolora_mesa.record.layout import STORE_FILE
from evolora_mesa.record.store import RunStore

__all__ = ["CAPABILITIES", "evolora_log"]

CAPABILITIES: Final = frozenset(
    ("energy", "birth", "heredity", "death", "niches", "space", "multi_parent", "tasks", "descriptor")
)
_BORN: Final = ("founded", "birth", "revived")
_CAUSES: Final = {"bankrupt": "starved"}  # the only way to die; a cause that is new here is called culled

Cell = tuple[int, int]  # family and depth, from 0
Done = dict[Cell, tuple[int, int, float]]  # episodes, successes and income, by cell


def evolora_log(run: Path | str, *, window: int = 5, least_success: float = 0.5, least_episodes: int = 4) -> EventLog:
    """Read a run folder and close its log.

    Args:
        run: the folder; it may still be written.
        window: generations that "lately" means.
        least_success: share of a cell's episodes in which it has to be paid in full, in [0, 1], to have solved it.
        least_episodes: in that cell, lately; with fewer nothing is said.

    Raises:
        RunError: the store cannot be read.
        LogError: the run does not add up, or an argument is out of range.
    """
    for name, value, low, high in (
        ("window", window, 1, np.inf),
        ("least_success", least_success, 0, 1),
        ("least_episodes", least_episodes, 1, np.inf),
    ):
        if not low <= value <= high:
            raise LogError(f"{name} is out of range", expected=f"{low} to {high:g}", got=value)
    with RunStore.open(Path(run) / STORE_FILE) as store, store.snapshot():
        reader = _Reader(store, _Work(window, least_success, least_episodes))
        for generation, *_ in list(store.rows("SELECT generation FROM generations ORDER BY generation")):
            reader.take(generation)
    return reader.log.close()


class _Life(NamedTuple):
    genotype: int
    depth: float  # generations from the founders, mean over parents


@dataclass
class _Work:
    """What everybody has done lately: for the last generations, by organelle and cell, episodes, successes, income."""

    window: int
    least_success: float
    least_episodes: int
    lately: deque[dict[int, Done]] = field(default_factory=deque)

    def add(self, done: dict[int, Done]) -> None:
        self.lately.append(done)
        if len(self.lately) > self.window:
            self.lately.popleft()

    def of(self, organelle: int) -> Done:
        total: Done = {}
        for done in self.lately:
            for cell, (episodes, successes, income) in done.get(organelle, {}).items():
                before = total.get(cell, (0, 0, 0.0))
                total[cell] = (before[0] + episodes, before[1] + successes, before[2] + income)
        return total

    def solved(self, work: Done) -> list[Cell]:
        return [
            cell
            for cell, (episodes, successes, _) in work.items()
            if episodes >= self.least_episodes and successes >= self.least_success * episodes
        ]


class _Reader:
    """Takes one generation after the other out of the store and into the log."""

    def __init__(self, store: RunStore, work: _Work) -> None:
        self.store, self.work = store, work
        cells = "SELECT DISTINCT family, depth FROM cells ORDER BY family, depth"
        self.cells: list[Cell] = [(family, depth) for family, depth in store.rows(cells)]
        self.bit = {cell: place for place, cell in enumerate(self.cells)}
        self.sizes = tuple(max(sizes) + 1 for sizes in zip(*self.cells, strict=True)) if self.cells else (1, 1)
        meta = store.meta
        facts = {"model": "Evolora", "rng": int(meta.get("seed", 0)), "bins": list(self.sizes)}
        self.log = EventLog(CAPABILITIES, run=facts)
        self.tasks = [self.log.code("task", cell) for cell in self.cells]
        self.log.archive(id for (id,) in store.rows("SELECT DISTINCT organelle FROM archive"))
        self.episodes = bool(next(store.rows("SELECT count(*) FROM episodes"))[0])
        # The store does not say whose account is which. Cells have had theirs since the founding, in their own order.
        moved = (
            "SELECT source FROM ledger WHERE source_kind = 'cell' UNION "
            "SELECT target FROM ledger WHERE target_kind = 'cell' ORDER BY 1"
        )
        self.accounts = [account for (account,) in store.rows(moved)]
        if self.accounts and len(self.accounts) != len(self.cells):
            raise LogError(
                "cells cannot be told by their accounts",
                expected=f"{len(self.cells)} accounts of cells in the ledger",
                got=len(self.accounts),
            )
        self.lives: dict[int, _Life] = {}
        self.phenotype: dict[int, int] = {}
        self.niche: dict[int, int] = {}
        self.nothing = self.log.code("pheno", 0)
        self.time = 0.0

    def take(self, generation: int) -> None:
        """Births and deaths in their order, then what the living do, then who they are."""
        living = list(
            self.store.rows(
                "SELECT id, family, depth, energy, age, answered, succeeded FROM organelles WHERE generation = ? "
                "ORDER BY id",
                (generation,),
            )
        )
        events = list(self._events(generation))
        for id, facts in ((id, facts) for born, id, facts in events if born):
            parents = facts.get("parents", ())
            if unknown := [parent for parent in parents if parent not in self.lives]:
                raise LogError("the log cannot be measured", expected="parents that were born", got=unknown[0])
            depth = 1 + float(np.mean([self.lives[parent].depth for parent in parents])) if parents else 0.0
            self.lives[id] = _Life(self.log.code("geno", facts["genome"]), depth)
        if unknown := [row[0] for row in living if row[0] not in self.lives]:
            raise LogError("the log cannot be measured", expected="a birth of everybody alive", got=unknown[0])
        if living:
            self.time = max(self.time, float(np.mean([self.lives[row[0]].depth for row in living])))
        for born, group in groupby(events, key=lambda event: event[0]):
            (self._births if born else self._deaths)(generation, [(id, facts) for _, id, facts in group])
        self._energy(generation)
        self._work(generation, living)
        self._changes(generation, [row[0] for row in living], {row[0]: (row[1], row[2]) for row in living})
        self._snapshot(generation, living)
        self._resources(generation)

    def _events(self, generation: int) -> Iterator[tuple[bool, int, dict[str, Any]]]:
        rows = self.store.rows(
            "SELECT kind, organelle, data FROM events WHERE generation = ? AND kind IN ('founded', 'birth', 'revived', "
            "'death') ORDER BY sequence",
            (generation,),
        )
        for kind, id, data in rows:
            yield kind in _BORN, id, {**json.loads(data), "kind": kind}

    def _births(self, generation: int, born: Sequence[tuple[int, dict[str, Any]]]) -> None:
        """Each parent's share is the same: the store does not tell how much of an adapter came from whom."""
        most = max(len(facts.get("parents", ())) for _, facts in born) or 1
        parents = np.full((len(born), most), NONE)
        ops = []
        for row, (id, facts) in enumerate(born):
            its = facts.get("parents", ())
            parents[row, : len(its)] = its
            ops.append(_op(facts["kind"], len(its)))
            self.phenotype[id], self.niche[id] = self.nothing, NONE
        ids = [id for id, _ in born]
        geno = [self.lives[id].genotype for id in ids]
        self.log.births(generation, self.time, ids, parents, op=ops, geno=geno, pheno=self.nothing)

    def _deaths(self, generation: int, dead: Sequence[tuple[int, dict[str, Any]]]) -> None:
        causes = [_CAUSES.get(facts.get("cause", ""), "culled") for _, facts in dead]
        self.log.deaths(generation, self.time, [id for id, _ in dead], causes)

    def _energy(self, generation: int) -> None:
        """What organelles gained and lost, by reason."""
        query = (
            "SELECT reason, sum(quanta * ((target_kind = 'organelle') - (source_kind = 'organelle'))) FROM ledger "
            "WHERE generation = ? GROUP BY reason"
        )
        for reason, quanta in self.store.rows(query, (generation,)):
            if quanta:
                self.log.energy(generation, NONE, reason, quanta / QUANTA_PER_ENERGY)

    def _work(self, generation: int, living: Sequence[tuple[Any, ...]]) -> None:
        """Episodes as evaluations: what a cell paid is shared by reward, what organelles paid the soil by episodes."""
        if self.episodes:
            query = (
                "SELECT organelle, family, depth, count(*), sum(success), sum(reward) FROM episodes "
                "WHERE generation = ? GROUP BY 1, 2, 3"
            )
            rows = list(self.store.rows(query, (generation,)))
        else:  # only where somebody lives is known then, and nothing of rewards
            rows = [
                (id, family, depth, answered, right, float(right)) for id, family, depth, *_, answered, right in living
            ]
        rows = self._paid(generation, rows)
        done: dict[int, Done] = {}
        for id, family, depth, episodes, successes, income in rows:
            done.setdefault(id, {})[family, depth] = (episodes, successes, income)
        self.work.add(done)
        if not rows:
            return
        paid = (
            "SELECT total(quanta) FROM ledger "
            "WHERE generation = ? AND source_kind = 'organelle' AND target_kind = 'soil'"
        )
        ids, families, depths, episodes, successes, income = (np.array(column) for column in zip(*rows, strict=True))
        cost = next(self.store.rows(paid, (generation,)))[0] / QUANTA_PER_ENERGY / episodes.sum()
        tasks = [self.tasks[self.bit[cell]] for cell in zip(families.tolist(), depths.tolist(), strict=True)]
        self.log.evals(generation, ids, tasks, income, episodes * cost, successes / episodes)

    def _paid(self, generation: int, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Rows of work with energy for reward. A crowded cell's pool pays less than its price, so it is not that."""
        paid: dict[int, int] = dict(
            self.store.rows(
                "SELECT source, sum(quanta) FROM ledger WHERE generation = ? AND reason = 'reward' GROUP BY source",
                (generation,),
            )
        )
        earned: dict[Cell, float] = {}
        for _, family, depth, _, _, reward in rows:
            earned[family, depth] = earned.get((family, depth), 0.0) + reward
        rate = {
            cell: paid.get(account, 0) / QUANTA_PER_ENERGY / earned[cell]
            for account, cell in zip(self.accounts, self.cells, strict=bool(self.accounts))
            if earned.get(cell, 0.0) > 0
        }
        return [
            (*row[:5], row[5] * rate.get((row[1], row[2]), 0.0 if self.accounts else 1.0)) for row in rows if row[3]
        ]

    def _changes(self, generation: int, ids: Sequence[int], homes: dict[int, Cell]) -> None:
        """New phenotypes and niches of those who are alive."""
        for what, known in (("pheno", self.phenotype), ("niche", self.niche)):
            changed: dict[int, int] = {}
            for id in ids:
                work = self.work.of(id)
                key: Hashable = self._mask(work) if what == "pheno" else _best_paid(work, homes[id])
                if (code := self.log.code(what, key)) != known[id]:
                    changed[id] = known[id] = code
            if changed:
                self.log.changed(generation, list(changed), what, list(changed.values()))

    def _mask(self, work: Done) -> int:
        """A bit for every cell that is solved."""
        return sum(1 << self.bit[cell] for cell in self.work.solved(work))

    def _snapshot(self, generation: int, living: Sequence[tuple[Any, ...]]) -> None:
        """Fitness is the share of tasks paid in full; the descriptor is the home cell's middle."""
        table = np.array(living, float).reshape(-1, 7)
        ids = table[:, 0].astype(int)
        answered, right = table[:, 5], table[:, 6]
        self.log.snapshot(
            generation,
            self.time,
            ids,
            energy=table[:, 3],
            age=table[:, 4],
            generation=[self.lives[id].depth for id in ids.tolist()],
            geno=[self.lives[id].genotype for id in ids.tolist()],
            pheno=[self.phenotype[id] for id in ids.tolist()],
            niche=[self.niche[id] for id in ids.tolist()],
            fitness=np.divide(right, answered, out=np.full(len(ids), np.nan), where=answered > 0),
            descriptor=(table[:, 1:3] + 0.5) / np.array(self.sizes),
        )

    def _resources(self, generation: int) -> None:
        query = "SELECT family, depth, pool FROM cells WHERE generation = ? ORDER BY family, depth"
        cells = [(f"{family}.{depth}", pool) for family, depth, pool in self.store.rows(query, (generation,))]
        if cells:
            self.log.resources(generation, [name for name, _ in cells], [pool for _, pool in cells])


def _best_paid(work: Done, home: Cell) -> Cell:
    """The cell that paid most; the one it lives in when none has paid."""
    best = max(work, key=lambda cell: work[cell][2], default=home)
    return best if best in work and work[best][2] > 0 else home


def _op(kind: str, parents: int) -> str:
    """An elite that comes back is taken in from outside of the living; a child is a mutant or a merge."""
    if kind == "founded":
        return "init"
    return "inject" if kind == "revived" else "merge" if parents > 1 else "mutate"
