"""The app in Chromium: a server of its own process, and visits that note everything that goes wrong."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("solara", reason="solara is not installed (the extra app has it)")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra dev has it)")

ROOT = Path(__file__).parents[3]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)
PATIENCE = 60_000  # ms; on an idle machine nothing takes a tenth of it
_TWO_FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
IGNORED = "Failed to evaluate Vue script and find module.exports"  # of Solara's own navigator

collect_ignore_glob = [] if BROWSER else ["test_*.py"]


class Server:
    """The app as people start it, on a free port."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "evolora_mesa.cli", "app", *arguments, "--port", "0", "--no-open"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"the app did not start: {line}{self.close()}"
        self.address = found[0]
        self.port = int(self.address.rpartition(":")[2].partition("/")[0])

    def close(self) -> str:
        """End it; returns what else it said."""
        self.process.terminate()
        try:
            said, _ = self.process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            said, _ = self.process.communicate()
        return said


class Visit:
    """A tab, and everything that it complained of."""

    def __init__(self, browser: Any, address: str, width: int = 1280, height: int = 800, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        here = re.escape(address.partition("?")[0])
        self.page.on("request", lambda asked: self._note(not re.match(f"{here}|data:|blob:", asked.url), asked.url))
        self.page.on("requestfailed", lambda asked: self._note(True, f"failed: {asked.url}"))
        self.page.on("response", lambda answer: self._note(answer.status >= 400, f"{answer.status} {answer.url}"))
        self.page.on("pageerror", lambda error: self._note(True, f"error: {error}"))
        self.page.on("console", lambda said: self._note(said.type in ("error", "warning"), said.text))
        self.page.goto(address)

    def _note(self, is_wrong: bool, what: str) -> None:
        if is_wrong and not what.startswith(IGNORED):
            self.wrong.append(what)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def reads(self, pattern: str) -> None:
        """Wait until the status line matches."""
        self.page.locator("[role=status]").filter(has_text=re.compile(pattern)).wait_for()

    def settles(self) -> None:
        """Wait until the browser has drawn what it was given, and told every chart whether it is in the window."""
        self.page.evaluate(_TWO_FRAMES)

    def generation(self) -> int:
        found = re.search(r"generation (\d+)", self.page.locator("[role=status]").inner_text())
        return int(found[1]) if found else -1


@pytest.fixture(scope="module")  # while Playwright runs, no other test of this thread can have an event loop
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        # --no-sandbox: in a container root may not make one, and the page is our own.
        chromium = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    served = Server("smoke")
    yield served
    served.close()
