"""The family tree of a world as a drawing: who lives in which lane, and what was known at a generation.

A life is a horizontal line from birth to death. Lanes that end are taken by others, as near to their parents as can be,
so the tree of thousands is no higher than their world was full. A world that lives and one on record are drawn by the
same functions, from the records of its `Phylogeny`.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evolora_mesa.evolution.lineage import Census, Record, census_of

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Family", "Moment", "Tree", "family_of", "family_of_run", "kind_of", "lay_out", "moment"]

_MOST_DRAWN: Final = 2500  # lives; about a megabyte on the way to the browser


@dataclass(frozen=True, eq=False)  # as all that is drawn from: a family is compared with every drawing
class Family:
    """Everybody who ever lived, in order of birth, and the generation up to which that is known."""

    records: tuple[Record, ...]
    last: int


@dataclass(frozen=True, eq=False)
class Tree:
    """Who is drawn where.

    Attributes:
        records: those drawn, in order of birth.
        lanes: by id, counted from 0 at the top.
        height: number of lanes.
        left_out: how many are not drawn, for want of room.
    """

    records: tuple[Record, ...]
    lanes: Mapping[int, int]
    height: int
    left_out: int


@dataclass(frozen=True, eq=False)
class Moment:
    """What was known after a generation.

    Attributes:
        generation: which.
        records: by id, everybody born until then; what came later has not happened.
        lasting: ids of the living and of all their ancestors.
        census: counts.
        living: how many are alive.
        on_trial: how many of these have not passed their trial.
    """

    generation: int
    records: Mapping[int, Record]
    lasting: frozenset[int]
    census: Census
    living: int
    on_trial: int


# ---------------------------------------------------------------- where the records come from


def family_of(model: EcologyModel) -> Family:
    """The family of a world; records never change, so nothing is shared that could."""
    return Family(tuple(model.phylogeny), model.tick)


def family_of_run(store_path: Path, before: Family | None = None) -> Family:
    """The family of a run on record, also while it is still written; ``before`` itself where nothing has come since.

    Args:
        store_path: of its ``run.sqlite``.

    Raises:
        RunError: it cannot be read.
    """
    from evolora_mesa.record.report.reading import phylogeny_of
    from evolora_mesa.record.store import RunStore

    with RunStore.open(store_path) as store, store.snapshot():
        store.refresh()
        last = max(store.generation, 0)
        return before if before is not None and before.last == last else Family(tuple(phylogeny_of(store)), last)


# ---------------------------------------------------------------- what was known when


def moment(records: Sequence[Record], generation: int) -> Moment:
    """The family as it was after a generation."""
    known = {record.id: _until(record, generation) for record in records if record.origin <= generation}
    lasting = _lasting(known.values())
    living = [record for record in known.values() if record.alive]
    on_trial = sum(record.status == "trial" for record in living)
    return Moment(generation, known, lasting, census_of(known.values(), lasting), len(living), on_trial)


def _until(record: Record, generation: int) -> Record:
    """A life without what came later."""
    if record.destruction is not None and record.destruction > generation:
        record = record._replace(destruction=None, cause="")
    if record.acceptance is not None and record.acceptance > generation:
        record = record._replace(acceptance=None, status="trial")
    return record


def _lasting(records: Collection[Record]) -> frozenset[int]:
    """Ids of the living among them and of all their ancestors, both sides of merges included."""
    lasting: set[int] = set()
    for record in reversed(list(records)):  # children before their parents: one pass, no recursion
        if record.alive or record.id in lasting:
            lasting.add(record.id)
            lasting.update(record.parents)
    return frozenset(lasting)


def kind_of(record: Record) -> str:
    """How it came to be: ``founder``, ``revival``, ``merge`` or ``mutation``."""
    if record.status in ("founder", "revival"):
        return record.status
    return "merge" if record.merged else "mutation"


# ---------------------------------------------------------------- who is drawn where


def lay_out(family: Family, *, everybody: bool = False, most: int = _MOST_DRAWN) -> Tree:
    """Give every life a lane, in O(n log n): of those that are free at its birth the one next to its parent's.

    A life keeps its lane whatever happens later, so a tree that grows does not move.

    Args:
        everybody: also those who never passed their trial, and so left nobody behind.
        most: lives to draw. The living and their ancestors come first, then those born last.
    """
    wanted = [record for record in family.records if everybody or record.alive or record.status != "trial"]
    drawn = _thinned(wanted, most)
    lanes: dict[int, int] = {}
    free: list[int] = []  # ascending
    busy: list[tuple[int, int]] = []  # a heap of (death, lane)
    height = 0
    for record in sorted(drawn, key=lambda record: (record.origin, record.id)):
        while busy and busy[0][0] < record.origin:
            insort(free, heappop(busy)[1])
        near = next((lanes[parent] for parent in record.parents if parent in lanes), None)
        if not free or near is None:  # founders lie apart, with room for a child beside each
            free += [height, height + 1] if near is None else [height]
            height = free[-1] + 1
            lane = free.pop(-2 if near is None else -1)
        else:
            lane = free.pop(_nearest(free, near))
        lanes[record.id] = lane
        if record.destruction is not None:
            heappush(busy, (record.destruction, lane))
    return Tree(tuple(drawn), lanes, height, len(wanted) - len(drawn))


def _nearest(lanes: Sequence[int], wanted: int) -> int:
    """Place of the lane that is nearest to the wanted one; of two the lower."""
    after = bisect_left(lanes, wanted)
    return min(range(max(after - 1, 0), min(after + 1, len(lanes))), key=lambda place: abs(lanes[place] - wanted))


def _thinned(records: Sequence[Record], most: int) -> list[Record]:
    """At most so many of them."""
    if len(records) <= most:
        return list(records)
    lasting = _lasting(records)
    first = sorted(reversed(records), key=lambda record: record.id not in lasting)
    kept = {record.id for record in first[:most]}
    return [record for record in records if record.id in kept]
