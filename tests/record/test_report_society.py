"""What the report tells of society is what the events tell, and nothing is told of what did not happen."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from made_run import make_run

from evolora_mesa.record.layout import STORE_FILE
from evolora_mesa.record.report.document import Section, Table
from evolora_mesa.record.report.making import Report
from evolora_mesa.record.report.reading import RunFacts, read_run
from evolora_mesa.record.report.society import society

Event = tuple[int, str, dict[str, Any]]

PAIR: dict[str, Any] = {"colony": 1, "members": [1, 2]}
WORKED = {**PAIR, "rung": "ensemble", "tasks": 4, "right": 3, "rival_right": 2, "tokens": 60, "rival_tokens": 60}
EVENTS: tuple[Event, ...] = (
    (1, "colony_proposed", {**PAIR, "mode": "vote"}),
    (1, "colony_proposed", {"colony": 2, "members": [3, 4], "mode": "skill"}),
    (2, "colony_refused", {"colony": 2, "members": [3, 4], "reason": "no_better"}),
    (2, "colony_founded", {**PAIR, "mode": "vote"}),
    (3, "colony_worked", WORKED),
    (4, "colony_worked", WORKED),
    (5, "colony_dissolved", {**PAIR, "reason": "worse", "rung": "ensemble"}),
    (1, "posted", {"cell": [0, 0], "hint": 1, "text": "`", "price": 0.1}),
    (2, "kept", {"cell": [0, 0], "rows": [1, 2]}),
    (2, "read", {"from": "board", "text": "`", "rows": [0, 1], "right": 2, "hint": 1, "author": 1}),
    (3, "read", {"from": "knowledge", "text": "x", "rows": [3], "right": 0}),
    (1, "policy", {"parsed": "genuine"}),
    (1, "policy", {"parsed": "failed"}),
    (2, "policy", {"parsed": "failed"}),
    (2, "adapted", {"organelles": 3, "strength": 0.5}),
    (1, "routed", {"right": 0, "to": {"organelle": 2}, "tasks": [[0, 0, "organelle", 1, False]] * 2}),
    (2, "routed", {"right": 2, "to": {"host": 2}, "tasks": [[0, 0, "host", 0, True]] * 2}),
    (2, "composite", {"chain": ["math", "logic"], "taken_for": ["math", "math"], "steps": [True, False], "tokens": 40}),
    (
        4,
        "composite",
        {"chain": ["math", "logic"], "taken_for": ["math", "logic"], "steps": [True, True], "right": True},
    ),
    (3, "season", {"shift": 1, "changed": ["math", "logic"], "emptied": []}),
    (4, "winter_began", {"inflow": 0.5, "until": 6}),
    (2, "judged", {"answers": 4, "ratings": 0, "likes": {"ticks": 1.0}, "bonus": 0.25, "styles": {"terse": 4}}),
    (
        5,
        "judged",
        {"answers": 4, "ratings": 7, "likes": {"ticks": 2.0}, "bonus": 0.5, "styles": {"ticks": 3, "terse": 1}},
    ),
)
NAMES = ["colonies", "hints", "policies", "skills", "router", "orchestrator", "seasons", "judge"]


def run_with(folder: Path, events: tuple[Event, ...]) -> Path:
    run = make_run(folder)
    with sqlite3.connect(run / STORE_FILE) as store:
        for sequence, (generation, kind, facts) in enumerate(events):
            store.execute(
                "INSERT INTO events VALUES (?, ?, ?, NULL, ?)", (generation, sequence, kind, json.dumps(facts))
            )
    return run


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> RunFacts:
    return read_run(run_with(tmp_path_factory.mktemp("runs") / "social", EVENTS))


def section(facts: RunFacts, name: str) -> Section:
    return next(section for section in society(facts) if section.name == name)


def rows(facts: RunFacts, name: str) -> list[tuple[str, ...]]:
    """Of the section's tables."""
    tables = [block for block in section(facts, name).blocks if isinstance(block, Table)]
    return [tuple(map(str, row)) for table in tables for row in table.rows]


def test_a_run_without_society_has_no_section_about_it(tmp_path: Path) -> None:
    facts = read_run(make_run(tmp_path / "alone"))
    assert society(facts) == () and facts.social.as_json() == {}


@pytest.mark.parametrize("name", NAMES)
def test_each_section_is_there_when_its_events_are_and_alone(tmp_path: Path, name: str) -> None:
    kinds = {
        "colonies": "colony_proposed", "hints": "posted", "policies": "policy", "skills": "adapted", "router": "routed",
        "orchestrator": "composite", "seasons": "season", "judge": "judged",
    }  # fmt: skip
    run = run_with(tmp_path / "run", tuple(event for event in EVENTS if event[1] == kinds[name]))
    assert [section.name for section in society(read_run(run))] == [name]


def test_all_of_it_is_in_the_page_the_text_and_the_figures_in_its_order(facts: RunFacts) -> None:
    report = Report.of([facts.path], host=False)
    ids = [section.name for section in report.document().sections]
    assert ids[ids.index("archive") + 1 : ids.index("answers")] == NAMES
    page, text = report.as_html(), report.as_markdown()
    for made in society(facts):
        assert f'id="{made.name}"' in page and f"## {made.title}" in text
    told = json.loads(report.as_json())["runs"][0]["society"]
    assert told["colony_work"]["ensemble"] == {
        "tasks": 8, "right": 6, "rival_right": 4, "tokens": 120, "rival_tokens": 120,
    }  # fmt: skip
    assert told["reads"] == {"board": {"answers": 2, "right": 2}, "knowledge": {"answers": 1, "right": 0}}
    assert told["policies"] == {"genuine": 1, "failed": 2} and len(told["routed"]) == 4


def test_colonies_are_told_with_lifetimes_and_what_they_did_beside_their_best_member(facts: RunFacts) -> None:
    assert "2 pairs tried, 1 passed, 0 live on; a colony lived 3 generations." in section(facts, "colonies").about
    work, life = rows(facts, "colonies")
    assert work == ("ensemble", "8", "75.0 %", "50.0 %", "+25.0", "50", "33.33")
    assert life == ("1", "1 + 2", "vote", "ensemble", "2", "5 (worse)", "3")


def test_hints_are_told_with_what_their_readers_were_paid(facts: RunFacts) -> None:
    board, knowledge, alone = rows(facts, "hints")
    assert board[:3] == ("board", "2", "100.0 %") and knowledge[:3] == ("knowledge", "1", "0.0 %")
    assert alone[:2] == ("no hint", "21") and board[3].startswith("+") and knowledge[3].startswith("−")


def test_genuine_policies_are_counted_apart(facts: RunFacts) -> None:
    assert "3 policies asked for" in section(facts, "policies").about
    assert "33.3 %" in section(facts, "policies").about


def test_updates_of_skill_factors_are_told(facts: RunFacts) -> None:
    assert "1 time, on average 3 of them at once" in section(facts, "skills").about


def test_regret_is_held_against_the_best_of_the_cell(facts: RunFacts) -> None:
    about = section(facts, "router").about
    assert "4 tasks" in about and "50.0 % were paid in full" in about
    assert "+50.0 points per task in the first half of them, 0.0 in the second" in about.replace("+0.0", "0.0")


def test_composite_tasks_are_told_by_what_was_recognised_and_what_was_right(facts: RunFacts) -> None:
    first, second = rows(facts, "orchestrator")
    assert first[:5] == ("first half", "1", "0.0 %", "50.0 %", "50.0 %")
    assert second[:5] == ("second half", "1", "100.0 %", "100.0 %", "100.0 %")


def test_a_change_of_the_world_is_told_with_the_success_before_and_after(facts: RunFacts) -> None:
    shift, winter = rows(facts, "seasons")
    assert shift[:2] == ("3", "contracts shifted: math, logic")
    assert winter[:2] == ("4", "winter began: 50 % of the sun's energy")
    assert 'class="mark"' in Report.of([facts.path], host=False).as_html()


def test_the_best_of_a_cell_is_found_on_what_was_paid_for_since_the_last_shift(tmp_path: Path) -> None:
    before = read_run(make_run(tmp_path / "still")).choices
    after = read_run(run_with(tmp_path / "moved", ((6, "season", {"shift": 1, "changed": ["math"]}),))).choices
    assert {choice.tries for choice in after} == {1} < {choice.tries for choice in before} | {1}
    assert max(choice.tries for choice in before) > 1


def test_a_judge_is_told_with_its_taste_and_what_it_gave(facts: RunFacts) -> None:
    about = section(facts, "judge").about
    assert "8 answers in 2 generations, in the end by 7 ratings, and gave 0.8 energy" in about
    assert rows(facts, "judge") == [("ticks", "+2.00")]
    assert [section(facts, "judge").blocks[0].pictures[0].told.count(style) for style in ("ticks", "terse")] == [1, 1]  # type: ignore[union-attr]


def test_events_that_lack_facts_break_nothing(tmp_path: Path) -> None:
    bare = tuple((generation, kind, {}) for generation, kind, _ in EVENTS)
    facts = read_run(run_with(tmp_path / "run", bare))
    assert {made.name for made in society(facts)} <= set(NAMES)
    assert Report.of([facts.path], host=False).as_html()
