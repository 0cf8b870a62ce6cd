"""docs/sweeps.md says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evolora_mesa.cli import app
from evolora_mesa.study.sweep.agenda import Agenda
from evolora_mesa.study.sweep.reading import read_spec
from evolora_mesa.study.sweep.spec import (
    DecisionSpec,
    DesignSpec,
    HalfWidthSpec,
    LimitsSpec,
    MetricSpec,
    PlateauSpec,
    Range,
    StopSpec,
    SweepSpec,
)

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "sweeps.md").read_text(encoding="utf-8")
SPECS = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
SECTIONS = (DecisionSpec, DesignSpec, HalfWidthSpec, LimitsSpec, MetricSpec, PlateauSpec, Range, StopSpec, SweepSpec)


@pytest.mark.parametrize("section", SECTIONS)
def test_every_key_is_explained(section):
    unexplained = [key for key in section.model_fields if f"`{key}`" not in PAGE and f"{key}:" not in "".join(SPECS)]
    assert unexplained == []


@pytest.mark.parametrize("text", SPECS)
def test_every_specification_can_be_run(tmp_path, text):
    path = tmp_path / "spec.yaml"
    path.write_text(text, encoding="utf-8")
    agenda = Agenda(read_spec(path))
    assert agenda.ready({})
    assert not agenda.refused


def test_every_option_that_is_named_exists():
    known = CliRunner().invoke(app, ["sweep", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    commands = re.findall(r"evolora sweep [^\n`]*", PAGE)
    options = {option for command in commands for option in re.findall(r"--[a-z-]+", command.split("#")[0])}
    assert options
    assert {option for option in options if option not in known} == set()
