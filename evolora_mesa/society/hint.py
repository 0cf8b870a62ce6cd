"""Hints: short texts that enter another's prompt, and the shelves where they lie, by cell.

Two kinds. The beginning of an answer stands behind the prompt, and whoever reads it goes on from there; what is graded
is the beginning with what was added. A worked example, a question with its answer, stands before the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from evolora_mesa.tasks import Pool, pool_of

if TYPE_CHECKING:
    from evolora_mesa.host.text import TextCodec

__all__ = ["Hint", "Shelf", "ShelfSettings", "are_readable", "beginning_of", "is_readable", "length_of"]


@dataclass
class Hint:
    """One text on a shelf.

    Attributes:
        question: a live prompt that ``answer`` was the right answer to; empty where ``answer`` is a beginning only.
        answer: whole, or its beginning.
        tokens: of both.
        until: last generation in which it can be read.
        author: who gave it, and does not read it; `None` is nobody in particular.
        number: in the order of the shelf, from 1; 0 is not on a shelf.
        paid, unpaid: what its readers' rewards add up to, and what they fell short of 1 by.
    """

    question: str
    answer: str
    tokens: int
    until: int
    author: int | None = None
    number: int = 0
    paid: float = 0.0
    unpaid: float = 0.0

    @property
    def text(self) -> str:
        """All that a reader reads."""
        return self.question + self.answer

    def before(self, prompt: str) -> str:
        """The prompt of a reader."""
        return f"{self.text}\n{prompt}" if self.question else prompt + self.answer

    def completed(self, written: str) -> str:
        """The answer of a reader who wrote ``written``."""
        return written if self.question else self.answer + written


class ShelfSettings(Protocol):
    """What `Shelf` needs to know."""

    @property
    def most(self) -> int: ...
    @property
    def lifetime(self) -> int: ...
    @property
    def shuffled(self) -> bool: ...


class Shelf:
    """Hints by flat cell number, few in each and for a while.

    Args:
        settings: how many, how long, and whether readers get those of other cells.
    """

    def __init__(self, settings: ShelfSettings) -> None:
        self._most, self._lifetime, self._shuffled = settings.most, settings.lifetime, settings.shuffled
        self._hints: dict[int, list[Hint]] = {}
        self._numbered = 0

    def at(self, cell: int) -> Sequence[Hint]:
        """What can be read of a cell, oldest first."""
        return self._hints.get(cell, [])

    def __len__(self) -> int:
        return sum(map(len, self._hints.values()))

    def put(self, cell: int, hint: Hint, tick: int) -> bool:
        """Put a hint up, in place of the worst where there is no room; whether it was.

        What is there already is not put up twice, and no question of another pool than `live` ever is.
        """
        here = self._hints.setdefault(cell, [])
        foreign = hint.question and pool_of(hint.question) is not Pool.LIVE
        if foreign or any(hint.text == other.text for other in here):
            return False
        if len(here) == self._most:
            here.remove(min(here, key=_standing))
        self._numbered += 1
        hint.number, hint.until = self._numbered, tick + self._lifetime
        here.append(hint)
        return True

    def expire(self, tick: int) -> None:
        """Take down what cannot be read after generation ``tick``."""
        kept = {cell: [hint for hint in here if hint.until > tick] for cell, here in sorted(self._hints.items())}
        self._hints = {cell: here for cell, here in kept.items() if here}

    # ------------------------------------------------------------------ choosing

    def offers(
        self, readers: np.ndarray, cells: np.ndarray, prompts: Sequence[str], depths: int, rng: np.random.Generator
    ) -> list[Hint | None]:
        """For every row the hint that promises most, by one draw from what is known of each (Thompson, 1933).

        Nobody is offered what it gave itself, nor the answer to the very question that it is asked. On a shuffled
        shelf a row that would be offered something gets something of another family instead.

        Args:
            readers: ``[rows]`` ids.
            cells: ``[rows]`` flat cell numbers.
            prompts: of the rows.
            depths: of the grid.
        """
        offered: list[Hint | None] = [None] * len(prompts)
        for cell in np.unique(cells).tolist():
            rows = np.flatnonzero(cells == cell).tolist()
            picked = _pick(self.at(cell), readers[rows], [prompts[row] for row in rows], rng)
            if self._shuffled and any(picked):
                elsewhere = [
                    other for other in sorted(self._hints) if other // depths != cell // depths and self.at(other)
                ]
                there = self.at(elsewhere[int(rng.integers(len(elsewhere)))]) if elsewhere else []
                others = _pick(there, readers[rows], [prompts[row] for row in rows], rng)
                picked = [hint and other for hint, other in zip(picked, others, strict=True)]
            for row, hint in zip(rows, picked, strict=True):
                offered[row] = hint
        return offered

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        hints = [[cell, asdict(hint)] for cell, here in sorted(self._hints.items()) for hint in here]
        return {"numbered": self._numbered, "hints": hints}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._numbered, self._hints = state["numbered"], {}
        for cell, hint in state["hints"]:
            self._hints.setdefault(cell, []).append(Hint(**hint))


def _standing(hint: Hint) -> tuple[float, int]:
    """Mean reward of its readers, as far as is known; of equals the older is the worse."""
    return (1 + hint.paid) / (2 + hint.paid + hint.unpaid), hint.number


def _pick(
    hints: Sequence[Hint], readers: np.ndarray, prompts: Sequence[str], rng: np.random.Generator
) -> list[Hint | None]:
    if not hints:
        return [None] * len(prompts)
    paid, unpaid = (np.array([getattr(hint, name) for hint in hints]) for name in ("paid", "unpaid"))
    plausible = rng.beta(1 + paid, 1 + unpaid, size=(len(prompts), len(hints)))
    own = readers[:, None] == np.array([-1 if hint.author is None else hint.author for hint in hints])
    asked = np.array([[hint.question == prompt for hint in hints] for prompt in prompts])
    plausible[own | asked] = -1.0
    best = plausible.argmax(1)
    return [hints[choice] if plausible[row, choice] >= 0 else None for row, choice in enumerate(best.tolist())]


# ---------------------------------------------------------------- texts


def beginning_of(answers: Sequence[str], longest: int) -> str:
    """The beginning that different answers share; empty where there is none, or where they are all the same answer,
    which shows nothing of where the beginning ends.

    Args:
        longest: characters.
    """
    if len(set(answers)) < 2:
        return ""
    columns = zip(*(answer[:longest] for answer in answers), strict=False)
    shared = "".join(letters[0] for letters in takewhile(lambda letters: len(set(letters)) == 1, columns))
    return shared if shared.strip() else ""


def are_readable(texts: Sequence[str], longest: int, codec: TextCodec) -> list[bool]:
    """Of each text whether it may enter a prompt: short, of printable characters, and read by the host as it is
    written, with no unknown character and no special token in it.

    Args:
        longest: characters.
    """
    plain = [  # halves of surrogate pairs and escapes are not printable
        0 < len(text) <= longest and all(map(str.isprintable, text.split("\n"))) for text in texts
    ]
    lines = [line for text, fine in zip(texts, plain, strict=True) if fine for line in text.split("\n")]
    # All of them at once: a call of the tokenizer costs more than what it decodes.
    back = iter(codec.decode([codec.encode_answer(line)[:-1] for line in lines]) if lines else [])
    return [
        fine and [next(back) for _ in text.split("\n")] == text.split("\n")
        for text, fine in zip(texts, plain, strict=True)
    ]


def is_readable(text: str, longest: int, codec: TextCodec) -> bool:
    """Of one text; see `are_readable`."""
    return are_readable([text], longest, codec)[0]


def length_of(text: str, codec: TextCodec) -> int:
    """Tokens of a readable text."""
    return len(codec.encode_answer(text)) - 1
