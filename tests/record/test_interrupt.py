"""A signal that asks for an end is heard, and what it interrupts can end in order."""

from __future__ import annotations

import signal
import threading

import pytest

from evolora_mesa.record.interrupt import Interrupt, Leaving, exit_code, leaving_at_once

KILLS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


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
