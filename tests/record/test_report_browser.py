"""The page of a report in a browser without a network: it is whole, it asks for nothing, and it fits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_run import make_run

from evolora_mesa.record.report.making import Report

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
SECTIONS = ("life", "energy", "market", "progress", "gate", "merges", "lineage", "archive", "answers", "cost")

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra dev has it)")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason=f"no browser here: none of {', '.join(BROWSERS)} is on the PATH"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        # --no-sandbox: in a container root may not make one, and the page is our own.
        chromium = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module", params=["one run", "two runs"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a report."""
    folder = tmp_path_factory.mktemp("report")
    runs = [make_run(folder / "one")]
    if request.param == "two runs":
        runs.append(make_run(folder / "two", seed=1))
    page = folder / "page.html"
    page.write_text(Report.of(runs, host=False).as_html(), encoding="utf-8")
    return page


class Visit:
    """A page that is open, and everything that it asked for and complained of."""

    def __init__(self, browser: Any, file: Path, width: int, scheme: str = "light") -> None:
        self.context = browser.new_context(
            offline=True, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
        )
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.wrong: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        self.page.on(
            "console",
            lambda message: self.wrong.append(message.text) if message.type in ("error", "warning") else None,
        )
        self.page.goto(file.as_uri())

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_asks_for_nothing_but_itself(browser: Any, written: Path, scheme: str) -> None:
    with Visit(browser, written, 1280, scheme) as visit:
        visit.page.mouse.wheel(0, 100_000)  # what is loaded only when it is seen
        visit.page.wait_for_load_state("networkidle")
        assert (visit.asked, visit.wrong) == ([written.as_uri()], [])
        policy = visit.page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
        assert "default-src 'none'" in policy


def test_a_page_that_asks_for_more_is_noticed(browser: Any, written: Path, tmp_path: Path) -> None:
    """Otherwise the test above could be blind."""
    stained = tmp_path / "stained.html"
    text = written.read_text(encoding="utf-8").replace("</body>", '<img src="missing.png"></body>')
    stained.write_text(text, encoding="utf-8")
    with Visit(browser, stained, 1280) as visit:
        assert visit.wrong


@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_sticks_out_of_the_window(browser: Any, written: Path, width: int) -> None:
    with Visit(browser, written, width) as visit:
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_section_is_to_be_seen_and_every_link_leads_to_one(browser: Any, written: Path) -> None:
    with Visit(browser, written, 1280) as visit:
        names = visit.page.eval_on_selector_all("section", "sections => sections.map(section => section.id)")
        if "answers" in names:  # of one run
            assert names == list(SECTIONS)
        assert names and all(visit.page.locator(f"#{name} > h2").is_visible() for name in names)
        linked = visit.page.eval_on_selector_all("nav a", "links => links.map(link => link.getAttribute('href'))")
        assert linked == [f"#{name}" for name in names]


def test_no_picture_is_blank(browser: Any, written: Path) -> None:
    """All have a size, and something drawn in them that has one."""
    measure = """pictures => pictures.map(picture => {
        const {width, height} = picture.getBoundingClientRect();
        const drawn = picture.getBBox();
        return [picture.getAttribute('aria-label'), Math.min(width, height, drawn.width, drawn.height)];
    })"""
    with Visit(browser, written, 1280) as visit:
        visit.page.evaluate("document.querySelectorAll('details').forEach(folded => folded.open = true)")
        pictures = visit.page.eval_on_selector_all("svg[role=img]", measure)
        assert len(pictures) > 5
        assert [label for label, least in pictures if least < 10] == []
