"""The settings of a sweep: what is varied, how often, what is measured, when to stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from evolora_mesa.alife import model_path
from evolora_mesa.settings import Section, Text, Texts, as_tuple, clash, setting
from evolora_mesa.study.sweep.job import OURS

__all__ = [
    "DecisionSpec",
    "DesignSpec",
    "Factor",
    "HalfWidthSpec",
    "Levels",
    "LimitsSpec",
    "MetricSpec",
    "NamedLevels",
    "PlateauSpec",
    "Range",
    "StopSpec",
    "SweepSpec",
]

Value = bool | int | float | str | list[Any] | None
Settings = dict[str, Any]
Levels = Annotated[
    tuple[Value, ...], BeforeValidator(as_tuple)
]  # values of the one setting that the factor is named by
NamedLevels = dict[str, Settings]  # by name of the level, the settings that it stands for


class Range(Section):
    """A factor that is drawn from between two bounds."""

    low: float = setting(..., "least value")
    high: float = setting(..., "largest value")
    scale: Literal["linear", "log"] = setting("linear", "where draws are even")
    whole: bool = setting(False, "whole numbers only")


Factor = Levels | Range | NamedLevels


class DesignSpec(Section):
    """Which combinations of the factors are run; each is a cell."""

    method: Literal["grid", "half", "random", "latin_hypercube", "sobol", "adaptive"] = setting(
        "grid", "half: the even half of a two-level grid"
    )
    crossed: Texts = setting((), "half: factors that are run in full with each cell of the half")
    samples: int = setting(16, "cells of random, latin_hypercube, sobol and adaptive", ge=1, le=100_000)
    seed: int = setting(0, "of the draws", ge=0, le=2**32 - 1)
    sampler: Literal["tpe", "cmaes"] = setting("tpe", "adaptive: how cells are proposed")
    batch: int = setting(4, "adaptive: cells proposed at a time, whatever the number of workers", ge=1, le=1024)
    objective: str = setting("", "adaptive: metric that is improved")
    direction: Literal["maximize", "minimize"] = setting("maximize", "adaptive: what better means")


class MetricSpec(Section):
    """One number of a run: from a figure's values over the generations, from SQL over its store, or of its end.

    Exactly one of ``figure``, ``sql`` and ``worth`` is given.
    """

    figure: str | None = setting(None, "a figure of every generation, as success_rate; of a Mesa model, a reporter")
    reduce: Literal["last", "first", "mean", "min", "max", "sum", "auc"] = setting(
        "last", "what becomes of its values; auc: area under the curve by trapezoids over the generations"
    )
    over: int = setting(0, "only the last so many generations; 0 is all", unit="generations", ge=0, le=1_000_000_000)
    sql: str | None = setting(None, "a SELECT over the run's store with one value")
    worth: str | None = setting(
        None, "what the survivors are worth, as accuracy, on tasks they never saw: `evolora_mesa.study.worth`"
    )
    pool: Literal["select", "test"] = setting("test", "worth: whose tasks; nothing may be tuned on test")
    better: Literal["higher", "lower"] = setting("higher", "what a good value is, for the best cell and the plots")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = [name for name in ("figure", "sql", "worth") if getattr(self, name) is not None]
        if len(given) != 1:
            raise clash("a metric has one source", *given, expected="one of figure, sql and worth", got=given or None)
        return self


class HalfWidthSpec(Section):
    """Stop adding seeds to a cell whose mean is known well enough."""

    metric: str = setting(..., "whose 95 % interval")
    below: float = setting(..., "half-width that suffices", gt=0)
    at_least: int = setting(3, "seeds before it is looked at", unit="seeds", ge=2, le=1_000_000)


class PlateauSpec(Section):
    """End a run whose figure has stopped changing: no trend by a Mann-Kendall test over the window."""

    figure: str = setting(..., "which figure")
    window: int = setting(24, "over how many", unit="generations", ge=8, le=1_000_000)


class StopSpec(Section):
    """When a run, or a cell, has enough."""

    extinct: bool = setting(True, "a run in which nobody lives has ended; off lets an empty world go on")
    plateau: PlateauSpec | None = setting(None, "end a run that stands still")
    half_width: HalfWidthSpec | None = setting(None, "stop adding seeds to a cell that is known well enough")


class LimitsSpec(Section):
    """What one run may use."""

    seconds: float | None = setting(None, "wall time of a run", unit="s", gt=0)
    mebibytes: int | None = setting(None, "memory of a run beyond the loaded host", unit="MiB", gt=0)
    attempts: int = setting(3, "how often a run is begun whose worker gets killed", ge=1, le=100)


class DecisionSpec(Section):
    """What is to be concluded, written down before anything is run."""

    question: Text = setting(..., "in words")
    metric: str = setting(..., "that decides")
    factors: Texts = setting((), "whose main effects are judged; each has two levels, the second against the first")
    within: str | None = setting(None, "factor in each of whose levels they are judged apart")
    smallest: float = setting(..., "smallest difference that matters, in units of the metric", gt=0)


class SweepSpec(Section):
    """A whole sweep."""

    name: Annotated[Text, Field(max_length=100)] = setting("sweep", "name of the sweep")
    model: Annotated[Text, AfterValidator(model_path)] = setting(
        OURS, "the Mesa model as package.module:Class, which runs its code, or a classic one as NKWorld"
    )
    base: str | None = setting(None, "the world that is varied: a shipped one or a YAML file; `ecology` by default")
    set: Settings = setting(dict, "settings of all runs, by dotted name; of another model, its arguments")
    factors: dict[str, Factor] = setting(..., "what is varied: values of a setting, a range, or named sets of settings")
    design: DesignSpec = setting(DesignSpec, "which combinations are run")
    seeds: int = setting(5, "runs of each cell; the same seeds in all cells", unit="seeds", ge=1, le=1_000_000)
    root_seed: int = setting(0, "that the seeds are spawned from", ge=0, le=2**63 - 1)
    generations: int | None = setting(None, "length of a run; by default the world's own", ge=0, le=1_000_000_000)
    stop: StopSpec = setting(StopSpec, "when a run or a cell has enough")
    metrics: dict[str, MetricSpec] = setting(..., "what is measured, by name")
    baseline: dict[str, Any] | None = setting(
        None, "the cell that others are held against, as level by factor; by default the first cell"
    )
    decision: DecisionSpec | None = setting(None, "what is to be concluded, and how")
    limits: LimitsSpec = setting(LimitsSpec, "what one run may use")
    keep: Literal["all", "records", "nothing"] = setting(
        "records", "of each run: also adapters and checkpoints, its store, or only its row"
    )

    def settings_of(self, levels: Mapping[str, Value]) -> Settings:
        """The settings that a combination of levels stands for, over those of all runs; later factors win.

        Args:
            levels: by factor, one of its levels: a value, or the name of a set of settings.
        """
        found = dict(self.set)
        for factor, level in levels.items():
            kind = self.factors[factor]
            found |= kind[str(level)] if isinstance(kind, dict) else {factor: level}
        return found
