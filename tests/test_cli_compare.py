"""``evolora compare`` from the outside: files, what it says, and that nothing is measured twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evolora_mesa.cli import main


def test_compare_writes_a_page_a_text_and_a_table_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["compare", "Boltzmann", "--seeds", "2", "--shadows", "2", "--workers", "1", "--out", str(tmp_path / "c")]
    assert main(command) == 0
    assert {"comparison.html", "comparison.md", "comparison.csv"} <= set(os.listdir(tmp_path / "c"))
    first = capsys.readouterr()
    assert "Boltzmann none (no heredity)" in first.out and "Boltzmann, full, seed 1: done" in first.err
    assert main(command) == 0
    assert "done" not in capsys.readouterr().err
    monkeypatch.setattr("evolora_mesa.alife.compare.crew.code_version", lambda model: "of another day")
    assert main(command) == 0
    assert "Boltzmann, full, seed 1: done" in capsys.readouterr().err, "what other code has measured was taken"


def test_an_unknown_model_and_a_folder_that_is_no_run_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", "Tierra"]) == 2
    assert main(["compare", "Boltzmann", "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 2
