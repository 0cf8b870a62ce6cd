"""Specialists: good at home, and only by a rule that learns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import ConfigError
from evolora_mesa.host import HostService
from evolora_mesa.study.specialists import TransferTable, main, transfer_matrix


@pytest.fixture(scope="module")
def table(petri: HostService, small_world: WorldConfig) -> TransferTable:
    return transfer_matrix(petri, small_world, seeds=[0, 1], episodes=128, per_cell_test=10)


def test_specialists_learn_by_three_factor_and_labels_not_by_the_controls(table: TransferTable) -> None:
    gain = {rule: table.summary(rule)["diagonal − base"].mean for rule in table.rules}
    assert gain["three_factor"] > 0.15
    assert gain["supervised"] > 0.15
    assert gain["none"] == 0.0
    assert abs(gain["hebbian"]) < 0.15


def test_a_specialist_is_better_at_home_than_away(table: TransferTable) -> None:
    assert table.summary("three_factor")["diagonal − off-diagonal"].mean > 0.2
    assert table.mean_matrix("three_factor").shape == (2, 2)


def test_the_base_is_the_same_for_all_rules_of_a_seed(table: TransferTable) -> None:
    for seed in (0, 1):
        bases = [row.base for row in table.rows if row.seed == seed]
        assert all(base == bases[0] for base in bases)


def test_the_page_and_the_json_hold_every_rule(table: TransferTable) -> None:
    document = json.loads(table.to_json())
    assert set(document["summary"]) == {"three_factor", "hebbian", "none", "supervised"}
    assert document["summary"]["none"]["diagonal − base"]["mean"] == 0.0
    page = table.markdown("the command")
    assert "Made by `the command`" in page and all(f"| {rule} |" in page for rule in table.rules)


def test_one_family_has_no_off_diagonal(petri: HostService, small_world: WorldConfig) -> None:
    found = transfer_matrix(
        petri,
        small_world.model_copy(update={"tasks": small_world.tasks.model_copy(update={"families": ("string.ops",)})}),
        seeds=[0],
        rules=["none"],
        episodes=16,
        per_cell_test=1,
    )
    assert "n/a" in found.markdown()
    assert json.loads(found.to_json())["summary"]["none"]["off-diagonal %"]["mean"] is None


def test_bad_requests_are_refused(petri: HostService) -> None:
    with pytest.raises(ConfigError, match="unknown rule"):
        transfer_matrix(petri, seeds=[0], rules=["magic"])
    with pytest.raises(ConfigError, match="nothing to train"):
        transfer_matrix(petri, seeds=[0], episodes=3)


def test_the_command_says_in_one_line_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["--seeds", "0", "--out", str(tmp_path / "x.json")]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: nothing to train") and captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_nine_specialists_of_512_episodes_gain_thirty_points(petri: HostService) -> None:
    found = transfer_matrix(petri, seeds=[0], rules=["three_factor", "hebbian", "none"])
    assert found.summary("three_factor")["diagonal − base"].mean > 0.30
    assert found.summary("three_factor")["diagonal − off-diagonal"].mean > 0.40
    assert abs(found.summary("hebbian")["diagonal − base"].mean) < 0.10
