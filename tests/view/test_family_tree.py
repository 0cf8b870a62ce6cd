"""The layout of a family tree, and what was known of a family at a generation."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from genealogy import genome_of, made_book
from made_run import make_run
from world_fixtures import live, lively_world

from evolora_mesa.evolution.lineage import Phylogeny, Record
from evolora_mesa.host import HostService
from evolora_mesa.record.layout import STORE_FILE
from evolora_mesa.record.report.reading import phylogeny_of
from evolora_mesa.record.store import RunStore
from evolora_mesa.view.lineage import Family, family_of, family_of_run, kind_of, lay_out, moment

SEEDS = range(6)


def family(size: int = 200, seed: int = 0, **made: float) -> Family:
    book = made_book(size, seed, **made)
    return Family(tuple(book), max(max(record.origin, record.destruction or 0) for record in book))


def born(book: Phylogeny, id: int, parents: tuple[int, ...], generation: int) -> None:
    lineage = book[parents[0]].lineage if parents else id
    kind = "birth" if parents else "founder"
    book.born(id, parents, generation, "gaussian" if parents else "founder", genome_of(id), lineage, kind)


def end_of(record: Record, last: int) -> int:
    return last if record.destruction is None else record.destruction


# ---------------------------------------------------------------- lanes


@pytest.mark.parametrize("everybody", [True, False])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_lives_share_a_lane_at_a_time(seed: int, everybody: bool) -> None:
    found = family(seed=seed)
    tree = lay_out(found, everybody=everybody)
    in_lane: dict[int, list[Record]] = {}
    for record in sorted(tree.records, key=lambda record: record.origin):
        in_lane.setdefault(tree.lanes[record.id], []).append(record)
    for lives in in_lane.values():
        assert all(end_of(before, found.last) < after.origin for before, after in pairwise(lives))
    assert sorted(in_lane) == [*range(tree.height)] or max(in_lane) < tree.height


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tree_is_no_higher_than_its_world_was_full(seed: int) -> None:
    found = family(3000, seed, merging=0.3)
    tree = lay_out(found)
    alive_at_once = max(
        sum(record.origin <= t <= end_of(record, found.last) for record in tree.records) for t in range(found.last + 1)
    )
    founders = sum(not record.parents for record in tree.records)
    assert tree.height <= max(2 * founders, founders + alive_at_once)
    assert tree.height < len(tree.records) / 5


def test_a_child_lives_next_to_its_parent() -> None:
    book = Phylogeny()
    for id in (1, 2, 3):
        born(book, id, (), 0)
    born(book, 4, (2,), 5)
    born(book, 5, (4, 1), 7)
    lanes = lay_out(Family(tuple(book), 9)).lanes
    assert abs(lanes[4] - lanes[2]) == 1
    assert abs(lanes[5] - lanes[4]) <= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_a_tree_that_grows_does_not_move(seed: int) -> None:
    found = family(seed=seed)
    whole = lay_out(found, everybody=True)
    for generation in (0, 10, 25):
        known = Family(tuple(moment(found.records, generation).records.values()), generation)
        part = lay_out(known, everybody=True)
        assert part.lanes == {id: whole.lanes[id] for id in part.lanes}


def test_those_who_never_passed_are_drawn_only_when_asked_for() -> None:
    found = family()
    rejected = {record.id for record in found.records if record.status == "trial" and not record.alive}
    assert rejected
    assert rejected.isdisjoint(lay_out(found).lanes)
    assert rejected <= lay_out(found, everybody=True).lanes.keys()


def test_where_there_is_no_room_the_living_and_their_ancestors_stay() -> None:
    found = family(1000)
    lasting = moment(found.records, found.last).lasting
    tree = lay_out(found, everybody=True, most=len(lasting) + 20)
    assert lasting < tree.lanes.keys()
    assert (len(tree.records), tree.left_out) == (len(lasting) + 20, 1000 - len(lasting) - 20)
    assert [record.id for record in tree.records] == sorted(tree.lanes)


def test_a_family_of_nobody_is_a_tree_without_lanes() -> None:
    tree = lay_out(Family((), 0))
    assert (tree.records, tree.lanes, tree.height, tree.left_out) == ((), {}, 0, 0)


# ---------------------------------------------------------------- moments


@pytest.mark.parametrize("seed", SEEDS)
def test_a_moment_is_what_was_known_then(seed: int) -> None:
    """The book as it stood after every generation, against what is told of the finished one."""
    finished, book = made_book(120, seed), Phylogeny()
    last = max(record.destruction or record.origin for record in finished)
    for generation in range(last + 1):
        for record in finished:
            if record.origin == generation:
                kind = "birth" if record.parents else "founder"
                book.born(*record[:3], record.operator, record.genome, record.lineage, kind)
            if record.acceptance == generation:
                book.accepted(record.id, generation, record.status)
            if record.destruction == generation:
                book.died(record.id, generation, record.cause)
        then = moment(tuple(finished), generation)
        assert [*then.records.values()] == [*book]
        assert then.census == book.census()
        assert then.lasting == book.ancestors_of_living()
        assert then.living == sum(record.alive for record in book)
        assert then.on_trial == sum(record.alive and record.status == "trial" for record in book)


def test_kinds_of_births() -> None:
    book = Phylogeny()
    born(book, 1, (), 0)
    born(book, 2, (1,), 1)
    born(book, 3, (1, 2), 2)
    born(book, 4, (1,), 3)
    book.accepted(4, 3, "revival")
    assert [kind_of(record) for record in book] == ["founder", "mutation", "merge", "revival"]


# ---------------------------------------------------------------- where it comes from


def test_the_family_of_a_world_is_its_book(petri: HostService) -> None:
    model = live(lively_world(petri), 6)
    found = family_of(model)
    assert (found.records, found.last) == (tuple(model.phylogeny), 6)
    assert len(found.records) > 4
    model.step()
    assert found.last == 6


def test_the_family_of_a_run_is_that_of_its_record(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "run", 6)
    found = family_of_run(folder / STORE_FILE)
    with RunStore.open(folder / STORE_FILE) as store:
        assert (found.records, found.last) == (tuple(phylogeny_of(store)), 6)
    assert any(record.merged for record in found.records)
    assert lay_out(found).height > 0
