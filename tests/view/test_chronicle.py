"""Events are told in sentences."""

from __future__ import annotations

from evolora_mesa.view.chronicle import happenings


def test_a_birth_names_its_parents() -> None:
    facts = {"parents": [3, 5], "operator": "rank_component", "lineage": 3}
    (told,) = happenings(7, [("birth", 9, facts)])
    assert told == (7, "birth", 9, "#9 was born to #3 and #5 by rank component, and is on trial")


def test_a_death_names_its_cause_and_a_rejected_childs_is_left_to_its_verdict() -> None:
    bankrupt = ("death", 2, {"cause": "bankrupt", "age": 12})
    told = happenings(7, [bankrupt, ("death", 4, {"cause": "rejected", "age": 1})])
    assert [event.text for event in told] == ["#2 died bankrupt, 12 generations old"]


def test_what_befell_everybody_is_nobodys() -> None:
    (left, winter) = happenings(
        3, [("families_left", None, {"families": ["math", "logic"]}), ("winter_began", None, {"until": 9})]
    )
    assert left.id is None and left.text == "math, logic are not asked any more"
    assert winter.text == "winter began: the sun gives less, until generation 9"


def test_colonies_are_told_by_their_members() -> None:
    facts = {"colony": 4, "members": [1, 2], "mode": "vote"}
    assert happenings(1, [("colony_founded", None, facts)])[0].text == "colony 4 was founded by #1 and #2"


def test_daily_work_is_no_news_and_a_missing_fact_is_no_failure() -> None:
    assert happenings(1, [("learned", None, {}), ("moved", 1, {})]) == []
    assert "unknown" in happenings(1, [("accepted", 1, {"kind": "merge"})])[0].text
