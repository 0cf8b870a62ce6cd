"""One run of a batch: which combinations there are, how a model is lived, and the rows that come of it."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import mesa

from evolora_mesa.errors import ConfigError
from evolora_mesa.study.sweep.seeds import seeds_of

__all__ = ["Run", "combinations", "live", "runs_of"]

_SEED_NAMES: Final = ("rng", "seed")  # of a constructor's parameter, the newer name first


@dataclass(frozen=True)
class Run:
    """One model to be lived.

    Attributes:
        number: from 0, iteration by iteration, as `mesa.batch_run` counts.
        iteration: from 0.
        arguments: of the model's constructor, its seed among them if it takes one.
    """

    number: int
    iteration: int
    arguments: Mapping[str, Any]


def combinations(parameters: Mapping[str, Any | Iterable[Any]]) -> list[dict[str, Any]]:
    """Every combination of the parameters' values; a text, or what cannot be iterated over, is a single value.

    Raises:
        ConfigError: a parameter has no value at all.
    """
    ranges = {name: _values(value) for name, value in parameters.items()}
    bare = next((name for name, values in ranges.items() if not values), None)
    if bare is not None:
        raise ConfigError("a parameter has no values", where=bare, expected="one or more", do="Leave it out instead.")
    return [dict(zip(ranges, values, strict=True)) for values in itertools.product(*ranges.values())]


def _values(value: Any | Iterable[Any]) -> list[Any]:
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)


def runs_of(
    model_cls: type[mesa.Model], parameters: Mapping[str, Any | Iterable[Any]], iterations: int, root_seed: int
) -> list[Run]:
    """All runs. An iteration has one seed for all combinations, so that these can be compared pair by pair.

    A seed that is among the parameters is that of the first iteration; those of later ones are spawned from it.
    """
    found = combinations(parameters)
    name = _seed_name(model_cls)
    spawned = seeds_of(root_seed, iterations) if name else ()
    runs: list[Run] = []
    for iteration in range(iterations):
        for arguments in found:
            given = next((parameter for parameter in _SEED_NAMES if arguments.get(parameter) is not None), None)
            if given is not None and iteration > 0:
                arguments = {**arguments, given: seeds_of(int(arguments[given]), iteration)[-1]}
            elif given is None and name is not None:
                arguments = {**arguments, name: spawned[iteration]}
            runs.append(Run(len(runs), iteration, arguments))
    return runs


def _seed_name(model_cls: type[mesa.Model]) -> str | None:
    """The parameter that takes the seed; `None` of a class that hands none on to `mesa.Model`."""
    parameters = inspect.signature(model_cls.__init__).parameters
    named = next((name for name in _SEED_NAMES if name in parameters), None)
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return named or ("seed" if open_ended else None)


def live(model_cls: type[mesa.Model], run: Run, *, max_steps: int, period: int) -> list[dict[str, Any]]:
    """Live a model for exactly ``max_steps`` steps, or until it stops itself, and read its `DataCollector`.

    Args:
        max_steps: of the model.
        period: steps between the rows; -1 is only the last one. The last collection is always there.

    Returns:
        A row a step and agent, or a row a step where no agents are reported.

    Raises:
        ConfigError: the model has no `DataCollector`.
    """
    model = model_cls(**run.arguments)
    collector = getattr(model, "datacollector", None)
    if collector is None:
        raise ConfigError(
            "nothing is collected from this model",
            where=model_cls.__qualname__,
            expected="an attribute `datacollector`",
            do="Give it a mesa.DataCollector.",
        )
    collected: dict[int, int] = {}  # by step, how many collections there were at its end
    _note(collected, model.steps, collector)
    while model.running and model.steps < max_steps:
        model.step()
        _note(collected, model.steps, collector)
    last = max(collected, default=None)
    return [
        {"RunId": run.number, "iteration": run.iteration, "Step": step, **run.arguments, **row}
        for step, count in collected.items()
        if step == last or (period > 0 and step % period == 0)
        for row in _rows_at(collector, step, count)
    ]


def _note(collected: dict[int, int], step: int, collector: mesa.DataCollector) -> None:
    """Mark the step if something was collected in it: models differ in whether they collect when founded."""
    count = max((len(values) for values in collector.model_vars.values()), default=0)
    if count > next(reversed(collected.values()), 0) or step in collector._agent_records:
        collected[step] = count


def _rows_at(collector: mesa.DataCollector, step: int, count: int) -> list[dict[str, Any]]:
    figures = {name: values[count - 1] for name, values in collector.model_vars.items()}
    agents = list(collector._agent_records.get(step, ()))  # as `mesa.batch_run` reads them: without pandas' types
    return [
        {**figures, "AgentID": record[1], **dict(zip(collector.agent_reporters, record[2:], strict=True))}
        for record in agents
    ] or [figures]
