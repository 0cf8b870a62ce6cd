"""Planted truths: the gate keeps its promise, the others are printed as found, and a broken gate is noticed."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from evolora_mesa.cli_gates import gates
from evolora_mesa.config import WorldConfig
from evolora_mesa.config_evolution import GateConfig
from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.evolution.eprocess import power
from evolora_mesa.host import HostService
from evolora_mesa.study import gate_study, planted
from evolora_mesa.study.gate_rules import GATE, RULES, Outcome
from evolora_mesa.study.gate_study import GateStudy, judge, wilson
from evolora_mesa.study.planted import Scale, Truth, plant, tossed

SETTINGS = GateConfig()
TOSSED = [tossed(0.0, 0.2), tossed(0.0, 0.6), tossed(0.1, 0.2), tossed(-0.2, 0.4)]


def mean_above_zero(child: np.ndarray, rivals: np.ndarray, settings: GateConfig) -> Outcome:
    return RULES["mean > 0, n = 32"](child, rivals, settings)


def answers(outcomes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """One candidate with these results against one rival."""
    results = np.array(outcomes)
    return (results > 0)[None], (results < 0)[None, None]


@pytest.fixture(scope="module")
def study() -> GateStudy:
    return judge(TOSSED, candidates=2000)


# ---------------------------------------------------------------------- rules


def test_the_gate_keeps_its_promise_and_the_peers_rules_do_not(study: GateStudy) -> None:
    for null in (TOSSED[0].name, TOSSED[1].name):
        assert study.row(null, GATE).interval[0] <= 0.05
        assert study.row(null, GATE).rate <= 0.05
        assert study.row(null, "mean > 0, n = 32").rate > 0.35
        assert study.row(null, "mean > 0, n = 64").rate > 0.35
        assert study.row(null, "half vs half").rate > 0.3
        assert study.row(null, "McNemar, peeking").interval[0] > 0.05
        assert study.row(null, "McNemar, n = 256").rate < 0.065
        assert study.row(null, "t-test, n = 32").rate < 0.075
    assert study.broken() == []


def test_the_gate_finds_ten_points_without_spending_all_prompts(study: GateStudy) -> None:
    row = study.row(TOSSED[2].name, GATE)
    assert row.interval[1] >= 0.8
    assert row.rate <= power(256, 0.1, 0.2) + 0.02  # futility can only take from it
    assert row.prompts < 128
    assert study.row(TOSSED[3].name, GATE).accepted == 0
    assert study.row(TOSSED[3].name, GATE).prompts < 64


def test_the_half_against_half_test_cannot_tell_a_better_child_from_an_equal_one(study: GateStudy) -> None:
    null, better = (study.row(TOSSED[place].name, "half vs half").rate for place in (0, 2))
    assert abs(null - better) < 0.06


def test_the_gate_stops_at_the_first_clear_answer() -> None:
    accepted, prompts = RULES[GATE](*answers([1] * 256), SETTINGS)
    assert (accepted.tolist(), prompts.tolist()) == ([True], [7])
    accepted, prompts = RULES[GATE](*answers([-1] * 256), SETTINGS)
    assert not accepted[0]
    assert prompts[0] < 7
    # Late wins do not bring back a child that was dropped.
    accepted, prompts = RULES[GATE](*answers([-1] * 16 + [1] * 240), SETTINGS)
    assert not accepted[0]


def test_a_child_of_two_must_beat_both() -> None:
    child = np.ones((1, 256), dtype=bool)
    rivals = np.stack([~child, child], 1)
    for name in RULES.keys() - {"half vs half"}:
        assert not RULES[name](child, rivals, SETTINGS).accepted[0], name
        assert RULES[name](child, rivals[:, :1], SETTINGS).accepted[0], name


def test_mcnemar_is_the_exact_binomial_test() -> None:
    # 5 wins and no loss: 1/32 is significant; 4 wins: 1/16 is not.
    assert RULES["McNemar, n = 256"](*answers([1] * 5 + [0] * 251), SETTINGS).accepted[0]
    assert not RULES["McNemar, n = 256"](*answers([1] * 4 + [0] * 252), SETTINGS).accepted[0]
    peeking = RULES["McNemar, peeking"](*answers([1] * 5 + [0] * 100 + [-1] * 151), SETTINGS)
    assert (peeking.accepted.tolist(), peeking.prompts.tolist()) == ([True], [16])


def test_wilson_bounds() -> None:
    assert wilson(0, 2000) == pytest.approx((0, 0.001917), abs=1e-6)
    assert wilson(50, 100) == pytest.approx((0.40383, 0.59617), abs=1e-5)
    assert wilson(7, 7)[1] == 1.0


# ---------------------------------------------------------------------- truths


@pytest.mark.parametrize("truth", TOSSED, ids=lambda truth: truth.name)
def test_tosses_have_the_uplift_that_they_are_named_after(truth: Truth) -> None:
    child, rivals = truth.draw(2000, 256, np.random.default_rng(0))
    assert (child.astype(int) - rivals[:, 0]).mean() == pytest.approx(truth.uplift, abs=0.005)
    assert rivals.mean() == pytest.approx(0.35, abs=0.005)


@pytest.fixture(scope="module")
def truths(petri: HostService, small_world: WorldConfig) -> dict[str, Truth]:
    scale = Scale(episodes=256, per_cell=24, merges=1)
    return {truth.name: truth for truth in plant(petri, small_world, scale=scale)}


def test_planted_truths_have_the_uplift_that_they_claim(truths: dict[str, Truth]) -> None:
    assert {truth.kind for truth in truths.values()} == {"null", "harmful", "good"}
    for truth in truths.values():
        child, rivals = truth.draw(4000, 128, np.random.default_rng(0))
        gains = (child[:, None].astype(int) - rivals).mean((0, 2))
        assert gains.min() == pytest.approx(truth.uplift, abs=0.02), truth.name
        assert (truth.uplift > 0) == (truth.kind == "good")
        assert (truth.uplift < 0) == (truth.kind == "harmful")


def test_silent_noise_changes_no_answer_and_the_luck_of_sampling_does(truths: dict[str, Truth]) -> None:
    child, rivals = truths["null, silent noise"].draw(100, 256, np.random.default_rng(0))
    assert (child == rivals[:, 0]).all()
    child, rivals = truths["null, answered twice"].draw(100, 256, np.random.default_rng(0))
    assert (child != rivals[:, 0]).mean() > 0.05


def test_a_merge_is_held_against_both_parents_and_beats_them(truths: dict[str, Truth]) -> None:
    merged = truths["merge of two specialists"]
    assert merged.draw(10, 256, np.random.default_rng(0))[1].shape == (10, 2, 256)
    assert merged.uplift >= 0.1
    assert judge([merged], candidates=200).row(merged.name, GATE).rate > 0.9


# ---------------------------------------------------------------------- the command


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str, BaseException | None]:
    """Exit code, standard output and error of the command on tosses alone."""
    monkeypatch.setattr(planted, "plant", lambda *_, **__: TOSSED)
    app = typer.Typer()
    app.command()(gates)
    result = CliRunner().invoke(app, arguments)
    return result.exit_code, result.stdout, result.exception


def test_the_figures_come_last_and_the_exit_code_is_0(monkeypatch: pytest.MonkeyPatch) -> None:
    code, text, _ = run(["--study", "--candidates", "400"], monkeypatch)
    assert code == 0
    assert "null, tossed, discordance 0.2: " in text.splitlines()[-len(TOSSED)]
    assert "of 400 accepted" in text.splitlines()[-1]


def test_a_gate_that_is_replaced_by_the_peers_rule_ends_with_another_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge_switched_off(*arguments: object, **named: object) -> GateStudy:
        return judge(*arguments, **named, rules={GATE: mean_above_zero})

    monkeypatch.setattr(gate_study, "judge", judge_switched_off)
    code, text, _ = run(["--study", "--candidates", "400"], monkeypatch)
    assert code == 1
    assert "more than the 5 % that were promised" in text


def test_an_e_value_that_counts_wins_alone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "evolora_mesa.study.gate_rules.log_e_value", lambda won, tied, lost, margin=0.0: (won - lost) * 9.0
    )
    assert run(["--study", "--candidates", "400"], monkeypatch)[0] == 1


def test_results_are_written_in_every_form(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code, text, _ = run(["--study", "--json", "--candidates", "100", "--out", str(tmp_path / "new")], monkeypatch)
    assert code == 0
    document = json.loads(text)
    assert document == json.loads((tmp_path / "new" / "gates.json").read_text())
    assert document["broken"] == []
    assert len(document["rows"]) == len(TOSSED) * len(RULES)
    lines = list(csv.DictReader(io.StringIO((tmp_path / "new" / "gates.csv").read_text())))
    assert float(lines[0]["low"]) <= float(lines[0]["rate"]) <= float(lines[0]["high"])
    page = (tmp_path / "new" / "gates.md").read_text()
    assert "evolora gates --study --seed 0 --candidates 100" in page
    assert all(rule in page for rule in RULES)


def test_without_matplotlib_there_is_no_plot_and_no_complaint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, study: GateStudy
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert {path.suffix for path in study.save(tmp_path)} == {".json", ".md", ".csv"}


def test_a_plot_is_drawn_where_matplotlib_is(tmp_path: Path, study: GateStudy) -> None:
    pytest.importorskip("matplotlib")
    assert study.save(tmp_path)[-1].read_bytes().startswith(b"\x89PNG")


def test_mistakes_are_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert isinstance(run(["ecology", "--study"], monkeypatch)[2], ConfigError)
    (tmp_path / "file").write_text("")
    assert isinstance(run(["--study", "--out", str(tmp_path / "file")], monkeypatch)[2], RunError)
    for wrong in (["--candidates", "0"], ["--seed", "-1"]):
        assert run(["--study", *wrong], monkeypatch)[0] == 2


def test_the_same_seed_gives_the_same_figures() -> None:
    first, again, other = (judge(TOSSED[:1], candidates=300, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.rows != other.rows
