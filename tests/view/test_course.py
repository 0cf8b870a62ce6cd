"""Courses keep the shape of what happened, however long it lasts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.view.course import MOST_POINTS, Course

NOTHING = {"generation": [], "births": []}


def test_a_short_course_is_what_was_given() -> None:
    course = Course.of({"generation": [0, 1, 2], "births": [0, 3, 1]})
    assert course["births"].tolist() == [0, 3, 1]
    assert len(course) == 3 and course.stride == 1


def test_a_figure_that_nobody_recorded_is_unknown_throughout() -> None:
    course = Course.of({"generation": [0, 1]})
    assert "births" not in course
    assert np.isnan(course["births"]).tolist() == [True, True]


def test_a_course_that_is_continued_is_the_course_of_the_whole() -> None:
    figures = {"generation": np.arange(1700.0), "births": np.random.default_rng(0).random(1700)}
    whole, piecewise = Course.of(figures), Course.of(NOTHING)
    for begin in range(0, 1700, 17):
        piecewise = piecewise.extended({name: values[begin : begin + 17] for name, values in figures.items()})
    assert piecewise.stride == whole.stride == 4
    assert piecewise["births"].tolist() == whole["births"].tolist()


def test_what_is_unknown_in_some_generations_is_the_mean_of_the_others() -> None:
    values = np.tile([np.nan, 1.0, 3.0, np.nan], MOST_POINTS)
    course = Course.of({"generation": np.arange(len(values)), "births": values})
    assert course.stride == 8
    assert set(course["births"].tolist()) == {2.0}


def test_nobody_can_change_a_course() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Course.of({"generation": [0.0]})["generation"][0] = 1


@given(generations=st.integers(0, 6000), piece=st.integers(1, 2000))
def test_a_course_never_outgrows_a_chart_and_keeps_its_mean_and_its_end(generations: int, piece: int) -> None:
    course = Course.of(NOTHING)
    numbers = np.arange(float(generations))
    for begin in range(0, generations, piece):
        part = numbers[begin : begin + piece]
        course = course.extended({"generation": part, "births": part * 2})
    assert len(course) <= MOST_POINTS
    assert (len(course) == 0) == (generations == 0)
    if generations:
        assert course["generation"][0] == (min(course.stride, generations) - 1) / 2
        assert course["generation"][-1] <= generations - 1 < course["generation"][-1] + course.stride
        assert np.allclose(course["births"], 2 * course["generation"])
