"""What the words of a task's description are believed to mean: for each word, which family its step belongs to.

A description names its steps by made-up words, dealt anew by every seed, so that nothing but experience tells what they
mean. Thompson sampling (W. R. Thompson, 1933) over a Beta belief per word and family.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evolora_mesa.refill import refill
from evolora_mesa.tasks.vocabulary import WORDS

__all__ = ["Lexicon"]


class Lexicon:
    """Words, and evidence about them.

    Args:
        meanings: the families that steps belong to; each has a word of its own.
        families: all that a step may be thought to belong to, in the order of the grid.
        seed: of the words.
        memory: share of the evidence that is kept, per generation with composite tasks.

    Attributes:
        words: in the order of ``meanings``.
        wins, losses: ``[words, families]`` discounted evidence, without the prior, which is one of each.
    """

    def __init__(self, meanings: Sequence[str], families: Sequence[str], seed: int, memory: float) -> None:
        self.words = tuple(random.Random(seed).sample(WORDS, len(meanings)))
        self.memory = memory
        self.wins, self.losses = np.zeros((2, len(meanings), len(families)))
        self._number = {family: word for word, family in enumerate(meanings)}
        self._true = np.array([list(families).index(family) for family in meanings], dtype=np.int64)

    def describe(self, families: Sequence[str]) -> np.ndarray:
        """``[steps]`` numbers of the words that stand for these steps."""
        return np.array([self._number[family] for family in families], dtype=np.int64)

    def word_of(self, family: str) -> str:
        """The word itself."""
        return self.words[self._number[family]]

    def guess(self, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """``[words]`` families, each the best by one plausible draw."""
        return np.asarray(rng.beta(self.wins[words] + 1, self.losses[words] + 1).argmax(1))

    def believed(self, words: np.ndarray) -> np.ndarray:
        """``[words]`` families that are believed best; of equals the first."""
        wins, losses = self.wins[words] + 1, self.losses[words] + 1
        return np.asarray((wins / (wins + losses)).argmax(1))

    @property
    def known(self) -> float:
        """Share of the words that are believed to mean what they do, in [0, 1]; those of no evidence are not."""
        every = np.arange(len(self.words))
        tried = (self.wins + self.losses).sum(1) > 0
        return float(np.mean(tried & (self.believed(every) == self._true))) if len(every) else float("nan")

    def learn(self, words: np.ndarray, families: np.ndarray, right: np.ndarray) -> None:
        """Take in outcomes, all ``[steps]``: the word, the family it was taken for, and whether that went well."""
        for evidence, happened in ((self.wins, right), (self.losses, ~right)):
            evidence *= self.memory
            np.add.at(evidence, (words, families), happened)

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Copies of the evidence; the words follow from the seed."""
        return {"wins": self.wins.copy(), "losses": self.losses.copy()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`.

        Raises:
            RunError: it does not fit.
        """
        for name in ("wins", "losses"):
            refill(getattr(self, name), state[name], f"lexicon, {name}")
