"""A signal that asks for an end is heard, and what it interrupts can end in order."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evolora_mesa.record.interrupt import Interrupt, Killed, Leaving, exit_code, leaving_at_once

ROOT = Path(__file__).resolve().parents[2]

KILLS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """Under nohup a closed terminal is ignored, and so it is by what is tested."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in KILLS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_kill_inside_executed_text_keeps_its_exit_code(tmp_path: Path) -> None:
    """`python -m` would end as if by Ctrl-C after a plain KeyboardInterrupt."""
    text = """
import signal, sys
from evolora_mesa.record.interrupt import Leaving, exit_code
with Leaving() as leaving:
    try:
        exec("signal.raise_signal(signal.SIGTERM)")
    except KeyboardInterrupt:
        pass
sys.exit(exit_code(leaving.by))
"""
    (tmp_path / "executing.py").write_text(text, encoding="utf-8")
    path = {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    ended = subprocess.run([sys.executable, "-m", "executing"], env={**os.environ, **path}, timeout=120)
    assert ended.returncode == exit_code("SIGTERM")


@pytest.mark.parametrize("number", [signal.SIGINT, *KILLS])
def test_the_first_signal_only_asks(number: signal.Signals) -> None:
    told: list[str] = []
    before = signal.getsignal(number)
    with Interrupt(lambda: told.append("told")) as interrupt:
        assert interrupt.requested == ""
        signal.raise_signal(number)
        assert interrupt.requested == number.name
        assert told == ["told"]
    assert signal.getsignal(number) == before


def test_a_second_ctrl_c_leaves_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupt(lambda: None):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("number", KILLS)
def test_a_kill_sent_twice_is_one_kill(number: signal.Signals) -> None:
    with Interrupt(lambda: None) as interrupt:
        signal.raise_signal(number)
        signal.raise_signal(number)
    assert interrupt.requested == number.name
    with Leaving() as leaving:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        signal.raise_signal(number)
    assert leaving.by == number.name
    assert exit_code(leaving.by) == 128 + number


SWALLOWING = """
import signal
try:
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt:
    raise AssertionError("it came in the midst of an import")
"""


@pytest.fixture
def swallowing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module in whose import a kill comes, twice."""
    (tmp_path / "swallowing.py").write_text(SWALLOWING, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "swallowing", raising=False)
    return "swallowing"


def test_a_kill_waits_for_the_end_of_an_import(swallowing: str) -> None:
    with Leaving() as leaving, pytest.raises(Killed):
        importlib.import_module(swallowing)
        assert leaving.by == ""
        while True:
            time.sleep(0.01)
    assert leaving.by == "SIGTERM"


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signals for threads here")
def test_a_kill_that_waited_is_heard_in_a_system_call_too(swallowing: str) -> None:
    nothing_comes, writer = os.pipe()
    with Leaving(), pytest.raises(Killed):
        importlib.import_module(swallowing)
        os.read(nothing_comes, 1)
    os.close(nothing_comes)
    os.close(writer)


def test_a_kill_does_not_wait_for_ever(swallowing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolora_mesa.record.interrupt._PATIENCE", 0)
    with Leaving(), pytest.raises(AssertionError):
        importlib.import_module(swallowing)


def test_a_kill_that_waits_does_not_outlive_its_block(swallowing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolora_mesa.record.interrupt._AGAIN_AFTER", 3600.0)
    with Leaving() as leaving:
        importlib.import_module(swallowing)
    assert [again.is_alive() for again in leaving._again] == [False, False]
    assert leaving.by == ""


def test_a_kill_that_comes_again_as_its_block_ends_is_heard_by_nobody(
    swallowing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled a moment too late; the handler before ours would end the process."""
    cancelled = threading.Event()

    class Late(threading.Timer):
        def __init__(self, seconds: float, send: Callable[[int], None], numbers: list[int]) -> None:
            super().__init__(0.0, lambda: cancelled.wait(60) and send(*numbers))

        def cancel(self) -> None:
            cancelled.set()

    monkeypatch.setattr("evolora_mesa.record.interrupt.threading.Timer", Late)
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with Leaving() as leaving:
            importlib.import_module(swallowing)
        for again in leaving._again:
            again.join(60)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (leaving.by, heard) == ("", [])


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal here")
def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Leaving() as leaving, Interrupt(lambda: None) as interrupt:
            signal.raise_signal(signal.SIGHUP)
        assert (leaving.by, interrupt.requested) == ("", "")
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_in_another_thread_leaves_the_signals_alone() -> None:
    seen: list[object] = []

    def run() -> None:
        with Interrupt(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]


@pytest.mark.parametrize("number", [signal.SIGINT, *KILLS])
def test_leaving_at_once_ends_the_process_and_gives_the_handlers_back(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes: list[int] = []
    monkeypatch.setattr("os._exit", codes.append)
    before = signal.getsignal(number)
    with leaving_at_once():
        signal.raise_signal(number)
    assert codes == [exit_code(number.name)]
    assert signal.getsignal(number) == before
