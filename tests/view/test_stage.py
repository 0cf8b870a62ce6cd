"""One world, one thread: who plays, who looks, who asks, and what happens when it ends or breaks."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import mesa
import pytest
from staged import LONGEST_WAIT, Clock, tick_of, wait_for

from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.view.stage import Stage, _interval

Clocks = Stage[Clock, int]


@pytest.fixture
def raised() -> Iterator[Any]:
    """Makes stages, and closes them behind the test."""
    stages: list[Clocks] = []

    def raise_stage(**facts: Any) -> Clocks:
        options = {name: facts.pop(name) for name in ("pace", "lent") if name in facts}
        stages.append(Stage(lambda: Clock(**facts), tick_of, **options))
        wait_for(lambda: stages[-1].status != "loading")
        return stages[-1]

    yield raise_stage
    for stage in stages:
        stage.close()
    assert all(stage.join(LONGEST_WAIT) for stage in stages)


def test_a_world_is_made_and_waits(raised: Any) -> None:
    stage = raised()
    assert (stage.status, stage.picture, stage.message) == ("paused", 0, "")


def test_every_step_is_one_generation(raised: Any) -> None:
    stage = raised()
    for _ in range(3):
        stage.step()
    wait_for(lambda: stage.picture == 3)
    assert stage.status == "paused"
    assert stage.ask(lambda model: model.tick).result(LONGEST_WAIT) == 3


def test_it_plays_until_it_is_paused(raised: Any) -> None:
    stage = raised()
    stage.play()
    assert stage.status == "playing"
    wait_for(lambda: stage.picture > 20)
    assert stage.speed is not None and stage.speed > 0
    stage.pause()
    assert (stage.status, stage.speed) == ("paused", None)
    last = stage.ask(lambda model: model.tick).result(LONGEST_WAIT)
    assert stage.ask(lambda model: model.tick).result(LONGEST_WAIT) == last == stage.picture


def test_a_pause_takes_back_the_steps_that_wait(raised: Any) -> None:
    door = threading.Event()
    stage = raised(door=door)
    for _ in range(5):
        stage.step()
    wait_for(lambda: stage._steps < 5, "the first step")
    stage.pause()
    door.set()
    assert stage.ask(lambda model: model.tick).result(LONGEST_WAIT) == 1


def test_the_pace_keeps_generations_apart(raised: Any) -> None:
    stage = raised(pace=0.001)
    stage.play()
    wait_for(lambda: stage.picture == 1)
    for _ in range(50):  # each wakes the thread up
        assert stage.ask(lambda model: model.tick).result(LONGEST_WAIT) == 1
    stage.pace = None
    stage.pause()
    stage._due = 0.0
    stage.play()
    wait_for(lambda: stage.picture > 5)


def test_a_world_that_ends_says_so_and_stays(raised: Any) -> None:
    stage = raised(life=4)
    stage.play()
    wait_for(lambda: stage.status == "ended")
    stage.play()
    stage.step()
    assert stage.ask(lambda model: model.tick).result(LONGEST_WAIT) == stage.picture == 4
    assert (stage.status, stage.message) == ("ended", "")


def test_an_error_in_a_generation_is_a_message_and_the_world_can_still_be_asked(raised: Any) -> None:
    stage = raised(breaks_at=3)
    stage.play()
    wait_for(lambda: stage.status == "failed")
    assert stage.message == "ValueError: the spring is broken"
    assert "in step" in stage.details
    assert stage.picture == 2
    stage.play()
    assert stage.ask(lambda model: model.tick).result(LONGEST_WAIT) == 2
    assert stage.status == "failed"


@pytest.mark.parametrize("error", [ConfigError("no such host", got="moon"), SystemExit(3)])
def test_a_world_that_cannot_be_made_fails_and_tells_its_listeners(error: BaseException) -> None:
    ready = threading.Event()

    def make() -> Clock:
        assert ready.wait(LONGEST_WAIT)
        raise error

    stage = Stage(make, tick_of)
    heard: list[str] = []
    stage.listen(lambda: heard.append(stage.status), 1000)
    early = stage.ask(lambda model: model.tick)
    ready.set()
    wait_for(lambda: "failed" in heard)
    assert stage.join(LONGEST_WAIT)
    assert stage.message == (str(error) if isinstance(error, ConfigError) else "SystemExit: 3")
    for future in (early, stage.ask(lambda model: model.tick)):
        with pytest.raises(RunError, match="the world is gone"):
            future.result(LONGEST_WAIT)


def test_closing_returns_at_once_and_drops_the_generation_under_way(raised: Any) -> None:
    door = threading.Event()
    stage = raised(door=door)
    stage.step()
    wait_for(lambda: stage._steps == 0)
    waiting = stage.ask(lambda model: model.tick)
    stage.close()
    assert not stage.join(0)  # still in its step
    door.set()
    assert stage.join(LONGEST_WAIT)
    assert stage.picture == 0
    with pytest.raises(RunError):
        waiting.result(LONGEST_WAIT)


def test_a_closed_world_is_freed(raised: Any) -> None:
    """Mesa keeps every model in a table of its own; a world that stays there is red here."""
    stage = raised()
    ghost = stage.ask(weakref.ref).result(LONGEST_WAIT)
    stage.step()
    assert ghost() is not None
    stage.close()
    assert stage.join(LONGEST_WAIT)
    gc.collect()
    assert ghost() is None


def test_a_lent_world_can_be_lived_on_by_its_owner() -> None:
    clock = Clock()
    first = mesa.Agent(clock)
    stage = Stage(lambda: clock, tick_of, lent=True)
    stage.step()
    wait_for(lambda: stage.picture == 1)
    stage.close()
    assert stage.join(LONGEST_WAIT)
    assert mesa.Agent(clock).unique_id == first.unique_id + 1
    clock.step()
    assert clock.tick == 2


def test_questions_are_answered_in_the_worlds_thread_and_may_fail(raised: Any) -> None:
    stage = raised()
    stage.play()
    names = {stage.ask(lambda _: threading.current_thread().name).result(LONGEST_WAIT) for _ in range(20)}
    assert names == {"world"}
    with pytest.raises(ZeroDivisionError):
        stage.ask(lambda model: model.tick // 0).result(LONGEST_WAIT)
    assert stage.status == "playing"


def test_a_question_can_be_taken_back(raised: Any) -> None:
    door = threading.Event()
    stage = raised(door=door)
    stage.step()
    wait_for(lambda: stage._steps == 0)
    asked: list[int] = []
    assert stage.ask(lambda model: asked.append(model.tick)).cancel()
    door.set()
    stage.ask(lambda model: None).result(LONGEST_WAIT)
    assert asked == []


def test_listeners_miss_changes_but_never_the_last(raised: Any) -> None:
    stage, over = raised(life=500), threading.Event()
    seen: list[tuple[int, str]] = []

    def look_long() -> None:
        seen.append((stage.picture, stage.status))
        assert over.wait(LONGEST_WAIT)

    stage.listen(look_long, 1000)
    wait_for(lambda: seen)
    stage.play()
    wait_for(lambda: stage.status == "ended")
    over.set()
    wait_for(lambda: len(seen) > 1)
    assert seen == [(0, "paused"), (500, "ended")]


def test_a_question_is_no_change_to_those_who_listen(raised: Any) -> None:
    """A listener that asks would be called for ever."""
    stage = raised()
    before = stage._changes
    stage.ask(lambda model: model.tick).result(LONGEST_WAIT)
    assert stage._changes == before


def test_a_listener_that_fails_is_called_again(raised: Any, caplog: pytest.LogCaptureFixture) -> None:
    stage = raised()
    seen: list[int] = []

    def fail() -> None:
        seen.append(stage.picture)
        raise OSError("the browser is gone")

    stage.listen(fail, 1000)
    stage.step()
    wait_for(lambda: 1 in seen)
    stage.step()
    wait_for(lambda: 2 in seen)
    assert "the browser is gone" in caplog.text


def test_a_listener_hears_nothing_after_its_end(raised: Any) -> None:
    stage = raised()
    seen: list[int] = []
    listeners: set[threading.Thread] = set()

    def look() -> None:
        listeners.add(threading.current_thread())
        seen.append(stage.picture)

    end = stage.listen(look, 1000)
    wait_for(lambda: seen)
    end()
    wait_for(lambda: not any(thread.is_alive() for thread in listeners))
    stage.step()
    wait_for(lambda: stage.picture == 1)
    assert 1 not in seen


def test_a_listener_takes_a_bounded_share_of_the_time_however_slow_it_is() -> None:
    assert _interval(0.05, 0.001) == 0.05
    for spent in (0.05, 3.0):
        assert spent / _interval(0.05, spent) <= 0.2 + 1e-9
