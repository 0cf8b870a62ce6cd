"""The right answer of every shipped task, worked out again from the prompt alone."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable

from evolora_mesa.tasks import ANSWER_CUE, SHIPPED

__all__ = ["answer_of", "family_and_template", "question_of"]


def family_and_template(prompt: str) -> tuple[str, int]:
    """Which family asks, and in which of its wordings."""
    found = [
        (name, place)
        for name, family in SHIPPED.items()
        for place, template in enumerate(family.templates)
        if prompt.startswith(f"{template} ")
    ]
    assert len(found) == 1, f"{prompt!r} begins like {found}"
    return found[0]


def question_of(prompt: str) -> str:
    """What stands between the wording and the cue."""
    assert prompt.endswith(ANSWER_CUE)
    return prompt.removesuffix(ANSWER_CUE).split(": ", 1)[1]


def answer_of(prompt: str) -> str:
    """The right answer in no style at all."""
    family, _ = family_and_template(prompt)
    return _ORACLES[family](question_of(prompt))


class _Reader:
    """Recursive descent over sums of products of numbers, and over bracketed truth values."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens

    def peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self) -> str:
        return self.tokens.pop(0)

    def whole(self, value: int) -> int:
        assert not self.tokens, f"left over: {self.tokens}"
        return value

    def sum(self) -> int:
        value = self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        return value

    def product(self) -> int:
        value = self.number()
        while self.peek() == "*":
            self.take()
            value *= self.number()
        return value

    def number(self) -> int:
        token = self.take()
        if token != "(":
            return int(token)
        value = self.sum()
        assert self.take() == ")"
        return value

    def either(self) -> int:
        value = self.both()
        while self.peek() == "or":
            self.take()
            value |= self.both()
        return value

    def both(self) -> int:
        value = self.literal()
        while self.peek() == "and":
            self.take()
            value &= self.literal()
        return value

    def literal(self) -> int:
        token = self.take()
        if token == "not":
            return 1 - self.literal()
        if token == "(":
            value = self.either()
            assert self.take() == ")"
            return value
        return {"true": 1, "false": 0}[token]


def _arithmetic(question: str) -> str:
    reader = _Reader(re.findall(r"\d+|[-+*()]", question))
    return str(reader.whole(reader.sum()))


def _logic(question: str) -> str:
    reader = _Reader(re.findall(r"\w+|[()]", question))
    return "true" if reader.whole(reader.either()) else "false"


def _next_term(question: str) -> str:
    terms = [int(term) for term in question.split()]
    steps = [after - before for before, after in itertools.pairwise(terms)]
    growths = {after - before for before, after in itertools.pairwise(steps)}
    if len(growths) == 1:
        return str(terms[-1] + steps[-1] + growths.pop())
    assert steps[2:] == steps[:-2], f"{question} neither grows evenly nor alternates"
    return str(terms[-1] + steps[-2])


def _letters_in_order(question: str) -> str:
    counted = Counter(question)
    return "".join(chr(code) * counted[chr(code)] for code in range(ord("a"), ord("z") + 1))


def _backwards(question: str) -> str:
    return "".join(question[-1 - place] for place in range(len(question)))


def _valid_json(question: str) -> str:
    return json.dumps([int(number) for number in re.findall(r"\d+", question)], separators=(",", ":"))


_ORACLES: dict[str, Callable[[str], str]] = {
    "word.count": lambda question: str(len(re.findall(r"[a-z]+", question))),
    "math": _arithmetic,
    "math.multi_step": _arithmetic,
    "logic": _logic,
    "string.sort": _letters_in_order,
    "sequence": _next_term,
    "json.repair": _valid_json,
    "code.format": lambda question: re.sub(r"_([a-z])", lambda match: match[1].upper(), question),
    "string.ops": _backwards,
}
