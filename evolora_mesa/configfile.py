"""World files: strict YAML in, one `WorldConfig` out, every mistake told in one line with its file and line.

``extends: NAME`` takes another config as the base: a bare name is a shipped config, a path is relative to the
file that extends it. Single settings win over the base; lists and tables are replaced as a whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, cast, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import ConfigError
from evolora_mesa.schema import did_you_mean, explain, fields_of, kind_of, one_of, place_of, section_of, unknown
from evolora_mesa.settings import Section
from evolora_mesa.shipped import shipped_folder
from evolora_mesa.strictyaml import MOST_DIGITS, MOST_LEVELS, TreePath, dump_yaml, parse_yaml, read_text, short

__all__ = [
    "SettingRow",
    "dump_config",
    "file_label",
    "find_config",
    "find_yaml",
    "load_config",
    "require_setting",
    "schema_rows",
    "shipped_configs",
]

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
    """The file of a config: see `find_yaml`."""
    return find_yaml(name, shipped_configs(), "config", folder=folder, where=where)


def find_yaml(
    name: str | os.PathLike[str],
    shipped: Mapping[str, Path],
    kind: str,
    *,
    folder: Path | None = None,
    where: str | None = None,
) -> Path:
    """A YAML file of ours or of the user's.

    Args:
        name: a shipped name; with a ``.yaml`` or ``.yml`` ending or a slash, a path.
        shipped: path by name.
        kind: what the file is, for the error.
        folder: what a relative path starts from (default: the working directory).
        where: place of the name, for the error.

    Raises:
        ConfigError: there is no such name or file; the closest one is proposed.
    """
    if not isinstance(name, str | os.PathLike):
        raise ConfigError(f"not a {kind}", where=where, expected="a name or a path", got=name)
    text = os.fsdecode(name)
    if not (text.endswith((".yaml", ".yml")) or "/" in text or os.sep in text):
        if text in shipped:
            return shipped[text]
        hint = did_you_mean(text, shipped)
        raise ConfigError(
            f"unknown {kind}", where=where, expected=one_of([*shipped, "a .yaml file"]), got=text, do=hint
        )
    path = (folder or Path()) / text
    try:
        if path.is_file():
            return path
        if path.exists():
            expected = "a plain file, and this is a folder or a device"
            raise ConfigError(f"{kind} file not found", where=where, expected=expected, got=text)
        siblings = [str(other) for other in sorted(path.parent.glob("*.y*ml"))]
    except OSError as error:
        raise ConfigError(f"cannot open {kind} {short(text)!r}", where=where, got=error.strerror) from error
    hint = f"Did you mean {path.stem!r}?" if path.stem in shipped else did_you_mean(str(path), siblings)
    raise ConfigError(f"{kind} file not found", where=where, expected="a YAML file", got=text, do=hint)


def require_setting(name: str, *, where: str | None = None) -> None:
    """Refuse what is neither a setting, nor a section, nor an entry of a table.

    Raises:
        ConfigError: the name is unknown; the closest one is proposed.
    """
    if not (name in _fields() or _is_section(name) or _table_of(name)):
        raise unknown(name, WorldConfig, where)


def schema_rows() -> list[SettingRow]:
    """Every setting of a world in the order of the schema, for documentation and help."""
    rows = []
    for name, field in _fields().items():
        default = json.dumps(field.get_default(call_default_factory=True), ensure_ascii=False)
        rows.append(SettingRow(name, kind_of(field.annotation), default, field.description or ""))
    return rows


@cache
def _fields() -> dict[str, FieldInfo]:
    return fields_of(WorldConfig)


# ------------------------------------------------------------------------------- settings, placed and checked


def _flatten(
    tree: Mapping[Any, object], places: Places, home: type[Section] = WorldConfig, above: TreePath = ()
) -> dict[str, _Placed]:
    """Settings by dotted name; sections must be known and be tables. ``home`` is the tree's section, at ``above``."""
    settings: dict[str, _Placed] = {}
    for key, value in tree.items():
        path = (*above, key)
        name = ".".join(map(str, path))
        field = home.model_fields.get(key)
        if field is None:
            raise unknown(name, WorldConfig, place_of(places, path), extra=["extends"])
        section = section_of(field.annotation)
        if section is None:
            settings[name] = _Placed(value, places)
            continue
        if not isinstance(value, dict):
            what = f"section {name!r} is empty" if value is None else f"{name!r} is a section"
            expected = f"settings such as {next(iter(section.model_fields))!r}"
            raise ConfigError(what, where=place_of(places, path), expected=expected, got=value)
        settings.update(_flatten(value, places, section, path))
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
    if _is_section(name):
        for key in reversed(name.split(".")):
            value = {key: value}
        settings.update(_flatten(cast("dict[str, object]", value), {(): where}))
        return
    table = _table_of(name)
    if table is None:
        raise unknown(name, WorldConfig, where)
    key = name.removeprefix(f"{table}.")
    whole, places = settings.get(table, _Placed({}, {}))
    if isinstance(whole, dict):  # if not, what the file has there is refused later
        settings[table] = _Placed({**whole, key: value}, {**places, (*table.split("."), key): where})


def _is_section(name: str) -> bool:
    return any(field.startswith(f"{name}.") for field in _fields())


def _table_of(name: str) -> str | None:
    """The table that the setting ``name`` would be an entry of."""
    tables = (table for table, field in _fields().items() if get_origin(field.annotation) is dict)
    return next((table for table in tables if name.startswith(f"{table}.")), None)


def _build(settings: Mapping[str, _Placed]) -> WorldConfig:
    tree: dict[str, Any] = {}
    for name, placed in settings.items():
        *sections, key = name.split(".")
        home = tree
        for section in sections:
            home = home.setdefault(section, {})
        home[key] = placed.value
    try:
        return WorldConfig.model_validate(tree)
    except ValidationError as error:
        raise explain(error, WorldConfig, partial(_place, settings)) from None


def _place(settings: Mapping[str, _Placed], path: TreePath) -> str | None:
    """Where the setting was given that ``path`` leads to or into."""
    names = (".".join(map(str, path[:used])) for used in range(1, len(path) + 1))
    placed = next((settings[name] for name in names if name in settings), None)
    return None if placed is None else place_of(placed.places, path)


def _read_settings(path: Path, below: tuple[Path, ...]) -> dict[str, _Placed]:
    """Settings of a file over those of its base; ``below`` are the files that extend it."""
    label = file_label(path)
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


def file_label(path: Path) -> str:
    """The path as a person would write it from here."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except (ValueError, OSError):
        return str(path)
