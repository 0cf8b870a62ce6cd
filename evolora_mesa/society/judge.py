"""Judges: who says which of two answers to a prompt is the better one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

from pydantic import BaseModel, ConfigDict, Field

from evolora_mesa.errors import ConfigError
from evolora_mesa.strictyaml import read_text
from evolora_mesa.tasks import read_answer

__all__ = ["Choice", "Contender", "Duel", "Judge", "Script", "Verdict", "read_script"]

Choice = Literal["a", "b", "tie"]
Verdict = Literal["a", "b", "tie", "skip", "quit"]

_VERDICTS: Final = get_args(Verdict)


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Contender(_Strict):
    """One of two answers.

    Attributes:
        organelle: who gave it; `None` is the bare host.
        text: as it was written.
        right: whether its content is the right one, in whatever style; judges are not told.
    """

    organelle: int | None
    text: str
    right: bool

    @property
    def style(self) -> str:
        """How it is written; see `evolora_mesa.tasks.styles`."""
        return read_answer(self.text)[0]


class Duel(_Strict):
    """Two answers to one prompt, in an order that says nothing; ``depth`` counts from 1."""

    family: str
    depth: int = Field(ge=1)
    prompt: str
    a: Contender
    b: Contender


class Judge(Protocol):
    """Anybody who can tell two answers apart."""

    def judge(self, duel: Duel) -> Verdict:
        """The better answer; `skip` leaves the duel out, `quit` ends the sitting."""
        ...


class Script:
    """A judge whose verdicts are given beforehand, in the order of the duels; when there are no more, it quits."""

    def __init__(self, verdicts: Iterable[Verdict]) -> None:
        self._verdicts = iter(verdicts)

    def judge(self, duel: Duel) -> Verdict:
        return next(self._verdicts, "quit")


def read_script(path: Path) -> Script:
    """A judge from a file with a verdict on each line: a, b, tie, skip or quit.

    Raises:
        ConfigError: the file cannot be read, or a line is something else.
    """
    verdicts: list[Verdict] = []
    for number, line in enumerate(read_text(path, str(path)).splitlines(), 1):
        found: list[Verdict] = [verdict for verdict in _VERDICTS if verdict == line.strip()]
        if line.strip() and not found:
            raise ConfigError("no such verdict", where=f"{path}:{number}", expected=" | ".join(_VERDICTS), got=line)
        verdicts += found
    return Script(verdicts)
