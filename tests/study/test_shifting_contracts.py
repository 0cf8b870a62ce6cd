"""What is told of a world whose contracts shift goes by the contracts that were in force at the time."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from rich.console import Console
from world_fixtures import live, tiny_world

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.ground import contracts_at
from evolora_mesa.host import HostService
from evolora_mesa.record.report.answers import ask_host
from evolora_mesa.record.report.reading import Choice
from evolora_mesa.streams import Streams
from evolora_mesa.study import accepted, demo
from evolora_mesa.study.demo import run_demo

SHIFT = {"seasons.schedule": [{"at": 2, "shift": "contracts"}]}


def test_the_demo_is_held_against_the_host_by_the_contracts_that_it_ended_under(
    small_world: WorldConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grounds: list[Any] = []
    deploy = demo.deploy
    monkeypatch.setattr(demo, "deploy", lambda *given: grounds.append(given[3]) or deploy(*given))
    console, sizes = Console(file=io.StringIO()), {"per_cell_select": 1, "per_cell_test": 1}
    run_demo(console=console, out=tmp_path / "run", config=small_world, settings=SHIFT, generations=3, **sizes)
    config = load_config(small_world, SHIFT)
    first, last = (contracts_at(config, grounds[0].families, generation) for generation in (1, 3))
    assert {one: [ground.contracts.style(one, 1) for ground in grounds] for one in grounds[0].families} == {
        one: [last.style(one, 1)] * 2 for one in grounds[0].families
    }
    assert any(first.style(one, 1) != last.style(one, 1) for one in grounds[0].families)


def test_children_are_measured_by_the_contracts_that_they_passed_under(
    petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = live(tiny_world(petri, **SHIFT), 2)
    seen: list[str] = []
    answer_panel = accepted.answer_panel

    def watched(*given: Any, **how: Any) -> Any:
        seen.append(given[5].style("math", 1))
        return answer_panel(*given, **how)

    monkeypatch.setattr(accepted, "answer_panel", watched)
    monkeypatch.setattr(accepted, "_PER_CHILD", 1)
    trial = SimpleNamespace(focus=[np.array([0])], kind="merge", operator="svd", prompts=np.array([8]), parents=(1, 2))
    decision = SimpleNamespace(trial=trial, reason="accepted", uplift=0.2)
    weights = [model.bank.read(organelle.slot) for organelle in model.organelles()[:3]]
    witness = SimpleNamespace(seen=[(decision, weights, weights, 1), (decision, weights, weights, 2)])
    accepted._measure(model, witness, Streams(0).python("test"))  # type: ignore[arg-type]
    families = model.grid.families
    assert seen == [contracts_at(model.config, families, at).style("math", 1) for at in (1, 2)]
    assert seen[0] != seen[1] == model.contracts.style("math", 1)


def test_the_report_says_in_which_style_an_answer_was_paid_when_it_was_given() -> None:
    config = load_config("smoke", SHIFT)
    families = tuple(config.tasks.families)
    choices = tuple(Choice(1, 0, 1, 1, 1, generation, "Add: 1+1\nAnswer:", "2", True) for generation in (1, 2))
    facts = SimpleNamespace(
        meta={"config": yaml.safe_dump(config.model_dump(mode="json"))}, families=families, depths=2, choices=choices
    )
    told = [pair.style for pair in ask_host(facts, wanted=False).pairs]  # type: ignore[arg-type]
    assert told == [contracts_at(config, families, at).style("math", 1) for at in (1, 2)]
    assert told[0] != told[1]
