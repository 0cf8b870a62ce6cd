"""logic: the truth value of a bracketed expression."""

from __future__ import annotations

import random

from evolora_mesa.tasks.family import Family, Problem

__all__ = ["Logic"]


class Logic(Family):
    """``and``, ``or`` and ``not`` over ``true`` and ``false``. Depth is the number of operators.

    The work lists the two operands of every binary operator, innermost first, as pairs of T and F.
    """

    name = "logic"
    templates = ("Evaluate the logic:", "True or false:", "Boolean value of:")

    def problem(self, rng: random.Random, depth: int) -> Problem:
        pairs: list[str] = []
        text, value = _expression(rng, depth, pairs)
        work = "".join(f"{pair}," for pair in pairs) if depth > 1 else ""
        return Problem(text, _word(value), _word(not value), work)


def _expression(rng: random.Random, operators: int, pairs: list[str]) -> tuple[str, bool]:
    if operators == 0:
        value = rng.random() < 0.5
        return _word(value), value
    drawn = rng.random()
    if drawn < 0.25:
        inner, value = _expression(rng, operators - 1, pairs)
        return f"not {_bracketed(inner, operators - 1)}", not value
    on_the_left = rng.randint(0, operators - 1)
    left, first = _expression(rng, on_the_left, pairs)
    right, second = _expression(rng, operators - 1 - on_the_left, pairs)
    pairs.append("FT"[first] + "FT"[second])
    left, right = _bracketed(left, on_the_left), _bracketed(right, operators - 1 - on_the_left)
    if drawn < 0.62:
        return f"{left} and {right}", first and second
    return f"{left} or {right}", first or second


def _bracketed(text: str, operators: int) -> str:
    return f"({text})" if operators else text


def _word(value: bool) -> str:
    return "true" if value else "false"
