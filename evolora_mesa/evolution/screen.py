"""What the history that was already paid for says about an uplift, before new prompts are paid for.

Child and rival worked in different cells and different amounts, so their plain success rates do not compare. In every
stratum (cell) an outcome model says what each is expected to do, and what each did there corrects the model, weighted
by the inverse of its propensity, the chance that an episode of the stratum was its own. The estimate is right if either
the model or the propensity is: J. Robins, A. Rotnitzky, L. P. Zhao, "Estimation of regression coefficients when some
regressors are not always observed" (1994). Strata are averaged with the weights that the gate's prompts would have.

A screen is a forecast, not a test: it may spare prompts, it never accepts.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr

__all__ = ["Uplift", "aipw_uplift", "complementarity"]

_SMOOTHING: Final = 0.5  # episodes added to an arm's share: an arm with one episode does not outvote its model
_ROOT_TAU: Final = np.sqrt(2 * np.pi)


class Uplift(NamedTuple):
    """An estimate with its standard error, in accuracy, both ``[...]``."""

    mean: np.ndarray
    standard_error: np.ndarray


def aipw_uplift(
    child_n: ArrayLike,
    child_wins: ArrayLike,
    rival_n: ArrayLike,
    rival_wins: ArrayLike,
    weights: ArrayLike,
    child_model: ArrayLike,
    rival_model: ArrayLike,
    *,
    propensity: ArrayLike | None = None,
) -> Uplift:
    """Doubly robust uplift of child over rival. Arguments broadcast to ``[..., strata]``.

    Where an arm never worked, its model stands alone and counts as uncertain as a single answer, m (1 − m): a belief
    is no evidence. The standard error takes as given who worked where, and counts a discounted episode for its
    discounted weight, which errs to the large side.

    Args:
        child_n, rival_n: episodes, may be fractional.
        child_wins, rival_wins: successes among them.
        weights: share of the gate's prompts in a stratum, sum 1 over the last axis.
        child_model, rival_model: expected success in [0, 1].
        propensity: chance in (0, 1) that an episode of the stratum was the child's; by default its smoothed share.
    """
    child_n, rival_n, weights = (np.asarray(given, dtype=float) for given in (child_n, rival_n, weights))
    both = child_n + rival_n
    if propensity is None:
        of_child, of_rival = ((n + _SMOOTHING) / (both + _SMOOTHING) for n in (child_n, rival_n))
    else:
        of_child = np.asarray(propensity, dtype=float)
        of_rival = 1 - of_child
    scale = np.maximum(both, np.finfo(float).tiny)
    child, child_variance = _arm(child_n, child_wins, child_model, child_n / (scale * of_child))
    rival, rival_variance = _arm(rival_n, rival_wins, rival_model, rival_n / (scale * of_rival))
    return Uplift(
        (weights * (child - rival)).sum(-1), np.sqrt((weights**2 * (child_variance + rival_variance)).sum(-1))
    )


def complementarity(
    a_n: ArrayLike,
    a_wins: ArrayLike,
    b_n: ArrayLike,
    b_wins: ArrayLike,
    weights: ArrayLike,
    a_model: ArrayLike,
    b_model: ArrayLike,
) -> Uplift:
    """What an ideal child, in every stratum as good as the better parent there, would gain over the better parent.

    The better of two noisy figures looks better than it is. That bias, as large as it would be if the figures were the
    truth, is taken off again, so that two equal parents do not promise much.

    Arguments as for `aipw_uplift`, with the parents a and b for child and rival.
    """
    weights = np.asarray(weights, dtype=float)
    a, a_variance = _arm(a_n, a_wins, a_model, _own_share(a_n))
    b, b_variance = _arm(b_n, b_wins, b_model, _own_share(b_n))
    a_is_better = (weights * a).sum(-1, keepdims=True) >= (weights * b).sum(-1, keepdims=True)
    ahead = np.where(a_is_better, b - a, a - b)  # of the other parent
    variance = a_variance + b_variance
    spread = np.sqrt(variance)
    score = ahead / np.maximum(spread, np.finfo(float).tiny)
    chance = ndtr(score)  # that the other parent is the better one here
    expected = ahead * chance + spread * np.exp(-(score**2) / 2) / _ROOT_TAU  # of max(ahead, 0), seen with that noise
    gain = 2 * np.maximum(ahead, 0) - expected
    return Uplift((weights * gain).sum(-1), np.sqrt((weights**2 * chance * variance).sum(-1)))


def _own_share(n: ArrayLike) -> np.ndarray:
    n = np.asarray(n, dtype=float)
    return n / (n + _SMOOTHING)


def _arm(n: ArrayLike, wins: ArrayLike, model: ArrayLike, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Success rate of an arm and its variance: the model, corrected by ``seen`` of what the episodes say against it.

    The rate in the variance has the model for one more episode: few wins out of few are no certainty.
    """
    n, wins, model = (np.asarray(given, dtype=float) for given in (n, wins, model))
    observed = wins / np.maximum(n, np.finfo(float).tiny)
    rate = (wins + model) / (n + 1)
    sampling = seen**2 * rate * (1 - rate) / np.maximum(n, np.finfo(float).tiny)
    return model + seen * (observed - model), sampling + (1 - seen) ** 2 * model * (1 - model)
