"""The studies of seasons and skill factors: arms of equal size, and pages that say what was found."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from evolora_mesa.configfile import load_config
from evolora_mesa.host import HostService
from evolora_mesa.study import society_seasons, society_skills
from evolora_mesa.study.society_seasons import ARMS, BEFORE, SeasonRow, recovery, seasons_page
from evolora_mesa.study.society_skills import SkillRow, live_arm, skills_page

BUDGET = 96


@pytest.fixture(scope="module")
def rows(petri: HostService) -> list[SeasonRow]:
    return list(recovery(petri, load_config("smoke"), 0, 1, [BUDGET], 1))


def test_every_arm_is_measured_after_the_shift_and_those_that_were_there_before_it_too(rows: list[SeasonRow]) -> None:
    found = {(row.arm, row.budget) for row in rows}
    old = {"bare host", "reselected", "one adapter", "supervised"}
    assert {arm for arm, budget in found if budget == BEFORE} == old == {arm for arm, budget in found if budget == 0}
    assert {arm for arm, budget in found if budget == BUDGET} == set(ARMS) - {"bare host"}
    assert all(0 <= row.accuracy <= 1 for row in rows)


def test_no_arm_has_more_episodes_than_whole_generations_and_updates_make_of_the_budget(rows: list[SeasonRow]) -> None:
    had = {row.arm: row.episodes for row in rows if row.budget == BUDGET}
    assert had["reselected"] <= BUDGET and had["fresh specialists"] <= BUDGET
    assert had["one adapter"] == had["fresh adapter"] == BUDGET
    assert BUDGET <= had["supervised"] <= BUDGET + 63  # whole updates
    before = {row.arm: row.episodes for row in rows if row.budget == BEFORE}
    assert before["reselected"] <= before["one adapter"] < before["reselected"] + 32


def test_a_population_that_is_not_asked_again_goes_to_where_it_went(rows: list[SeasonRow]) -> None:
    """What pays after the shift is another style, so the old routes are worth no more than the bare host."""
    at_once = {row.arm: row.accuracy for row in rows if row.budget == 0}
    assert at_once["reselected"] <= at_once["bare host"] + 0.2


def test_the_page_has_a_line_per_arm_and_leads_paired_by_seed() -> None:
    rows = [
        SeasonRow(arm, seed, budget, budget, 0.5 + 0.1 * seed - 0.2 * (arm == "one adapter"))
        for seed in (0, 1)
        for arm in ARMS
        for budget in (BEFORE, 0, 768)
    ]
    page = seasons_page(rows, 40, "the command")
    lines = [line for line in page.splitlines() if line.startswith("| one adapter")]
    assert lines[1] == "| one adapter | 20.0 [20.0, 20.0] |"
    assert sum(line.startswith("| fresh specialists") for line in page.splitlines()) == 2
    assert "`the command`" in page and "768 episodes" in page


def test_skill_factors_are_on_in_the_arms_that_say_so() -> None:
    few = {"population.initial": 4, "host.tune_cpu": False}
    off, on = (live_arm("shifting", arm, 0, 4, per_cell=1, more=few) for arm in ("off", "on, fast"))
    assert off.strength == 0.0 < on.strength
    page = skills_page([SkillRow(*row) for row in _all_arms(off)], 4, "the command")
    assert page.count("| static |") == page.count("| shifting |") == len(society_skills.ARMS)


def _all_arms(row: SkillRow) -> list[tuple[object, ...]]:
    figures = (row.success, row.early, row.routed, row.unrouted, row.strength, row.cpu_ms)
    return [
        (world, arm, seed, *figures)
        for world in society_skills.WORLDS
        for arm in society_skills.ARMS
        for seed in (0, 1)
    ]


def test_the_command_writes_a_page_and_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [SeasonRow(arm, seed, budget, 1, 0.5) for seed in (0, 1) for arm in ARMS for budget in (BEFORE, 0, 96)]
    monkeypatch.setattr(society_seasons, "recovery", lambda *given: (row for row in made if row.seed == given[2]))
    monkeypatch.setattr(society_seasons, "host_for", lambda _: None)
    told: list[str] = []
    assert society_seasons.main(["--seeds", "2", "--budgets", "96", "--out", str(tmp_path)], told.append) == 0
    assert (tmp_path / "seasons.md").read_text() == told[0]
    with (tmp_path / "seasons.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(made)
