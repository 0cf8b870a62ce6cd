"""The world page in Chromium: it is drawn, its buttons and keys do what they say, and it asks nobody for anything."""

from __future__ import annotations

import base64
import http.client
import os
import shlex
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import PATIENCE, ROOT, Server, Visit
from repetitions import repeated

SHOTS = os.environ.get("EVOLORA_SCREENSHOTS")  # a folder to keep pictures of the pages in


def keep(visit: Visit, name: str) -> None:
    if SHOTS:
        visit.page.screenshot(path=Path(SHOTS) / f"{name}.png")


def test_a_world_is_stepped_played_paused_and_reset(browser: Any, server: Server) -> None:
    with Visit(browser, server.address) as visit:
        visit.reads("paused.*generation 0")
        visit.page.locator("canvas").first.wait_for()
        keep(visit, "world")
        visit.button("Step").click()
        visit.reads("generation 1")
        visit.page.locator("[data-keys=true]").wait_for(state="attached")
        visit.page.evaluate("document.activeElement.blur()")  # keys are the world's, not the button's
        visit.page.keyboard.press("ArrowRight")
        visit.reads("generation 2")
        visit.page.keyboard.press("Space")
        visit.reads("playing.*generation ([4-9]|\\d\\d)")
        visit.button("Pause").click()
        visit.reads("paused")
        below = visit.page.locator("[aria-label^='Evidence for'][data-drawn]")  # the window ends far above it
        below.wait_for()
        visit.settles()
        label, drawn = below.get_attribute("aria-label"), int(below.get_attribute("data-drawn"))
        visit.page.keyboard.press("ArrowRight")
        chart = below.element_handle()
        visit.page.wait_for_function(
            "([chart, label]) => chart.getAttribute('aria-label') !== label", arg=[chart, label]
        )
        assert int(below.get_attribute("data-drawn")) == drawn
        below.scroll_into_view_if_needed()
        visit.page.wait_for_function("([chart, drawn]) => Number(chart.dataset.drawn) > drawn", arg=[chart, drawn])
        visit.button("Reset").click()
        visit.reads("paused.*generation 0")
        assert visit.wrong == []


@pytest.mark.slow
def test_keys_are_left_alone_while_somebody_types(browser: Any, server: Server) -> None:
    with Visit(browser, server.address) as visit:
        visit.reads("generation 0")
        search = visit.page.get_by_label("Find a setting")
        search.click()
        search.press_sequentially("energy  per")
        search.press("ArrowRight")
        visit.page.get_by_text("economy.inflow").wait_for()
        assert search.input_value() == "energy  per"
        assert visit.generation() == 0


@pytest.mark.slow
def test_a_setting_that_cannot_be_is_told_and_the_world_stays(browser: Any, server: Server) -> None:
    with Visit(browser, server.address) as visit:
        visit.reads("generation 0")
        visit.page.get_by_label("Find a setting").fill("population.initial")
        field = visit.page.get_by_label("population.initial").first
        field.fill("30")
        field.press("Enter")
        visit.button("Reset").click()
        visit.page.get_by_role("alert").filter(has_text="population.initial").wait_for()
        visit.button("Step").click()
        visit.reads("generation 1 .*organelles [45]")


def test_every_page_opens_by_its_address_and_the_world_goes_on(browser: Any, server: Server) -> None:
    with Visit(browser, server.address) as visit:
        visit.reads("generation 0")
        visit.button("Step").click()
        visit.reads("generation 1")
        for name in ("Talk", "Lineage", "Runs", "Sweeps"):
            visit.button(name).click()
            visit.page.wait_for_url(f"**/{name.lower()}")
            visit.page.locator(".ev-head .ev-here", has_text=name).wait_for()
        visit.page.keyboard.press("ArrowRight")  # no world is on this page, so none may move
        visit.button("World").click()
        visit.reads("generation 1")
        assert visit.wrong == []
    with Visit(browser, server.address + "lineage") as visit:
        visit.page.locator(".ev-head .ev-here", has_text="Lineage").wait_for()


@pytest.mark.slow
def test_dark_colours_are_kept_by_the_browser(browser: Any, server: Server) -> None:
    with Visit(browser, server.address, scheme="dark") as visit:
        visit.reads("generation 0")
        visit.page.locator(".theme--dark#app").wait_for(state="attached")
        visit.button("light colours").click()
        visit.page.locator(".theme--light#app").wait_for(state="attached")
        visit.page.reload()
        visit.reads("generation 0")
        visit.button("dark colours").wait_for()


@pytest.mark.parametrize("width", [390, *repeated(1400)])
def test_nothing_sticks_out_of_the_window(browser: Any, server: Server, width: int) -> None:
    with Visit(browser, server.address, width=width, height=900) as visit:
        visit.reads("generation 0")
        visit.page.locator("canvas").first.wait_for()
        visit.settles()
        keep(visit, f"world-{width}")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width


# ---------------------------------------------------------------------- the door


def ask(port: int, path: str = "/", host: str = "", **headers: str) -> int:
    """Status of a page, or 101 of a websocket."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE / 1000)
    try:
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}", **headers})
        return connection.getresponse().status
    finally:
        connection.close()


def knock(port: int, name: str = "door", **headers: str) -> int:
    key = base64.b64encode(b"0123456789abcdef").decode()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
    return ask(port, f"/jupyter/api/kernels/{name}/channels?session_id=1", **upgrade, **headers)


def test_strangers_are_turned_away_at_the_door(server: Server) -> None:
    assert ask(server.port, "/readyz") == 200
    assert ask(server.port) == 200
    assert knock(server.port) == 101
    evil = "http://evil.example"
    assert ask(server.port, host="evil.example") == ask(server.port, Origin=evil) == 403
    assert knock(server.port, host="evil.example") == knock(server.port, Origin=evil) == 403


def test_what_is_missing_is_not_fetched_from_elsewhere(server: Server) -> None:
    assert ask(server.port, "/_solara/cdn/no-such-package@1.0.0/index.js") == 404


@pytest.mark.slow
def test_two_hundred_sockets_are_survived(browser: Any) -> None:
    server = Server("smoke")
    try:
        opened: list[socket.socket] = []
        for number in range(200):
            connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE / 1000)
            key = base64.b64encode(number.to_bytes(16, "big")).decode()
            connection.sendall(
                f"GET /jupyter/api/kernels/socket-{number}/channels?session_id={number} HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{server.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
            )
            opened.append(connection)
        assert all(connection.recv(12) == b"HTTP/1.1 101" for connection in opened)
        with Visit(browser, server.address) as visit:
            visit.reads("generation 0")
        for connection in opened:
            connection.close()
        with Visit(browser, server.address) as visit:
            visit.reads("generation 0")
            visit.button("Step").click()
            visit.reads("generation 1")
        with ThreadPoolExecutor(8) as many:
            assert set(many.map(lambda _: ask(server.port, "/readyz"), range(50))) == {200}
    finally:
        server.close()


@pytest.mark.slow
def test_a_remote_visitor_comes_in_by_the_token(browser: Any) -> None:
    server = Server("smoke", "--allow-remote", "--token", "0123456789abcdef")
    try:
        assert ask(server.port, host="box.example") == 403
        assert ask(server.port, "/readyz", host="box.example") == 200
        with Visit(browser, f"http://127.0.0.1:{server.port}/?token=0123456789abcdef") as visit:
            visit.reads("generation 0")
            assert "token" not in visit.page.url
            assert visit.wrong == []
    finally:
        server.close()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare here")
def test_it_all_works_on_a_machine_without_a_network() -> None:
    """In a namespace of its own there is no network but the loopback, not even a name server."""
    bare = ["unshare", "-n", "sh", "-c"]
    if subprocess.run([*bare, "ip link set lo up"], capture_output=True, check=False).returncode:
        pytest.skip("no network namespaces here")
    tests = [sys.executable, "-m", "pytest", str(Path(__file__)), "-m", "not slow", "-q", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*bare, f"ip link set lo up; {shlex.join(tests)}"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
