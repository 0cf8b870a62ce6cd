"""The gate's evidence: it keeps its promise however often it is looked at, and finds what is worth finding."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from repetitions import repeated

from evolora_mesa.errors import ConfigError
from evolora_mesa.evolution.eprocess import _BETS, _CAPITAL, confidence_sequence, e_bh, log_e_value, power

PAIRS = 256
counts = st.integers(0, 300)


def comparisons(
    candidates: int, uplift: float, discordance: float, seed: int = 0, pairs: int = PAIRS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Running wins, ties and losses, ``[candidates, pairs]``."""
    toss = np.random.default_rng(seed).random((candidates, pairs))
    won = (toss < (discordance + uplift) / 2).cumsum(1)
    lost = (toss > 1 - (discordance - uplift) / 2).cumsum(1)
    return won, np.arange(1, pairs + 1) - won - lost, lost


def test_the_capital_is_dealt_out_completely_to_bets_that_cannot_lose_everything() -> None:
    assert _CAPITAL.sum() == pytest.approx(1)
    assert ((_BETS > 0) & (_BETS < 1)).all()


@pytest.mark.parametrize("margin", [-0.3, 0.0, 0.05, 0.4])
def test_the_e_value_is_the_product_of_the_bets_made_one_prompt_after_the_other(margin: float) -> None:
    outcomes = np.array([1, 0, -1, 1, 1, 0, 0, -1, 1])
    wealth = sum(
        capital * np.prod(1 + bet / (1 - margin) * (outcomes + margin))
        for bet, capital in zip(_BETS, _CAPITAL, strict=True)
    )
    assert log_e_value(4, 3, 2, margin) == pytest.approx(np.log(wealth))


@pytest.mark.parametrize("margin", [-0.4, 0.0, 0.15])
@pytest.mark.parametrize("ties", [0.0, 0.4, 1.0])
def test_a_bet_on_the_edge_of_the_hypothesis_is_fair(margin: float, ties: float) -> None:
    # Of the prompts, a share of `ties` of what can be is tied; the mean is −margin exactly.
    tied = ties * (1 - abs(margin))
    won, lost = (1 - tied - margin) / 2, (1 - tied + margin) / 2
    e = np.exp(log_e_value([1, 0, 0], [0, 1, 0], [0, 0, 1], margin))
    assert won * e[0] + tied * e[1] + lost * e[2] == pytest.approx(1)


@pytest.mark.parametrize("discordance", [0.05, 0.1, 0.2, 0.4, 0.6, 1.0])
def test_nulls_are_accepted_no_more_often_than_alpha_when_looked_at_after_every_pair(discordance: float) -> None:
    assert 0 < power(PAIRS, 0.0, discordance, alpha=0.05) <= 0.05
    evidence = log_e_value(*comparisons(4000, 0.0, discordance))
    assert (evidence >= np.log(20)).any(1).mean() <= 0.05


@pytest.mark.parametrize("margin", [0.05, 0.15])
def test_a_child_that_loses_exactly_the_margin_is_rarely_shown_to_lose_less(margin: float) -> None:
    for discordance in (margin, 0.3, 0.6):
        evidence = log_e_value(*comparisons(4000, -margin, discordance), margin=margin)
        assert (evidence >= np.log(20)).any(1).mean() <= 0.05


def test_a_child_with_exactly_the_least_effect_is_rarely_called_futile() -> None:
    won, tied, lost = comparisons(4000, 0.1, 0.3)
    assert (log_e_value(lost, tied, won, margin=0.1) >= np.log(5)).any(1).mean() <= 0.2


def test_ten_points_are_found_in_four_of_five_children() -> None:
    assert power(PAIRS, 0.1, 0.2) >= 0.8
    assert 0.5 <= power(PAIRS, 0.1, 0.4) <= 0.7  # where the two differ more, more is left to luck


@pytest.mark.parametrize(("uplift", "discordance", "n"), [(0.1, 0.2, 256), (0.1, 0.4, 128), (0.2, 0.2, 32), (0, 1, 64)])
def test_power_is_what_a_simulation_finds(uplift: float, discordance: float, n: int) -> None:
    reached = (log_e_value(*comparisons(20_000, uplift, discordance, pairs=n)) >= np.log(20)).any(1).mean()
    assert power(n, uplift, discordance) == pytest.approx(reached, abs=0.012)


def test_power_in_cases_without_luck() -> None:
    assert power(0, 0.5, 0.5) == 0.0
    assert power(100, 0.0, 0.0) == 0.0
    assert power(50, 1.0, 1.0) == 1.0
    assert power(50, -1.0, 1.0) == 0.0


def test_equal_children_are_shown_to_be_harmless_by_ties_alone() -> None:
    assert log_e_value(0, 100, 0, margin=0.05) >= np.log(20)
    assert log_e_value(0, 1_000_000, 0) == pytest.approx(0)


def test_nothing_overflows() -> None:
    many = 10**12
    for wins, ties, losses in ((many, 0, 0), (0, many, 0), (0, 0, many), (many, many, many)):
        assert np.isfinite(log_e_value(wins, ties, losses, margin=[-0.999999, 0.0, 0.999999])).all()
    assert log_e_value([[1], [2]], 3, [4, 5, 6]).shape == (2, 3)


@given(counts, counts, counts, st.floats(-0.99, 0.98), st.floats(0.001, 0.01))
def test_evidence_rises_with_wins_and_with_the_margin_and_falls_with_losses(
    wins: int, ties: int, losses: int, margin: float, step: float
) -> None:
    here = log_e_value(wins, ties, losses, margin)
    assert log_e_value(wins + 1, ties, losses, margin) > here
    assert log_e_value(wins, ties, losses + 1, margin) < here
    assert log_e_value(wins, ties, losses, margin + step) >= here - 1e-9


@pytest.mark.parametrize("margin", [-1.0, 1.0, float("nan"), [0.0, 2.0]])
def test_a_margin_outside_its_range_is_refused(margin: float) -> None:
    with pytest.raises(ConfigError, match="margin"):
        log_e_value(1, 1, 1, margin)


# ---------------------------------------------------------------------- confidence sequence


@given(counts, counts, counts)
def test_the_interval_holds_the_mean_and_mirrors_with_the_roles(wins: int, ties: int, losses: int) -> None:
    low, high = confidence_sequence(wins, ties, losses)
    total = wins + ties + losses
    assert -1 <= low <= high <= 1
    assert total == 0 or low <= (wins - losses) / total <= high
    mirrored = confidence_sequence(losses, ties, wins)
    assert (-float(mirrored[1]), -float(mirrored[0])) == pytest.approx((float(low), float(high)))


def test_the_interval_excludes_what_the_e_value_refutes() -> None:
    low, high = confidence_sequence(60, 100, 20, alpha=0.1)
    assert log_e_value(60, 100, 20, margin=-float(low)) == pytest.approx(np.log(20), abs=1e-5)
    assert log_e_value(20, 100, 60, margin=float(high)) == pytest.approx(np.log(20), abs=1e-5)
    assert np.array(confidence_sequence(0, 0, 0)).tolist() == [-1.0, 1.0]


@pytest.mark.parametrize(("uplift", "discordance"), [(0.3, 0.5), *repeated((0.0, 0.4), (-0.1, 0.1))])
def test_the_interval_holds_the_truth_at_all_times_together(uplift: float, discordance: float) -> None:
    low, high = confidence_sequence(*comparisons(1500, uplift, discordance, pairs=128))
    assert ((low <= uplift) & (uplift <= high)).all(1).mean() >= 0.95


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_a_level_outside_its_range_is_refused(alpha: float) -> None:
    for call in (
        lambda: confidence_sequence(1, 1, 1, alpha),
        lambda: e_bh([0.0], alpha),
        lambda: power(1, 0.0, 0.1, alpha),
    ):
        with pytest.raises(ConfigError, match="alpha"):
            call()


@pytest.mark.parametrize("comparison", [(-1, 0.0, 0.1), (1, 0.2, 0.1), (1, 0.0, 1.1), (1, float("nan"), 0.1)])
def test_a_comparison_that_cannot_be_is_refused(comparison: tuple[int, float, float]) -> None:
    with pytest.raises(ConfigError, match="comparison"):
        power(*comparison)


# ---------------------------------------------------------------------- many candidates


def test_many_candidates_need_more_evidence_each_unless_many_have_it() -> None:
    assert e_bh(np.log([20.0])).tolist() == [True]
    assert e_bh(np.log([20.0, 1.0])).tolist() == [False, False]
    assert e_bh(np.log([19.0, 39.0])).tolist() == [False, False]
    assert e_bh(np.log([21.0, 39.0])).tolist() == [True, True]
    assert e_bh(np.log([1.0, 41.0])).tolist() == [False, True]
    assert e_bh(np.log([27.0, 1.0, 40.0, 27.0])).tolist() == [True, False, True, True]
    assert e_bh(np.zeros(0)).tolist() == []


def test_false_discoveries_stay_within_alpha_among_nulls_and_children_that_are_better() -> None:
    rng = np.random.default_rng(0)
    nulls = log_e_value(*comparisons(2000 * 8, 0.0, 0.4, seed=1))[:, -1].reshape(2000, 8)
    better = log_e_value(*comparisons(2000 * 2, 0.2, 0.4, seed=2))[:, -1].reshape(2000, 2)
    shares = []
    for family in np.concatenate([nulls, better], 1):
        order = rng.permutation(10)
        accepted = e_bh(family[order])
        shares.append((accepted & (order < 8)).sum() / max(accepted.sum(), 1))
    assert np.mean(shares) <= 0.05
