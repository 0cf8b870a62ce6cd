"""A report tells what the store holds, says what it does not, and lets nothing in that it did not write."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_run import PROMPT, STEERING, made_config, make_run

from evolora_mesa.errors import RunError
from evolora_mesa.record.layout import STORE_FILE
from evolora_mesa.record.report.answers import ask_host
from evolora_mesa.record.report.document import number, percent, points
from evolora_mesa.record.report.drawing import Axis, ticks
from evolora_mesa.record.report.making import Report
from evolora_mesa.record.report.maps import CIVIDIS, MAGMA, VIRIDIS, Shades
from evolora_mesa.record.report.outcome import ends, outcome
from evolora_mesa.record.report.reading import read_run
from evolora_mesa.record.store import RunStore

SECTIONS = ("life", "energy", "market", "progress", "gate", "merges", "lineage", "archive", "answers", "cost")


class Page(HTMLParser):
    """The elements of a page, checked for being closed in order."""

    EMPTY = ("meta", "link")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "one")


# ---------------------------------------------------------------- facts


def test_facts_are_those_of_the_store(run: Path) -> None:
    facts = read_run(run)
    assert facts.name == "smoke, seed 0" and facts.last == facts.asked == 6 and not facts.extinct
    assert facts.families == ("math", "logic") and facts.depths == 2
    assert np.isnan(facts.figures["success_rate"][0]) and facts.figures["success_rate"][-1] == 6 / 7
    assert [shot.generation for shot in facts.snapshots] == [1, 2, 4, 5, 6]
    assert facts.snapshots[-1].layers["price"].tolist() == [[0.5, 0.5], [0.6, 0.6]]
    assert facts.over_time["learning_progress"].shape == (2, 6) == (2, len(facts.steps))
    assert [(gate.child, gate.verdict) for gate in facts.gates] == [(5, "accepted"), (6, "rejected")]
    assert facts.gates[0].uplift == 0.25 and np.isnan(facts.gates[1].uplift)
    assert facts.reasons["deferred", "low_power"] == facts.reasons["refused", "no_room"] == 1
    assert facts.flows["ticket", "organelle", "soil"] == 18.0
    assert [(niche.objective, niche.generation) for niche in facts.niches] == [(0.6, 6)]
    with RunStore.open(run / STORE_FILE) as store:
        assert facts.digest == store.digest


def test_the_best_of_a_cell_is_shown_with_its_latest_answer(run: Path) -> None:
    choices = read_run(run).choices
    assert [(choice.organelle, choice.generation, choice.tries) for choice in choices] == [
        (n, 6, 6) for n in (1, 2, 3, 4)
    ]
    assert choices[0].prompt == PROMPT and choices[0].success and choices[0].wins == 6
    assert not choices[3].success and choices[3].wins == 0


def test_a_run_that_goes_on_is_read_at_one_moment(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", 3, config=made_config(generations=9))
    facts = read_run(run)
    assert facts.last == 3 and facts.asked == 9
    assert "generation 3 of 9: still running, or ended early" in outcome(facts)[0]


def test_a_folder_without_a_store_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no store of a run here"):
        read_run(tmp_path)
    with RunStore.create(tmp_path / STORE_FILE, made_config()):
        pass
    with pytest.raises(RunError, match="no generation yet"):
        read_run(tmp_path)


def test_first_and_last_generations_never_overlap(run: Path) -> None:
    first, last = ends(read_run(run), "success_rate")
    assert first == pytest.approx(np.mean([1, 2, 3]) / 7) and last == pytest.approx(np.mean([4, 5, 6]) / 7)


# ---------------------------------------------------------------- the page


def test_the_page_is_whole_and_loads_nothing(run: Path) -> None:
    text = Report.of([run], host=False).as_html()
    page = Page(text)
    assert [id for id in page.ids if id in SECTIONS] == list(SECTIONS)
    assert page.tags.isdisjoint({"script", "img", "iframe", "object", "embed", "form", "base"})
    for name, value in page.attributes:
        assert not name.startswith("on") and name not in ("src", "srcset", "action")
        if name == "href":
            assert value is not None and value.startswith(("#", "data:,"))
    assert "http:" not in text and "https:" not in text and "url(" not in text and "@import" not in text
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text
    assert text.count("<li>") == 5


def test_what_others_wrote_is_shown_and_never_obeyed(run: Path) -> None:
    report = Report.of([run], host=False)
    text = report.as_html()
    assert "<script" not in text and "<b>bit" not in text and "\u202e" not in text and "\x1b" not in text
    assert "&lt;script&gt;" in text and "\\u202e" in text and "&lt;b&gt;bit&lt;/b&gt; dil\nAnswer:" in text
    markdown = report.as_markdown()
    assert "<script" not in markdown.replace("\\<", "") and "\x1b" not in markdown
    assert json.loads(report.as_json())["runs"][0]["answers"][3]["answer"] == STEERING


def test_every_chart_is_told_in_words(run: Path) -> None:
    report = Report.of([run], host=False)
    drawings = re.findall(r'<svg viewBox="[^"]*" role="img" aria-label="([^"]*)"', report.as_html())
    assert len(drawings) > 25 and all(drawings)
    markdown = report.as_markdown()
    assert "- Return on investment: " in markdown and "accepted: 1" in markdown
    assert "child 5 of 1 and 2 (svd), generation 3: +25.0 points \\[+5.0, +45.0\\] on 96 prompts" in markdown


def test_the_axes_have_names_and_units(run: Path) -> None:
    text = Report.of([run], host=False).as_html()
    for unit in ("energy earned / energy spent", "share of answers", "tokens per generation", "percentage points"):
        assert f">{unit}<" in text or f" {unit}<" in text
    assert text.count(">generation</text>") > 15


def test_what_is_missing_is_explained(tmp_path: Path) -> None:
    config = made_config(generations=0)
    founding = Report.of([make_run(tmp_path / "founding", 0, config=config)], host=False).as_html()
    for words in (
        "No generation has been lived yet",
        "nobody has answered anything yet",
        "No child was conceived",
        "No organelle has worked long enough",
        "Nobody alive has answered anything lately",
    ):
        assert words in founding
    Page(founding)
    extinct = Report.of([make_run(tmp_path / "extinct", extinct=True)], host=False).as_html()
    assert "Everybody died" in extinct and "no tree of survivors" in extinct
    without = make_run(tmp_path / "without", episodes=False)
    assert "Nobody alive has answered anything lately" in Report.of([without], host=False).as_html()


def test_hundred_generations_are_told_within_seconds(tmp_path: Path) -> None:
    run = make_run(tmp_path / "long", 100)
    began = time.process_time()
    text = Report.of([run], host=False).as_html()
    assert time.process_time() - began < 5
    assert len(text) < 2_000_000


def test_long_runs_are_thinned_out(tmp_path: Path) -> None:
    facts = read_run(make_run(tmp_path / "long", 500))
    assert len(facts.steps) == 100 and len(facts.snapshots) == 5
    assert facts.over_time["success"].shape == (2, 100)
    short = len(Report.of([make_run(tmp_path / "short", 120)], host=False).as_html())
    assert len(Report.of([facts.path], host=False).as_html()) < 1.2 * short


# ---------------------------------------------------------------- the host beside


def test_the_bare_host_answers_the_same_prompts(tmp_path: Path, petri: object) -> None:
    weights = petri.host.weight_hash()  # type: ignore[attr-defined]
    run = make_run(tmp_path / "run", host={"weights": weights})
    answered = ask_host(read_run(run))
    assert answered.left_out == "" and all(pair.host is not None for pair in answered.pairs)
    said = answered.pairs[0].host
    again = ask_host(read_run(make_run(tmp_path / "again", answer=said or "", host={"weights": weights})))
    assert (again.pairs[0].verdict, again.pairs[0].good) == ("the same", True)
    assert answered.pairs[3].good is None  # its organelle was wrong, so what is right is not on record
    assert "frozen host" in Report(runs=(read_run(run),), answered=answered).as_html()


def test_another_host_is_not_asked_and_that_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", host={"weights": "0" * 64})
    report = Report.of([run])
    assert "not those of the run" in report.answered.left_out
    assert report.answered.left_out in report.as_markdown().replace("\\", "")
    assert all(pair.host is None for pair in report.answered.pairs)


def test_a_host_that_is_not_here_is_not_fetched(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", config=made_config(**{"host.path": "nobody/no-such-host"}))
    assert "a report downloads nothing" in Report.of([run]).answered.left_out


def test_families_of_a_user_are_named_without_running_them(tmp_path: Path) -> None:
    config = made_config(**{"tasks.families": ["math"], "tasks.user_families": ["no_such_module_anywhere:Odd"]})
    facts = read_run(make_run(tmp_path / "run", config=config))
    assert facts.families == ("math", "Odd")


# ---------------------------------------------------------------- several runs


def test_runs_are_compared(run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "two", 4, config=made_config(seed=7, generations=4, **{"economy.ticket": 0.25}))
    report = Report.of([run, other])
    text = report.as_html()
    Page(text)
    assert "2 runs compared" in text and ">one<" in text and ">two<" in text
    markdown = report.as_markdown()
    assert "| economy.ticket |" in markdown and "| 0.25 |" in markdown and "host.path" not in markdown
    assert [found["generation"] for found in json.loads(report.as_json())["runs"]] == [6, 4]


# ---------------------------------------------------------------- small things


def test_json_has_null_for_what_has_no_value(run: Path) -> None:
    found = json.loads(Report.of([run], host=False).as_json())["runs"][0]
    assert found["figures"]["success_rate"][0] is None and found["gates"][1]["uplift"] is None
    assert found["census"]["founders"] == 4 and found["cells"]["price"] == [[0.5, 0.5], [0.6, 0.6]]


def test_numbers_are_written_for_people() -> None:
    assert number(float("nan")) == "n/a" and number(1234567.0) == "1\u202f234\u202f567"
    assert number(-0.001) == "0.00" and number(-2.5) == "−2.50" and number(3.0) == "3"
    assert percent(0.256) == "25.6 %" and points(-0.05) == "−5.0" and points(float("inf")) == "n/a"


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0, 1, 5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(0.83, 1.48, 4) == pytest.approx([1.0, 1.2, 1.4])
    axis = Axis.around(0.83, 1.48)
    assert axis.low <= 0.83 and axis.high >= 1.48
    assert Axis.around(2.0, 2.0).share(2.0) == 0.5


@pytest.mark.parametrize("stops", [VIRIDIS, CIVIDIS, MAGMA])
def test_colours_rise_evenly_in_brightness(stops: tuple[str, ...]) -> None:
    shades = Shades(stops, 0.0, 1.0)
    brightness = [
        0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(shades.colour, np.linspace(0, 1, 33).tolist())
    ]
    assert brightness == sorted(brightness)
    assert shades.colour(-1) == shades.colour(0) and shades.colour(2) == shades.colour(1)
