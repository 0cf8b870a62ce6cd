"""What a tab has: a world of its own, the next one, and what is looked at."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from repetitions import repeated
from staged import LONGEST_WAIT, hear_out, wait_for

from evolora_mesa.config import WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.view.hosts import shared_host
from evolora_mesa.view.session import Session
from evolora_mesa.view.stage import Stage

TINY = {
    "tasks.families": ["word.count", "math"],
    "tasks.depths": 1,
    "population.initial": 2,
    "population.minimum": 1,
    "population.maximum": 4,
    "population.episodes": 2,
}


def tiny() -> WorldConfig:
    return load_config("smoke", TINY)


def reset(session: Session) -> None:
    """Press Reset and wait for the new world."""
    before = session.stage.value
    session.reset()
    wait_for(lambda: session.stage.value is not before, "the new world")
    hear_out(session)


def test_a_session_shows_its_first_world(opened: Any) -> None:
    session = opened()
    assert (session.status.value, session.picture.value.tick, session.config.value.name) == ("paused", 0, "smoke")
    session.press("right")
    wait_for(lambda: session.picture.value.tick == 1)


def test_a_config_that_cannot_be_read_is_refused_at_once() -> None:
    with pytest.raises(ConfigError):
        Session("nowhere")


def test_space_plays_and_pauses(opened: Any) -> None:
    session = opened()  # a tiny world dies out while a slow machine looks away
    session.press("space")
    wait_for(lambda: session.status.value == "playing" and session.picture.value.tick > 1)
    session.press("space")
    wait_for(lambda: session.status.value == "paused")


def test_changes_act_on_reset_and_not_before(opened: Any) -> None:
    session = opened()
    session.chosen.value = 1
    session.change("population.initial", 5, 4)
    session.change("seed", 7, 0)
    session.set_pace(5.0)
    assert len(session.picture.value.organelles) == 4
    reset(session)
    assert len(session.picture.value.organelles) == 5
    assert (session.config.value.seed, session.chosen.value, session.stage.value.pace) == (7, None, 5.0)
    session.change("population.initial", 4, 4)
    assert session.changes.value == {"seed": 7}


def test_what_is_no_preset_is_not_read(opened: Any, tmp_path: Path) -> None:
    """The name comes from a browser."""
    (tmp_path / "other.yaml").write_text("name: other\n", encoding="utf-8")
    session = opened(tiny())
    session.start_from(str(tmp_path / "other.yaml"))
    assert session.base.value == "smoke"


def test_keys_are_off_where_buttons_are(opened: Any) -> None:
    session = opened(tiny())
    session.coming.value = True
    session.press("right")
    session.press("space")
    session.coming.value = False
    session.press("right")
    wait_for(lambda: session.picture.value.tick == 1)
    assert (session.stage.value.picture.tick, session.status.value) == (1, "paused")


def test_a_tab_that_is_closed_while_worlds_are_exchanged_leaves_none_behind(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opened(tiny())
    before, made = session.stage.value, []
    close = before.close

    def close_the_tab_meanwhile() -> None:
        monkeypatch.setattr(before, "close", close)
        session.close()
        close()

    monkeypatch.setattr(before, "close", close_the_tab_meanwhile)
    session.reset()
    wait_for(lambda: session.stage.value is not before, "the new world")
    made.append(session.stage.value)
    assert made[0].join(LONGEST_WAIT), "a world without a tab lives on"


def test_another_preset_takes_the_changes_with_it(opened: Any) -> None:
    session = opened(tiny())
    session.change("economy.ticket", 0.5, 1.0)
    session.start_from("single")
    assert session.changes.value == {}
    reset(session)
    assert session.config.value.name == "single"
    session.start_from("smoke")  # the name of what was given, which is not the shipped one
    reset(session)
    assert session.config.value == tiny()


def test_a_setting_that_cannot_be_leaves_the_old_world_and_says_why(opened: Any) -> None:
    session = opened(tiny())
    before = session.stage.value
    session.change("population.initial", 30, 2)
    session.reset()
    assert "population.initial" in session.message.value
    assert "\n" not in session.message.value
    assert (session.stage.value, session.coming.value) == (before, False)
    before.step()
    wait_for(lambda: session.picture.value.tick == 1)


def test_a_world_that_cannot_be_made_leaves_the_old_one_and_says_why(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such things are found out only by loading."""
    session = opened(tiny())
    before = session.stage.value

    def lost(config: WorldConfig) -> HostService:
        raise OSError("the disk is gone")

    monkeypatch.setattr("evolora_mesa.view.hosts.shared_host", lost)
    session.reset()
    wait_for(lambda: session.message.value)
    assert session.message.value == "OSError: the disk is gone"
    assert (session.stage.value, session.status.value, session.coming.value) == (before, "paused", False)


def test_a_first_world_that_cannot_be_made_says_why(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolora_mesa.view.hosts.shared_host", lambda config: 1 / 0)
    session = opened(tiny())
    assert (session.status.value, session.stage.value.message) == ("failed", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize("resets", [4, *repeated(100)])
def test_resets_leave_no_more_than_two_worlds_alive(opened: Any, resets: int) -> None:
    session = opened(tiny())
    ghosts = []
    for _ in range(resets):
        ghosts.append(session.stage.value.ask(weakref.ref).result(LONGEST_WAIT))
        old = session.stage.value
        reset(session)
        assert old.join(LONGEST_WAIT)
    gc.collect()
    assert sum(ghost() is not None for ghost in ghosts) <= 1  # and the one that is shown


@pytest.fixture
def door(petri: HostService, monkeypatch: pytest.MonkeyPatch) -> Callable[[], threading.Event]:
    """Closes a door before which every further world waits for its host."""

    def close_door() -> threading.Event:
        opened = threading.Event()
        monkeypatch.setattr(
            "evolora_mesa.view.hosts.shared_host", lambda config: petri if opened.wait(LONGEST_WAIT) else None
        )
        return opened

    return close_door


def test_impatient_resets_end_in_one_world(opened: Any, door: Any) -> None:
    session = opened(tiny())
    host = door()
    passed_over = []
    for seed in range(1, 6):
        session.change("seed", seed, 0)
        session.reset()
        passed_over.append(session._next[0])
    host.set()
    wait_for(lambda: session.stage.value is passed_over[-1], "the last world that was asked for")
    assert session.config.value.seed == 5
    assert session.stage.value.ask(lambda model: model.config.seed).result(LONGEST_WAIT) == 5
    assert all(stage.join(LONGEST_WAIT) for stage in passed_over[:-1])


def test_the_world_before_the_last_is_gone_before_another_is_made(
    opened: Any, petri: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, held = opened(tiny()), threading.Event()
    first = session.stage.value
    first.ask(lambda model: held.wait(LONGEST_WAIT))
    reset(session)
    ended: list[bool] = []
    join = Stage.join

    def join_at_last(stage: Stage[Any, Any], timeout: float | None = None) -> bool:
        held.set()
        return join(stage, timeout)

    monkeypatch.setattr(Stage, "join", join_at_last)
    monkeypatch.setattr("evolora_mesa.view.session._LONGEST_FAREWELL", LONGEST_WAIT)
    monkeypatch.setattr(
        "evolora_mesa.view.hosts.shared_host",
        lambda config: ended.append(not first._thread.is_alive()) or petri,
    )
    reset(session)
    assert ended == [True]


def test_two_tabs_are_two_worlds_that_live_as_if_they_were_alone(opened: Any) -> None:
    """They share the host and play at the same time; nothing of one shows in the other."""

    def course(tick: int) -> list[tuple[Any, ...]]:
        model = EcologyModel("smoke", rng=tick % 2, host=host)
        for _ in range(tick):
            model.step()
        return [(o.unique_id, o.energy, o.cell.coordinate) for o in model.organelles()]

    tabs = [opened(load_config("smoke", {"seed": seed})) for seed in (0, 1)]
    host = tabs[0].stage.value.ask(lambda model: model.host).result(LONGEST_WAIT)
    assert tabs[1].stage.value.ask(lambda model: model.host).result(LONGEST_WAIT) is host
    for tab, ticks in zip(tabs, (6, 5), strict=True):
        for _ in range(ticks):
            tab.stage.value.step()
    for tab, ticks in zip(tabs, (6, 5), strict=True):
        wait_for(lambda tab=tab, ticks=ticks: tab.picture.value.tick == ticks)
        alive = tab.stage.value.ask(
            lambda model: [(o.unique_id, o.energy, o.cell.coordinate) for o in model.organelles()]
        )
        assert alive.result(LONGEST_WAIT) == course(ticks)


def test_a_tab_that_is_closed_stops_its_worlds(opened: Any, door: Any) -> None:
    session = opened(tiny())
    session.stage.value.play()
    host = door()
    session.reset()
    coming = session._next[0]
    session.close()
    host.set()
    assert session.stage.value.join(LONGEST_WAIT)
    assert coming.join(LONGEST_WAIT)


def test_a_world_of_ones_own_is_shown_and_stays_ones_own(opened: Any, petri: HostService) -> None:
    model = EcologyModel(tiny(), host=petri)
    session = opened(model=model)
    session.press("right")
    wait_for(lambda: session.picture.value.tick == 1)
    reset(session)
    assert session.stage.value.ask(lambda world: world is model).result(LONGEST_WAIT) is False
    model.step()
    assert (model.tick, session.picture.value.tick) == (2, 0)


def test_hosts_are_loaded_once_for_all_who_ask_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(config: WorldConfig) -> object:
        loaded.append(config.host.path)
        return object()

    monkeypatch.setattr("evolora_mesa.hosting.host_for", load)
    monkeypatch.setattr("evolora_mesa.view.hosts._hosts", type(shared_host.__globals__["_hosts"])())
    plain, warm = load_config("smoke"), load_config("smoke", {"host.temperature": 0.5, "seed": 3})
    other = load_config("smoke", {"host.random_weights": True})
    assert shared_host(plain) is shared_host(warm)
    assert shared_host(other) is not shared_host(plain)
    assert len(loaded) == 2


def test_folders_are_those_that_were_given(opened: Any) -> None:
    session = opened(tiny(), runs_folder=Path("here"), sweeps_folder=Path("there"), run="first")
    assert (session.runs_folder, session.sweeps_folder, session.run) == (Path("here"), Path("there"), "first")


def test_a_browser_that_is_behind_gets_the_next_picture_when_it_has_drawn_the_last_but_one(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evolora_mesa.view.session._LONGEST_BLINK", 10.0 * LONGEST_WAIT)
    session = opened(tiny())
    session.saw(session.shown)
    for tick in (1, 2):
        session.press("right")
        wait_for(lambda tick=tick: session.picture.value.tick == tick, "a picture on its way, and one after it")
    for _ in range(3):
        session.press("right")
    wait_for(lambda: session.stage.value.picture.tick == 5, "the world, which does not wait")
    assert session.picture.value.tick == 2
    session.saw(session.shown - 2)
    assert session.picture.value.tick == 2
    session.saw(session.shown - 1)
    wait_for(lambda: session.picture.value.tick == 5, "the latest picture, and none between")
    assert session.shown == 4
    session.saw("all of them")  # type: ignore[arg-type]
    session.saw(-(10**9))
    session.saw(10**9)
    session.press("right")
    wait_for(lambda: session.picture.value.tick == 6, "a picture for a browser that claims to have drawn everything")


def test_news_does_not_wait_for_a_browser_that_is_behind(opened: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evolora_mesa.view.session._LONGEST_BLINK", 10.0 * LONGEST_WAIT)
    session, kept_back = opened(), []
    keeps_up = session._keeps_up
    monkeypatch.setattr(session, "_keeps_up", lambda: keeps_up() or kept_back.append(session.shown))
    session.saw(session.shown)
    session.press("space")
    wait_for(lambda: kept_back, "two pictures on their way, and a third that waits")
    assert session.shown - 1 == 2
    session.press("space")
    wait_for(lambda: session.status.value == "paused", "the pause")
