"""`evolora report` and `evolora animate` write where they may, print what is asked, and refuse in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_run import make_run

from evolora_mesa.cli import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the working folder, two runs."""
    monkeypatch.chdir(tmp_path)
    make_run(Path("one"))
    make_run(Path("two"), seed=1)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line of a mistake, which leaves nothing behind."""
    before = {path: path.read_bytes() for path in Path().rglob("*.[hgt]*") if path.is_file()}
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert {path: path.read_bytes() for path in Path().rglob("*.[hgt]*") if path.is_file()} == before
    return err


def test_the_page_lies_in_the_run_and_is_made_anew(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["report", "one", "--no-host"]) == 0
        assert capsys.readouterr().out == "Written to one/report/report.html\n"
    assert [path.name for path in Path("one/report").iterdir()] == ["report.html"]
    assert "smoke, seed 0" in Path("one/report/report.html").read_text(encoding="utf-8")


def test_several_runs_make_a_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "one", "two"]) == 0
    assert capsys.readouterr().out == "Written to one/report/comparison.html\n"


def test_a_named_file_has_to_be_new(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "one", "--no-host", "--out", "page.html"]) == 0
    capsys.readouterr()
    assert not Path("one/report").exists()
    assert "there already" in refusal(capsys, "report", "one", "--out", "page.html")
    assert "there already" in refusal(capsys, "animate", "one", "--out", "page.html")


def test_markdown_and_json_are_printed_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "one", "--no-host", "--md"]) == 0
    assert capsys.readouterr().out.startswith("# smoke, seed 0\n")
    assert main(["report", "one", "two", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2
    assert not Path("one/report").exists()


def test_the_browser_gets_the_file(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda where: shown.append(where) or True)
    assert main(["report", "one", "--no-host", "--open"]) == 0
    assert shown == [Path("one/report/report.html").resolve().as_uri()]


def test_mistakes_are_told_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "no store of a run here" in refusal(capsys, "report", "nowhere")
    assert "no store of a run here" in refusal(capsys, "report", "one", "nowhere")
    assert "a page, Markdown or JSON" in refusal(capsys, "report", "one", "--md", "--json")
    assert "too many runs" in refusal(capsys, "report", *["one"] * 22)
    Path("one/run.sqlite").write_bytes(b"not a database at all")
    assert "error: " in refusal(capsys, "report", "one")
    assert "error: " in refusal(capsys, "animate", "one")


def test_a_place_that_cannot_be_written_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    Path("one/report").write_text("in the way", encoding="utf-8")
    assert "cannot write the report" in refusal(capsys, "report", "one", "--no-host")


def test_the_cells_are_animated(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["animate", "one", "--frames", "3"]) == 0
    assert capsys.readouterr().out == "Written to one/report/cells.gif\n"
    assert Path("one/report/cells.gif").read_bytes().startswith(b"GIF89a")
