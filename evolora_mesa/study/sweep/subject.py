"""What a sweep is about: worlds of ours, or any other Mesa model. It knows the settings, the figures and the jobs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final, Protocol

from evolora_mesa.configfile import load_config, require_setting
from evolora_mesa.errors import ConfigError
from evolora_mesa.schema import PlaceOf, did_you_mean, one_of
from evolora_mesa.strictyaml import TreePath
from evolora_mesa.study.sweep.job import OURS, Job
from evolora_mesa.study.sweep.spec import SweepSpec

__all__ = ["ForeignModel", "Subject", "World", "metrics_of", "subject_of"]

_SET_ELSEWHERE: Final = {
    "seed": "Use seeds and root_seed.",
    "name": "It is the sweep's; cells are told apart by their levels.",
}


class Subject(Protocol):
    """What is swept."""

    @property
    def figures(self) -> frozenset[str]:
        """What there is to measure in every generation."""

    def job(self, levels: Mapping[str, Any], seed: int) -> Job:
        """The run of a cell with a seed.

        Raises:
            ConfigError: the levels, alone or together, are settings that cannot be.
        """


def subject_of(spec: SweepSpec, place: PlaceOf = lambda path: None) -> Subject:
    """What ``spec`` sweeps; names of settings and figures are checked here, values when jobs are made.

    Args:
        place: where a path in its file was written, for the errors.

    Raises:
        ConfigError: the model, the base, a setting or a figure does not exist.
    """
    subject = World(spec, place) if spec.model == OURS else ForeignModel(spec, place)
    for path, figure in _figures_named(spec):
        if figure not in subject.figures:
            hint = did_you_mean(figure, sorted(subject.figures))
            known = ", ".join(sorted(subject.figures)) or "nothing: the model has no DataCollector"
            raise ConfigError("no such figure", where=place(path), expected=known, got=figure, do=hint)
    return subject


class World:
    """Worlds of ours: settings are those of the schema, figures those of the reporters.

    Args:
        spec: of the sweep.
        place: as for `subject_of`.
    """

    def __init__(self, spec: SweepSpec, place: PlaceOf = lambda path: None) -> None:
        self._spec = spec
        self._base = load_config(spec.base or "ecology")
        for path, name in _settings_named(spec):
            if name in _SET_ELSEWHERE:
                raise ConfigError(f"{name!r} is set by the sweep", where=place(path), do=_SET_ELSEWHERE[name])
            if name == "generations" and spec.generations is not None:
                raise ConfigError("the length is given twice", where=place(path), do="Keep one of them.")
            require_setting(name, where=place(path))
        _require_worths(spec, place)
        _require_queries(spec, place)
        self._lived: dict[str, tuple[dict[str, Any], int]] = {}

    @cached_property
    def figures(self) -> frozenset[str]:
        from evolora_mesa.record.reporters import MODEL_REPORTERS

        return frozenset(MODEL_REPORTERS)

    def job(self, levels: Mapping[str, Any], seed: int) -> Job:
        cell = repr(levels)
        if cell not in self._lived:  # the seeds of a cell share its settings, and reading them is the slow part
            self._lived[cell] = self._settings(levels)
        settings, generations = self._lived[cell]
        return _job(self._spec, settings, seed, generations)

    def _settings(self, levels: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        """All settings, resolved, and the length."""
        given = {"host.threads": 1, **self._spec.settings_of(levels)}  # one thread: runs share the machine
        config = load_config(self._base, given)
        tree = config.model_dump(mode="json", exclude={"name", "seed", "generations"})
        return tree, config.generations if self._spec.generations is None else self._spec.generations


class ForeignModel:
    """Any Mesa model: settings are arguments of its constructor, figures the model reporters of its DataCollector.

    Args:
        spec: of the sweep.
        place: as for `subject_of`.
    """

    def __init__(self, spec: SweepSpec, place: PlaceOf = lambda path: None) -> None:
        from evolora_mesa.study.sweep.foreign import check_argument, load_model

        self._spec = spec
        self._model = load_model(spec.model)
        if spec.base is not None:
            raise ConfigError(
                "a base is a world of ours", where=place(("base",)), do="Set arguments of a model below set."
            )
        if spec.generations is None:
            raise ConfigError("the length of a run is missing", where=place(()), do="Set generations.")
        ours = next((name for name, metric in spec.metrics.items() if metric.worth is not None), None)
        if ours is not None:
            where = place(("metrics", ours, "worth"))
            raise ConfigError("worth is measured on worlds of ours only", where=where, do="Name a figure.")
        for path, name in _settings_named(spec):
            check_argument(self._model, name, place(path))

    @cached_property
    def figures(self) -> frozenset[str]:
        from evolora_mesa.study.sweep.design import level_at
        from evolora_mesa.study.sweep.foreign import figures_of

        first = {name: level_at(factor, 0.0) for name, factor in self._spec.factors.items()}
        return figures_of(self.job(first, 0))

    def job(self, levels: Mapping[str, Any], seed: int) -> Job:
        from evolora_mesa.study.sweep.foreign import check_complete

        settings = self._spec.settings_of(levels)
        check_complete(self._model, settings)
        endless = next((name for name, value in settings.items() if not _is_finite(value)), None)
        if endless is not None:
            raise ConfigError(f"bad value for {endless!r}", expected="a finite number", got=settings[endless])
        return _job(self._spec, settings, seed, self._spec.generations or 0)


def metrics_of(spec: SweepSpec) -> dict[str, Any]:
    """What is measured, by name, as jobs have it."""
    return {name: metric.model_dump(mode="json") for name, metric in spec.metrics.items()}


def _job(spec: SweepSpec, settings: Mapping[str, Any], seed: int, generations: int) -> Job:
    return Job(
        model=spec.model,
        settings=settings,
        seed=seed,
        generations=generations,
        until=spec.stop.model_dump(mode="json", exclude={"half_width"}),  # that one is about cells, not runs
        metrics=metrics_of(spec),
        keep=spec.keep,
    )


def _settings_named(spec: SweepSpec) -> Iterator[tuple[TreePath, str]]:
    """Every setting that a sweep names, with its path in the file."""
    for name in spec.set:
        yield ("set", name), name
    for factor, levels in spec.factors.items():
        if not isinstance(levels, dict):
            yield ("factors", factor), factor
            continue
        for level, settings in levels.items():
            for name in settings:
                yield ("factors", factor, level, name), name


def _figures_named(spec: SweepSpec) -> Iterator[tuple[TreePath, str]]:
    for name, metric in spec.metrics.items():
        if metric.figure is not None:
            yield ("metrics", name, "figure"), metric.figure
    if spec.stop.plateau is not None:
        yield ("stop", "plateau", "figure"), spec.stop.plateau.figure


def _require_worths(spec: SweepSpec, place: PlaceOf) -> None:
    asked = [(name, metric.worth) for name, metric in spec.metrics.items() if metric.worth is not None]
    if not asked:
        return
    from evolora_mesa.study.worth import Worth  # brings torch: only sweeps that need it wait for it

    known = Worth._fields
    for name, worth in asked:
        if worth not in known:
            where, hint = place(("metrics", name, "worth")), did_you_mean(worth, known)
            raise ConfigError("no such worth", where=where, expected=one_of(known), got=worth, do=hint)


def _require_queries(spec: SweepSpec, place: PlaceOf) -> None:
    from evolora_mesa.record.schema import create_statements
    from evolora_mesa.study.sweep.query import check_query

    for name, metric in spec.metrics.items():
        if metric.sql is not None:
            check_query(metric.sql, create_statements().values(), place(("metrics", name, "sql")))


def _is_finite(value: object) -> bool:
    """JSON, in which jobs travel, has no infinity."""
    if isinstance(value, Mapping):
        return all(map(_is_finite, value.values()))
    if isinstance(value, list):
        return all(map(_is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
