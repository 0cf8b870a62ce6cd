"""A taste is learned from choices, and says who stands above whom."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.errors import ConfigError
from evolora_mesa.society.judge import Contender, Duel, Script, read_script
from evolora_mesa.society.taste import LIKED, Taste, standings, traits_of


def duel(a: str = '"x"', b: str = "x", *, right: tuple[bool, bool] = (True, True)) -> Duel:
    one, other = (
        Contender(organelle=number, text=text, right=good)
        for number, (text, good) in enumerate(zip((a, b), right, strict=True))
    )
    return Duel(family="math", depth=1, prompt="What?\nAnswer:", a=one, b=other)


def likes(**strengths: float) -> Taste:
    return Taste(np.array([strengths.get(name, 0.0) for name in LIKED]))


def test_an_answer_is_told_by_its_style_and_whether_it_is_right() -> None:
    assert dict(zip(LIKED, traits_of('"x"', True), strict=True)) == {
        "terse": 0, "sentence": 0, "quoted": 1, "ticks": 0, "work": 0, "right": 1,
    }  # fmt: skip
    assert traits_of("x", False).tolist() == [1, 0, 0, 0, 0, 0]


def test_a_taste_judges_by_what_it_likes_and_finds_equals_equal() -> None:
    assert likes(quoted=2.0).judge(duel()) == "a"
    assert likes(quoted=-2.0).judge(duel()) == "b"
    assert likes(right=2.0).judge(duel(right=(False, True))) == "b"
    assert likes(right=2.0).judge(duel()) == "tie"


def test_the_taste_of_who_chose_is_found_from_its_choices() -> None:
    true = likes(quoted=2.0, right=1.0, work=-1.0)
    rng = np.random.default_rng(1)
    traits = np.array([traits_of(text, good) for text in ('"x"', "`x`", "x", "1 => x") for good in (True, False)])
    pairs = rng.integers(len(traits), size=(4000, 2))
    differences = traits[pairs[:, 0]] - traits[pairs[:, 1]]
    won = (rng.random(len(pairs)) < true.odds(differences)).astype(float)
    found = Taste.learned({}, differences, won)
    assert np.abs(found.odds(differences) - true.odds(differences)).max() < 0.05


def test_without_choices_a_taste_is_what_it_was_taken_for() -> None:
    nothing = np.zeros((0, len(LIKED)))
    assert Taste.learned({"ticks": 3.0}, nothing, np.zeros(0)).told()["ticks"] == 3.0
    against = np.tile(traits_of("`x`", True) - traits_of("x", True), (50, 1))
    found = Taste.learned({"ticks": 3.0}, against, np.zeros(50)).told()
    assert found["ticks"] < found["terse"] - 2.0


def test_who_wins_stands_above_who_loses_and_one_who_met_nobody_in_the_middle() -> None:
    found = standings(np.array([[0, 1], [0, 1], [1, 2]]), np.array([1.0, 1.0, 0.5]), 4)
    assert found[0] > found[2] > found[1] and found[3] == 0.0 and np.abs(found).max() < 1.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from([0.0, 0.5, 1.0])), max_size=200))
def test_standings_are_finite_sum_to_no_advantage_and_do_not_depend_on_the_order_of_a_pair(
    games: list[tuple[int, int, float]],
) -> None:
    games = [game for game in games if game[0] != game[1]]
    pairs = np.array([game[:2] for game in games], dtype=int).reshape(-1, 2)
    won = np.array([game[2] for game in games])
    found = standings(pairs, won, 6)
    assert np.isfinite(found).all() and (np.abs(found) < 1).all()
    assert np.arctanh(found).sum() == pytest.approx(0.0, abs=1e-6)
    assert standings(pairs[:, ::-1], 1.0 - won, 6) == pytest.approx(found, abs=1e-7)


# ---------------------------------------------------------------- scripts


def test_a_script_says_its_verdicts_in_turn_and_then_quits() -> None:
    script = Script(["a", "tie"])
    assert [script.judge(duel()) for _ in range(3)] == ["a", "tie", "quit"]


def test_a_script_is_read_from_a_file_and_a_slip_is_told_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "verdicts.txt"
    path.write_text("a\n\n b\nskip\n", encoding="utf-8")
    script = read_script(path)
    assert [script.judge(duel()) for _ in range(4)] == ["a", "b", "skip", "quit"]
    path.write_text("a\nyes\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"no such verdict .*verdicts.txt:2.*got 'yes'"):
        read_script(path)
    with pytest.raises(ConfigError, match="cannot read"):
        read_script(tmp_path / "none")
