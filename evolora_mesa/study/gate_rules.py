"""Rules by which a child is accepted, ours and others', on the same sequences of paired answers.

A rule sees n candidates at once: who was right, prompt by prompt. Where there are two rivals, as for a merge, a rule
has to say yes against both, and asks both at every prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from scipy.special import betainc, ndtr, stdtr

from evolora_mesa.config_evolution import GateConfig
from evolora_mesa.evolution.eprocess import log_e_value

__all__ = ["GATE", "RULES", "Outcome", "Rule"]

GATE: Final = "e-process"
_PEEK: Final = 16  # prompts between two looks of the rule that peeks
# The earlier system's test: an organelle's own last scores, first half against second, at its published settings.
_SCORES, _THEIR_LEVEL = 16, 0.45


class Outcome(NamedTuple):
    """What a rule made of n candidates.

    Attributes:
        accepted: ``[n]``.
        prompts: ``[n]`` prompts on which child and rivals were compared before the rule was done.
    """

    accepted: np.ndarray
    prompts: np.ndarray


# From the successes of the children [n, pairs] and of their rivals [n, rivals, pairs].
Rule = Callable[[np.ndarray, np.ndarray, GateConfig], Outcome]


def sequential(child: np.ndarray, rivals: np.ndarray, settings: GateConfig) -> Outcome:
    """The gate's test for being better, looked at after every pair, with its futility rule."""
    won, lost = _running(child, rivals)  # [n, rivals, pairs]
    tied = np.arange(1, child.shape[1] + 1) - won - lost
    # Superiority is about wins and losses only: their few values are looked up.
    table = log_e_value(np.arange(won.max() + 1)[:, None], 0, np.arange(lost.max() + 1))
    better = (table[won, lost] >= np.log(1 / settings.alpha)).all(1)  # [n, pairs]
    against = log_e_value(lost, tied, won, margin=settings.least_effect)
    futile = (against >= np.log(1 / settings.futility)).any(1)
    stop = better | futile
    first = np.where(stop.any(1), stop.argmax(1), child.shape[1] - 1)
    return Outcome(np.take_along_axis(better, first[:, None], 1)[:, 0], first + 1)


def mean_above_zero(child: np.ndarray, rivals: np.ndarray, settings: GateConfig, *, pairs: int) -> Outcome:
    """More wins than losses on a few prompts."""
    won, lost = _running(child[:, :pairs], rivals[:, :, :pairs])
    return _fixed((won > lost)[:, :, -1], pairs)


def t_test(child: np.ndarray, rivals: np.ndarray, settings: GateConfig, *, pairs: int) -> Outcome:
    """Student's paired t-test for a rise, one-sided."""
    won, lost = (count[:, :, -1] for count in _running(child[:, :pairs], rivals[:, :, :pairs]))
    mean = (won - lost) / pairs
    variance = ((won + lost) / pairs - mean**2) * pairs / (pairs - 1)
    score = mean / np.sqrt(np.maximum(variance, np.finfo(float).tiny) / pairs)
    return _fixed(stdtr(pairs - 1, -score) <= settings.alpha, pairs)


def mcnemar(child: np.ndarray, rivals: np.ndarray, settings: GateConfig, *, every: int | None = None) -> Outcome:
    """The exact McNemar test, one-sided: once at the end, or a look ``every`` so many prompts until it says yes."""
    total = child.shape[1]
    looks = np.arange(every or total, total + 1, every or total)  # prompts seen at each look
    won, lost = (count[:, :, looks - 1] for count in _running(child, rivals))
    # The chance of so many wins or more among the pairs that differ, were these fair tosses, is a beta integral.
    chance = np.where(won > 0, betainc(np.maximum(won, 1), lost + 1, 0.5), 1.0)
    passed = np.all(chance <= settings.alpha, axis=1)  # [n, looks]
    accepted = passed.any(1)
    return Outcome(accepted, np.where(accepted, looks[passed.argmax(1)], total))


def half_against_half(child: np.ndarray, rivals: np.ndarray, settings: GateConfig) -> Outcome:
    """The child's last scores against its scores just before, by a z-test; no rival, no fresh prompt."""
    scores = child[:, -_SCORES:].astype(float)
    before, after = scores[:, : _SCORES // 2], scores[:, _SCORES // 2 :]
    gain = after.mean(1) - before.mean(1)
    error = np.sqrt((before.var(1, ddof=1) + after.var(1, ddof=1)) / (_SCORES // 2))
    score = gain / np.maximum(error, np.finfo(float).tiny)
    return Outcome((gain > 0) & (ndtr(-score) <= _THEIR_LEVEL), np.zeros(len(child), dtype=int))


def _running(child: np.ndarray, rivals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``[n, rivals, pairs]`` wins and losses so far."""
    ours = child[:, None, :]
    return (ours & ~rivals).cumsum(2), (rivals & ~ours).cumsum(2)


def _fixed(passed: np.ndarray, pairs: int) -> Outcome:
    """Outcome of a test at a fixed number of pairs that ``passed [n, rivals]``."""
    return Outcome(np.asarray(passed.all(1)), np.full(len(passed), pairs))


RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        GATE: sequential,
        "mean > 0, n = 32": partial(mean_above_zero, pairs=32),
        "mean > 0, n = 64": partial(mean_above_zero, pairs=64),
        "t-test, n = 32": partial(t_test, pairs=32),
        "McNemar, n = 256": mcnemar,
        "McNemar, peeking": partial(mcnemar, every=_PEEK),
        "half vs half": half_against_half,
    }
)
