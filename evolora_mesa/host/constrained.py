"""Answers that can be nothing but words of a small language: at every step a mask over the host's tokens.

A language is a chain of choices between texts. Its automaton over characters is lifted to the tokens of a vocabulary,
however many characters each of them has (B. T. Willard and R. Louf, "Efficient guided generation for large language
models", 2023), so that a step of decoding is a look into a table for all rows at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch

from evolora_mesa.errors import HostError

__all__ = ["Automaton", "Guidance", "Guide", "automaton_of"]

_FREE: Final = 0  # state of rows that may write anything
_START: Final = 1


class Automaton(NamedTuple):
    """A deterministic automaton over characters; state 0 is the first.

    Attributes:
        letters: the characters that occur.
        following: ``[states, letters]`` next state; -1 where there is none.
        ends: ``[states]`` whether a word may end here.
    """

    letters: str
    following: np.ndarray
    ends: np.ndarray


def automaton_of(chain: Sequence[Sequence[str]]) -> Automaton:
    """The automaton of all words that take one text from each link of ``chain``, in order.

    Texts of a link may begin alike, be the beginning of each other, or be empty: a state is the set of places, link
    and what was read of it, at which a reader can be.
    """

    def closed(places: set[tuple[int, str]]) -> frozenset[tuple[int, str]]:
        waiting = sorted(places)
        for link, read in waiting:
            if link < len(chain) and read in chain[link]:
                waiting.append((link + 1, ""))
        return frozenset(waiting)

    states = [closed({(0, "")})]
    number = {states[0]: 0}
    moves: list[dict[str, int]] = []
    for state in states:
        reached: dict[str, set[tuple[int, str]]] = {}
        for link, read in sorted(state):
            for text in chain[link] if link < len(chain) else ():
                if len(text) > len(read) and text.startswith(read):
                    letter = text[len(read)]
                    reached.setdefault(letter, set()).add((link, read + letter))
        targets = {letter: closed(reached[letter]) for letter in sorted(reached)}
        for target in targets.values():
            if target not in number:
                number[target] = len(states)
                states.append(target)
        moves.append({letter: number[target] for letter, target in targets.items()})
    letters = "".join(sorted({letter for link in chain for text in link for letter in text}))
    following = np.full((len(states), len(letters)), -1)
    for state_number, move in enumerate(moves):
        for letter, target_number in move.items():
            following[state_number, letters.index(letter)] = target_number
    return Automaton(letters, following, np.array([(len(chain), "") in state for state in states]))


class Guide:
    """Which tokens may come next in every state of an automaton, and where they lead.

    Args:
        chain: the language, as for `automaton_of`.
        texts: ``[vocab]`` what each token adds to an answer; empty for those that add nothing.
        stop: ``[vocab]`` True for tokens that end an answer; they are written where a word may end, and only there.

    Attributes:
        longest: most tokens of an answer, its end included.

    Raises:
        HostError: the tokens cannot write a single word of the language.
    """

    def __init__(self, chain: Sequence[Sequence[str]], texts: Sequence[str], stop: torch.Tensor) -> None:
        automaton = automaton_of(chain)
        known, stops = set(automaton.letters), stop.tolist()
        words = [
            token
            for token, (text, ends) in enumerate(zip(texts, stops, strict=True))
            if text and not ends and known.issuperset(text)
        ]
        following = _lifted(automaton, [texts[token] for token in words])
        ending = np.where(automaton.ends[:, None], _FREE - _START, -2)  # back to the free state behind the last token
        following, self.longest = _without_dead_ends(following, automaton.ends)
        if not self.longest:
            raise HostError(
                "the host's tokens cannot write what is wanted",
                expected=f"tokens for each of {automaton.letters!r}",
                do="Choose another host, or do not constrain its answers.",
            )
        ends = [token for token, is_end in enumerate(stops) if is_end]
        table = np.concatenate([following, np.repeat(ending, len(ends), 1)], 1) + _START
        # Only tokens that are used have a column: in a vocabulary of 150,000 those are a few hundred.
        self._tokens = torch.tensor([*words, *ends], device=stop.device)  # [used]
        self._next = torch.from_numpy(np.concatenate([np.full_like(table[:1], _FREE), table])).to(stop.device)
        self._column = torch.zeros(len(texts), dtype=torch.long, device=stop.device)  # [vocab]
        self._column[self._tokens] = torch.arange(len(self._tokens), device=stop.device)

    def masked(self, logits: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
        """``logits [rows, vocab]`` with minus infinity at the tokens that may not come next in ``states [rows]``."""
        allowed = (states == _FREE)[:, None].repeat(1, logits.shape[1])
        allowed[:, self._tokens] |= self._next[states] >= 0
        return logits.masked_fill(~allowed, -torch.inf)

    def after(self, states: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """``[rows]`` the states behind ``tokens [rows]``."""
        return torch.where(states == _FREE, _FREE, self._next[states, self._column[tokens]])


class Guidance:
    """A guide at work on the rows of one batch.

    Args:
        guided: ``[rows]`` False for rows that may write anything.
    """

    def __init__(self, guide: Guide, guided: torch.Tensor) -> None:
        self._guide = guide
        self._states = torch.where(guided, _START, _FREE)

    def masked(self, logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """``logits [places, vocab]`` of ``rows [places]``, without what may not come next."""
        return self._guide.masked(logits, self._states[rows])

    def advance(self, rows: torch.Tensor, tokens: torch.Tensor) -> None:
        """Take in what ``rows [places]`` have written."""
        self._states[rows] = self._guide.after(self._states[rows], tokens)


def _lifted(automaton: Automaton, words: Sequence[str]) -> np.ndarray:
    """``[states, words]`` the state behind each word, -2 where it cannot be written.

    All states read all words together, one letter a turn; shorter words wait at a letter that moves nobody.
    """
    states, letters = automaton.following.shape
    dead = states
    table = np.full((states + 1, letters + 1), dead)
    table[:states, :letters] = np.where(automaton.following < 0, dead, automaton.following)
    table[:, letters] = np.arange(states + 1)
    number = {letter: place for place, letter in enumerate(automaton.letters)}
    reached = np.broadcast_to(np.arange(states)[:, None], (states, len(words)))
    for turn in range(max(map(len, words), default=0)):
        letter = [number[word[turn]] if turn < len(word) else letters for word in words]
        reached = table[reached, letter]
    return np.where(reached == dead, -2, reached)


def _without_dead_ends(following: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, int]:
    """``following`` without steps from which no end can be reached, and the most tokens of a word with its stop token.

    Every token has a letter and the language is finite, so the longest way from each state is known after as many
    rounds as it has steps.
    """
    longest = ends.astype(np.int64)  # [states], 0 where no end was found yet
    while following.size:
        ahead = np.where(following >= 0, longest[following], 0)  # [states, words]
        found = np.maximum(longest, np.where(ahead > 0, ahead + 1, 0).max(1))
        if (found == longest).all():
            break
        longest = found
    leads = (following >= 0) & (longest[following] > 0)
    return np.where(leads, following, -2), int(longest[0])
