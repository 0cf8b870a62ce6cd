"""What a judge likes, from which of two answers it chose (Bradley and Terry 1952).

The odds that a beats b are ``exp(strength a - strength b)``. Strengths are the most probable ones when each is taken
for normal with variance 1 beforehand, which keeps them finite however few or unanimous the choices are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

import numpy as np

from evolora_mesa.config_society import Liked
from evolora_mesa.society.judge import Duel, Verdict
from evolora_mesa.tasks import read_answer

__all__ = ["LIKED", "Taste", "standings", "traits_of"]

# What an answer is judged by: how it is written, and whether its content is right.
LIKED: Final[tuple[Liked, ...]] = get_args(Liked)

_MOST_STEPS: Final = 100
_MOST_HALVINGS: Final = 30
_STILL: Final = 1e-9  # log-odds
_UNDECIDED: Final = 0.05  # around one half, where a taste finds two answers equally good


def traits_of(text: str, right: bool) -> np.ndarray:
    """``[liked]`` 1 for the answer's style, and 1 if it is right."""
    style, _ = read_answer(text)
    return np.array([float(right if name == "right" else name == style) for name in LIKED])


class Taste:
    """How much better each of `LIKED` makes an answer; a judge too.

    Args:
        strengths: ``[liked]`` in log-odds.
    """

    def __init__(self, strengths: np.ndarray) -> None:
        self.strengths = strengths

    @classmethod
    def learned(cls, likes: Mapping[Liked, float], differences: np.ndarray, won: np.ndarray) -> Taste:
        """The taste that choices speak of.

        Args:
            likes: what it is taken for before any choice, in log-odds, by names of `LIKED`; 0 where nothing is said.
            differences: ``[choices, liked]`` traits of the first answer minus those of the second.
            won: ``[choices]`` 1 where the first was chosen, 0 the second, one half for a tie.
        """
        return cls(_fitted(differences, won, np.array([likes.get(name, 0.0) for name in LIKED])))

    def odds(self, differences: np.ndarray) -> np.ndarray:
        """``[pairs]`` chance that the first answer is the better one, from ``[pairs, liked]``."""
        return _chance(differences @ self.strengths)

    def judge(self, duel: Duel) -> Verdict:
        """The answer that it likes better, however little, or a tie."""
        difference = traits_of(duel.a.text, duel.a.right) - traits_of(duel.b.text, duel.b.right)
        chance = float(self.odds(difference[None])[0])
        return "tie" if abs(chance - 0.5) < _UNDECIDED else "a" if chance > 0.5 else "b"

    def told(self) -> dict[str, float]:
        """Strengths by name, rounded."""
        return {name: round(float(value), 3) for name, value in zip(LIKED, self.strengths, strict=True)}


def standings(pairs: np.ndarray, won: np.ndarray, count: int) -> np.ndarray:
    """How strong every contestant is, from -1 to 1: twice the chance to beat one of strength 0, less 1.

    Args:
        pairs: ``[pairs, 2]`` numbers of the contestants, below ``count``.
        won: ``[pairs]`` how much the first won, in [0, 1].
    """
    differences = np.zeros((len(pairs), count))
    rows = np.arange(len(pairs))
    differences[rows, pairs[:, 0]] += 1.0
    differences[rows, pairs[:, 1]] -= 1.0
    return 2.0 * _chance(_fitted(differences, won, np.zeros(count))) - 1.0


def _fitted(differences: np.ndarray, won: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Newton's method; a step that overshoots is halved."""
    found = prior.copy()
    for _ in range(_MOST_STEPS):
        chance = _chance(differences @ found)
        slope = differences.T @ (chance - won) + found - prior
        bend = (differences * (chance * (1.0 - chance))[:, None]).T @ differences + np.eye(len(prior))
        step = np.linalg.solve(bend, slope)
        before = _surprise(differences, won, prior, found)
        for _ in range(_MOST_HALVINGS):
            if _surprise(differences, won, prior, found - step) <= before:
                break
            step = step / 2.0
        found = found - step
        if np.abs(step).max(initial=0.0) < _STILL:
            break
    return found


def _surprise(differences: np.ndarray, won: np.ndarray, prior: np.ndarray, strengths: np.ndarray) -> float:
    margins = differences @ strengths
    return float((np.logaddexp(0.0, margins) - won * margins).sum() + 0.5 * ((strengths - prior) ** 2).sum())


def _chance(margins: np.ndarray) -> np.ndarray:
    return 0.5 * (1.0 + np.tanh(margins / 2.0))  # never overflows
