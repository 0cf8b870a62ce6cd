"""Worlds of sessions live on the host that all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from evolora_mesa.host import HostService

os.environ["REACTON_FAST"] = "1"  # as the app's server draws: a part whose arguments stay equal is not drawn anew

pytest.importorskip("solara", reason="solara is not installed (the extra app has it)")


@pytest.fixture
def on_petri(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever world is founded lives on the host of the tests: loaded once, and with the process left as it is."""
    monkeypatch.setattr("evolora_mesa.view.hosts.shared_host", lambda config: petri)


@pytest.fixture
def opened(on_petri: None) -> Iterator[Any]:
    """Makes sessions whose world is there, and closes them behind the test."""
    from staged import LONGEST_WAIT, hear_out, wait_for

    from evolora_mesa.view.session import Session

    sessions: list[Session] = []

    def open_session(*given: Any, **options: Any) -> Session:
        sessions.append(Session(*(given or ("smoke",) if "model" not in options else ()), **options))
        wait_for(lambda: sessions[-1].status.value != "loading", "the world")
        hear_out(sessions[-1])
        return sessions[-1]

    yield open_session
    for session in sessions:
        session.close()
    assert all(session.stage.value.join(LONGEST_WAIT) for session in sessions)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The Runs page over an empty folder ``runs``."""
    import solara
    from page_at_hand import PageAtHand

    from evolora_mesa.view import classic_run, pages, replay
    from evolora_mesa.view.pages.runs import RunsPage

    for room in (pages.runs, replay, classic_run):  # whoever tests has no second to wait
        monkeypatch.setattr(room, "LOOK", 0.05)
    (tmp_path / "runs").mkdir()
    session = SimpleNamespace(
        runs_folder=tmp_path / "runs", sweeps_folder=tmp_path / "sweeps", run="", dark=solara.Reactive(False)
    )
    at_hand = PageAtHand(RunsPage(session))
    yield at_hand
    at_hand.close()
