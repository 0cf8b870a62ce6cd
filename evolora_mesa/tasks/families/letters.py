"""string.sort and string.ops: letters put in order, or backwards."""

from __future__ import annotations

import random

from evolora_mesa.tasks.family import Family, Problem

__all__ = ["StringReversal", "StringSort"]

_ALPHABET = "abcdefghijklmnop"


def _letters(rng: random.Random, depth: int) -> list[str]:
    return [rng.choice(_ALPHABET) for _ in range(2 + 3 * depth)]


def _spoiled(rng: random.Random, answer: list[str]) -> str:
    """``answer`` with two neighbours swapped or one letter lost; always different from it."""
    spoiled = list(answer)
    place = rng.randrange(len(spoiled) - 1)
    if rng.random() < 0.5:
        spoiled[place], spoiled[place + 1] = spoiled[place + 1], spoiled[place]
    if spoiled == answer:
        del spoiled[place]
    return "".join(spoiled)


class StringSort(Family):
    """Letters in alphabetical order; 5 letters at depth 1, 3 more with every depth."""

    name = "string.sort"
    templates = ("Sort the letters:", "Alphabetise:", "Order the letters of:")
    partial_credit = True

    def problem(self, rng: random.Random, depth: int) -> Problem:
        letters = _letters(rng, depth)
        answer = sorted(letters)
        return Problem("".join(letters), "".join(answer), _spoiled(rng, answer))


class StringReversal(Family):
    """Letters backwards; 5 letters at depth 1, 3 more with every depth."""

    name = "string.ops"
    templates = ("Reverse the text:", "Write backwards:", "Mirror:")
    partial_credit = True

    def problem(self, rng: random.Random, depth: int) -> Problem:
        letters = _letters(rng, depth)
        answer = letters[::-1]
        return Problem("".join(letters), "".join(answer), _spoiled(rng, answer))
