"""`evolora lineage` draws the family tree of a run's survivors, exports all births, and overwrites nothing."""

from __future__ import annotations

from pathlib import Path

import networkx
import pytest
from genealogy import made_book

from evolora_mesa.cli import main
from evolora_mesa.evolution.lineage import Phylogeny
from evolora_mesa.record.phylogeny import PHYLOGENY_FILE, read_phylogeny, save, to_csv


@pytest.fixture(autouse=True)
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phylogeny:
    """In the working folder, a run that left its phylogeny."""
    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    book = made_book(60, 2)
    save({Path("here") / PHYLOGENY_FILE: to_csv(book)})
    return book


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a mistake, which leaves nothing behind."""
    before = sorted(Path().rglob("*"))
    assert main(["lineage", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before
    return err


def test_the_tree_and_the_counts_are_printed(capsys: pytest.CaptureFixture[str], book: Phylogeny) -> None:
    assert main(["lineage", "here"]) == 0
    out, err = capsys.readouterr()
    *tree, counts = out.splitlines()
    assert err == "" and any(line.startswith("└── ") for line in tree)
    text = "\n".join(tree)
    for record in book:
        assert not record.alive or f"{record.id}  " in text or f"{record.id} + " in text
    census = book.census()
    for words in (
        f"{census.founders} founders, {census.births} births, {census.merges} merges accepted, ",
        f"{census.promotions} promotions ({census.confined} of these confined), ",
        f"{census.revivals} reseeded from the archive, {census.deaths} deaths; at most {census.depth} generations",
        f"{100 * census.founders_with_heirs / census.founders:.0f} % of the founders live or have living descendants.",
    ):
        assert words in counts


def test_all_draws_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lineage", "here"]) == 0
    some = capsys.readouterr().out
    assert main(["lineage", "here", "--all"]) == 0
    everybody = capsys.readouterr().out
    assert "never accepted" in everybody and "never accepted" not in some
    assert everybody.splitlines()[-1] == some.splitlines()[-1]


def test_exports_are_whole_and_new(capsys: pytest.CaptureFixture[str], book: Phylogeny) -> None:
    assert main(["lineage", "here", "--csv", "all.csv", "--graphml", "all.graphml"]) == 0
    assert capsys.readouterr().err == "Written to all.csv\nWritten to all.graphml\n"
    assert Path("all.csv").read_bytes() == (Path("here") / PHYLOGENY_FILE).read_bytes()
    assert list(read_phylogeny(Path("all.csv"))) == list(book)
    assert networkx.read_graphml("all.graphml").number_of_nodes() == len(book)
    assert sorted(path.name for path in Path().iterdir()) == ["all.csv", "all.graphml", "here"]


def test_nothing_is_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    taken = Path("taken.csv")
    taken.write_text("mine", encoding="utf-8")
    assert "there already" in refusal(capsys, "here", "--csv", "taken.csv")
    assert "there already" in refusal(capsys, "here", "--csv", "new.csv", "--graphml", "taken.csv")
    assert "there already" in refusal(capsys, "here", "--csv", f"here/{PHYLOGENY_FILE}")
    assert taken.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nowhere"], "no phylogeny here"),
        (["."], "no phylogeny here"),
        ([f"here/{PHYLOGENY_FILE}"], "no phylogeny here"),
        ([""], "a path is empty"),
        (["here", "--csv", ""], "a path is empty"),
        (["n" * 300], "cannot read"),
        (["bad\nname\x1b[31m"], "no phylogeny here"),
        (["here", "--csv", "no/such/folder.csv"], "cannot write"),
        (["here", "--csv", "bad\nname"], "cannot be printed"),
        (["here", "--csv", "here"], "there already"),
        (["here", "--csv", "one", "--graphml", "./one"], "two exports have one name"),
        (["here", "--csv", "one", "--graphml", "here/../one"], "two exports have one name"),
        (["here", "there"], "unexpected"),
        ([], "Missing argument"),
    ],
)
def test_a_mistake_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], told: str) -> None:
    assert told.lower() in refusal(capsys, *arguments).lower()


def test_a_spoilt_phylogeny_is_refused_by_line_and_column_before_anything_is_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = Path("here") / PHYLOGENY_FILE
    path.write_text(path.read_text(encoding="utf-8").replace("\n2,[NONE]", "\n2,[2]"), encoding="utf-8")
    told = refusal(capsys, "here", "--csv", "new.csv", "--graphml", "new.graphml")
    assert "line 3, column ancestor_list" in told


def test_a_run_in_which_everybody_died_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    book = made_book(8)
    for record in list(book):
        book.died(record.id, 5, "bankrupt")
    Path("dead").mkdir()
    save({Path("dead") / PHYLOGENY_FILE: to_csv(book)})
    assert main(["lineage", "dead"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Nobody is alive.\n") and "0 % of the founders" in out
