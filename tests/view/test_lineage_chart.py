"""The family tree as an option of ECharts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from genealogy import genome_of, made_book

from evolora_mesa.evolution.lineage import Phylogeny
from evolora_mesa.view.charts.lineage import KINDS, family_tree, height_of, told
from evolora_mesa.view.lineage import Family, lay_out, moment
from evolora_mesa.view.theme import DARK, LIGHT


def small_family() -> Family:
    """Founders 1 and 2; 3, a child of 1 that died; 4, a merge of 1 and 2; 5, on trial; 6, rejected; 7, 3 revived."""
    book = Phylogeny()
    for id, parents, generation, operator in (
        (1, (), 0, "founder"),
        (2, (), 0, "founder"),
        (3, (1,), 2, "gaussian"),
        (4, (1, 2), 3, "ties"),
        (5, (4,), 8, "gaussian"),
        (6, (2,), 4, "gaussian"),
        (7, (3,), 7, "elite"),
    ):
        lineage = book[parents[0]].lineage if parents else id
        book.born(id, parents, generation, operator, genome_of(id), lineage, "birth" if parents else "founder")
    for id, generation, how in ((3, 3, "accepted"), (4, 5, "confined"), (7, 7, "revival")):
        book.accepted(id, generation, how)
    for id, generation, cause in ((3, 5, "bankrupt"), (6, 6, "rejected"), (2, 6, "bankrupt")):
        book.died(id, generation, cause)
    return Family(tuple(book), 9)


def drawn(at: int = 9, *, everybody: bool = True, **more: Any) -> dict[str, Any]:
    found = small_family()
    option = family_tree(lay_out(found, everybody=everybody), moment(found.records, at), LIGHT, last=found.last, **more)
    assert option is not None
    json.dumps(option, allow_nan=False)
    return option


def series(option: dict[str, Any], id: str) -> list[dict[str, Any]]:
    [found] = [one for one in option["series"] if one["id"] == id]
    return found["data"]


def lives(option: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {item["id"]: item for item in series(option, "lives")}


def test_every_life_is_a_line_from_birth_to_death_and_a_mark_of_its_kind() -> None:
    option = drawn()
    spans = {id: (item["coords"][0][0], item["coords"][1][0]) for id, item in lives(option).items()}
    assert spans == {1: (0, 9), 2: (0, 6), 3: (2, 5), 4: (3, 9), 5: (8, 9), 6: (4, 6), 7: (7, 9)}
    marks = {kind: [item["id"] for item in series(option, kind)] for kind in KINDS}
    assert marks == {"founder": [1, 2], "mutation": [3, 5, 6], "merge": [4], "revival": [7]}


def test_births_join_lanes_and_merges_have_another_line_to_their_second_parent() -> None:
    option = drawn()
    lane = {id: item["coords"][0][1] for id, item in lives(option).items()}
    births = [item["coords"] for item in series(option, "births")]
    assert [[3, lane[1]], [3, lane[4]]] in births
    assert [[5, lane[3]], [7, lane[7]]] in births  # from the end of a parent that was dead
    [second] = series(option, "second parents")
    assert second["coords"] == [[3, lane[2]], [3, lane[4]]]
    assert second["lineStyle"]["type"] == "dashed"


def test_branches_that_left_nobody_are_faded_and_the_others_have_the_colour_of_their_lineage() -> None:
    styles = {id: item["lineStyle"] for id, item in lives(drawn()).items()}
    assert {id for id, style in styles.items() if style["opacity"] < 0.5} == {6}  # 3 came back, 2 has a grandchild
    assert {styles[id]["color"] for id in (1, 3, 4, 5, 7)} == {LIGHT.category(0)}
    assert styles[2]["color"] == LIGHT.category(1)


def test_trials_are_dotted_and_hollow() -> None:
    option = drawn()
    assert {id for id, item in lives(option).items() if item["lineStyle"].get("type") == "dotted"} == {5, 6}
    fills = {item["id"]: item["itemStyle"]["color"] for item in series(option, "mutation")}
    assert fills == {3: LIGHT.category(0), 5: LIGHT.card, 6: LIGHT.card}


def test_the_chosen_one_and_its_ancestors_stand_out() -> None:
    widths = {id: item["lineStyle"]["width"] for id, item in lives(drawn(chosen=5)).items()}
    assert widths[5] > widths[4] == widths[1] == widths[2] > widths[3]


def test_an_earlier_moment_hides_what_came_later() -> None:
    option = drawn(4)
    assert {id: item["coords"][1][0] for id, item in lives(option).items()} == {1: 4, 2: 4, 3: 4, 4: 4, 6: 4}
    assert all(item["lineStyle"]["opacity"] == 1 for item in lives(option).values())
    assert option["xAxis"]["max"] == 9
    assert next(one for one in option["series"] if one["id"] == "lives")["markLine"]["data"] == [{"xAxis": 4}]
    whole = lives(drawn(9))
    assert all(item["coords"][0] == whole[id]["coords"][0] for id, item in lives(option).items())


def test_nobody_yet_is_no_drawing() -> None:
    found = Family((), 0)
    assert family_tree(lay_out(found), moment((), 0), DARK, last=0) is None


def test_axes_have_names() -> None:
    option = drawn()
    assert (option["xAxis"]["name"], option["yAxis"]["name"]) == ("generation", "lives, one lane each")


@pytest.mark.parametrize(
    ("id", "text"),
    [
        (1, "organelle #1, lineage 1\nfounder, born in generation 0\nalive"),
        (
            3,
            "organelle #3, lineage 1\nchild of #1 by gaussian, born in generation 2\naccepted in generation 3, "
            "died in generation 5 (bankrupt)",
        ),
        (
            4,
            "organelle #4, lineage 1\nmerge of #1 and #2 by ties, born in generation 3\n"
            "accepted, confined to its parents' cells in generation 5, alive",
        ),
        (5, "organelle #5, lineage 1\nchild of #4 by gaussian, born in generation 8\non trial, alive"),
        (
            6,
            "organelle #6, lineage 2\nchild of #2 by gaussian, born in generation 4\nnever accepted, "
            "died in generation 6 (rejected)",
        ),
        (7, "organelle #7, lineage 1\ncopy of #3 from the archive, born in generation 7\nalive"),
    ],
)
def test_a_life_in_words(id: int, text: str) -> None:
    [record] = [record for record in small_family().records if record.id == id]
    assert told(record) == text
    assert lives(drawn())[id]["name"] == text


def test_in_a_crowd_marks_are_small_and_alone_are_pointed_at() -> None:
    book = made_book(2000, living=24)
    found = Family(tuple(book), 600)
    tree = lay_out(found, everybody=True)
    option = family_tree(tree, moment(found.records, 600), LIGHT, last=600)
    assert option is not None
    assert len(json.dumps(option)) < 1_200_000
    marks = [item for kind in KINDS for item in series(option, kind)]
    assert sorted(item["id"] for item in marks) == [record.id for record in tree.records]
    assert max(item["symbolSize"] for item in marks) < 8
    assert all("name" in item for item in marks) and not any("name" in item for item in series(option, "lives"))


def test_the_height_follows_the_lanes_within_a_screen() -> None:
    heights = [
        int(height_of(lay_out(Family(tuple(made_book(size, living=living)), 99)))[:-2])
        for size, living in ((4, 4), (60, 24), (400, 200))
    ]
    assert heights == sorted(heights)
    assert heights[0] >= 300 and heights[2] == 900
