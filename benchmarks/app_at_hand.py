"""What the benchmarks of the app share: the app as people start it, the app in this process, and tabs in Chromium."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installation

from evolora_mesa.view.opening import Opening

__all__ = ["ROOT", "Server", "Tab", "chromium", "server_here"]

ROOT = Path(__file__).resolve().parents[1]

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE = 120_000  # ms; on an idle machine nothing takes a tenth of it
_OWN_NOISE = "Failed to evaluate Vue script and find module.exports"  # of Solara's navigator


class Server:
    """The app as people start it, in a process of its own and on a free port.

    Args:
        arguments: of ``evolora app``.
        folder: where it is started, so where it looks for runs and sweeps.
    """

    def __init__(self, *arguments: str, folder: Path | None = None) -> None:
        command = [sys.executable, "-m", "evolora_mesa.cli", "app", *arguments, "--port", "0", "--no-open"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder)
        assert self.process.stdout is not None
        found = re.search(r"http://\S+", self.process.stdout.readline())
        if not found:
            raise SystemExit("the app did not start")
        self.address = found[0]

    def resident(self) -> float:
        """MiB of memory that it holds."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


@contextlib.contextmanager
def server_here(opening: Opening) -> Iterator[str]:
    """The app served by a thread of this process, which so can look at its worlds; gives the address."""
    import uvicorn

    from evolora_mesa.view.server import application, listening_socket

    with listening_socket("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(
            application(opening, port=port), log_level="warning", access_log=False, ws_per_message_deflate=False
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{port}/"
        server.should_exit = True
        thread.join(10)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise SystemExit("no Chromium here")
    with sync_playwright() as driver:
        # --no-sandbox: in a container root may not make one, and the page is our own.
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


class Tab:
    """A tab of the app, and everything that it complained of."""

    def __init__(self, browser: Any, address: str, width: int = 1400, height: int = 900, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        self.context.set_default_timeout(_PATIENCE)
        self.page = self.context.new_page()
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.on("console", self._hear)
        self.page.goto(address)

    def _hear(self, said: Any) -> None:
        if said.type == "error" and not said.text.startswith(_OWN_NOISE):
            self.wrong.append(said.text)

    def __enter__(self) -> Tab:
        return self

    def __exit__(self, *error: object) -> None:
        self.context.close()

    def press(self, name: str) -> None:
        """Click a button by its name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def reads(self, pattern: str) -> None:
        """Wait until the status line matches."""
        self.page.locator("[role=status]").filter(has_text=re.compile(pattern)).wait_for()

    def status(self) -> str:
        """What the world is doing, and its figures."""
        return self.page.locator("[role=status]").inner_text().replace("\n", " ")

    def generation(self) -> int:
        """That the page shows."""
        return int(re.search(r"generation (\d+)", self.status())[1])
