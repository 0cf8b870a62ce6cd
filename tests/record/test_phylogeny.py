"""A phylogeny goes into files that other programs read, comes back unchanged, and is drawn for people."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import networkx
import pandas
import pytest
from genealogy import genome_of, made_book
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import PATIENCE
from rich.console import Console

from evolora_mesa.errors import RunError
from evolora_mesa.evolution.lineage import Phylogeny
from evolora_mesa.record.phylogeny import (
    COLUMNS,
    check_new,
    read_phylogeny,
    save,
    survivor_tree,
    to_csv,
    to_graphml,
    to_networkx,
)


def drawn(book: Phylogeny, *, everybody: bool = False, width: int = 200) -> list[str]:
    """The lines of the tree, without the spaces at their ends."""
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, markup=False).print(survivor_tree(book, everybody=everybody))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def line_of_descent(book: Phylogeny, first: int, last: int) -> None:
    """Everybody from ``first`` to ``last`` is the only child of the one before, and outlives it."""
    for id in range(first, last + 1):
        book.born(id, (id - 1,), id, "svd", genome_of(id), book[id - 1].lineage, "birth")
        book.accepted(id, id, "accepted")
        book.died(id - 1, id, "bankrupt")


@pytest.fixture
def book() -> Phylogeny:
    """Founder 1, its dead line 2 to 8, then 9 alive; 10 merges 9 with founder 20; 21 leaves nobody."""
    book = Phylogeny()
    for id in (1, 20, 21):
        book.born(id, (), 0, "founder", genome_of(id), id, "founder")
    line_of_descent(book, 2, 9)
    book.born(10, (9, 20), 11, "ties", genome_of(10), 1, "birth")
    book.accepted(10, 12, "confined")
    book.died(21, 12, "bankrupt")
    book.born(22, (20,), 13, "rotation", genome_of(22), 20, "birth")
    return book


# ---------------------------------------------------------------------- CSV


def test_the_file_has_the_form_of_the_alife_standard(book: Phylogeny) -> None:
    lines = to_csv(book).splitlines()
    assert lines[0] == (
        "id,ancestor_list,origin_time,destruction_time,taxon_label,operator,genome,lineage,acceptance_time,status,cause"
    )
    assert lines[1] == f"1,[NONE],0,2,founder-1,founder,{genome_of(1)},1,,founder,bankrupt"
    assert f'10,"[9,20]",11,inf,ties-10,ties,{genome_of(10)},1,12,confined,' in lines
    assert f"22,[20],13,inf,rotation-22,rotation,{genome_of(22)},20,,trial," in lines
    assert len(lines) == 1 + len(book)


def test_pandas_reads_the_file(book: Phylogeny) -> None:
    table = pandas.read_csv(io.StringIO(to_csv(book)))
    assert list(table.columns) == list(COLUMNS)
    assert table["id"].is_unique and (table["destruction_time"] >= table["origin_time"]).all()
    assert (table["destruction_time"] == float("inf")).sum() == 4


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(0, 60))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, seed: int, size: int) -> None:
    book = made_book(size, seed)
    path = tmp_path_factory.mktemp("run") / "phylogeny.csv"
    save({path: to_csv(book)})
    again = read_phylogeny(path)
    assert list(again) == list(book) and to_csv(again) == to_csv(book)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("id,ancestor_list", "ancestor_list,id", "line 1"),
        ("\n1,[NONE]", "\n01,[NONE]", "line 2, column id"),
        ("\n1,[NONE]", "\n-1,[NONE]", "line 2, column id"),
        ("\n1,[NONE]", "\n٣,[NONE]", "line 2, column id"),
        ("\n1,[NONE]", "\n99999999999999999999,[NONE]", "line 2, column id"),
        ("\n2,[1]", "\n2,[4294967296]", "line 5, column ancestor_list"),
        ("\n20,[NONE]", "\n1,[NONE]", "line 3, column taxon_label"),
        ("\n1,[NONE]", "\n1,[]", "line 2, column ancestor_list"),
        ("\n1,[NONE]", "\n1,[None]", "line 2, column ancestor_list"),
        ("\n1,[NONE]", "\n1,[1]", "line 2, column ancestor_list"),
        ("\n2,[1]", "\n2,[77]", "line 5, column ancestor_list"),
        ("\n2,[1]", '\n2,"[1, 20]"', "line 5, column ancestor_list"),
        ("\n2,[1],2,", "\n2,[1],2.0,", "line 5, column origin_time"),
        ("\n2,[1],2,", "\n2,[1],5,", "line 5, column acceptance_time"),
        ("\n2,[1],2,3,", "\n2,[1],2,1,", "line 5, column destruction_time"),
        ("\n2,[1],2,3,", "\n2,[1],2,inf,", "line 5, column cause"),
        ("\n2,[1],2,3,", "\n2,[1],2,nan,", "line 5, column destruction_time"),
        ("svd-2,svd", "svd-3,svd", "line 5, column taxon_label"),
        ("svd-2,svd", "=2-2,=2", "line 5, column operator"),
        ("founder-1,founder", "-1,", "line 2, column operator"),
        (genome_of(2), "x" * 64, "line 5, column genome"),
        (f"{genome_of(2)},1,2", f"{genome_of(2)},20,2", "line 5, column lineage"),
        (f"{genome_of(2)},1,2", f"{genome_of(2)},1,", "line 5, column acceptance_time"),
        ("accepted,bankrupt\n", "absorbed,bankrupt\n", "line 5, column status"),
        ("accepted,bankrupt\n", "founder,bankrupt\n", "line 5, column ancestor_list"),
        ("accepted,bankrupt\n", "accepted,\x1b[31mred\n", "line 5, column cause"),
        ("accepted,bankrupt\n", "accepted\n", "line 5"),
        ("accepted,bankrupt\n", "accepted,bankrupt,more\n", "line 5"),
        ("accepted,bankrupt\n", "accepted,bankrupt\n\n", "line 6"),
        ("accepted,bankrupt\n", 'accepted,"bankrupt', "not a CSV line"),
        ("accepted,bankrupt\n", f"accepted,{'b' * 200_000}\n", "line 5"),
        ("accepted,bankrupt\n", "accepted,b\udcffnkrupt\n", "line 5"),
    ],
)
def test_a_spoilt_file_is_refused_in_one_line_that_names_the_place(
    tmp_path: Path, book: Phylogeny, old: str, new: str, told: str
) -> None:
    text = to_csv(book)
    assert old in text
    path = tmp_path / "phylogeny.csv"
    path.write_bytes(text.replace(old, new, 1).encode("utf-8", "surrogateescape"))
    with pytest.raises(RunError, match=told) as refused:
        read_phylogeny(path)
    assert str(refused.value).isprintable() and len(str(refused.value)) < 700


def test_a_second_birth_is_refused_by_its_id(tmp_path: Path, book: Phylogeny) -> None:
    lines = to_csv(book).splitlines()
    (tmp_path / "phylogeny.csv").write_text("\n".join([*lines, lines[1]]), encoding="utf-8")
    with pytest.raises(RunError, match=f"nobody is born twice .*line {len(lines) + 1}, column id"):
        read_phylogeny(tmp_path / "phylogeny.csv")


def test_what_is_no_file_or_an_empty_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty").touch()
    for name in ("folder", "empty", "missing", "n" * 300):
        with pytest.raises(RunError) as refused:
            read_phylogeny(tmp_path / name)
        assert "\n" not in str(refused.value)
    with pytest.raises(RunError, match="no phylogeny here"):
        read_phylogeny(Path("/dev/zero"))


# ---------------------------------------------------------------------- graphs


def test_the_graph_has_an_edge_for_every_parent(book: Phylogeny) -> None:
    graph = to_networkx(book)
    assert set(graph.predecessors(10)) == {9, 20} and graph.number_of_nodes() == len(book)
    assert networkx.is_directed_acyclic_graph(graph)
    assert graph.nodes[10]["acceptance"] == 12 and "destruction" not in graph.nodes[10]


def test_graphml_comes_back_as_the_same_graph() -> None:
    graph = to_networkx(made_book(60, 3))
    again = networkx.read_graphml(io.BytesIO(to_graphml(made_book(60, 3)).encode()), node_type=int)
    assert dict(again.nodes(data=True)) == dict(graph.nodes(data=True))
    assert set(again.edges()) == set(graph.edges())


# ---------------------------------------------------------------------- peers


PEER = """
import json, sys
from phylotrackpy import systematics
peer = systematics.Systematics(lambda organism: organism, True, True, False, False)
peer.load_from_file(sys.argv[1], "genome", False)
living, reached = list(peer.get_active_taxa()), set()
for taxon in living:
    while taxon is not None:
        reached.add(taxon.get_id())
        taxon = taxon.get_parent()
alive = sorted(taxon.get_id() for taxon in living)
print(json.dumps([alive, sorted(reached), peer.get_num_taxa(), peer.get_num_roots(), peer.get_max_depth()]))
"""


@pytest.mark.skipif(find_spec("phylotrackpy") is None, reason="phylotrackpy is not installed")
def test_phylotrackpy_reads_the_file_and_finds_the_same(tmp_path: Path) -> None:
    """Of a history without merges: phylotrackpy keeps one parent only.

    Ancestors are found by walking up, for its own count of them (0.2.4) leaves most out in a phylogeny from a file.
    """
    book = made_book(200, 5, merging=0.0)
    path = tmp_path / "phylogeny.csv"
    save({path: to_csv(book)})
    # In a process of its own, for phylotrackpy writes names of numpy over those of the module that calls it.
    peer = subprocess.run([sys.executable, "-c", PEER, str(path)], capture_output=True, check=True, timeout=PATIENCE)
    depth: dict[int, int] = {}
    for record in book:
        depth[record.id] = 1 + max((depth[parent] for parent in record.parents), default=-1)
    living = sorted(record.id for record in book if record.alive)
    deepest = max(depth[id] for id in living)
    assert json.loads(peer.stdout) == [living, sorted(book.ancestors_of_living()), len(book), 8, deepest]


# ---------------------------------------------------------------------- files that are new


def test_nothing_is_overwritten_and_nothing_is_left_half(tmp_path: Path) -> None:
    taken, free = tmp_path / "taken", tmp_path / "free"
    taken.write_text("mine", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (taken, tmp_path, tmp_path / "link", tmp_path / "no" / "folder", taken / "below", tmp_path / "a\nb"):
        with pytest.raises(RunError) as refused:
            check_new(path)
        assert "\n" not in str(refused.value)
        with pytest.raises(RunError):
            save({free: "text", path: "text"})
    assert taken.read_text(encoding="utf-8") == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "taken"]


# ---------------------------------------------------------------------- the tree


def test_the_tree_shows_the_survivors_and_where_their_lines_come_from(book: Phylogeny) -> None:
    assert drawn(book) == [
        "1  founder, born 0, died 2 (bankrupt)",
        "└── … 7 generations … 9  svd, born 9, alive",
        "    └── 10 + 20  ties, born 11, confined, alive",
        "20  founder, born 0, alive",
        "├── ⤷ 10, a merge, drawn below 9",
        "└── 22  rotation, born 13, on trial, alive",
    ]


def test_everybody_is_drawn_when_asked_for(book: Phylogeny) -> None:
    assert drawn(book, everybody=True) == [*drawn(book), "21  founder, born 0, died 12 (bankrupt)"]


def test_one_generation_between_is_shown_as_it_is() -> None:
    book = Phylogeny()
    book.born(1, (), 0, "founder", genome_of(1), 1, "founder")
    line_of_descent(book, 2, 3)
    assert drawn(book) == [
        "1  founder, born 0, died 2 (bankrupt)",
        "└── 2  svd, born 2, died 3 (bankrupt)",
        "    └── 3  svd, born 3, alive",
    ]
    line_of_descent(book, 4, 4)
    assert drawn(book)[1:] == ["└── … 2 generations … 4  svd, born 4, alive"]


def test_merges_and_their_second_parents_are_never_folded_away() -> None:
    book = Phylogeny()
    for id in (1, 2):
        book.born(id, (), 0, "founder", genome_of(id), id, "founder")
    line_of_descent(book, 3, 9)
    book.born(10, (1, 6), 10, "svd", genome_of(10), 1, "birth")
    book.died(1, 10, "bankrupt")
    line_of_descent(book, 11, 15)
    text = "\n".join(drawn(book))
    assert "10 + 6  svd" in text and "⤷ 10, a merge, drawn below 1" in text
    assert "… 3 generations … 6  svd" in text and "… 4 generations … 15  svd" in text


def test_a_world_without_survivors_has_no_tree() -> None:
    book = Phylogeny()
    book.born(1, (), 0, "founder", genome_of(1), 1, "founder")
    book.died(1, 3, "bankrupt")
    assert "".join(drawn(book)) == "" and "".join(drawn(Phylogeny())) == ""
    assert drawn(book, everybody=True) == ["1  founder, born 0, died 3 (bankrupt)"]


@pytest.mark.parametrize("everybody", [False, True])
def test_a_long_unfolded_line_goes_on_below_and_every_id_is_told(everybody: bool) -> None:
    """A living child at every step: nothing can be folded, and the steps are more than fit beside each other."""
    book = Phylogeny()
    book.born(0, (), 0, "founder", genome_of(0), 0, "founder")
    for id in range(1, 4000):
        parent = id - 1 if id % 2 else max(0, id - 2)
        book.born(id, (parent,), id, "svd", genome_of(id), 0, "birth")
    lines = drawn(book, everybody=everybody, width=120)
    told = {int(line.lstrip("│├└─ ").split()[0]) for line in lines if "svd" in line or "founder" in line}
    assert told == set(range(4000))
    assert max(map(len, lines)) <= 100  # of 120: nothing was squeezed
    below = [line.lstrip("│├└─ ").split()[0] for line in lines if line.endswith("(continues below)")]
    again = [line.split()[0] for line in lines if line.endswith("(continued)")]
    assert below == again and len(below) > 100


@pytest.mark.slow
def test_more_than_ten_thousand_births_are_written_read_and_drawn(tmp_path: Path) -> None:
    book = made_book(12_000, 1)
    line = Phylogeny()
    line.born(0, (), 0, "founder", genome_of(0), 0, "founder")
    line_of_descent(line, 1, 12_000)
    assert drawn(line)[1] == "└── … 11999 generations … 12000  svd, born 12000, alive"
    for number, found in enumerate((book, line)):
        path = tmp_path / f"{number}.csv"
        save({path: to_csv(found)})
        assert list(read_phylogeny(path)) == list(found)
        assert drawn(found) and drawn(found, everybody=True)
