"""Joint answers: what is the same answer, who wins, and what theory says of it."""

from __future__ import annotations

from itertools import product
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.config_society import AnswerMode
from evolora_mesa.errors import ConfigError
from evolora_mesa.society.joint import (
    answer_keys,
    choose_answers,
    condorcet,
    deciders,
    log_odds,
    prompt_with_message,
    without_each,
)

PROMPTS = 40_000
MODES = get_args(AnswerMode)


def planted(chances: list[float], seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Yes or no, independently right with these chances: keys (1 is right), log-probabilities that say nothing, and
    the chances, ``[prompts, members]`` each."""
    rng = np.random.default_rng(seed)
    shape = (PROMPTS, len(chances))
    right = rng.random(shape) < np.array(chances)
    return right.astype(np.int64), rng.normal(size=shape), np.broadcast_to(chances, shape)


def success(keys: np.ndarray, columns: np.ndarray) -> float:
    return float(keys[np.arange(len(keys)), columns].mean())


@pytest.mark.parametrize("members", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("chance", [0.55, 0.7, 0.9])
def test_a_vote_of_independent_members_is_right_as_often_as_condorcet_says(members: int, chance: float) -> None:
    keys, luck, beliefs = planted([chance] * members)
    seen = success(keys, choose_answers(keys, luck, beliefs, "vote"))
    assert seen == pytest.approx(condorcet(chance, members), abs=4 * 0.5 / np.sqrt(PROMPTS))


def test_condorcet_for_three_is_the_formula_of_the_books() -> None:
    for chance in (0.0, 0.3, 0.5, 0.8, 1.0):
        assert condorcet(chance, 3) == pytest.approx(3 * chance**2 - 2 * chance**3)
        assert condorcet(chance, 2) == pytest.approx(chance)


@pytest.mark.parametrize("chances", [[0.9, 0.6, 0.6], [0.95, 0.7, 0.7, 0.7, 0.7], [0.8, 0.75, 0.55]])
def test_log_odds_reach_the_optimum_of_nitzan_and_paroush(chances: list[float]) -> None:
    keys, luck, beliefs = planted(chances)
    best = sum(
        max(
            np.prod([p if voice else 1 - p for p, voice in zip(chances, pattern, strict=True)]),
            np.prod([1 - p if voice else p for p, voice in zip(chances, pattern, strict=True)]),
        )
        for pattern in product((True, False), repeat=len(chances))
        if pattern[0]
    )
    skilled = success(keys, choose_answers(keys, luck, beliefs, "skill", alternatives=2))
    assert skilled == pytest.approx(float(best), abs=4 * 0.5 / np.sqrt(PROMPTS))
    assert skilled >= success(keys, choose_answers(keys, luck, beliefs, "vote"))


def test_where_wrong_answers_scatter_two_poor_members_who_agree_outweigh_a_better_one() -> None:
    keys, luck, beliefs = np.array([[1, 2, 2]]), np.zeros((1, 3)), np.array([[0.45, 0.3, 0.3]])
    assert choose_answers(keys, luck, beliefs, "skill")[0] in (1, 2)
    assert choose_answers(keys, luck, beliefs, "skill", alternatives=2)[0] == 0


def test_the_majority_wins_a_vote_and_the_likeliest_answer_a_tie() -> None:
    keys = np.array([[7, 8, 8], [1, 2, 3], [5, 5, 6]])
    luck = np.array([[-0.1, -3.0, -2.0], [-3.0, -1.0, -2.0], [-9.0, -5.0, -0.1]])
    assert choose_answers(keys, luck, np.ones((3, 3)), "vote").tolist() == [2, 1, 1]


def test_confidence_weighs_votes_by_probability() -> None:
    keys, luck = np.array([[1, 2, 2], [1, 2, 2]]), np.log([[0.9, 0.3, 0.3], [0.5, 0.3, 0.3]])
    assert choose_answers(keys, luck, np.ones((2, 3)), "confidence")[0] == 0
    assert choose_answers(keys, luck, np.ones((2, 3)), "confidence")[1] in (1, 2)


def test_confidence_of_very_long_answers_does_not_underflow() -> None:
    keys, luck = np.array([[1, 2]]), np.array([[-5000.0, -4000.0]])
    assert choose_answers(keys, luck, np.ones((1, 2)), "confidence").tolist() == [1]


def test_skill_asks_the_one_who_is_good_there() -> None:
    keys, luck = np.array([[1, 2], [1, 2]]), np.array([[-9.0, -1.0], [-1.0, -9.0]])
    beliefs = np.array([[0.9, 0.2], [0.1, 0.8]])
    assert choose_answers(keys, luck, beliefs, "skill").tolist() == [0, 1]


def test_answers_are_the_same_when_a_grader_could_not_tell_them_apart() -> None:
    keys = answer_keys(
        [
            ["12", " 12 ", '"12"', "13"],
            ["1+1 => 2", "2 => 2", "The answer is 2.", "`2`"],
        ]
    )
    assert keys[0, 0] == keys[0, 1] and len(set(keys[0].tolist())) == 3
    assert keys[1, 0] == keys[1, 1] and len(set(keys[1].tolist())) == 3


def test_without_each_member_the_others_decide() -> None:
    keys, luck, beliefs = np.array([[1, 2, 2]]), np.array([[-1.0, -2.0, -3.0]]), np.ones((1, 3))
    chosen = [columns.tolist() for columns in without_each(keys, luck, beliefs, "vote")]
    assert chosen == [[1], [0], [0]]


def test_the_message_stands_in_the_prompt_before_the_cue() -> None:
    assert prompt_with_message("Sort: ba\nAnswer:", "ab") == "Sort: ba\nOthers say: ab\nAnswer:"
    assert deciders(np.array([[0.2, 0.9], [0.5, 0.5]])).tolist() == [1, 0]


def test_arrays_that_do_not_match_are_refused() -> None:
    with pytest.raises(ConfigError, match="do not match"):
        choose_answers(np.zeros((2, 2), dtype=int), np.zeros((2, 3)), np.zeros((2, 2)), "vote")
    with pytest.raises(ConfigError, match="do not match"):
        choose_answers(np.zeros((2, 0), dtype=int), np.zeros((2, 0)), np.zeros((2, 0)), "vote")


ballots = st.integers(1, 4).flatmap(
    lambda k: st.lists(
        st.lists(
            st.tuples(st.integers(0, 3), st.floats(-50, 0), st.floats(0, 1)),
            min_size=k,
            max_size=k,
        ),
        min_size=1,
        max_size=6,
    )
)


@given(ballots, st.sampled_from(MODES), st.randoms(use_true_random=False))
def test_the_joint_answer_is_a_members_and_does_not_depend_on_the_order_of_other_prompts(
    ballot: list[list[tuple[int, float, float]]], mode: AnswerMode, random: object
) -> None:
    keys, luck, beliefs = (np.array([[cell[part] for cell in row] for row in ballot]) for part in range(3))
    columns = choose_answers(keys, luck, beliefs, mode)
    assert ((columns >= 0) & (columns < keys.shape[1])).all()
    alone = [choose_answers(keys[[row]], luck[[row]], beliefs[[row]], mode)[0] for row in range(len(keys))]
    assert columns.tolist() == alone


@given(ballots, st.sampled_from(MODES))
def test_what_all_members_say_is_the_joint_answer(
    ballot: list[list[tuple[int, float, float]]], mode: AnswerMode
) -> None:
    keys, luck, beliefs = (np.array([[cell[part] for cell in row] for row in ballot]) for part in range(3))
    keys = np.broadcast_to(keys[:, :1], keys.shape)
    chosen = keys[np.arange(len(keys)), choose_answers(keys, luck, beliefs, mode)]
    assert (chosen == keys[:, 0]).all()


def test_log_odds_are_zero_for_a_coin_and_finite_for_the_certain() -> None:
    assert log_odds(np.array([0.5]))[0] == pytest.approx(0.0)
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()
    assert log_odds(np.array([0.1]), 10)[0] == pytest.approx(0.0)
