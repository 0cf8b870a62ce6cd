"""The studies of hints: they run, they pair the arms, and they print what was found."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from evolora_mesa.errors import ConfigError
from evolora_mesa.host import HostService
from evolora_mesa.study import society_hint_forms, society_hints
from evolora_mesa.study.society_hint_forms import FORMS
from evolora_mesa.study.society_hint_forms import main as forms_main
from evolora_mesa.study.society_hints import ARMS, HintsRow, hints_page, live_arm, main
from evolora_mesa.tasks import SHIPPED, Pool, TaskSource

ROW = HintsRow("off", 0, 0.3, 0.5, 1.0, 8.0, 0.6, 100, 0.0, 0.0, 0.5, 0, 2.0)


def test_every_arm_is_a_world() -> None:
    for arm in ARMS:
        row = live_arm(arm, 0, 1, {"population.initial": 2, "population.episodes": 2, "host.tune_cpu": False})
        assert row.arm == arm and row.episodes == 4 and 0 <= row.success <= 1 and row.reads == 0


def test_an_arm_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such arm"):
        live_arm("telepathy", 0, 1)


def test_arms_are_held_against_no_hints_and_against_their_shuffled_control_seed_by_seed() -> None:
    rows = [
        replace(ROW, arm=arm, seed=seed, success=success + 0.1 * seed)
        for arm, success in (("off", 0.4), ("board", 0.6), ("board, shuffled", 0.5))
        for seed in (0, 1)
    ]
    page = hints_page(rows, 4, "a command")
    table = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in page.splitlines() if line.startswith("|")}
    assert table["board − off"][2] == "20.0 [20.0, 20.0]"
    assert table["board − board, shuffled"][2] == "10.0 [10.0, 10.0]"
    assert table["board, shuffled − off"][2] == "10.0 [10.0, 10.0]"
    assert "a command" in page and "off − off" not in page


def test_the_command_writes_its_page_and_its_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(society_hints, "live_arm", lambda arm, seed, *_: replace(ROW, arm=arm, seed=seed))
    said: list[str] = []
    arguments = ["--seeds", "2", "--arms", "off", "board", "--shift-every", "5", "--out", str(tmp_path)]
    assert main(arguments, said.append) == 0
    assert (tmp_path / "hints_shifting.md").read_text(encoding="utf-8").strip() == said[0].strip()
    assert "--seeds 2 --generations 40 --shift-every 5 --arms off board`" in said[0]
    assert len((tmp_path / "hints_shifting.csv").read_text(encoding="utf-8").splitlines()) == 5


def test_every_form_of_a_hint_leaves_the_question_in_the_prompt() -> None:
    source, rng = TaskSource(SHIPPED), random.Random(0)
    for family in SHIPPED:
        task, example = (source.draw(Pool.LIVE, family, 2, rng) for _ in range(2))
        question = task.prompt.removeprefix(SHIPPED[family].templates[task.template]).split("\nAnswer:")[0]
        for form, ask in FORMS.items():
            asked = ask(task, example)
            assert question in asked.prompt, form
            assert asked.prompt.endswith("\nAnswer:" + asked.opening), form
        assert FORMS["no hint"](task, example).prompt == task.prompt


def test_the_table_of_forms_is_made(tmp_path: Path, petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostService, "load", lambda *_: petri)
    monkeypatch.setattr(society_hint_forms, "_GENERATIONS", 1)
    monkeypatch.setattr(society_hint_forms, "_PER_CELL", 1)
    few = {form: FORMS[form] for form in ("no hint", "the beginning of the answer")}
    monkeypatch.setattr(society_hint_forms, "FORMS", few)
    assert forms_main(["--seeds", "2", "--out", str(tmp_path)], lambda _: None) == 0
    page = (tmp_path / "hint_forms.md").read_text(encoding="utf-8")
    assert all(f"| {form} |" in page for form in few)
