"""The Talk and the Lineage page in Chromium."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from conftest import Server, Visit

SHOTS = os.environ.get("EVOLORA_SCREENSHOTS")  # a folder to keep pictures of the pages in
EVIL = "<img src=x onerror=alert(1)> 3+4"


def keep(visit: Visit, name: str) -> None:
    if SHOTS:
        visit.page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def test_a_life_is_chosen_in_the_tree_and_talked_to(browser: Any, server: Server) -> None:
    with Visit(browser, server.address, 1400, 900) as visit:
        page = visit.page
        visit.reads("paused.*generation 0")
        visit.button("Lineage").click()
        page.get_by_text("As of generation 0 of 0").wait_for()  # the Step of the page before is gone
        chart = page.locator(".evolora-chart[data-drawn]")
        drawn = int(chart.get_attribute("data-drawn"))
        visit.button("Step").click()
        visit.reads("generation 1")
        page.get_by_text("As of generation 1 of 1").wait_for()
        page.wait_for_function(  # until then a life is a point, and no line to click on
            "([chart, drawn]) => Number(chart.dataset.drawn) > drawn", arg=[chart.element_handle(), drawn]
        )
        visit.settles()
        box = chart.bounding_box()
        # Founders stand at the left end, in every second lane; the first is half a lane below the top.
        low, high = box["y"] + 44, box["y"] + box["height"] - 66
        page.mouse.click(box["x"] + 78 + 200, low + (high - low) * 1 / 9)
        page.get_by_text("organelle #1, lineage 1", exact=False).last.wait_for()
        keep(visit, "lineage")

        visit.button("Talk").click()
        visit.button("Draw a prompt").click()
        page.wait_for_function("() => document.querySelector('textarea').value.length > 5")
        visit.button("Ask").click()
        page.get_by_text("Right answer").wait_for()
        page.get_by_role("heading", name="Organelle #1").wait_for()
        page.locator(".token").first.click()
        page.locator(".tokens-told", has_text="log-probability").wait_for()
        keep(visit, "talk")

        page.get_by_label("Prompt").fill(EVIL)
        visit.button("Ask").click()
        page.get_by_text("Typed by hand").first.wait_for()
        page.get_by_text(EVIL).first.wait_for()
        assert page.locator("img[src=x]").count() == 0
        page.get_by_label("Prompt").fill("naïve?")
        visit.button("Ask").click()
        page.get_by_text("The host has no token for some characters: got 'ï'").wait_for()
        assert visit.wrong == []
