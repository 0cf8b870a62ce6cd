"""What pydantic finds wrong with settings, told in one line for the person who wrote them, with place and proposal."""

from __future__ import annotations

import difflib
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from evolora_mesa.errors import ConfigError
from evolora_mesa.settings import Section
from evolora_mesa.strictyaml import TreePath, short

__all__ = ["PlaceOf", "did_you_mean", "explain", "fields_of", "kind_of", "one_of", "place_of", "section_of", "unknown"]

PlaceOf = Callable[[TreePath], str | None]  # "file:line" of a path in the tree, or of the closest thing around it

_WORDS: Mapping[Any, str] = {bool: "true or false", int: "whole number", float: "number", str: "line of text"}


class _Found(NamedTuple):
    """What a path of pydantic's leads to: ``used`` of its parts name a field, the others are inside its value."""

    field: FieldInfo | None
    home: type[Section]
    used: int


# ------------------------------------------------------------------------------------------ the schema, by name


def section_of(annotation: Any) -> type[Section] | None:
    """The section that a setting is, also one that may be left out."""
    found = _plain(annotation)
    return found if isinstance(found, type) and issubclass(found, Section) else None


def fields_of(root: type[Section]) -> dict[str, FieldInfo]:
    """Field of every setting below ``root`` by its dotted name; sections are not among them."""
    fields = {}
    for name, field in root.model_fields.items():
        section = section_of(field.annotation)
        inner = {f"{name}.{key}": found for key, found in fields_of(section).items()} if section else {name: field}
        fields.update(inner)
    return fields


def kind_of(annotation: Any) -> str:
    """A type in words; empty for one that has none."""
    annotation = _plain(annotation)
    if get_origin(annotation) is Literal:
        return one_of(get_args(annotation))
    if get_origin(annotation) is tuple:
        inner = get_args(annotation)[0]
        return f"list, each {'a table' if section_of(inner) else kind_of(inner)}"
    if get_origin(annotation) is dict:
        inner = get_args(annotation)[1]
        kind = "a table" if section_of(inner) else kind_of(inner)
        return f"table, each value {kind}" if kind else "table"
    return _WORDS.get(annotation, "")


def one_of(names: Sequence[str]) -> str:
    return f"one of {', '.join(names)}" if len(names) > 1 else f"only {names[0]}"


def did_you_mean(name: str, known: Mapping[str, object] | Sequence[str]) -> str | None:
    close = difflib.get_close_matches(short(name), list(known), n=1, cutoff=0.75)
    return f"Did you mean {close[0]!r}?" if close and close[0] != name else None


def unknown(name: str, root: type[Section], where: str | None, extra: Sequence[str] = ()) -> ConfigError:
    """The error of a setting that ``root`` has not, with the one that was probably meant.

    Args:
        name: dotted.
        extra: further names that are known where sections are.
    """
    fields = fields_of(root)
    leaf = name.rpartition(".")[2]
    homes = {dotted.rpartition(".")[2]: dotted for dotted in reversed(fields)}
    if name in fields:  # a dotted key inside a file
        hint: str | None = f"Write {leaf!r} on a line of its own, indented under '{name.rpartition('.')[0]}:'."
    elif leaf in homes:
        hint = f"Did you mean {homes[leaf]!r}?"
    else:
        sections = () if "." in name else (*root.model_fields, *extra)
        hint = did_you_mean(name, [*sections, *fields])
    return ConfigError(f"unknown setting {short(name)!r}", where=where, do=hint)


def _plain(annotation: Any) -> Any:
    """The type itself, without its limits, and without the `None` of a setting that may be left out."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        given = [found for found in get_args(annotation) if found is not types.NoneType]
        return _plain(given[0]) if len(given) == 1 else annotation
    return annotation


# ------------------------------------------------------------------------------------------------- what is wrong


def place_of(places: Mapping[TreePath, str], path: TreePath) -> str | None:
    """The place of ``path`` or of the closest thing around it."""
    return next((places[path[:n]] for n in range(len(path), -1, -1) if path[:n] in places), None)


def explain(error: ValidationError, root: type[Section], place: PlaceOf, below: TreePath = ()) -> ConfigError:
    """One line for the first finding of pydantic.

    Args:
        root: what was validated.
        place: of a path, which starts with ``below``.
        below: where in the tree ``root`` stands.
    """
    finding: Any = error.errors(include_url=False)[0]
    path: TreePath = finding["loc"]
    if finding["type"] == "clash":
        facts = finding["ctx"]
        paths = [(*below, *path, *map(_key, name.split("."))) for name in facts["names"]]
        given = " and ".join(dict.fromkeys(filter(None, map(place, paths or [(*below, *path)]))))
        subject = ".".join(map(str, paths[0] if paths else (*below, *path)))
        what = f"{subject!r}: {facts['what']}"
        return ConfigError(what, where=given or None, expected=facts["expected"], got=facts["got"])
    found = _follow(root, path)
    name = ".".join(map(str, (*below, *path[: found.used])))
    inner = path[found.used :][:1]  # what lies deeper is pydantic's own
    where = place((*below, *path[: found.used], *inner))
    if finding["type"] == "extra_forbidden":
        return _stranger(name, root, found.home, where)
    if found.field is None:
        return _no_table(name, found.home, where, finding["input"])
    expected = _expected(found.field, bool(inner))
    shown = name + "".join(f"[{short(key) if isinstance(key, str) else key}]" for key in inner)
    if finding["type"] == "missing":
        return ConfigError(f"{shown!r} is missing", where=where, expected=expected)
    if finding["input"] is None:
        return ConfigError(f"{shown!r} has no value", where=where, expected=expected)
    choices = _choices(found.field.annotation)
    hint = did_you_mean(finding["input"], choices) if choices and isinstance(finding["input"], str) else None
    return ConfigError(f"bad value for {shown!r}", where=where, expected=expected, got=finding["input"], do=hint)


def _key(part: str) -> str | int:
    """A part of a dotted name as it stands in a tree: places in a list are numbers."""
    return int(part) if part.isdecimal() else part


def _follow(root: type[Section], path: TreePath) -> _Found:
    home, field, used = root, None, 0
    while used < len(path):
        field = home.model_fields.get(str(path[used]))
        used += 1
        if field is None:
            break
        section = section_of(field.annotation)
        if section is None and used < len(path):
            section = _inner_section(field.annotation)
            used += section is not None
        if section is None:
            break
        home, field = section, None
    return _Found(field, home, used)


def _inner_section(annotation: Any) -> type[Section] | None:
    """The section that every entry of a table or list is."""
    inner = {dict: 1, tuple: 0}.get(get_origin(_plain(annotation)))
    return None if inner is None else section_of(get_args(_plain(annotation))[inner])


def _stranger(name: str, root: type[Section], home: type[Section], where: str | None) -> ConfigError:
    hint = did_you_mean(name.rpartition(".")[2], home.model_fields)
    if hint is None:
        return unknown(name, root, where)
    return ConfigError(f"unknown setting {short(name)!r}", where=where, do=hint)


def _no_table(name: str, home: type[Section], where: str | None, got: object) -> ConfigError:
    what = f"section {name!r} is empty" if got is None else f"{name!r} is a section"
    return ConfigError(what, where=where, expected=f"settings such as {next(iter(home.model_fields))!r}", got=got)


def _choices(annotation: Any) -> tuple[str, ...]:
    """The words that a setting, or an element of it, may be; empty if it is not a choice."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next(filter(None, map(_choices, get_args(annotation))), ())


def _expected(field: FieldInfo, inner: bool) -> str:
    """What a setting may be, or an element of it when ``inner``."""
    kind = kind_of(field.annotation)
    if inner:
        return kind.partition("each ")[2].removeprefix("value ") or field.description or kind
    if field.annotation is str or not kind:
        longest = min((fact.max_length for fact in field.metadata if hasattr(fact, "max_length")), default=None)
        limit = "" if longest is None else f" of up to {longest} characters"
        return f"{kind}{limit} ({field.description})" if kind else str(field.description)
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    kind += f" in {extra['interval']}" if extra.get("interval") else ""
    return kind + (f" ({extra['unit']})" if extra.get("unit") else "")
