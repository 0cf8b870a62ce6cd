"""Published figures beside measured ones: verdicts, rules in words, and the page that is made of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evolora_mesa.alife import model_name, model_path
from evolora_mesa.alife.interface import Target
from evolora_mesa.alife.validation import Validation, document, row, rule_of
from evolora_mesa.cli import main
from evolora_mesa.errors import ConfigError

HELD = Target("height", 1.0, 1.05, "a book", low=0.9, high=1.1)
MISSED = Target("weight", 1.0, 2.0, "a book", low=0.9, high=1.1)
SHOWN = Target("colour", "red", "blue", "a book", kind="report")


def made(*targets: Target) -> Validation:
    return Validation("NKWorld", True, targets, 1.0)


def test_a_missed_target_fails_the_model_and_one_that_is_only_shown_does_not() -> None:
    assert made(HELD, SHOWN).passed
    assert not made(HELD, MISSED).passed
    assert made(HELD, MISSED, SHOWN).outcome() == "NKWorld: 1 of 2 targets hold, 1 missed, 1 only shown"


def test_a_model_without_requirements_is_not_valid() -> None:
    assert not made().passed
    assert not made(SHOWN).passed


def test_a_rule_is_told_in_words() -> None:
    assert rule_of(HELD) == "0.9 to 1.1"
    assert rule_of(Target("a", None, 0.0, "", high=0.0)) == "≤ 0"
    assert rule_of(Target("a", None, 3.0, "", low=1.0, rule="of any")) == "≥ 1 (of any)"
    assert rule_of(Target("a", 3.0, 3.0, "", "exact")) == "the same"
    assert rule_of(Target("a", "rises", "1 to 2", "", rule="by 0.1", holds=True)) == "by 0.1"


def test_the_figure_stands_beside_the_published_one() -> None:
    assert row(MISSED)[:4] == ("miss", "weight", "1", "2")
    page = document([made(HELD, MISSED)])
    assert "| miss | weight | 1 | 2 | 0.9 to 1.1 | a book |" in page
    assert "2 targets of 1 models, 1 missed" in page


def test_models_are_known_in_any_case_and_the_closest_is_proposed() -> None:
    assert model_name("nkworld") == "NKWorld"
    assert model_path("wolfsheep") == "evolora_mesa.alife.wolf_sheep:WolfSheep"
    assert model_path("my.own:Model") == "my.own:Model"
    with pytest.raises(ConfigError, match="Did you mean 'WolfSheep'"):
        model_name("WolfShep")


def test_validate_tells_every_target_and_ends_with_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "boltzmann", "--quick"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("Boltzmann: 6 of 6 targets hold, 0 missed;")
    assert sum(" pass " in line for line in said) == 6


def test_validate_writes_the_page_and_speaks_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "Boltzmann", "--quick", "--json", "--docs", str(tmp_path / "page.md")]) == 0
    tree = json.loads(capsys.readouterr().out)
    assert tree["model"] == "Boltzmann" and tree["passed"] and all(target["rule"] for target in tree["targets"])
    assert "## Boltzmann" in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_a_missed_target_is_exit_code_1(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from evolora_mesa.alife.boltzmann import Boltzmann

    monkeypatch.setattr(Boltzmann, "reference", classmethod(lambda cls, *, quick: [HELD, MISSED]))
    assert main(["validate", "Boltzmann", "--quick"]) == 1
    assert "1 of 2 targets hold, 1 missed" in capsys.readouterr().out


def test_an_unknown_model_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "Tierra"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
