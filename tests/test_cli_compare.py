"""``evolora compare`` from the outside: files, what it says, and that nothing is measured twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from made_run import made_config, make_run

from evolora_mesa.cli import main
from evolora_mesa.cli_compare import _recorded
from evolora_mesa.configfile import dump_config
from evolora_mesa.record.layout import CONFIG_FILE


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


@pytest.mark.slow
def test_recorded_runs_of_one_world_are_seeds_of_one_column(tmp_path: Path) -> None:
    for name, world in (("a", "one"), ("b", "one"), ("c", "other")):
        config = made_config(name=world)
        (make_run(tmp_path / name, config=config) / CONFIG_FILE).write_text(dump_config(config), encoding="utf-8")
    first, second = _recorded([tmp_path / name for name in "abc"])
    assert (first.name, len(first.settings["runs"])) == ("Evolora one, recorded", 2)
    assert (second.name, len(second.settings["runs"])) == ("Evolora other, recorded", 1)
