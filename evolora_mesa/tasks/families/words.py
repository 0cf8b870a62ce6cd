"""word.count: how many words a line has."""

from __future__ import annotations

import random

from evolora_mesa.tasks.family import Family, Problem
from evolora_mesa.tasks.vocabulary import WORDS

__all__ = ["WordCount"]

_WORDS_AT_DEPTH = {1: (1, 4), 2: (3, 7), 3: (6, 10), 4: (9, 14), 5: (13, 18), 6: (16, 22)}


class WordCount(Family):
    """Count blank-separated words. Depth sets how many there are: 1–4 at depth 1, 9–14 at depth 4."""

    name = "word.count"
    templates = ("Count the words:", "How many words:", "Word total of:")

    def problem(self, rng: random.Random, depth: int) -> Problem:
        count = rng.randint(*_WORDS_AT_DEPTH[depth])
        words = [rng.choice(WORDS) for _ in range(count)]
        miss = max(0, count + rng.choice((-2, -1, 1, 2)))
        return Problem(" ".join(words), str(count), str(miss), "".join(word[0] for word in words))
