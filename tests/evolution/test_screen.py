"""The screen: right if the model or the propensity is, and honest about what it does not know."""

from __future__ import annotations

import numpy as np
import pytest

from evolora_mesa.evolution.screen import Uplift, aipw_uplift, complementarity

STRATA, WORLDS = 12, 4000


class History:
    """Worlds in which child and rival worked by luck, child with another chance in every stratum."""

    def __init__(self, episodes: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.child, self.rival = rng.uniform(0.1, 0.9, (2, STRATA))
        self.propensity = rng.uniform(0.2, 0.8, STRATA)
        self.weights = rng.dirichlet(np.ones(STRATA))
        self.truth = float(self.weights @ (self.child - self.rival))
        self.child_n = rng.binomial(episodes, self.propensity, (WORLDS, STRATA))
        self.rival_n = episodes - self.child_n
        self.child_wins = rng.binomial(self.child_n, self.child)
        self.rival_wins = rng.binomial(self.rival_n, self.rival)

    def uplift(self, child_model: object, rival_model: object, propensity: object = None) -> Uplift:
        counts = (self.child_n, self.child_wins, self.rival_n, self.rival_wins)
        return aipw_uplift(*counts, self.weights, child_model, rival_model, propensity=propensity)

    def covered(self, uplift: Uplift) -> float:
        """Share of worlds whose 95 % interval holds the truth."""
        return float((np.abs(uplift.mean - self.truth) <= 1.96 * uplift.standard_error).mean())


def test_the_right_propensity_makes_up_for_a_wrong_model() -> None:
    history = History(40)
    known = history.uplift(0.9, 0.2, history.propensity)
    assert known.mean.mean() == pytest.approx(history.truth, abs=0.004)
    by_share = history.uplift(0.9, 0.2)
    assert by_share.mean.mean() == pytest.approx(history.truth, abs=0.02)  # the smoothing leaves 1/40 of the model
    assert 0.9 <= history.covered(by_share) <= 0.99


def test_the_right_model_makes_up_for_a_wrong_propensity() -> None:
    history = History(40)
    uplift = history.uplift(history.child, history.rival, 0.5)
    assert uplift.mean.mean() == pytest.approx(history.truth, abs=0.004)


def test_a_wrong_model_with_a_wrong_propensity_is_biased() -> None:
    history = History(40)
    assert abs(history.uplift(0.0, 0.0, 0.3).mean.mean() - history.truth) > 0.1


@pytest.mark.parametrize("episodes", [10, 40, 200])
def test_the_standard_error_covers(episodes: int) -> None:
    history = History(episodes)
    uplift = history.uplift(history.child, history.rival)
    assert 0.91 <= history.covered(uplift) <= 0.98
    assert uplift.standard_error.mean() == pytest.approx(uplift.mean.std(), rel=0.15)


def test_plain_success_rates_mislead_where_the_screen_does_not() -> None:
    # Equal arms; the child worked in the easy stratum, the rival in the hard one.
    uplift = aipw_uplift([90, 10], [81, 2], [10, 90], [9, 18], [0.5, 0.5], [0.9, 0.2], [0.9, 0.2])
    assert 83 / 100 - 27 / 100 > 0.5
    assert abs(uplift.mean) < 0.01


def test_where_an_arm_never_worked_its_model_stands_with_the_doubt_of_one_answer() -> None:
    uplift = aipw_uplift([0], [0], [10_000], [5000], [1.0], [0.7], [0.5])
    assert uplift.mean == pytest.approx(0.2, abs=0.001)
    assert uplift.standard_error == pytest.approx(np.sqrt(0.7 * 0.3), abs=0.001)


def test_nobody_worked_anywhere() -> None:
    uplift = aipw_uplift([0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.5, 0.5], [0.6, 0.6], [0.5, 0.5])
    assert uplift.mean == pytest.approx(0.1)
    assert uplift.standard_error > 0.4


def test_few_wins_out_of_few_are_no_certainty_and_discounting_adds_doubt() -> None:
    fresh = aipw_uplift([4], [4], [4], [0], [1.0], [0.5], [0.5])
    faded = aipw_uplift([1], [1], [1], [0], [1.0], [0.5], [0.5])
    assert 0.1 < fresh.standard_error < faded.standard_error


def test_batches_are_taken_row_by_row() -> None:
    history = History(40)
    all_worlds = history.uplift(0.5, 0.5)
    history.child_n, history.child_wins, history.rival_n, history.rival_wins = (
        counts[7] for counts in (history.child_n, history.child_wins, history.rival_n, history.rival_wins)
    )
    alone = history.uplift(0.5, 0.5)
    assert (alone.mean, alone.standard_error) == (all_worlds.mean[7], all_worlds.standard_error[7])


# ---------------------------------------------------------------------- complementarity


def promised(a: np.ndarray, b: np.ndarray, episodes: int) -> tuple[float, Uplift]:
    """What an ideal child of parents with these success rates would gain, and what ``WORLDS`` histories promise."""
    rng = np.random.default_rng(0)
    weights = np.full(len(a), 1 / len(a))
    n = np.full((WORLDS, len(a)), episodes)
    truth = weights @ np.maximum(a, b) - max(weights @ a, weights @ b)
    return truth, complementarity(n, rng.binomial(n, a), n, rng.binomial(n, b), weights, 0.4, 0.4)


def test_two_specialists_promise_what_an_ideal_child_would_gain() -> None:
    a, b = np.array([0.8] * 3 + [0.2] * 3), np.array([0.2] * 3 + [0.8] * 3)
    truth, promise = promised(a, b, 30)
    assert truth == pytest.approx(0.3)
    assert promise.mean.mean() == pytest.approx(truth, abs=0.03)
    assert (np.abs(promise.mean - truth) <= 1.96 * promise.standard_error).mean() >= 0.9


def test_two_equal_parents_promise_little() -> None:
    equal = np.full(6, 0.4)
    truth, promise = promised(equal, equal, 10)
    rng = np.random.default_rng(0)
    naive = np.maximum(*rng.binomial(10, 0.4, (2, WORLDS, 6)) / 10).mean() - 0.4
    assert truth == 0
    assert promise.mean.mean() < 0.25 * naive
    assert (np.abs(promise.mean) <= 1.96 * promise.standard_error).mean() >= 0.95


def test_a_parent_that_is_better_everywhere_promises_nothing() -> None:
    promise = complementarity([500] * 2, [450] * 2, [500] * 2, [50] * 2, [0.5, 0.5], 0.5, 0.5)
    assert promise.mean == pytest.approx(0, abs=1e-6)
