"""What has been paid for, and where an organelle is at home."""

from __future__ import annotations

import numpy as np
import pytest

from evolora_mesa.evolution.history import History


def worked(counts: list[float]) -> History:
    history = History(3, len(counts), 1.0)
    history.episodes[1] = counts
    return history


def test_work_is_counted_by_organelle_and_cell() -> None:
    history = History(3, 4, 0.5)
    history.add(np.array([1, 1, 2]), np.array([0, 0, 3]), np.array([True, False, True]), np.array([5, 7, 2]))
    assert history.episodes[1].tolist() == [2, 0, 0, 0]
    assert history.wins[1].tolist() == [1, 0, 0, 0]
    assert history.tokens[2].tolist() == [0, 0, 0, 2]
    history.add(np.array([2]), np.array([3]), np.array([False]), np.array([4]))
    assert history.episodes[1].tolist() == [1, 0, 0, 0]  # the past fades, also of those who rest
    assert (history.episodes[2, 3], history.wins[2, 3], history.tokens[2, 3]) == (1.5, 0.5, 5.0)


def test_a_newcomer_in_a_slot_has_done_nothing() -> None:
    history = worked([4, 2])
    history.reset(np.array([1]))
    assert not history.episodes[1].any()
    assert not history.focus(np.array([1])).any()


@pytest.mark.parametrize(
    ("work", "focus"),
    [
        ([10, 0, 0, 0, 0, 0], [0]),
        ([6, 4, 0, 0, 0, 0], [0, 1]),  # six tenths are not seven
        ([0, 1, 8, 1, 0, 0], [2]),
        ([1, 1, 1, 1, 1, 1], [0, 1, 2, 3]),  # at most four, the first of equals
        ([0, 0, 0, 0, 0, 0], []),
    ],
)
def test_the_focus_is_where_most_of_the_work_was_done(work: list[float], focus: list[int]) -> None:
    assert np.flatnonzero(worked(work).focus(np.array([1]))[0]).tolist() == focus
