"""sequence: the next term of a number series."""

from __future__ import annotations

import random

from evolora_mesa.tasks.family import Family, Problem

__all__ = ["Sequence"]


class Sequence(Family):
    """Four or more terms, then the next. The work is the difference to the last term.

    Depth 1: constant step 1–3. Depth 2: constant step ±2–9. Depth 3: two steps in turn. Depth 4 and deeper: a step
    that itself grows by a constant.
    """

    name = "sequence"
    templates = ("Next in sequence:", "Continue the series:", "What comes next:")

    def problem(self, rng: random.Random, depth: int) -> Problem:
        terms = 5 if depth in (3, 6) else 4
        start, steps = _steps(rng, depth, terms)
        values = [start]
        for step in steps:
            values.append(values[-1] + step)
        answer = values[-1]
        near_miss = answer + rng.choice((-2, -1, 1, 2, steps[0]))
        return Problem(" ".join(map(str, values[:-1])), str(answer), str(near_miss), f"{steps[-1]:+d}")


def _steps(rng: random.Random, depth: int, terms: int) -> tuple[int, list[int]]:
    """The first term and ``terms`` differences."""
    if depth == 1:
        return rng.randint(0, 9), [rng.randint(1, 3)] * terms
    if depth == 2:
        return rng.randint(0, 30), [rng.randint(2, 9) * rng.choice((1, 1, -1))] * terms
    if depth == 3:
        return rng.randint(0, 30), ([rng.randint(1, 9), rng.randint(1, 9)] * terms)[:terms]
    start, first, growth = rng.randint(0, 20), rng.randint(1, 6), rng.randint(1, depth - 2)
    return start, [first + growth * place for place in range(terms)]
