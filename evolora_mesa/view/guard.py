"""Who may talk to the app: pages of its own, on this machine; from elsewhere only who has the token.

A server on the loopback interface can be reached by every page that a browser has open: such a page can send requests
there, and with a name of its own that leads to 127.0.0.1 even read the answers (DNS rebinding). Both show in the
headers ``Host`` and ``Origin``, which a page cannot forge.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

__all__ = ["Guard"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

_OURS: Final = ("127.0.0.1", "localhost", "[::1]")
_READY: Final = "/readyz"  # says nothing but that it is there, to those who watch over servers
_HIDDEN: Final = ("/resourcez", "/_solara/api/evict")  # Solara's own, for its operators
_TOKEN: Final = "token"  # in an address
# Vue compiles its templates in the browser. All else is ours: nothing of a page may come from elsewhere, or go there.
_POLICY: Final = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'self'; "
    "frame-ancestors 'self'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
)


class Guard:
    """ASGI middleware: 403 for strangers, for pages as for websockets.

    Args:
        app: what is guarded.
        port: that it is reached by.
        token: what a stranger has to show, once as ``?token=`` and then by a cookie; `None` where nobody but this
            machine may come. With a token any ``Host`` will do, since a cookie is bound to the name it was given to.
    """

    def __init__(self, app: App, *, port: int, token: str | None = None) -> None:
        self.app, self._token = app, token
        self._names = {f"{name}:{port}" for name in _OURS} | ({*_OURS} if port == 80 else set())  # left out by browsers
        self._cookie = f"evolora-{port}"  # cookies of a machine are shared by all of its ports

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif not self._is_ours(scope) or scope["path"].startswith(_HIDDEN):
            await _refuse(scope, send)
        elif self._token is None or scope["path"] == _READY or self._has_cookie(scope):
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "http" and self._shows_token(scope):
            await self._welcome(scope, send)
        else:
            await _refuse(scope, send)

    def _is_ours(self, scope: Message) -> bool:
        """Named as we are, and asked for by a page of ours or by none."""
        hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
        if len(hosts) != 1 or len(origins) > 1:
            return False
        host = hosts[0].lower()
        if self._token is None and host not in self._names:
            return False
        return not origins or origins[0].lower() in (f"http://{host}", f"https://{host}")

    def _has_cookie(self, scope: Message) -> bool:
        for header in _values(scope, b"cookie"):
            try:
                found = SimpleCookie(header).get(self._cookie)
            except CookieError:
                continue
            if found is not None and self._is_token(found.value):
                return True
        return False

    def _shows_token(self, scope: Message) -> bool:
        return any(self._is_token(value) for name, value in _query(scope) if name == _TOKEN)

    def _is_token(self, shown: str) -> bool:
        return self._token is not None and hmac.compare_digest(shown.encode(), self._token.encode())

    async def _welcome(self, scope: Message, send: Send) -> None:
        """Swap the token in the address for a cookie, so that it stays out of the history and of bookmarks."""
        rest = urlencode([(name, value) for name, value in _query(scope) if name != _TOKEN])
        path = "/" + quote(scope["path"].lstrip("/"))  # "//name" and "/\\name" would lead to another machine
        place = path + (f"?{rest}" if rest else "")
        cookie = f"{self._cookie}={self._token}; Path=/; HttpOnly; SameSite=Lax"
        await _answer(send, 303, [(b"location", place.encode()), (b"set-cookie", cookie.encode())])


def _values(scope: Message, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _query(scope: Message) -> list[tuple[str, str]]:
    return parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
        await send(message)

    return send_with_headers


async def _refuse(scope: Message, send: Send) -> None:
    if scope["type"] == "websocket":  # closed before it was accepted, which servers answer with 403
        await send({"type": "websocket.close", "code": 1008})
        return
    await _answer(send, 403, [(b"content-type", b"text/plain")], b"403: this app answers its own pages only\n")


async def _answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *_HEADERS]})
    await send({"type": "http.response.body", "body": body})
