"""Panels draw the picture, explain what is missing, and let organelles be chosen."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import ipyvuetify as v
import pytest
import solara
from pictures import course, event, made_picture, niches, organelles, trial
from staged import still, wait_for

from evolora_mesa.view.chart import ChartWidget
from evolora_mesa.view.course import Course
from evolora_mesa.view.panels import ArchivePanel, EventsPanel, GatePanel, GridPanel, OrganellePanel, SeriesPanel
from evolora_mesa.view.panels.gate import verdict_row
from evolora_mesa.view.panels.organelle import _TABS
from evolora_mesa.view.picture import Picture
from evolora_mesa.view.table import TableWidget

PANELS = (ArchivePanel, EventsPanel, GatePanel, GridPanel, OrganellePanel, SeriesPanel)


def looking_at(picture: Picture | None = None, status: str = "paused", ask: Callable[..., Any] = Future) -> Any:
    """A session without a world."""
    return SimpleNamespace(
        picture=solara.Reactive(picture, equals=lambda one, other: one is other),
        status=solara.Reactive(status),
        chosen=solara.Reactive(None),
        dark=solara.Reactive(False),
        stage=solara.Reactive(SimpleNamespace(ask=ask)),
    )


@pytest.fixture
def drawn() -> Iterator[Callable[..., Any]]:
    """Draws a panel."""
    contexts = []

    def draw(panel: Any, session: Any) -> Any:
        contexts.append(solara.render(panel(session), handle_error=False)[1])
        return contexts[-1]

    yield draw
    for context in contexts:
        context.close()


def words(rc: Any) -> str:
    """Everything that is written in plain HTML, to any depth."""

    def written(html: v.Html) -> Iterator[str]:
        for child in html.children:
            if isinstance(child, str):
                yield child
            elif isinstance(child, v.Html):
                yield from written(child)

    return " ".join(text for html in rc.find(v.Html).widgets for text in written(html))


def options(rc: Any) -> list[dict[str, Any]]:
    return [json.loads(chart.option) for chart in rc.find(ChartWidget).widgets]


def rows_of(table: TableWidget) -> list[dict[str, Any]]:
    return json.loads(table.content)["rows"]


def rows(rc: Any) -> list[dict[str, Any]]:
    return [row for table in rc.find(TableWidget).widgets for row in rows_of(table)]


@pytest.mark.parametrize("panel", PANELS)
@pytest.mark.parametrize("picture", [None, made_picture(series=course(1), organelles=organelles())])
def test_what_is_missing_is_explained_in_a_sentence(panel: Any, picture: Picture | None, drawn: Any) -> None:
    rc = drawn(panel, looking_at(picture))
    if rc.find(ChartWidget).widgets:
        assert panel is GridPanel and picture is not None  # an empty ground is worth seeing
    else:
        assert words(rc).count(".") >= 1


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_draws_by_night(panel: Any, drawn: Any) -> None:
    session = looking_at(made_picture(archive=niches((0, 0, 0, 0.5, 1)), trials=(trial(4, 0.0),), events=(event(),)))
    rc = drawn(panel, session)
    by_day = [chart.option for chart in rc.find(ChartWidget).widgets]
    session.dark.value = True
    by_night = [chart.option for chart in rc.find(ChartWidget).widgets]
    assert len(by_day) == len(by_night) and all(day != night for day, night in zip(by_day, by_night, strict=True))


def test_every_chart_says_what_it_shows_to_those_who_do_not_see_it(drawn: Any) -> None:
    picture = made_picture(archive=niches((0, 0, 0, 0.5, 1)), trials=(trial(4, 0.0),))
    for panel in (GridPanel, SeriesPanel, GatePanel, ArchivePanel):
        for chart in drawn(panel, looking_at(picture)).find(ChartWidget).widgets:
            assert len(chart.label) > 10


def test_a_click_on_a_mark_chooses_its_organelle(drawn: Any) -> None:
    session = looking_at(made_picture())
    chart = drawn(GridPanel, session).find(ChartWidget).widget
    chart.vue_clicked({"series": "cells", "id": None})
    assert session.chosen.value is None
    chart.vue_clicked({"series": "lineage 2", "id": 2})
    assert session.chosen.value == 2
    marks = [item for group in json.loads(chart.option)["series"][1:] for item in group["data"]]
    assert [mark["id"] for mark in marks if "label" in mark] == [2]


def test_the_layer_can_be_switched(drawn: Any) -> None:
    rc = drawn(GridPanel, looking_at(made_picture()))
    layers, colours = rc.find(v.Select).widgets
    layers.v_model = "price of a success"
    assert "energy" in options(rc)[0]["visualMap"]["text"][0]
    colours.v_model = "colony"
    assert options(rc)[0]["series"][1]["name"] == "no colony"


def test_a_new_picture_is_drawn(drawn: Any) -> None:
    session = looking_at(made_picture(), status="playing")
    rc = drawn(GridPanel, session)
    session.picture.value = made_picture(tick=11, organelles=organelles((0, 0)))
    assert "generation 11" in rc.find(ChartWidget).widget.label


def test_long_courses_are_drawn_less_often_while_the_world_plays_and_at_last_when_it_stops(drawn: Any) -> None:
    session = looking_at(made_picture(), status="playing")
    rc = drawn(SeriesPanel, session)
    session.picture.value = made_picture(tick=11)
    assert "generation 10" in rc.find(ChartWidget).widgets[0].label
    session.status.value = "paused"
    assert "generation 11" in rc.find(ChartWidget).widgets[0].label


def test_another_world_is_drawn_at_once(drawn: Any) -> None:
    session = looking_at(made_picture(), status="playing")
    rc = drawn(SeriesPanel, session)
    session.picture.value = made_picture(tick=1, series=course(2))
    assert "generation 1" in rc.find(ChartWidget).widgets[0].label


def test_verdicts_come_latest_first_with_their_reasons(drawn: Any) -> None:
    verdicts = tuple(
        trial(child, 1.0, begun=child, verdict=verdict, reason=reason)
        for child, verdict, reason in ((3, "rejected", "futile"), (5, "accepted", "accepted"))
    )
    session = looking_at(made_picture(verdicts=verdicts))
    table = drawn(GatePanel, session).find(TableWidget).widget
    assert [row["id"] for row in rows_of(table)] == [5, 3]
    assert rows_of(table)[0]["tone"] == "good" and "gains less" in rows_of(table)[1]["cells"][-1]
    table.vue_clicked(3)
    assert session.chosen.value == 3


def test_bounds_are_named_by_the_level_of_the_gate(drawn: Any) -> None:
    picture = dataclasses.replace(made_picture(verdicts=(trial(3, 1.0, verdict="rejected"),)), alpha=0.1)
    titles = [
        column["title"]
        for column in json.loads(drawn(GatePanel, looking_at(picture)).find(TableWidget).widget.content)["columns"]
    ]
    assert "gain (90 % bounds)" in titles


def test_a_record_is_not_promised_a_line_that_never_comes(drawn: Any) -> None:
    figures = {"generation": [0, 1], "accuracy": [0.0, 0.5]}
    promised = [
        "frozen host" in words(drawn(SeriesPanel, looking_at(made_picture(tick=1, series=Course.of(known)))))
        for known in (figures, figures | {"frozen_host": [float("nan")] * 2})
    ]
    assert promised == [False, True]


def test_a_reason_without_words_of_its_own_is_told_as_it_is() -> None:
    assert (
        verdict_row(trial(3, 1.0, verdict="rejected", reason="some_new_reason")).cells[-1].endswith("some new reason")
    )


def test_news_come_latest_first(drawn: Any) -> None:
    events = (event(1, "first"), event(None, "then", kind="season"), event(2, "last", kind="death"))
    table = drawn(EventsPanel, looking_at(made_picture(events=events))).find(TableWidget).widget
    assert [row["cells"][1] for row in rows_of(table)] == ["last", "then", "first"]
    assert [row["id"] for row in rows_of(table)] == [2, None, 1]


def test_a_world_without_an_archive_says_how_to_get_one(drawn: Any) -> None:
    assert "archive.enabled" in words(drawn(ArchivePanel, looking_at(made_picture())))


# ---------------------------------------------------------------- the inspector, on a living world


def tab(rc: Any, name: str) -> None:
    with still(rc):
        rc.find(v.BtnToggle).widget.v_model = _TABS.index(name)


def chosen_in(session: Any, drawn: Any, id: int) -> Any:
    """The inspector of an organelle of a living world."""
    rc = drawn(OrganellePanel, session)
    session.chosen.value = id
    wait_for(lambda: rc.find(v.BtnToggle).widgets, "the inspector")
    return rc


def test_the_chosen_organelle_is_seen_from_the_inside(opened: Any, drawn: Any) -> None:
    session = opened("smoke")
    for generation in (1, 2):
        session.stage.value.step()
        wait_for(lambda g=generation: session.picture.value.tick == g, "a generation")
    alive = session.picture.value.organelles.id.tolist()
    rc = chosen_in(session, drawn, alive[0])
    assert f"Organelle #{alive[0]}" in words(rc)
    tab(rc, "energy")
    wait_for(lambda: {"ticket", "living"} <= {row["cells"][1] for row in rows(rc)}, "its transfers")
    tab(rc, "answers")
    wait_for(lambda: rows(rc) and all("Answer:" in row["cells"][2] for row in rows(rc)), "its answers")
    for name, label in (("skills", "Success of"), ("adapter", "Singular values of")):
        tab(rc, name)
        wait_for(lambda told=label: [c.label for c in rc.find(ChartWidget).widgets if c.label.startswith(told)], name)


def test_another_choice_and_another_generation_are_asked_about_anew(opened: Any, drawn: Any) -> None:
    session = opened("smoke")
    rc = chosen_in(session, drawn, 1)
    session.chosen.value = 2
    wait_for(lambda: "lineage 2" in words(rc) and rc.find(v.BtnToggle).widgets, "the other organelle")
    tab(rc, "answers")
    wait_for(lambda: "step the world once" in words(rc), "a world in which nobody has worked yet")
    session.stage.value.step()
    wait_for(lambda: rc.find(TableWidget).widgets, "the answers of the next generation")


def test_nobody_of_that_number_is_told_in_a_line(opened: Any, drawn: Any) -> None:
    session = opened("smoke")
    rc = drawn(OrganellePanel, session)
    session.chosen.value = 999
    wait_for(lambda: "no such organelle" in words(rc), "the message")


def test_a_world_that_is_gone_is_told_in_a_line(drawn: Any) -> None:
    def ask(question: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(RuntimeError("the world is gone\nfor good"))
        return future

    session = looking_at(made_picture(), ask=ask)
    rc = drawn(OrganellePanel, session)
    session.chosen.value = 1
    wait_for(lambda: "the world is gone for good" in words(rc), "the message")


def test_the_picture_is_not_changed_by_drawing(drawn: Any) -> None:
    picture = made_picture(archive=niches((0, 0, 0, 0.5, 1)), trials=(trial(4, 0.0),))
    before = {name: layer.copy() for name, layer in picture.layers.items()}
    for panel in PANELS:
        drawn(panel, looking_at(picture))
    assert all((picture.layers[name] == before[name]).all() or name == "frozen" for name in before)
    assert dataclasses.replace(picture).trials == picture.trials
