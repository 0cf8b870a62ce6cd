"""The server is Solara's, made quiet, and it fetches nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import requests

pytest.importorskip("solara.server.starlette")
import solara.server.app
import solara.server.reload
import solara.server.settings as settings

from evolora_mesa.configfile import load_config
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
