"""A user's family behind a door: what it makes is checked, and what it raises names the family and the cell."""

from __future__ import annotations

import random
import re
import traceback
from collections.abc import Callable
from numbers import Real
from typing import Any, Final

from evolora_mesa.errors import EvoloraError, TaskError
from evolora_mesa.tasks.family import Family, Grade, Problem, Task
from evolora_mesa.tasks.styles import STYLES

__all__ = ["STRANGER_ERRORS", "Guest", "in_words"]

# A stranger's code may raise anything, and `sys.exit` in it would end the whole run, quietly and with half a folder.
# Ctrl-C is not among them: that one comes from the user.
STRANGER_ERRORS: Final = (Exception, SystemExit)

_NAME = re.compile(r"\w[\w.-]{0,39}")  # it stands in tables, in file columns, and before the colon of a cell's name
# Far above what any host reads at once, far below what would be felt in memory when thousands are alive.
_LONGEST_TEXT = 100_000
_TEXTS = ("prompt", "target", "near_miss", "scratch")


def in_words(error: BaseException) -> str:
    """Kind and message of an error, also of one that cannot be printed."""
    return "".join(traceback.format_exception_only(error)).strip()


class Guest(Family):
    """The family that a user wrote, as safe to call as a shipped one.

    Args:
        family: the user's.
        path: ``"package.module:Class"`` of it, for the errors.

    Raises:
        TaskError: its name, templates or depth are not what they have to be.
    """

    def __init__(self, family: Family, path: str) -> None:
        self._family, self.path = family, path
        self.name, self.templates = self._read("name"), self._read("templates")
        self.deepest = self._read("deepest")
        if not (isinstance(self.name, str) and _NAME.fullmatch(self.name)):
            raise TaskError(
                "bad name of a task family",
                where=path,
                expected="1 to 40 letters, digits, '.', '_' or '-', the first a letter or digit",
                got=_shown(self.name),
            )
        if not (isinstance(self.templates, tuple | list) and self.templates and all(map(_is_text, self.templates))):
            raise TaskError(
                "bad templates of a task family",
                where=path,
                expected=f"a tuple of texts, each up to {_LONGEST_TEXT} characters",
                got=_shown(self.templates),
            )
        if not _is_whole(self.deepest) or self.deepest < 1:
            raise TaskError(
                "bad deepest of a task family", where=path, expected="a whole number >= 1", got=_shown(self.deepest)
            )

    def problem(self, rng: random.Random, depth: int) -> Problem:
        """The user's problem, unchecked: worlds ask for tasks."""
        return self._call(depth, lambda: self._family.problem(rng, depth))

    def generate(self, rng: random.Random, depth: int) -> Task:
        """The user's task.

        Raises:
            TaskError: the family raised something, or made something that is not a task of this cell.
        """
        task = self._call(depth, lambda: self._family.generate(rng, depth))
        if not isinstance(task, Task):
            raise TaskError("task family makes no task", where=self._cell(depth), expected="a Task", got=_shown(task))
        if (task.family, task.depth) != (self.name, depth) or not _is_whole(task.template):
            raise TaskError(
                "task family makes tasks of another cell",
                where=self._cell(depth),
                expected=f"family {self.name!r}, depth {depth} and the number of a template",
                got=_shown((task.family, task.depth, task.template)),
            )
        for field in _TEXTS:
            if not _is_text(text := getattr(task, field)):
                raise TaskError(
                    "task family makes no text",
                    where=f"{self._cell(depth)}, {field}",
                    expected=f"a str of up to {_LONGEST_TEXT} characters, without lone surrogates",
                    got=f"{len(text)} characters" if _is_long(text) else _shown(text),
                )
        return task

    def grade(self, task: Task, answer: str) -> Grade:
        """The user's grade.

        Raises:
            TaskError: the family raised something, or gave something that is not a grade.
        """
        grade = self._call(task.depth, lambda: self._family.grade(task, answer))
        if not (isinstance(grade, Grade) and self._call(task.depth, lambda: _is_sound(grade))):
            raise TaskError(
                "task family gives no sound grade",
                where=self._cell(task.depth),
                expected=f"Grade(style: {', '.join(STYLES)} or None, correct: bool, closeness: 0 to 1)",
                got=_shown(grade),
            )
        return Grade(grade.style, grade.correct, float(grade.closeness))

    def _cell(self, depth: int) -> str:
        return f"{self.name}:{depth}, {self.path}"

    def _read(self, attribute: str) -> Any:
        try:
            return getattr(self._family, attribute)
        except STRANGER_ERRORS as error:
            raise TaskError("task family fails", where=f"{self.path}.{attribute}", got=in_words(error)) from error

    def _call(self, depth: int, action: Callable[[], Any]) -> Any:
        try:
            return action()
        except EvoloraError:
            raise
        except STRANGER_ERRORS as error:
            raise TaskError("task family fails", where=self._cell(depth), got=in_words(error)) from error


def _shown(value: object) -> object:
    """The value for an error line, which leaves `None` out; its type's name where the value cannot be printed."""
    try:
        repr(value)
    except STRANGER_ERRORS:
        return type(value).__name__
    return "None" if value is None else value


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_long(value: object) -> bool:
    return isinstance(value, str) and len(value) > _LONGEST_TEXT


def _is_text(value: object) -> bool:
    """Whether it is a text that can be hashed and read by any tokenizer."""
    if not isinstance(value, str) or _is_long(value):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_sound(grade: Grade) -> bool:
    style, correct, closeness = grade
    known = style is None or (isinstance(style, str) and style in STYLES)
    return known and isinstance(correct, bool) and isinstance(closeness, Real) and 0 <= closeness <= 1
