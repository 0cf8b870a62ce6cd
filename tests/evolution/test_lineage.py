"""The book of births and deaths cannot say what is impossible, and a genome's hash is of its content alone."""

from __future__ import annotations

import hashlib
import json

import networkx
import numpy as np
import pytest
import torch
from family import NAMES, SITES, made_bank
from genealogy import genome_of, made_book
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.errors import RunError
from evolora_mesa.evolution.lineage import Phylogeny, Record, genome_hash


@pytest.fixture
def book() -> Phylogeny:
    """Founders 1 and 2, a living child 3 of both, and 4, which is on trial."""
    book = Phylogeny()
    for id in (1, 2):
        book.born(id, (), 0, "founder", genome_of(id), id, "founder")
    book.born(3, (2, 1), 4, "svd", genome_of(3), 2, "birth")
    book.accepted(3, 6, "accepted")
    book.died(1, 7, "bankrupt")
    book.born(4, [3], 7, "gaussian", genome_of(4), 2, "birth")
    return book


# ---------------------------------------------------------------------- what can be


def test_a_life_is_told_from_birth_to_death(book: Phylogeny) -> None:
    assert list(book) == [
        Record(1, (), 0, None, 7, "founder", genome_of(1), 1, "founder", "bankrupt"),
        Record(2, (), 0, None, None, "founder", genome_of(2), 2, "founder", ""),
        Record(3, (2, 1), 4, 6, None, "svd", genome_of(3), 2, "accepted", ""),
        Record(4, (3,), 7, None, None, "gaussian", genome_of(4), 2, "trial", ""),
    ]
    assert [record.alive for record in book] == [False, True, True, True]
    assert book[3].merged and not book[4].merged
    book.check()


def test_the_dead_may_be_parents_as_elites_of_the_archive_are(book: Phylogeny) -> None:
    book.born(5, (1,), 9, "elite", genome_of(5), 1, "birth")
    book.accepted(5, 9, "revival")
    book.check()
    assert book.census().revivals == 1
    assert book.ancestors_of_living() == {1, 2, 3, 4, 5}


def test_an_organelle_may_be_merged_with_an_elite_that_it_was_itself(book: Phylogeny) -> None:
    book.born(5, (2, 2), 9, "svd", genome_of(5), 2, "birth")
    book.accepted(5, 9, "accepted")
    assert book[5].parents == (2, 2) and book.census().merges == 2


def test_ids_of_numpy_are_ids(book: Phylogeny) -> None:
    book.born(np.int64(5), np.array([3, 2]), np.int64(8), "svd", genome_of(5), np.int64(2), "birth")
    book.died(np.int64(5), np.int64(8), "rejected")
    assert json.loads(json.dumps(book.state_dict()))["id"] == [1, 2, 3, 4, 5]


def test_the_census_counts_what_a_person_would(book: Phylogeny) -> None:
    book.accepted(4, 8, "confined")
    counts = book.census()._asdict()
    assert counts == {
        "founders": 2,
        "births": 2,
        "merges": 1,
        "promotions": 1,
        "confined": 1,
        "revivals": 0,
        "deaths": 1,
        "depth": 2,
        "founders_with_heirs": 2,
    }
    assert set(Phylogeny().census()) == {0}


# ---------------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("event", "arguments", "told"),
    [
        ("died", (9, 8, "bankrupt"), "every death has a birth"),
        ("died", (1, 8, "bankrupt"), "nobody dies twice"),
        ("died", (3, 5, "bankrupt"), "birth, acceptance and death follow each other"),
        ("died", (3, 8, ""), "the dead have a cause"),
        ("accepted", (9, 8, "accepted"), "every acceptance has a birth"),
        ("accepted", (3, 8, "accepted"), "only a trial can be accepted"),
        ("accepted", (2, 8, "accepted"), "only a trial can be accepted"),
        ("accepted", (4, 6, "accepted"), "birth, acceptance and death follow each other"),
        ("accepted", (4, 8, "promoted"), "no such status"),
        ("accepted", (4, 8, "trial"), "those accepted have a generation of it"),
        ("born", (3, (2,), 8, "svd", genome_of(3), 2, "birth"), "nobody is born twice"),
        ("born", (5, (9,), 8, "svd", genome_of(5), 9, "birth"), "parents are born before their children"),
        ("born", (5, (5,), 8, "svd", genome_of(5), 5, "birth"), "parents are born before their children"),
        ("born", (5, (3,), 3, "svd", genome_of(5), 2, "birth"), "parents are born before their children"),
        ("born", (5, (3,), 8, "svd", genome_of(5), 1, "birth"), "a lineage comes from the first parent"),
        ("born", (5, (), 8, "founder", genome_of(5), 1, "founder"), "a lineage comes from the first parent"),
        ("born", (5, (), 8, "svd", genome_of(5), 5, "birth"), "founders have no parents"),
        ("born", (5, (3,), 8, "svd", genome_of(5), 2, "founder"), "founders have no parents"),
        ("born", (5, (3,), 8, "svd", genome_of(5), 2, "twin"), "no such kind of birth"),
        ("born", (-5, (3,), 8, "svd", genome_of(5), 2, "birth"), "not a number"),
        ("born", (2**31, (3,), 8, "svd", genome_of(5), 2, "birth"), "not a number"),
        ("born", (5, (3,), -8, "svd", genome_of(5), 2, "birth"), "not a number"),
        ("born", (5, (3,), 8, "=1+1", genome_of(5), 2, "birth"), "not a plain word"),
        ("born", (5, (3,), 8, "", genome_of(5), 2, "birth"), "not a plain word"),
        ("born", (5, (3,), 8, "svd", "f00", 2, "birth"), "not a content hash"),
    ],
)
def test_the_impossible_is_refused_in_one_line_and_changes_nothing(
    book: Phylogeny, event: str, arguments: tuple[object, ...], told: str
) -> None:
    before = book.state_dict()
    with pytest.raises(RunError, match=told) as refused:
        getattr(book, event)(*arguments)
    assert "\n" not in str(refused.value)
    assert book.state_dict() == before


def test_the_dead_are_not_accepted(book: Phylogeny) -> None:
    book.died(4, 8, "rejected")
    with pytest.raises(RunError, match="nobody is accepted after death"):
        book.accepted(4, 8, "accepted")


@pytest.mark.parametrize(
    ("column", "row", "value", "told"),
    [
        ("id", 1, 1, "nobody is born twice"),
        ("origin", 1, 5, "parents are born before their children"),
        ("destruction", 3, 2, "follow each other|have a cause"),
        ("lineage", 3, 1, "a lineage comes from the first parent"),
        ("parents", 2, [4, 2], "parents are born before their children"),
        ("parents", 2, 7, "parents are no list"),
        ("parents", 2, ["1"], "not a number"),
        ("id", 2, "3", "not a number"),
        ("id", 2, True, "not a number"),
        ("status", 2, None, "no such status"),
        ("status", 2, [], "no such status"),
        ("genome", 2, None, "not a content hash"),
        ("cause", 0, 7, "not a plain word"),
    ],
)
def test_a_state_that_cannot_be_is_refused_and_changes_nothing(
    book: Phylogeny, column: str, row: int, value: object, told: str
) -> None:
    state = json.loads(json.dumps(book.state_dict()))
    state[column][row] = value
    other = made_book(20)
    before = other.state_dict()
    with pytest.raises(RunError, match=told):
        other.load_state_dict(state)
    assert other.state_dict() == before


@pytest.mark.parametrize("spoilt", ["missing", "more", "shorter", "no list"])
def test_what_is_no_state_is_refused(book: Phylogeny, spoilt: str) -> None:
    state = book.state_dict()
    if spoilt == "missing":
        del state["genome"]
    elif spoilt == "more":
        state["gender"] = [0] * len(book)
    elif spoilt == "shorter":
        state["genome"].pop()
    else:
        state["id"] = "1234"
    with pytest.raises(RunError):
        Phylogeny().load_state_dict(state)


def test_the_check_finds_what_did_not_come_through_the_doors(book: Phylogeny) -> None:
    book._destruction[2] = 1
    with pytest.raises(RunError, match="the dead have a cause"):
        book.check()
    book._destruction[2] = -1
    book._parents[0] = 4
    with pytest.raises(RunError, match="parents are born before their children"):
        book.check()


# ---------------------------------------------------------------------- any history


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(8, 80), merging=st.floats(0, 1))
def test_any_history_survives_json_and_agrees_with_networkx(seed: int, size: int, merging: float) -> None:
    book = made_book(size, seed, merging=merging)
    book.check()
    again = Phylogeny()
    again.load_state_dict(json.loads(json.dumps(book.state_dict())))
    assert list(again) == list(book)
    again.born(size + 1, (size,), size, "svd", genome_of(0), book[size].lineage, "birth")  # the book goes on

    graph = networkx.DiGraph()
    graph.add_nodes_from(record.id for record in book)
    graph.add_edges_from((parent, record.id) for record in book for parent in record.parents)
    reached = {record.id for record in book if record.alive}
    for id in list(reached):
        reached |= networkx.ancestors(graph, id)
    census = book.census()
    assert book.ancestors_of_living() == reached
    assert census.depth == networkx.dag_longest_path_length(graph)
    assert census.founders_with_heirs == len(reached & set(range(1, 9)))
    assert census.founders + census.births + census.revivals == len(book)


def test_a_line_of_twenty_thousand_generations_is_no_recursion() -> None:
    book = Phylogeny()
    book.born(0, (), 0, "founder", genome_of(0), 0, "founder")
    for id in range(1, 20_000):
        book.born(id, (id - 1,), id, "svd", genome_of(0), 0, "birth")
        book.died(id - 1, id, "bankrupt")
    book.check()
    assert book.census().depth == 19_999 and len(book.ancestors_of_living()) == 20_000


# ---------------------------------------------------------------------- genomes

TRAITS = np.array([[0.1, 1.0, 0.5, 0.03], [0.1, 1.0, 0.5, 0.03]])


def test_copies_have_one_hash_in_any_slot_and_order() -> None:
    bank = made_bank([3, 5], children=1)
    bank.copy([1], [bank.allocate(1, 1, torch.Generator())[0]])
    first, second, copied = genome_hash(bank, [1, 2, 3], TRAITS[[0, 0, 0]])
    assert first == copied != second
    assert genome_hash(bank, [2, 1], TRAITS) == [second, first]
    assert len(first) == 64 and set(first) <= set("0123456789abcdef")
    assert genome_hash(bank, [], TRAITS[:0]) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("factor", ["a", "b"])
def test_a_bit_flipped_anywhere_changes_the_hash(name: str, factor: str) -> None:
    bank = made_bank([4])
    before = genome_hash(bank, [1], TRAITS[:1])
    weights = getattr(bank, factor)[name][1]
    used = weights[:4] if factor == "a" else weights[:, :4]
    for place in ((0, 0), (-1, -1), (used.shape[0] // 2, used.shape[1] // 2)):
        for bit in (0, 1, 22, 23, 30, 31):
            number = used[place].clone()
            used[place] = (number.view(torch.int32) ^ (1 << bit if bit < 31 else -(2**31))).view(torch.float32)
            assert genome_hash(bank, [1], TRAITS[:1]) != before
            used[place] = number
    assert genome_hash(bank, [1], TRAITS[:1]) == before


def test_every_trait_belongs_to_the_genome() -> None:
    bank = made_bank([4])
    [before] = genome_hash(bank, [1], TRAITS[:1])
    for trait in range(TRAITS.shape[1]):
        other = TRAITS[:1].copy()
        other[0, trait] = np.nextafter(other[0, trait], 2)
        assert genome_hash(bank, [1], other) != [before]


def test_padding_does_not_change_the_hash_but_the_rank_does() -> None:
    narrow, wide = made_bank([4], max_rank=4), made_bank([4], max_rank=8)
    for name in NAMES:
        wide.a[name][1, 4:] = 7.0  # whatever lies there
        wide.b[name][1, :, 4:] = 7.0
    assert genome_hash(narrow, [1], TRAITS[:1]) == genome_hash(wide, [1], TRAITS[:1])
    silent = made_bank([4])
    silent.ranks[1, 0] = 5  # one component more, of zeros
    assert genome_hash(silent, [1], TRAITS[:1]) != genome_hash(narrow, [1], TRAITS[:1])


def test_the_same_numbers_at_another_site_are_another_genome() -> None:
    bank = made_bank([4])
    other = made_bank([4], sites=(SITES[1], SITES[0], SITES[2]))
    for mine, theirs in zip(NAMES, [NAMES[1], NAMES[0], NAMES[2]], strict=True):
        other.a[theirs][1], other.b[theirs][1] = bank.a[mine][1], bank.b[mine][1]
    assert genome_hash(bank, [1], TRAITS[:1]) != genome_hash(other, [1], TRAITS[:1])


def test_the_hash_is_the_one_that_is_written_down() -> None:
    """Hashes of old runs stay comparable: bytes and their order are fixed."""
    bank = made_bank([1])
    for place, name in enumerate(NAMES):
        bank.a[name][1, 0] = torch.arange(bank.a[name].shape[2]) + place
        bank.b[name][1, :, 0] = 0.5
    content = b""
    for site in SITES:
        name = site.name.encode()
        content += np.array([len(name), 1, site.d_in, site.d_out], dtype="<i8").tobytes() + name
        content += bank.a[site.name][1, 0].numpy().astype("<f4").tobytes()
        content += np.full(site.d_out, 0.5, dtype="<f4").tobytes()
    content += np.array([4], dtype="<i8").tobytes() + TRAITS[0].astype("<f8").tobytes()
    assert genome_hash(bank, [1], TRAITS[:1]) == [hashlib.sha256(content).hexdigest()]


def test_half_precision_weights_are_hashed_exactly() -> None:
    bank = made_bank([4])
    for name in NAMES:
        bank.a[name], bank.b[name] = bank.a[name].bfloat16(), bank.b[name].bfloat16()
    exact = made_bank([4])
    for name in NAMES:
        exact.a[name], exact.b[name] = bank.a[name].float(), bank.b[name].float()
    assert genome_hash(bank, [1], TRAITS[:1]) == genome_hash(exact, [1], TRAITS[:1])
