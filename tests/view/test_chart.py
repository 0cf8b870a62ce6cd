"""Charts and tables carry plain data to the browser, and clicks back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import solara

import evolora_mesa.view.chart
from evolora_mesa.view.chart import Chart, ChartWidget
from evolora_mesa.view.table import Column, Row, Table, TableWidget


def rows_of(table: TableWidget) -> list[dict[str, Any]]:
    return json.loads(table.content)["rows"]


def test_an_option_travels_as_json() -> None:
    _, rc = solara.render(Chart({"series": [{"data": [1, None]}]}, label="a line"), handle_error=False)
    chart = rc.find(ChartWidget).widget
    assert json.loads(chart.option) == {"series": [{"data": [1, None]}]}
    assert (chart.label, chart.height, chart.clickable) == ("a line", "320px", False)
    rc.close()


def test_a_number_that_is_not_finite_is_refused_before_it_breaks_the_page() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        solara.render(Chart({"value": float("nan")}), handle_error=False)


def test_clicks_come_back() -> None:
    clicks: list[dict[str, Any]] = []
    _, rc = solara.render(Chart({}, on_click=clicks.append), handle_error=False)
    chart = rc.find(ChartWidget).widget
    assert chart.clickable
    chart.vue_clicked({"series": "marks", "place": 0, "name": "it", "id": 7})
    chart.vue_clicked({"series": "cells"})  # the browser leaves out what is undefined
    assert [click["id"] for click in clicks] == [7, None]
    rc.close()


def test_the_script_that_charts_ask_for_is_installed() -> None:
    from solara.server import settings

    assert (Path(settings.assets.proxy_cache_dir) / ChartWidget().script).is_file()


def test_no_file_of_the_browsers_side_writes_html() -> None:
    for file in Path(evolora_mesa.view.chart.__file__).parent.rglob("*.vue"):
        text = file.read_text()
        assert "v-html" not in text and "innerHTML" not in text, file


def test_texts_of_the_host_stay_texts() -> None:
    nasty = "<img src=x onerror=alert(1)>\u202e\x1b[31m\nsecond line"
    _, rc = solara.render(Table([Column("answer", "code")], [Row((nasty,))]), handle_error=False)
    (row,) = rows_of(rc.find(TableWidget).widget)
    assert row["cells"] == ["<img src=x onerror=alert(1)>\\u202e\\x1b[31m\nsecond line"]
    rc.close()


def test_long_texts_are_cut_and_rows_tell_who_was_clicked() -> None:
    clicked: list[int] = []
    rows = [Row(("x" * 5000,), id=3, tone="good")]
    _, rc = solara.render(Table([Column("prompt")], rows, on_click=clicked.append), handle_error=False)
    table = rc.find(TableWidget).widget
    assert len(rows_of(table)[0]["cells"][0]) < 500 and rows_of(table)[0]["tone"] == "good" and table.clickable
    table.vue_clicked(3)
    assert clicked == [3]
    rc.close()
