"""Mesa models of other people: found by name, founded with the arguments that their constructor takes."""

from __future__ import annotations

import importlib
import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evolora_mesa.errors import ConfigError
from evolora_mesa.schema import did_you_mean, kind_of
from evolora_mesa.study.sweep.job import Job
from evolora_mesa.tasks.guest import STRANGER_ERRORS, in_words

if TYPE_CHECKING:
    import mesa

__all__ = ["SEEDS", "check_argument", "check_complete", "figures_of", "found", "load_model"]

SEEDS = ("rng", "seed")  # what Mesa calls the seed, the newer name first


def load_model(path: str) -> type[mesa.Model]:
    """The class that ``package.module:Class`` names. Importing it runs its code.

    Raises:
        ConfigError: there is no such module or class, it cannot be imported, or it is no Mesa model.
    """
    module_name, _, name = path.partition(":")
    if not (all(part.isidentifier() for part in module_name.split(".")) and name.isidentifier()):
        raise ConfigError("not the path of a model", where="model", expected="'package.module:Class'", got=path)
    import mesa

    try:
        module = importlib.import_module(module_name)
    except STRANGER_ERRORS as error:
        missing = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}.")
        what = "no such module" if missing else "the model's module cannot be imported"
        raise ConfigError(what, where=module_name, got=in_words(error)) from error
    models = [key for key, value in vars(module).items() if inspect.isclass(value) and issubclass(value, mesa.Model)]
    found = getattr(module, name, None)
    if found is None:
        hint = did_you_mean(name, models) or (f"It has {', '.join(models)}." if models else None)
        raise ConfigError("no such class", where=module_name, got=name, do=hint)
    if not (inspect.isclass(found) and issubclass(found, mesa.Model)):
        raise ConfigError("not a Mesa model", where=path, expected="a subclass of mesa.Model", got=found)
    return found


def check_argument(model: type[mesa.Model], name: str, where: str | None) -> None:
    """Refuse an argument that the constructor has not.

    Raises:
        ConfigError: the name is unknown, or it is the seed, which the sweep gives.
    """
    if name in SEEDS:
        raise ConfigError(f"{name!r} is set by the sweep", where=where, do="Use seeds and root_seed.")
    known, open_ended = _parameters(model)
    if name not in known and not open_ended:
        names = [key for key in known if key not in SEEDS]
        expected = f"an argument of {model.__name__}: {', '.join(names)}" if names else "no argument at all"
        raise ConfigError(f"unknown setting {name!r}", where=where, expected=expected, do=did_you_mean(name, names))


def check_complete(model: type[mesa.Model], settings: Mapping[str, Any]) -> None:
    """Refuse arguments of which one is missing, or of another type than the constructor declares.

    Raises:
        ConfigError: the first such argument.
    """
    known, _ = _parameters(model)
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in settings and name not in SEEDS:
            raise ConfigError(f"{name!r} is missing", where=model.__name__, do=f"Give it below 'set:': {name}: …")
    for name, annotation in _hints(model).items():
        if name in known and name in settings and not _fits(annotation, settings[name]):
            expected = kind_of(annotation) or str(annotation)
            raise ConfigError(f"bad value for {name!r}", where=model.__name__, expected=expected, got=settings[name])


def found(job: Job) -> mesa.Model:
    """The model of a job before its first step. What its constructor raises passes through.

    Raises:
        ConfigError: there is no such model, or it takes no seed.
    """
    model = load_model(job.model)
    known, open_ended = _parameters(model)
    name = next((name for name in SEEDS if name in known), SEEDS[0] if open_ended else None)
    if name is None:
        raise ConfigError(
            "the model takes no seed",
            where=job.model,
            expected="an argument rng or seed, passed on to mesa.Model",
            do="Without it no run can be repeated.",
        )
    return model(**job.settings, **{name: job.seed})


def figures_of(job: Job) -> frozenset[str]:
    """What a model's DataCollector reports of every step; the model is founded to find out.

    Raises:
        ConfigError: its constructor raised something, or takes no seed.
    """
    try:
        collector = getattr(found(job), "datacollector", None)
    except ConfigError:
        raise
    except STRANGER_ERRORS as error:
        raise ConfigError("the model cannot be founded", where=job.model, got=in_words(error)) from error
    return frozenset(getattr(collector, "model_vars", {}))


def _parameters(model: type[mesa.Model]) -> tuple[dict[str, inspect.Parameter], bool]:
    """The constructor's arguments by name, and whether it takes any others."""
    every = list(inspect.signature(model).parameters.values())
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in every)
    return {parameter.name: parameter for parameter in every if parameter.kind in named}, open_ended


def _hints(model: type[mesa.Model]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(model.__init__)
    except (NameError, TypeError, AttributeError):  # names that exist for type checkers only
        return {}


def _fits(annotation: Any, value: object) -> bool:
    """Whether a plain value may be of that type; in doubt it may."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(one, value) for one in typing.get_args(annotation))
    if origin is typing.Literal:
        return value in typing.get_args(annotation)
    if annotation is float or annotation is int:
        kinds = (int, float) if annotation is float else int
        return isinstance(value, kinds) and not isinstance(value, bool)
    if annotation in (bool, str, types.NoneType):
        return isinstance(value, annotation)
    if origin in (list, tuple, Sequence):
        return isinstance(value, list)
    return True
