"""Named random streams: each concern draws alone, and a saved run continues where it stood."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.streams import Streams

NAMES = st.text(max_size=12)
SEEDS = st.integers(0, 2**64)


def some(streams: Streams, name: str) -> tuple[list[float], list[float]]:
    return [streams.python(name).random() for _ in range(5)], streams.numpy(name).random(5).tolist()


def test_a_name_is_one_generator_however_often_it_is_asked_for() -> None:
    streams = Streams(1)
    assert streams.python("tasks") is streams.python("tasks")
    assert streams.numpy("tasks") is streams.numpy("tasks")


@settings(max_examples=60, deadline=None)
@given(SEEDS, NAMES)
def test_seed_and_name_decide_a_stream(seed: int, name: str) -> None:
    assert some(Streams(seed), name) == some(Streams(seed), name)
    assert Streams(seed).integer(name) == Streams(seed).integer(name)


@settings(max_examples=60, deadline=None)
@given(SEEDS, NAMES)
def test_an_integer_fits_into_63_bits(seed: int, name: str) -> None:
    assert 0 <= Streams(seed).integer(name) < 2**63


def test_the_order_in_which_streams_are_asked_for_does_not_matter() -> None:
    forwards, backwards = Streams(5), Streams(5)
    names = ["tasks", "births", "forage"]
    first = {name: some(forwards, name) for name in names}
    assert {name: some(backwards, name) for name in reversed(names)} == first


def test_a_new_concern_does_not_disturb_the_old_ones() -> None:
    alone, crowded = Streams(5), Streams(5)
    for number in range(50):
        some(crowded, f"other {number}")
        crowded.integer(f"third {number}")
    assert some(alone, "tasks") == some(crowded, "tasks")


def test_other_names_and_other_seeds_are_other_streams() -> None:
    drawn = [some(Streams(seed), name) for seed in range(20) for name in ("tasks", "births", "forage", "")]
    assert len({repr(draw) for draw in drawn}) == len(drawn)


def test_streams_of_neighbouring_seeds_and_names_are_uncorrelated() -> None:
    rows = [Streams(seed).numpy(name).random(4000) for seed in (0, 1, 2) for name in ("a", "b", "c")]
    assert np.abs(np.corrcoef(rows) - np.eye(len(rows))).max() < 0.08


def test_the_numbers_are_pinned_so_that_a_seed_means_the_same_run_everywhere() -> None:
    streams = Streams(7)
    assert streams.integer("tasks") == 4751229444093351491
    assert [streams.python("tasks").randrange(1000) for _ in range(4)] == [285, 637, 607, 534]
    assert streams.numpy("tasks").integers(0, 1000, 4).tolist() == [421, 608, 688, 429]


def test_global_generators_are_left_alone() -> None:
    state, numpy_state = random.getstate(), repr(np.random.get_state())
    some(Streams(3), "tasks")
    assert random.getstate() == state
    assert repr(np.random.get_state()) == numpy_state


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.lists(NAMES, max_size=4, unique=True))
def test_a_state_saved_as_json_continues_exactly_where_it_was_taken(seed: int, names: list[str]) -> None:
    streams = Streams(seed)
    for name in names:
        some(streams, name)
        streams.python(name).gauss(0, 1)  # leaves half a pair behind, which belongs to the state
    state = json.loads(json.dumps(streams.state_dict()))
    expected = {name: (streams.python(name).gauss(0, 1), some(streams, name)) for name in names}
    later = Streams(seed + 1)
    later.load_state_dict(state)
    assert later.seed == seed
    assert {name: (later.python(name).gauss(0, 1), some(later, name)) for name in names} == expected


def test_a_stream_first_used_after_loading_is_that_of_the_saved_seed() -> None:
    streams, later = Streams(4), Streams(9)
    later.load_state_dict(streams.state_dict())
    assert some(later, "new") == some(Streams(4), "new")


def test_loading_forgets_streams_that_the_saved_run_had_not_begun() -> None:
    state = Streams(4).state_dict()
    streams = Streams(4)
    first = some(streams, "tasks")
    streams.load_state_dict(state)
    assert some(streams, "tasks") == first


def test_drawing_on_does_not_change_a_state_already_taken() -> None:
    streams = Streams(2)
    some(streams, "tasks")
    state = streams.state_dict()
    before = json.dumps(state)
    some(streams, "tasks")
    assert json.dumps(state) == before


@pytest.mark.parametrize("seed", [np.int64(7), True])
def test_a_seed_may_be_any_whole_number(seed: object) -> None:
    assert Streams(seed).integer("a") == Streams(int(seed)).integer("a")
