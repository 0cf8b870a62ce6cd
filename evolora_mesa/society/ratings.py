"""Ratings of a run's answers, in a file of their own: a finished run's store and digest stay as they are.

One JSON object a line, and in each the sha256 of the digest before it and of itself, so nothing can be changed, left
out or put in between unnoticed. A line counts once its line break is written: what a killed process leaves behind it
is neither read nor kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Final, Self

from pydantic import Field, ValidationError

from evolora_mesa.errors import RunError
from evolora_mesa.society.judge import Choice, Duel

__all__ = ["FIRST_DIGEST", "Rating", "RatingBook", "read_ratings"]

FIRST_DIGEST: Final = "0" * 64  # what the first rating is chained to

_MOST_BYTES: Final = 64 * 2**20


class Rating(Duel):
    """A duel and its outcome.

    Attributes:
        number: in the order of the file, from 1.
        generation: that the world was in; it takes effect in later ones only.
        choice: the better answer, or a tie.
        digest: sha256 of the digest before it and of the rest, in hexadecimal.
    """

    number: int = Field(ge=1)
    generation: int = Field(ge=0)
    choice: Choice
    digest: str

    @classmethod
    def of(cls, duel: Duel, choice: Choice, number: int, generation: int, previous: str) -> Self:
        """The rating that follows the one with the digest ``previous``."""
        facts = {**duel.model_dump(), "number": number, "generation": generation, "choice": choice}
        return cls(**facts, digest=_chained(previous, facts))

    @property
    def won(self) -> float:
        """1 where a was chosen, 0 where b was, one half for a tie."""
        return {"a": 1.0, "tie": 0.5, "b": 0.0}[self.choice]


def _chained(previous: str, facts: dict[str, Any]) -> str:
    return hashlib.sha256(f"{previous}{_json(facts)}".encode("ascii")).hexdigest()


def _json(facts: dict[str, Any]) -> str:
    """In ASCII, half a surrogate pair included; equal facts have equal texts."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))


def read_ratings(path: Path) -> list[Rating]:
    """All ratings of a file, checked.

    Raises:
        RunError: it cannot be read, or a line is no rating or not the one that was written there.
    """
    return _parse(_whole_lines(path), path)


def _whole_lines(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise RunError("cannot read the ratings", where=path, got=error.strerror or str(error)) from error
    if len(data) > _MOST_BYTES:
        raise RunError("too many ratings", where=path, expected=f"at most {_MOST_BYTES // 2**20} MiB")
    return data[: data.rfind(b"\n") + 1]


def _parse(data: bytes, path: Path) -> list[Rating]:
    ratings: list[Rating] = []
    previous = FIRST_DIGEST
    for number, line in enumerate(data.splitlines(), 1):
        try:
            rating = Rating.model_validate(json.loads(line))
        except (ValidationError, ValueError, RecursionError) as error:
            raise RunError("not a rating", where=f"{path}:{number}", got=line.decode("ascii", "replace")) from error
        if rating.digest != _chained(previous, rating.model_dump(exclude={"digest"})) or rating.number != number:
            raise RunError(
                "the ratings were changed", where=f"{path}:{number}", do="Restore the file, or remove it as a whole."
            )
        ratings.append(rating)
        previous = rating.digest
    return ratings


class RatingBook:
    """A file of ratings that grows; whoever opens it holds the lock of its run.

    Args:
        path: made with the first rating.

    Attributes:
        ratings: all of them.

    Raises:
        RunError: the file is there and cannot be read or was changed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        data = _whole_lines(path) if path.exists() else b""
        self.ratings = _parse(data, path)
        self._bytes = len(data)

    @property
    def head(self) -> str:
        """The digest of the last one."""
        return self.ratings[-1].digest if self.ratings else FIRST_DIGEST

    def add(self, duel: Duel, choice: Choice, generation: int) -> Rating:
        """Write one more down; it is on the disk when this returns.

        Raises:
            RunError: it cannot be written; the file is then as it was.
        """
        rating = Rating.of(duel, choice, len(self.ratings) + 1, generation, self.head)
        line = f"{_json(rating.model_dump())}\n".encode("ascii")
        try:
            with self.path.open("r+b" if self.path.exists() else "x+b") as file:
                file.truncate(self._bytes)  # half a line, of one who was killed
                file.seek(self._bytes)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise RunError("cannot write the ratings", where=self.path, got=error.strerror or str(error)) from error
        self._bytes += len(line)
        self.ratings.append(rating)
        return rating
