"""`evolora merging` shows what children keep of two specialists, and refuses what cannot work before it trains."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evolora_mesa.cli import main
from evolora_mesa.errors import RunError
from evolora_mesa.host import HostService

TINY = ["merging", "--seeds", "1", "--episodes", "16", "--pairs", "1"]


@pytest.fixture(autouse=True)
def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, petri: HostService) -> list[str]:
    """In an empty working folder, the hosts that were asked for; all are the one that is loaded already."""
    monkeypatch.chdir(tmp_path)
    asked: list[str] = []

    def load(path: str) -> HostService:
        asked.append(path)
        return petri

    monkeypatch.setattr(HostService, "load", load)
    return asked


def test_the_table_is_printed_and_written_and_the_last_line_counts(
    capsys: pytest.CaptureFixture[str], loaded: list[str]
) -> None:
    assert main([*TINY, "--out", "new/folder"]) == 0
    out, err = capsys.readouterr()
    *page, last = out.splitlines(keepends=True)
    assert loaded == ["petri"]
    written = Path("new/folder/merging.md").read_text(encoding="utf-8")
    assert "".join(page) == written + "\n"
    assert "Made by `evolora merging --seeds 1 --episodes 16 --pairs 1 --host petri`." in written
    with Path("new/folder/merging.csv").open(encoding="utf-8", newline="") as file:
        kept = [row["keeps_both"] for row in csv.DictReader(file) if row["recipe"] == "svd 0.5, rank 4"]
    assert len(kept) == 1
    assert last == f"svd 0.5, rank 4 keeps both skills in {kept[0]} of 1 pairs\n"
    assert err == f"seed 0: so far {last}Written to {Path('new/folder')}\n"


@pytest.mark.slow
def test_the_command_on_the_page_makes_it_again(capsys: pytest.CaptureFixture[str], loaded: list[str]) -> None:
    assert main([*TINY, "--host", "another host"]) == 0
    first = capsys.readouterr().out
    assert "evolora merging --seeds 1 --episodes 16 --pairs 1 --host 'another host'`" in first
    assert main([*TINY, "--host", "another host"]) == 0
    assert capsys.readouterr().out == first
    assert loaded == ["another host"] * 2
    assert not list(Path().iterdir())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--out", "file"], "is a file"),
        (["--out", "file/below"], "below a file"),
        (["--out", ""], "a path is empty"),
        (["--out", "bad\nname"], "cannot be printed"),
        (["--seeds", "0"], "--seeds"),
        (["--seeds", "1000000000"], "--seeds"),
        (["--episodes", "0"], "--episodes"),
        (["--pairs", "0"], "--pairs"),
        (["--host", "nope"], "not there"),
        (["here"], "unexpected"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_trained(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(path: str) -> None:
        raise RunError("not there", got=path)

    monkeypatch.setattr(HostService, "load", load)
    Path("file").write_text("precious", encoding="utf-8")
    assert told in refusal(capsys, *arguments)


def test_fewer_episodes_than_one_update_needs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_text("precious", encoding="utf-8")
    assert "at least 16 episodes" in refusal(capsys, "--episodes", "15", "--out", "new")


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a mistake, which leaves the folder as it was."""
    assert main(["merging", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["file"]
    assert Path("file").read_text(encoding="utf-8") == "precious"
    return err
