"""Strangers get 403, whether they ask for a page or open a websocket."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from evolora_mesa.view.guard import Guard

PORT = 8765
HERE = f"127.0.0.1:{PORT}"
TOKEN = "a-token-that-nobody-knows"
FOREIGN = [
    {"host": "evil.example"},
    {"host": f"evil.example:{PORT}"},
    {"host": "127.0.0.1"},
    {"host": "127.0.0.1:1"},
    {"host": ""},
    {},
    {"host": [HERE, HERE]},
    {"host": HERE, "origin": "http://evil.example"},
    {"host": HERE, "origin": f"http://localhost:{PORT}"},
    {"host": HERE, "origin": "http://127.0.0.1"},
    {"host": HERE, "origin": f"http://{HERE}.evil.example"},
    {"host": HERE, "origin": "null"},
    {"host": HERE, "origin": [f"http://{HERE}", "http://evil.example"]},
]
OURS = [
    {"host": HERE},
    {"host": f"localhost:{PORT}"},
    {"host": f"[::1]:{PORT}"},
    {"host": HERE, "origin": f"http://{HERE}"},
    {"host": f"LOCALHOST:{PORT}", "origin": f"http://localhost:{PORT}"},
]


async def page(scope: Any, receive: Any, send: Any) -> None:
    """The app that is guarded."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
    await send({"type": "http.response.body", "body": b"the page"})


class Visitor:
    """Sends requests to a guarded page."""

    def __init__(self, token: str | None = None) -> None:
        self.guard = Guard(page, port=PORT, token=token)

    def comes(self, kind: str, path: str = "/", **headers: str | list[str]) -> int:
        """The status of the answer; 101 for a websocket that is opened."""
        address, _, query = path.partition("?")
        given = [
            (name.encode(), value.encode())
            for name, values in headers.items()
            for value in ([values] if isinstance(values, str) else values)
        ]
        scope = {"type": kind, "path": address, "query_string": query.encode(), "headers": given}
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": f"{kind}.connect"}

        asyncio.run(self.guard(scope, receive, send))
        self.headers = [(name.decode(), value.decode()) for name, value in sent[0].get("headers", ())]
        answers = {"websocket.accept": 101, "websocket.close": 403}  # closed unopened: servers answer 403
        return answers.get(sent[0]["type"]) or sent[0]["status"]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_foreign_host_or_origin_is_turned_away(kind: str, headers: dict[str, Any]) -> None:
    assert Visitor().comes(kind, **headers) == 403


@pytest.mark.parametrize("headers", OURS, ids=str)
def test_our_own_pages_are_answered(headers: dict[str, Any]) -> None:
    visitor = Visitor()
    assert visitor.comes("http", **headers) == 200
    assert visitor.comes("websocket", **headers) == 101
    assert visitor.comes("http", "/readyz", **headers) == 200


def test_pages_may_load_nothing_from_elsewhere_and_stand_in_no_foreign_frame() -> None:
    visitor = Visitor()
    visitor.comes("http", host=HERE)
    policy = dict(visitor.headers)["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert "frame-ancestors 'self'" in policy


@pytest.mark.parametrize("path", ["/resourcez", "/_solara/api/evict/1"])
def test_what_solara_has_for_operators_is_hidden(path: str) -> None:
    assert Visitor().comes("http", path, host=HERE) == 403


def test_a_remote_visitor_needs_the_token_once_and_the_cookie_from_then_on() -> None:
    visitor, far = Visitor(TOKEN), {"host": "box.example:8765"}
    assert visitor.comes("http", **far) == 403
    assert visitor.comes("websocket", **far) == 403
    assert visitor.comes("http", "/?token=wrong", **far) == 403
    assert visitor.comes("http", "/?token=", **far) == 403
    assert visitor.comes("http", f"/talk?token={TOKEN}&x=1", **far) == 303
    answer = dict(visitor.headers)
    assert answer["location"] == "/talk?x=1"
    assert "HttpOnly" in answer["set-cookie"] and "SameSite=Lax" in answer["set-cookie"]
    cookie = answer["set-cookie"].partition(";")[0]
    assert visitor.comes("http", cookie=f"other=1; {cookie}", **far) == 200
    assert visitor.comes("websocket", cookie=cookie, origin="http://box.example:8765", **far) == 101
    assert visitor.comes("websocket", cookie=f"{cookie}x", **far) == 403
    assert visitor.comes("http", "/readyz", **far) == 200


def test_the_token_opens_no_door_to_foreign_pages_nor_by_a_websocket() -> None:
    visitor, far = Visitor(TOKEN), {"host": "box.example:8765"}
    cookie = f"evolora-{PORT}={TOKEN}"
    assert visitor.comes("websocket", cookie=cookie, origin="http://evil.example", **far) == 403
    assert visitor.comes("http", f"/?token={TOKEN}", origin="http://evil.example", **far) == 403
    assert visitor.comes("websocket", f"/?token={TOKEN}", **far) == 403


def test_a_redirect_stays_on_this_machine() -> None:
    visitor = Visitor(TOKEN)
    assert visitor.comes("http", f"//evil.example/?token={TOKEN}", host="box.example") == 303
    assert dict(visitor.headers)["location"] == "/evil.example/"
    for path in ("/\\evil.example", "/a\r\nx: y"):
        assert visitor.comes("http", f"{path}?token={TOKEN}", host="box.example") == 303
        assert not {"\\", "\r", "\n"} & set(dict(visitor.headers)["location"])


def test_a_garbled_cookie_or_token_is_no_cookie() -> None:
    visitor = Visitor(TOKEN)
    assert visitor.comes("http", host="box.example", cookie='a="; \x00=;;,') == 403
    assert visitor.comes("http", "/?token=%ff%00", host="box.example") == 403
