"""World files: strict YAML in, one `WorldConfig` out, every mistake told in one line with its file and line.

``extends: NAME`` takes another config as the base: a bare name is a shipped config, a path is relative to the
file that extends it. Single settings win over the base; lists and tables are replaced as a whole.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from evolora_mesa.config import Section, WorldConfig
from evolora_mesa.errors import ConfigError
from evolora_mesa.shipped import shipped_folder
from evolora_mesa.strictyaml import MOST_DIGITS, MOST_LEVELS, TreePath, dump_yaml, parse_yaml, read_text, short

__all__ = ["SettingRow", "dump_config", "find_config", "load_config", "schema_rows", "shipped_configs"]

_MOST_FILES = 16  # in a chain of configs that extend each other

Places = Mapping[TreePath, str]  # path in the tree -> "file:line"


class SettingRow(NamedTuple):
    """One setting for tables and help: ``default`` as in YAML, ``description`` with unit and range."""

    name: str
    type: str
    default: str
    description: str


class _Placed(NamedTuple):
    """A value given by a user, with the places of everything in the file that it came from."""

    value: object
    places: Places


def load_config(
    source: str | os.PathLike[str] | WorldConfig, overrides: Mapping[str, object] | Sequence[str] = ()
) -> WorldConfig:
    """The world of a config, with overrides on top.

    Args:
        source: name of a shipped config (`find_config`), path of a YAML file, or a config to start from.
        overrides: ``{"economy.ticket": 0.3}`` with Python values, or ``["economy.ticket=0.3"]`` with YAML
            ones. A later one wins. An entry of a table is ``tasks.styles.math``.

    Raises:
        ConfigError: anything wrong with the file, its YAML, a name, a value, or a combination of values.
    """
    if isinstance(source, WorldConfig):
        settings = _flatten(source.model_dump(mode="json"), {})
    else:
        settings = _read_settings(find_config(source), ())
    for name, value in _parse_overrides(overrides):
        _override(settings, name, value)
    return _build(settings)


def dump_config(config: WorldConfig) -> str:
    """All settings as YAML text; `load_config` reads it back to an equal config."""
    return dump_yaml(config.model_dump(mode="json"))


def shipped_configs() -> dict[str, Path]:
    """Path of every world that ships with the project, by name."""
    return {path.stem: path for path in sorted(shipped_folder("configs").glob("*.yaml"))}


def find_config(name: str | os.PathLike[str], *, folder: Path | None = None, where: str | None = None) -> Path:
    """The file of a config.

    Args:
        name: a shipped name such as ``ecology``; with a ``.yaml`` or ``.yml`` ending or a slash, a path.
        folder: what a relative path starts from (default: the working directory).
        where: place of the name, for the error.

    Raises:
        ConfigError: there is no such name or file; the closest one is proposed.
    """
    if not isinstance(name, str | os.PathLike):
        raise ConfigError("not a config", where=where, expected="a name or a path", got=name)
    text = os.fsdecode(name)
    shipped = shipped_configs()
    if not (text.endswith((".yaml", ".yml")) or "/" in text or os.sep in text):
        if text in shipped:
            return shipped[text]
        hint = _did_you_mean(text, shipped)
        raise ConfigError(
            "unknown config", where=where, expected=_one_of([*shipped, "a .yaml file"]), got=text, do=hint
        )
    path = (folder or Path()) / text
    try:
        if path.is_file():
            return path
        if path.exists():
            expected = "a plain file, and this is a folder or a device"
            raise ConfigError("config file not found", where=where, expected=expected, got=text)
        siblings = [str(other) for other in sorted(path.parent.glob("*.y*ml"))]
    except OSError as error:
        raise ConfigError(f"cannot open config {short(text)!r}", where=where, got=error.strerror) from error
    hint = f"Did you mean {path.stem!r}?" if path.stem in shipped else _did_you_mean(str(path), siblings)
    raise ConfigError("config file not found", where=where, expected="a YAML file", got=text, do=hint)


def schema_rows() -> list[SettingRow]:
    """Every setting of a world in the order of the schema, for documentation and help."""
    rows = []
    for name, field in _fields().items():
        default = json.dumps(field.get_default(call_default_factory=True), ensure_ascii=False)
        rows.append(SettingRow(name, _kind(field.annotation), default, field.description or ""))
    return rows


# ---------------------------------------------------------------------------------------- the schema, by name


@cache
def _fields() -> dict[str, FieldInfo]:
    """Field of every setting by its dotted name."""
    fields = {}
    for name, field in WorldConfig.model_fields.items():
        section = _section(field)
        inner = {f"{name}.{key}": found for key, found in section.model_fields.items()} if section else {name: field}
        fields.update(inner)
    return fields


def _section(field: FieldInfo) -> type[Section] | None:
    found = field.annotation
    return found if isinstance(found, type) and issubclass(found, Section) else None


def _kind(annotation: Any) -> str:
    """A type in words."""
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return _one_of(get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"list, each {_kind(get_args(annotation)[0])}"
    if get_origin(annotation) is dict:
        return f"table, each value {_kind(get_args(annotation)[1])}"
    return {bool: "true or false", int: "whole number", float: "number", str: "line of text"}[annotation]


def _one_of(names: Sequence[str]) -> str:
    return f"one of {', '.join(names)}" if len(names) > 1 else f"only {names[0]}"


def _did_you_mean(name: str, known: Mapping[str, object] | Sequence[str]) -> str | None:
    close = difflib.get_close_matches(short(name), list(known), n=1, cutoff=0.75)
    return f"Did you mean {close[0]!r}?" if close and close[0] != name else None


def _unknown(name: str, where: str | None, extra: Sequence[str] = ()) -> ConfigError:
    fields = _fields()
    leaf = name.rpartition(".")[2]
    homes = {dotted.rpartition(".")[2]: dotted for dotted in reversed(fields)}
    if name in fields:  # a dotted key inside a file
        hint: str | None = f"Write {leaf!r} on a line of its own, indented under '{name.partition('.')[0]}:'."
    elif leaf in homes:
        hint = f"Did you mean {homes[leaf]!r}?"
    else:
        sections = () if "." in name else (*WorldConfig.model_fields, *extra)
        hint = _did_you_mean(name, [*sections, *fields])
    return ConfigError(f"unknown setting {short(name)!r}", where=where, do=hint)


# ------------------------------------------------------------------------------- settings, placed and checked


def _place(places: Places, path: TreePath) -> str | None:
    """The place of ``path`` or of the closest thing around it."""
    return next((places[path[:n]] for n in range(len(path), -1, -1) if path[:n] in places), None)


def _flatten(tree: Mapping[Any, object], places: Places) -> dict[str, _Placed]:
    """Settings by dotted name; sections must be known and be tables."""
    settings = {}
    for key, value in tree.items():
        field = WorldConfig.model_fields.get(key)
        if field is None:
            raise _unknown(str(key), _place(places, (key,)), extra=["extends"])
        section = _section(field)
        if section is None:
            settings[key] = _Placed(value, places)
            continue
        if not isinstance(value, dict):
            what = f"section {key!r} is empty" if value is None else f"{key!r} is a section"
            expected = f"settings such as {next(iter(section.model_fields))!r}"
            raise ConfigError(what, where=_place(places, (key,)), expected=expected, got=value)
        for name, inner in value.items():
            if name not in section.model_fields:
                raise _unknown(f"{key}.{name}", _place(places, (key, name)))
            settings[f"{key}.{name}"] = _Placed(inner, places)
    return settings


def _parse_overrides(overrides: Mapping[str, object] | Sequence[str]) -> Iterator[tuple[str, object]]:
    if isinstance(overrides, Mapping):
        for name, value in overrides.items():
            if not isinstance(name, str):
                raise ConfigError("not the name of a setting", where="overrides", expected="text", got=name)
            yield name, _plain(value, name)
        return
    if not isinstance(overrides, list | tuple) or not all(isinstance(text, str) for text in overrides):
        raise ConfigError("not overrides", expected="a list of 'section.name=value' texts", got=overrides)
    for text in overrides:
        name, equals, written = text.partition("=")
        name = name.strip()
        if not (equals and name):
            raise ConfigError("not an override", expected="section.name=value", got=text)
        yield name, parse_yaml(written, f"override {short(name)}", numbered=False)[0]


def _plain(value: object, name: str, level: int = 1) -> object:
    """A Python value as YAML would have given it; numpy numbers and paths are welcome."""
    if level > MOST_LEVELS:  # a list can even hold itself
        raise ConfigError("nested too deep", where=f"override {short(name)}", expected=f"at most {MOST_LEVELS} levels")
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        if abs(int(value)) >= 10**MOST_DIGITS:
            raise ConfigError(
                "number too long", where=f"override {short(name)}", expected=f"up to {MOST_DIGITS} digits"
            )
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {key: _plain(inner, name, level + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, name, level + 1) for inner in value]
    return value


def _override(settings: dict[str, _Placed], name: str, value: object) -> None:
    """Set ``name`` to ``value``, in place. ``name`` is a setting, a section, or an entry of a table."""
    where = f"override {short(name)}"
    if name in _fields():
        settings[name] = _Placed(value, {(): where})
        return
    if name in WorldConfig.model_fields:
        settings.update(_flatten({name: value}, {(): where}))
        return
    for table, field in _fields().items():
        if get_origin(field.annotation) is dict and name.startswith(f"{table}."):
            key = name.removeprefix(f"{table}.")
            whole, places = settings.get(table, _Placed({}, {}))
            if isinstance(whole, dict):  # if not, what the file has there is refused later
                settings[table] = _Placed({**whole, key: value}, {**places, (*table.split("."), key): where})
            return
    raise _unknown(name, where)


def _build(settings: Mapping[str, _Placed]) -> WorldConfig:
    tree: dict[str, Any] = {}
    for name, placed in settings.items():
        section, _, key = name.rpartition(".")
        (tree.setdefault(section, {}) if section else tree)[key] = placed.value
    try:
        return WorldConfig.model_validate(tree)
    except ValidationError as error:
        raise _explain(error.errors(include_url=False)[0], settings) from None


def _explain(error: Any, settings: Mapping[str, _Placed]) -> ConfigError:
    """One line for one finding of pydantic."""
    path: TreePath = error["loc"]
    if error["type"] == "clash":
        facts = error["ctx"]
        names = [".".join(map(str, (*path, name))) for name in facts["names"]]
        given = [_place(settings[name].places, tuple(name.split("."))) for name in names if name in settings]
        where = " and ".join(dict.fromkeys(filter(None, given)))
        what = f"{names[0]!r}: {facts['what']}"
        return ConfigError(what, where=where or None, expected=facts["expected"], got=facts["got"])
    name = str(path[0]) if path[0] in _fields() else f"{path[0]}.{path[1]}"
    field, inner = _fields()[name], path[name.count(".") + 1 :]
    shown = name + "".join(f"[{short(str(key)) if isinstance(key, str) else key}]" for key in inner)
    place = _place(settings[name].places, path)
    expected = _expected(field, bool(inner))
    if error["input"] is None:
        return ConfigError(f"{shown!r} has no value", where=place, expected=expected)
    choices = _choices(field.annotation)
    hint = _did_you_mean(error["input"], choices) if choices and isinstance(error["input"], str) else None
    return ConfigError(f"bad value for {shown!r}", where=place, expected=expected, got=error["input"], do=hint)


def _choices(annotation: Any) -> tuple[str, ...]:
    """The words that a setting, or an element of it, may be; empty if it is not a choice."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next(filter(None, map(_choices, get_args(annotation))), ())


def _expected(field: FieldInfo, inner: bool) -> str:
    """What a setting may be, or an element of it when ``inner``."""
    kind = _kind(field.annotation)
    if inner:
        return kind.partition("each ")[2].removeprefix("value ")
    if field.annotation is str:
        longest = min((fact.max_length for fact in field.metadata if hasattr(fact, "max_length")), default=None)
        limit = "" if longest is None else f" of up to {longest} characters"
        return f"{kind}{limit} ({field.description})"
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    kind += f" in {extra['interval']}" if extra["interval"] else ""
    return kind + (f" ({extra['unit']})" if extra["unit"] else "")


def _read_settings(path: Path, below: tuple[Path, ...]) -> dict[str, _Placed]:
    """Settings of a file over those of its base; ``below`` are the files that extend it."""
    label = _label(path)
    tree, places = parse_yaml(read_text(path, label), label)
    if tree is None:
        raise ConfigError("empty config", where=label, do="Write at least 'extends: ecology'.")
    if not isinstance(tree, dict):
        raise ConfigError("not a config", where=label, expected="lines of 'name: value'", got=tree)
    if "extends" not in tree:
        return _flatten(tree, places)
    base, where = tree.pop("extends"), places[("extends",)]
    if not isinstance(base, str):
        raise ConfigError("bad value for 'extends'", where=where, expected="one name or path", got=base)
    chain = (*below, path.resolve())
    if len(chain) > _MOST_FILES:
        raise ConfigError("too many configs extend each other", where=where, expected=f"at most {_MOST_FILES} files")
    found = find_config(base, folder=path.parent, where=where)
    if found.resolve() in chain:
        circle = " -> ".join(file.name for file in (*chain, found))
        raise ConfigError("configs extend each other in a circle", where=where, got=circle)
    return {**_read_settings(found, chain), **_flatten(tree, places)}


def _label(path: Path) -> str:
    """The path as a person would write it from here."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)
