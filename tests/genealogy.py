"""Made-up histories for the tests of lineages, of their files and of their command."""

from __future__ import annotations

import hashlib
import random

from evolora_mesa.evolution.lineage import Phylogeny


def genome_of(id: int) -> str:
    return hashlib.sha256(str(id).encode()).hexdigest()


def made_book(size: int, seed: int = 0, *, living: int = 8, merging: float = 0.2) -> Phylogeny:
    """A world of ``living`` citizens: a quarter of a generation for each birth, half of the children accepted."""
    rng, book = random.Random(seed), Phylogeny()
    alive = list(range(1, living + 1))
    lineage = {id: id for id in alive}
    for id in alive:
        book.born(id, (), 0, "founder", genome_of(id), id, "founder")
    for id in range(living + 1, size + 1):
        parents = rng.sample(alive, 2 if rng.random() < merging else 1)
        lineage[id] = lineage[parents[0]]
        book.born(id, parents, id // 4, "svd" if len(parents) > 1 else "gaussian", genome_of(id), lineage[id], "birth")
        if rng.random() < 0.5:
            book.accepted(id, id // 4, rng.choice(["accepted", "confined", "revival"]))
            book.died(alive.pop(rng.randrange(len(alive))), id // 4, "bankrupt")
            alive.append(id)
        elif rng.random() < 0.9:
            book.died(id, id // 4 + rng.randrange(3), "rejected")
    return book
