"""The server is Solara's, made quiet, and it fetches nothing."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from repetitions import repeated

pytest.importorskip("solara.server.starlette")
import solara.server.app
import solara.server.reload
import solara.server.settings as settings

from evolora_mesa.configfile import load_config
from evolora_mesa.record.interrupt import exit_code
from evolora_mesa.view import app
from evolora_mesa.view.opening import Opening
from evolora_mesa.view.server import application

PORT = 8765


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The application, with Solara put back behind the test."""
    for name in ("main", "kernel", "theme", "telemetry"):
        monkeypatch.setattr(settings, name, type(getattr(settings, name))())
    monkeypatch.setattr(app, "opening", app.opening)
    monkeypatch.setattr(solara.server.app, "apps", {})
    monkeypatch.setattr(solara.server.reload.reloader, "on_change", None)
    monkeypatch.delenv("SOLARA_TELEMETRY_MIXPANEL_ENABLE", raising=False)
    yield application(Opening(config=load_config("smoke"), run="first"), port=PORT)


def visit(served: Any, path: str, host: str = f"localhost:{PORT}") -> int:
    """Status of a page."""
    headers = [(b"host", host.encode())]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": headers,
        "root_path": "",
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(served(scope, receive, send))
    return int(sent[0]["status"])


def test_it_is_behind_the_guard_and_is_ready(served: Any) -> None:
    assert visit(served, "/readyz") == 200
    assert visit(served, "/readyz", host="evil.example") == 403
    assert visit(served, "/resourcez") == 403


def test_what_is_missing_is_not_fetched_from_the_network(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Solara's own route asks jsdelivr for it, and keeps what comes."""
    asked: list[str] = []
    monkeypatch.setattr(requests, "get", lambda url, **options: asked.append(url))
    assert visit(served, "/_solara/cdn/no-such-package@1.0.0/index.js") == 404
    assert visit(served, "/_solara/cdn/../../../../etc/hostname") == 404
    assert asked == []


def test_it_tells_nobody_and_forgets_lost_tabs_within_a_minute(served: Any) -> None:
    assert settings.telemetry.mixpanel_enable is False
    assert (settings.main.mode, settings.kernel.cull_timeout) == ("production", "60s")
    assert settings.kernel.max_count >= 200


def test_every_tab_opens_with_what_the_command_said(served: Any) -> None:
    assert (app.opening.config.name, app.opening.run) == ("smoke", "first")


def starting(*python: str) -> subprocess.Popen[str]:
    """A server that starts, in a process of its own."""
    command, folder = [sys.executable, *python], Path(__file__).parents[2]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder)


def test_the_first_line_is_the_address_whatever_libraries_warn_of() -> None:
    server = starting("-W", "always", "-m", "evolora_mesa.cli", "app", "smoke", "--port", "0", "--no-open")
    try:
        assert server.stdout is not None
        assert server.stdout.readline().startswith("The app is at http://127.0.0.1:")
        assert "Warning: " in server.stdout.readline()  # kept back, and not lost
    finally:
        server.kill()
        server.communicate()


SWALLOWED = """
import os, signal, time
from evolora_mesa.cli import main
from evolora_mesa.view import server
def load(*_, **__):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    except BaseException:  # as in the callbacks that Python runs in the midst of an import
        pass
    os._exit(0)
server.application = load
main(["app", "smoke", "--port", "0", "--no-open"])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGTERM there")
def test_a_kill_while_libraries_load_is_never_lost() -> None:
    server = starting("-c", SWALLOWED)
    assert server.communicate(timeout=120) == ("", None)
    assert server.returncode == 128 + signal.SIGTERM


PLAYING = """
import os, signal, time
from evolora_mesa.cli import main
from evolora_mesa.view import server
class Server:
    def run(self, sockets):
        from evolora_mesa.view.stage import Stage
        from evolora_mesa.model import EcologyModel
        stage = Stage(lambda: EcologyModel("smoke"), lambda world, before: world.tick)
        while stage.status == "loading":
            time.sleep(0.01)
        stage.play()
        while stage.picture < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.{told})
        time.sleep(600)
server._server = lambda *_: Server()
raise SystemExit(main(["app", "smoke", "--port", "0", "--no-open"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals there")
@pytest.mark.parametrize("told", ["SIGTERM", *repeated("SIGINT")])
def test_an_app_that_is_ended_while_a_world_plays_ends_in_order(told: str) -> None:
    """Python alone would abort when a thread comes back from torch to an interpreter that is gone."""
    server = starting("-c", PLAYING.replace("{told}", told))
    said, _ = server.communicate(timeout=240)
    assert said.startswith("The app is at http") and "Traceback" not in said, said
    assert server.returncode == exit_code(told)
