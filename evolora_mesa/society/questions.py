"""Rows of many askers, put to the host in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np

from evolora_mesa.host import Answers, Request

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Questions", "Replies"]


class Replies(NamedTuple):
    """What came back.

    Attributes:
        texts: of each row.
        tokens: written, of each row.
        log_probability: ``[rows]``.
        read, written: ``[rows]`` numbers of tokens.
    """

    texts: list[str]
    tokens: list[list[int]]
    log_probability: np.ndarray
    read: np.ndarray
    written: np.ndarray

    @classmethod
    def none(cls) -> Self:
        """Nobody was asked."""
        nothing = np.zeros(0)
        return cls([], [], nothing, nothing.astype(np.int64), nothing.astype(np.int64))

    @classmethod
    def of(cls, answers: Answers, rows: slice = slice(None)) -> Self:
        """Some of the host's answers, or all."""
        prompts, tokens = answers.prompts[rows], answers.tokens[rows]
        return cls(
            answers.texts[rows],
            tokens,
            answers.log_probability[rows].numpy().astype(float),
            np.array([len(read) for read in prompts], dtype=np.int64),
            np.array([len(written) for written in tokens], dtype=np.int64),
        )

    def take(self, rows: slice) -> Replies:
        """Some of the rows."""
        return Replies(
            self.texts[rows], self.tokens[rows], self.log_probability[rows], self.read[rows], self.written[rows]
        )


class Questions:
    """A host call in the making."""

    def __init__(self) -> None:
        self._slots: list[int] = []
        self._prompts: list[str] = []

    def __len__(self) -> int:
        return len(self._slots)

    def ask(self, slots: Sequence[int], prompts: Sequence[str]) -> slice:
        """Add rows; where to find them in the replies."""
        start = len(self._slots)
        self._slots += slots
        self._prompts += prompts
        return slice(start, len(self._slots))

    def put(self, model: EcologyModel, stream: str) -> Replies:
        """Ask the host everything at once, sampled as living is; without a question there is no call.

        Args:
            stream: name of the random stream that the rows' keys are counted up from.
        """
        if not self._slots:
            return Replies.none()
        answers = model.host.answer(
            self.requests(model, stream),
            model.bank,
            temperature=model.config.host.temperature,
            max_new_tokens=model.config.host.max_new_tokens,
        )
        return Replies.of(answers)

    def requests(self, model: EcologyModel, stream: str) -> list[Request]:
        """The rows as requests, for a call that others ask too; ``stream`` as for `put`."""
        if not self._slots:
            return []
        first_key = model.streams.integer(stream) >> 1  # room to count up from it
        return [
            Request(slot, prompt, first_key + row)
            for row, (slot, prompt) in enumerate(zip(self._slots, self._prompts, strict=True))
        ]
