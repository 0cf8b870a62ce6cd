"""The report of a sweep says what was found, how sure it is, and what is missing; nothing foreign gets into it."""

from __future__ import annotations

import json
import math
from html.parser import HTMLParser

from made_sweep import done, failed, rows_of, spec_of

from evolora_mesa.record.report.markdown import to_markdown
from evolora_mesa.record.report.page import to_html
from evolora_mesa.study.sweep.design import cells_of
from evolora_mesa.study.sweep.findings import Findings
from evolora_mesa.study.sweep.report import report_of

HOSTILE = "<script>alert(1)</script> \x1b[2J ‮"


def asked(**settings: object):
    return spec_of(
        metrics={"accuracy": {"figure": "accuracy"}, "tokens": {"figure": "tokens", "better": "lower"}},
        decision={"question": "Does a ticket pay?", "metric": "accuracy", "factors": ["ticket"], "smallest": 0.1},
        **settings,
    )


def lived(levels: dict, seed: int):
    accuracy = levels["ticket"] / 2 + seed / 100 + (seed == 22) * levels["ticket"] / 100
    curves = {"accuracy": [None, accuracy / 2, accuracy]}
    return done({"accuracy": accuracy, "tokens": 100.0 * levels["ticket"]}, curves=curves, cpu_seconds=30.0)


def findings_of(measured=lived, **settings: object) -> Findings:
    spec = asked(**settings)
    return Findings(spec, tuple(rows_of(spec, measured)))


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


# ---------------------------------------------------------------- what is told


def test_the_outcome_is_told_in_four_lines() -> None:
    runs, question, best, baseline = report_of(findings_of()).told
    assert runs == "Runs: 12 in 4 cells: 12 done."
    assert question == "Question: Does a ticket pay? pays: ticket."
    assert best.startswith("Best cell: ticket=1.0, world=static with accuracy 0.72 ± 0.27.")
    assert baseline.startswith("Baseline: against ticket=0.5, world=static, 2 of 3 cells differ in accuracy")


def test_all_sections_have_their_content() -> None:
    document = report_of(findings_of())
    assert [section.name for section in document.sections] == [
        *("decision", "cells", "effects", "factors", "learning", "cost", "runs")
    ]
    page, text = to_html(document), to_markdown(document)
    assert page.count("<svg viewBox") >= 7
    assert "| 2 | ticket=1.0, world=static | 3 | 0.723 |" in text
    assert "accuracy over generations, at last" in text and "accuracy against tokens, the Pareto front" in text


def test_tables_of_effects_have_no_empty_columns() -> None:
    def columns(found: Findings) -> tuple[str, ...]:
        effects = next(section for section in report_of(found).sections if section.name == "effects")
        return effects.blocks[1].blocks[0].columns  # type: ignore[union-attr]

    measured = ("effect", "seeds", "change of accuracy", "95 % interval", "p", "p, Holm")
    assert columns(findings_of()) == measured
    half = spec_of({name: [0, 1] for name in "abc"}, design={"method": "half"})
    rows = rows_of(half, lambda levels, seed: levels["a"] + seed / 100, cells=[c.levels for c in cells_of(half)])
    assert columns(Findings(half, tuple(rows)))[-1] == "not told apart from"


def test_time_has_a_unit_that_fits() -> None:
    for each, told in ((0.25, ("3", "seconds")), (30.0, ("6", "minutes")), (900.0, ("3", "hours"))):
        found = findings_of(lambda levels, seed, each=each: done({"accuracy": 1.0, "tokens": 1.0}, cpu_seconds=each))
        tile = next(tile for tile in report_of(found).tiles if tile.label == "processor time")
        assert (tile.value, tile.detail.partition(",")[0]) == told


def test_a_page_needs_nothing_else() -> None:
    page = to_html(report_of(findings_of()))
    assert not {"script", "img", "iframe", "object"} & set(Tags(page).found)
    assert "http://" not in page.replace("http-equiv", "") and "https://" not in page


def test_failures_are_told_with_their_errors_and_cannot_steer_the_reader() -> None:
    found = findings_of(
        lambda levels, seed: (
            failed(f"ValueError: {HOSTILE}") if seed == 33 and levels["ticket"] == 1.0 else lived(levels, seed)
        )
    )
    document = report_of(found)
    assert document.told[0] == "Runs: 12 in 4 cells: 10 done, 2 failed."
    for text in (to_html(document), to_markdown(document)):
        assert "ValueError" in text and "<script>" not in text and "\x1b" not in text and "‮" not in text
    assert "2 of 3" in to_markdown(document)


def test_a_sweep_that_has_just_begun_has_a_report() -> None:
    found = findings_of(lambda levels, seed: math.nan)
    document = report_of(found)
    told = ("Runs: 12 in 4 cells: 12 waiting.", "Question: Does a ticket pay? undecided: ticket.")
    assert document.told == told
    assert "No run is done yet." in to_markdown(document) and to_html(document)
    empty = Findings(found.spec, ())
    assert report_of(empty).told[0] == "Runs: 0 in 0 cells: none placed yet." and to_html(report_of(empty))
    json.loads(empty.as_json())


def test_a_sweep_without_a_question_has_no_verdicts() -> None:
    spec = spec_of({"x": [1, 2, 3]})
    document = report_of(Findings(spec, tuple(rows_of(spec, lambda levels, seed: 1.0))))
    assert [section.name for section in document.sections] == ["cells", "factors", "learning", "cost", "runs"]


def test_mixed_code_is_said() -> None:
    spec = spec_of()
    same = [row._replace(result=row.result) for row in rows_of(spec, lambda *_: 1.0)]
    assert "mixed" not in report_of(Findings(spec, tuple(same))).footer[0]
    other = rows_of(spec, lambda levels, seed: failed())
    other = [row._replace(result=type(row.result)(code="0.2.0+def")) for row in other]  # type: ignore[misc]
    assert "mixed" in report_of(Findings(spec, (*same[:3], *other[3:]))).footer[0]


def test_of_many_cells_the_best_are_shown() -> None:
    spec = spec_of({"x": list(range(60))})
    document = report_of(Findings(spec, tuple(rows_of(spec, lambda levels, seed: levels["x"] + seed / 100))))
    table = next(section for section in document.sections if section.name == "cells").blocks[0]
    assert len(table.rows) == 40 and table.rows[0][1] == "x=59" and "The best 40 of 60" in table.caption  # type: ignore[union-attr]


# ---------------------------------------------------------------- for programs


def test_json_has_everything_and_null_for_what_does_not_exist() -> None:
    found = json.loads(findings_of(lambda levels, seed: failed() if seed == 33 else lived(levels, seed)).as_json())
    assert found["sweep"]["name"] == "made" and len(found["runs"]) == 12 and len(found["summary"]) == 8
    assert found["runs"][2] | {"run": ""} == {
        **{"run": "", "cell": 0, "levels": {"ticket": 0.5, "world": "static"}, "seed": 33, "status": "failed"},
        **{"failure": "raised", "error": "ValueError: no", "outcome": "", "generations": 2, "digest": ""},
        **{"metrics": {}, "code": "0.1.0+abc"},
    }
    assert found["summary"][0]["difference"] is None and found["summary"][0]["p"] is None
    assert found["summary"][0]["interval"]["n"] == 2
    assert [ruling["verdict"] for ruling in found["decision"]] == ["pays"]
    assert found["effects"][0]["factors"] == ["ticket"]
