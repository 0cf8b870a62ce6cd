"""`evolora summary` tells a sweep from its folder alone, also while it runs, and refuses in one line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from made_sweep import done, failed, rows_of, spec_of, write_sweep

from evolora_mesa.cli import main


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the working folder, a sweep in which a run has failed and another has not ended."""
    monkeypatch.chdir(tmp_path)
    spec = spec_of()

    def lived(levels: dict, seed: int):
        ended = {(0.5, 11): failed(), (1.0, 33): None}
        return ended.get((levels["ticket"], seed), done({"accuracy": levels["ticket"] + seed / 100}))

    write_sweep(Path("swept"), spec, rows_of(spec, lived))


def test_the_report_is_printed_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "swept"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("# Sweep made\n") and "12 in 4 cells: 8 done, 2 failed, 2 waiting." in out
    assert [path.name for path in Path("swept").iterdir()] == ["sweep.sqlite"]


def test_the_table_of_cells_is_printed_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "swept", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["cell"], row["runs"], row["n"], row["pairs"]) for row in rows] == [
        ("0", "3", "2", ""),
        ("1", "3", "2", "2"),
        ("2", "2", "2", "1"),
        ("3", "2", "2", "1"),
    ]


def test_everything_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "swept", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["status"] for run in found["runs"]].count("failed") == 2 and found["sweep"]["seeds"] == 5


def test_the_page_is_made_anew_and_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: shown.append(address) or True)
    for _ in range(2):
        assert main(["summary", "swept", "--open"]) == 0
        assert capsys.readouterr() == ("Written to swept/report.html\n", "")
    assert shown[0].endswith("swept/report.html") and "Sweep made" in Path("swept/report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["swept", "--format", "xml"], "expected md | csv | json, got 'xml'"), (["nowhere"], "no sweep there (nowhere)")],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1 and message in err
