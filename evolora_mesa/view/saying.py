"""What the host says, token by token: how sure it was of each, and what else it might have written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import torch

from evolora_mesa.host import FlatTrace, HostService, Request, TokenTrace

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["END", "Said", "Token", "ask_slots", "room_of", "tokens_of"]

END: Final = "end of answer"  # how the token is told that ends one
_OTHERS: Final = 3  # tokens that are told beside the one that was written
_HALF_A_CHARACTER: Final = "\ufffd"


class Token(NamedTuple):
    """One token of an answer.

    Attributes:
        text: what it adds to the answer; empty for the token that ends it.
        log_probability: under the distribution that it was chosen from, in nats.
        others: the likeliest of the other tokens, as text and probability.
        ends: it ended the answer.
    """

    text: str
    log_probability: float
    others: tuple[tuple[str, float], ...]
    ends: bool


class Said(NamedTuple):
    """One answer; ``read`` counts the tokens of its prompt, ``log_probability`` is of all its own."""

    text: str
    tokens: tuple[Token, ...]
    read: int
    log_probability: float


def tokens_of(model: EcologyModel, prompt: str) -> int:
    """How many tokens the host reads a prompt as."""
    return len(model.host.codec.encode([prompt])[0])


def room_of(model: EcologyModel) -> float:
    """Tokens that a prompt may have; infinity where the host reads any number."""
    longest = model.host.host.longest
    return math.inf if longest is None else longest - model.config.host.max_new_tokens


def ask_slots(model: EcologyModel, slots: Sequence[int], prompt: str, *, temperature: float, stream: str) -> list[Said]:
    """Put a prompt to several adapters in one host call.

    Args:
        slots: of the bank.
        temperature: 0 is greedy.
        stream: name of the numbers that sampled tokens are chosen by. They are a function of the world's seed and of
            the name, so no stream of the world moves.

    Raises:
        HostError: the host cannot read the prompt.
    """
    first_key = model.streams.integer(stream) >> 1  # room to count up from it
    trace = TokenTrace()
    answers = model.host.answer(
        [Request(slot, prompt, first_key + row) for row, slot in enumerate(slots)],
        model.bank,
        temperature=temperature,
        max_new_tokens=model.config.host.max_new_tokens,
        trace=trace,
    )
    assert answers.trace is not None
    totals = answers.log_probability.tolist()
    return [
        Said(text, _tokens(model.host, answers.trace, row), len(answers.prompts[row]), totals[row])
        for row, text in enumerate(answers.texts)
    ]


def _tokens(host: HostService, trace: FlatTrace, row: int) -> tuple[Token, ...]:
    """The tokens that one row has written."""
    mine = trace.rows == row
    written = trace.tokens[mine]
    assert trace.probabilities is not None
    probabilities = trace.probabilities[mine]  # [tokens, vocab]
    own = probabilities.gather(1, written[:, None]).squeeze(1).clamp(min=1e-30).log().tolist()
    top = torch.topk(probabilities, min(_OTHERS + 1, probabilities.shape[1]))
    ids, found, before = written.tolist(), [], ""
    for place, id in enumerate(ids):
        # A character may take several tokens; it is shown with the last of them.
        after = host.codec.decode([ids[: place + 1]])[0].rstrip(_HALF_A_CHARACTER)
        likeliest = zip(top.indices[place].tolist(), top.values[place].tolist(), strict=True)
        others = [(_alone(host, other), chance) for other, chance in likeliest if other != id]
        ends = bool(host.codec.stop[id])
        found.append(Token(after[len(before) :], own[place], tuple(others[:_OTHERS]), ends))
        before = after
    return tuple(found)


def _alone(host: HostService, token: int) -> str:
    """A token as it is told beside another."""
    return END if bool(host.codec.stop[token]) else host.codec.decode([[token]])[0]
