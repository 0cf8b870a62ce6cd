"""A fixed list of short made-up words, so that prompts need no word list of any language."""

from __future__ import annotations

import random
from typing import Final

__all__ = ["WORDS"]


def _make_words(count: int) -> tuple[str, ...]:
    """Consonant–vowel(–consonant) syllables; the generator is fixed, so the list is a constant of the project."""
    rng = random.Random(7)
    consonants, vowels = "bcdfghklmnprstvw", "aeiou"
    drawn = {
        rng.choice(consonants) + rng.choice(vowels) + (rng.choice(consonants) if rng.random() < 0.7 else "")
        for _ in range(count)
    }
    return tuple(sorted(drawn))


WORDS: Final = _make_words(400)
