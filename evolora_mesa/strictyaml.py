"""Strict YAML: a safe subset of YAML 1.2 in which every mistake has a place.

No aliases, anchors or tags, no key twice, bounded size and nesting; ``1e-3`` is a number, while ``yes``,
``on``, ``0123`` and ``12:30`` are text.
"""

from __future__ import annotations

import copy
import functools
import re
from pathlib import Path
from typing import Any

import yaml

from evolora_mesa.errors import ConfigError

__all__ = ["MOST_DIGITS", "MOST_LEVELS", "TreePath", "dump_yaml", "parse_yaml", "read_text", "short"]

MOST_DIGITS = 40  # of a whole number
_MOST_BYTES = 256 * 1024
MOST_LEVELS = 16  # nesting; our own tree has three
_REMEMBERED = 32  # texts

TreePath = tuple[str | int, ...]


def short(text: str) -> str:
    """The text, cut to what fits an error line."""
    return text if len(text) <= 80 else text[:80] + "…"


class _Loader(yaml.SafeLoader):
    """YAML without aliases, anchors, tags, deep nesting, and without the surprising scalars of YAML 1.1."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012  our own, in place of YAML 1.1's

    def __init__(self, text: str, label: str, numbered: bool) -> None:
        super().__init__(text)
        self.label, self.numbered, self.levels = label, numbered, 0

    def place(self, mark: yaml.Mark | None) -> str:
        return f"{self.label}:{mark.line + 1}" if self.numbered and mark is not None else self.label

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        where = self.place(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise ConfigError("YAML aliases and anchors are not allowed", where=where, do="Write the value out.")
        if event.tag is not None:
            raise ConfigError("YAML tags are not allowed", where=where, got=short(event.tag))
        if self.levels == MOST_LEVELS:
            raise ConfigError("nested too deep", where=where, expected=f"at most {MOST_LEVELS} levels")
        self.levels += 1
        node = super().compose_node(parent, index)
        self.levels -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes every text that YAML 1.1 or `_Loader` would read as something else."""


_FLOAT = re.compile(
    r"[-+]?((\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(inf|Inf|INF))$|\.(nan|NaN|NAN)$"
)
for _tag, _pattern, _first in (
    ("null", re.compile(r"(~|null|Null|NULL)?$"), ["~", "n", "N", ""]),
    ("bool", re.compile(r"(true|True|TRUE|false|False|FALSE)$"), list("tTfF")),
    ("int", re.compile(r"[-+]?(0|[1-9][0-9]*)$"), list("-+0123456789")),
    ("float", _FLOAT, list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", _pattern, _first)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


def dump_yaml(value: object) -> str:
    """Plain Python data as YAML text that `parse_yaml`, and any YAML 1.1 reader, takes for the same data."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100_000)


def parse_yaml(text: str, label: str, *, numbered: bool = True) -> tuple[object, dict[TreePath, str]]:
    """The value of one YAML document, and the place of every key and element in it; ``None`` if empty."""
    value, places = _parsed(text, label, numbered)
    return copy.deepcopy(value), dict(places)


@functools.lru_cache(maxsize=_REMEMBERED)  # a sweep founds thousands of worlds on one text, and reading it is slow
def _parsed(text: str, label: str, numbered: bool) -> tuple[object, dict[TreePath, str]]:
    places: dict[TreePath, str] = {}
    try:
        loader = _Loader(text, label, numbered)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        where = f"{label}:{error.problem_mark.line + 1}" if numbered and error.problem_mark else label
        if "'\\t'" in (error.problem or ""):
            raise ConfigError("tab character in YAML", where=where, do="Indent with spaces.") from error
        problem = error.problem or str(error)
        problem = f"{error.context} {problem}" if problem.startswith("but ") else problem
        raise ConfigError(f"not valid YAML: {short(problem)}", where=where) from error
    except yaml.reader.ReaderError as error:
        where = f"{label}:{text.count(chr(10), 0, error.position) + 1}" if numbered else label
        raise ConfigError("character that YAML does not allow", where=where, got=text[error.position]) from error
    except (ValueError, OverflowError) as error:
        raise ConfigError("not valid YAML: a number in an escape or a directive is too large", where=label) from error
    return (None if node is None else _value(node, (), places, loader)), places


def _value(node: yaml.Node, path: TreePath, places: dict[TreePath, str], loader: _Loader) -> object:
    if isinstance(node, yaml.MappingNode):
        table: dict[str, object] = {}
        for key_node, value_node in node.value:
            where = loader.place(key_node.start_mark)
            key = _scalar(key_node, where) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                raise ConfigError("not the name of a setting", where=where, expected="a word", got=key)
            if key in table:
                raise ConfigError(f"{short(key)!r} is set twice", where=where, do="Keep one of them.")
            places[(*path, key)] = where
            table[key] = _value(value_node, (*path, key), places, loader)
        return table
    if isinstance(node, yaml.SequenceNode):
        for position, element in enumerate(node.value):
            places[(*path, position)] = loader.place(element.start_mark)
        return [_value(element, (*path, n), places, loader) for n, element in enumerate(node.value)]
    return _scalar(node, loader.place(node.start_mark))


def _scalar(node: yaml.Node, where: str) -> str | int | float | bool | None:
    text: str = node.value
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" if len(text) > MOST_DIGITS:
            raise ConfigError("number too long", where=where, expected=f"up to {MOST_DIGITS} digits", got=text)
        case "int":
            return int(text)
        case "float":
            return float(text.replace(".", "") if text[-1] in "fFnN" else text)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ConfigError("half of a surrogate pair in a text", where=where, got=text)
    return text


def read_text(path: Path, label: str) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigError("cannot read config", where=label, got=error.strerror) from error
    if len(data) > _MOST_BYTES:
        raise ConfigError("config file too large", where=label, expected=f"at most {_MOST_BYTES // 1024} kB")
    if b"\0" in data:
        raise ConfigError("not a text file in UTF-8", where=label, got=data[:8], do="Save the file as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "not UTF-8",
            where=f"{label}:{line}",
            got=data[error.start : error.start + 4],
            do="Save the file as UTF-8.",
        ) from error
