"""Sweep files: strict YAML in, one `SweepSpec` out, every mistake told in one line with its file and line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from evolora_mesa.configfile import file_label, find_config, find_yaml
from evolora_mesa.errors import ConfigError
from evolora_mesa.schema import PlaceOf, explain, place_of
from evolora_mesa.shipped import shipped_folder
from evolora_mesa.strictyaml import TreePath, dump_yaml, parse_yaml, read_text
from evolora_mesa.study.sweep.consistency import check_consistency
from evolora_mesa.study.sweep.spec import Range, SweepSpec
from evolora_mesa.study.sweep.subject import Subject, subject_of

__all__ = ["dump_spec", "find_spec", "load_sweep", "make_spec", "read_spec", "shipped_specs"]

_SHAPES = "a list of values, a table with low and high, or a table of named settings"


def read_spec(source: str | os.PathLike[str]) -> SweepSpec:
    """The sweep that a file asks for. Its model is not looked at.

    Args:
        source: name of a shipped sweep, or path of a YAML file. A world in it that is a path is relative to the file.

    Raises:
        ConfigError: anything wrong with the file, its YAML, a name, a value, or a combination of values.
    """
    return _read(source)[0]


def load_sweep(source: str | os.PathLike[str]) -> tuple[SweepSpec, Subject]:
    """The sweep that a file asks for, and what it sweeps: `read_spec`, and the names of settings and figures too.

    Raises:
        ConfigError: as for `read_spec` and `subject_of`, with the line of the file.
    """
    spec, place = _read(source)
    return spec, subject_of(spec, place)


def make_spec(tree: Mapping[str, Any], place: PlaceOf = lambda path: None) -> SweepSpec:
    """A sweep from plain data, as YAML would have given it.

    Args:
        place: where a path in the tree was written, for the errors.

    Raises:
        ConfigError: a name, a value, or a combination of values is wrong.
    """
    factors = tree.get("factors")
    if isinstance(factors, Mapping):
        for name, factor in factors.items():
            _check_factor(name, factor, place)
    try:
        spec = SweepSpec.model_validate(dict(tree))
    except ValidationError as error:
        raise explain(error, SweepSpec, place) from None
    check_consistency(spec, place)
    return spec


def dump_spec(spec: SweepSpec) -> str:
    """All of a sweep as YAML text; `read_spec` reads it back to an equal one."""
    return dump_yaml(spec.model_dump(mode="json"))


def shipped_specs() -> dict[str, Path]:
    """Path of every sweep that ships with the project, by name."""
    return {path.stem: path for path in sorted((shipped_folder("configs") / "sweeps").glob("*.yaml"))}


def find_spec(name: str | os.PathLike[str]) -> Path:
    """The file of a sweep: see `find_yaml`."""
    return find_yaml(name, shipped_specs(), "sweep")


def _read(source: str | os.PathLike[str]) -> tuple[SweepSpec, PlaceOf]:
    path = find_spec(source)
    label = file_label(path)
    tree, places = parse_yaml(read_text(path, label), label)
    if not isinstance(tree, dict):
        what = "empty sweep" if tree is None else "not a sweep"
        raise ConfigError(what, where=label, expected="lines of 'name: value', as factors and metrics", got=tree)
    place = partial(place_of, {(): label, **places})
    if isinstance(base := tree.get("base"), str):
        found = find_config(base, folder=path.parent, where=place(("base",)))
        if found.stem != base:  # a path: what is recorded has to be found from anywhere
            tree["base"] = str(found.resolve())
    return make_spec(tree, place), place


def _check_factor(name: str, factor: object, place: PlaceOf) -> None:
    """pydantic would try all three shapes and report on each; which one is meant can be seen."""
    path: TreePath = ("factors", name)
    if isinstance(factor, list) or (isinstance(factor, Mapping) and _is_named(factor)):
        return
    if not isinstance(factor, Mapping) or not factor.keys() & Range.model_fields.keys():
        raise ConfigError(f"bad value for {f'factors.{name}'!r}", where=place(path), expected=_SHAPES, got=factor)
    try:
        Range.model_validate(factor)
    except ValidationError as error:
        raise explain(error, Range, place, path) from None


def _is_named(factor: Mapping[object, object]) -> bool:
    return bool(factor) and all(isinstance(level, Mapping) for level in factor.values())
