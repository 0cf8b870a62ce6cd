"""Families by name: those that ship, and those that a user adds by import path."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable

from evolora_mesa.errors import TaskError
from evolora_mesa.tasks import families
from evolora_mesa.tasks.family import Family
from evolora_mesa.tasks.guest import STRANGER_ERRORS, Guest, in_words

__all__ = ["SHIPPED", "find_families", "load_family"]

SHIPPED: dict[str, Family] = {
    family.name: family
    for family in (
        families.WordCount(),
        families.Math(),
        families.MultiStepMath(),
        families.Logic(),
        families.StringSort(),
        families.Sequence(),
        families.JsonRepair(),
        families.CodeFormat(),
        families.StringReversal(),
    )
}


def load_family(path: str) -> Family:
    """The user's family at ``"package.module:Class"``, behind a door (`Guest`).

    Raises:
        TaskError: the path has another form, cannot be imported, or names something that is not a family.
    """
    module_name, _, class_name = path.partition(":")
    if not module_name or not class_name:
        raise TaskError("not a family path", where="tasks.user_families", expected="'package.module:Class'", got=path)
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except STRANGER_ERRORS as error:
        raise TaskError(
            "cannot import family",
            where=path,
            got=in_words(error),
            do="Check the path and that the module is importable.",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Family)):
        raise TaskError("not a task family", where=path, expected="a subclass of evolora_mesa.tasks.Family", got=found)
    missing = [field for field in ("name", "templates") if not hasattr(found, field)]
    missing += sorted(found.__abstractmethods__)
    if missing:
        raise TaskError("unfinished task family", where=path, expected=f"a class with {', '.join(missing)}")
    try:
        family = found()
    except STRANGER_ERRORS as error:
        raise TaskError(
            "task family cannot be made", where=path, expected="a class without arguments", got=in_words(error)
        ) from error
    return Guest(family, path)


def find_families(names: Iterable[str], user_families: Iterable[str] = ()) -> dict[str, Family]:
    """The families named, in that order; user families are added behind them.

    Raises:
        TaskError: an unknown name (with the closest known one), or one name twice.
    """
    chosen: dict[str, Family] = {}
    for name in names:
        if name in chosen:
            raise TaskError("task family named twice", where="tasks.families", got=name)
        if name not in SHIPPED:
            close = difflib.get_close_matches(name, SHIPPED, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else None
            raise TaskError(
                "unknown task family", where="tasks.families", expected=", ".join(SHIPPED), got=name, do=hint
            )
        chosen[name] = SHIPPED[name]
    for family in map(load_family, user_families):
        if family.name in chosen:
            raise TaskError("two task families of one name", where="tasks.user_families", got=family.name)
        chosen[family.name] = family
    return chosen
