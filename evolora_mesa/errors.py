"""Errors for the person who made the mistake: one line with what, where, expected, got, and what to do."""

from __future__ import annotations

__all__ = [
    "AdapterError",
    "ConfigError",
    "EvoloraError",
    "HostError",
    "LedgerError",
    "LockedPoolError",
    "LogError",
    "RunError",
    "TaskError",
    "one_line",
]

_LONGEST_VALUE = 120  # characters of a quoted value before it is cut
_LONGEST_PLACE = 300  # of a place


def one_line(text: str) -> str:
    """The text as a single line; what would steer a terminal, or has no glyph, is shown as an escape."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in " ".join(text.split())
    )


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "…"


class EvoloraError(Exception):
    """A mistake that a user can mend. ``str(error)`` is always a single line.

    Args:
        what: the mistake in a few words.
        where: file, line or setting in which it was found.
        expected: what would have been right.
        got: the value found; shown with ``repr`` and cut when long.
        do: the next step, as an imperative sentence.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: str | None = None,
        got: object = None,
        do: str | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.got, self.do = what, where, expected, got, do
        super().__init__(self._line())

    def _line(self) -> str:
        line = self.what if self.where is None else f"{self.what} ({_cut(str(self.where), _LONGEST_PLACE)})"
        facts = [] if self.expected is None else [f"expected {self.expected}"]
        if self.got is not None:
            facts.append(f"got {_cut(repr(self.got), _LONGEST_VALUE)}")
        if facts:
            line += ": " + ", ".join(facts)
        if self.do is not None:
            line += f". {self.do}"
        return one_line(line)


class ConfigError(EvoloraError):
    """A setting is unknown, of the wrong type, out of range, or contradicts another."""


class HostError(EvoloraError):
    """A host folder is missing, incomplete, or not a causal language model."""


class AdapterError(EvoloraError):
    """An adapter does not fit the host, is not finite, or the bank has no slot for it."""


class TaskError(EvoloraError):
    """A task family is unknown or produced something that is not a task."""


class LockedPoolError(EvoloraError):
    """The ``test`` pool was touched from inside the model loop."""


class LedgerError(EvoloraError):
    """A transfer would create energy, destroy it, or overdraw an account."""


class LogError(EvoloraError):
    """An event log breaks an invariant, cannot be read, or is not what a metric takes."""


class RunError(EvoloraError):
    """A run folder cannot be created, read or written."""
