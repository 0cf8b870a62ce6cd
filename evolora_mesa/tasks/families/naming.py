"""code.format: a snake_case name in camelCase."""

from __future__ import annotations

import random

from evolora_mesa.tasks.family import Family, Problem
from evolora_mesa.tasks.vocabulary import WORDS

__all__ = ["CodeFormat"]


class CodeFormat(Family):
    """``ba_kod_lu`` becomes ``baKodLu``. Depth is the number of underscores."""

    name = "code.format"
    templates = ("To camelCase:", "Format as camelCase:", "Camelise:")
    partial_credit = True

    def problem(self, rng: random.Random, depth: int) -> Problem:
        words = [rng.choice(WORDS) for _ in range(1 + depth)]
        capitals = [word.capitalize() for word in words]
        answer = words[0] + "".join(capitals[1:])
        near_miss = rng.choice(("_".join(words), "".join(capitals), "".join(words), words[0] + "".join(capitals[2:])))
        return Problem("_".join(words), answer, near_miss)
