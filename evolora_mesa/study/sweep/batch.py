"""`mesa.batch_run` as it is called, on processes that nobody has to wait for in vain."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import mesa

from evolora_mesa.errors import ConfigError, RunError
from evolora_mesa.study.sweep.batch_rows import live, runs_of
from evolora_mesa.study.sweep.crew import Fate, in_own_processes, in_this_process

__all__ = ["BatchError", "batch_run"]

_NAMED = 3  # failed runs that the message tells of


class BatchError(RunError):
    """Some runs of a batch failed; all others were lived to their end.

    Attributes:
        rows: of the runs that went well, as `batch_run` would have returned them.
        failures: of each other run its number, arguments, error and traceback.
    """

    def __init__(self, rows: list[dict[str, Any]], failures: Sequence[Fate], runs: int) -> None:
        self.rows = rows
        self.failures = [
            {"RunId": fate.run.number, **fate.run.arguments, "error": fate.error, "traceback": fate.traceback}
            for fate in failures
        ]
        told = "; ".join(f"run {fate.run.number}: {fate.error}" for fate in failures[:_NAMED])
        super().__init__(
            f"{len(failures)} of {runs} runs failed: {told}{'; …' if len(failures) > _NAMED else ''}",
            do="What the others collected is in this error's `rows`, the tracebacks are in `failures`.",
        )


def batch_run(
    model_cls: type[mesa.Model],
    parameters: Mapping[str, Any | Iterable[Any]],
    number_processes: int | None = 1,
    iterations: int = 1,
    data_collection_period: int = -1,
    max_steps: int = 1000,
    display_progress: bool = True,
    *,
    root_seed: int = 0,
) -> list[dict[str, Any]]:
    """Run a Mesa model for all combinations of parameters, as `mesa.batch_run` does, which differs in five points.

    * ``max_steps`` steps are run, not one more, and the rows reach from step 0 to the last one.
    * Iterations differ in their seed, which is the same for all combinations and stands in the rows.
    * A run whose process is killed is begun again; one that raises does not end the others.
    * The rows are in the order of the runs, however many processes there were.
    * What goes wrong is raised at the end, together with the rows of everything that went well.

    For more than a table at the end (a ledger that continues after a kill, intervals, reports) there is
    ``evolora sweep``.

    Args:
        model_cls: any Mesa model with a `DataCollector`.
        parameters: by name, one value or several; a text is one.
        number_processes: runs at a time, each in a process of its own; `None` is one for each processor. 1 runs all
            in this process, one after the other. With more, the caller's script needs the usual
            ``if __name__ == "__main__":``.
        iterations: runs of each combination.
        data_collection_period: steps between the rows of a run; -1 gives the last step only.
        max_steps: most steps of a run.
        display_progress: show a bar.
        root_seed: that the seeds of the iterations are spawned from. A ``seed`` or ``rng`` among the parameters wins:
            the first iteration runs with it, later ones with seeds spawned from it.

    Returns:
        A row a step and agent, or a row a step where no agents are reported: RunId, iteration, Step, the arguments,
        and what was collected.

    Raises:
        ConfigError: a parameter without values, a count out of range, or a model that cannot travel to a process.
        BatchError: some runs failed, as all do of a model without a `DataCollector`.
    """
    workers = _checked(number_processes, iterations, data_collection_period, max_steps)
    runs = runs_of(model_cls, parameters, iterations, root_seed)
    one = partial(live, model_cls, max_steps=max_steps, period=data_collection_period)
    fates = (
        in_this_process(one, runs)
        if workers == 1
        else in_own_processes(one, runs, workers, preload=[model_cls.__module__])
    )
    ended = sorted(_shown(fates, len(runs), display_progress), key=lambda fate: fate.run.number)
    rows = [row for fate in ended for row in fate.rows]
    failures = [fate for fate in ended if fate.error]
    if failures:
        raise BatchError(rows, failures, len(runs))
    return rows


def _checked(processes: int | None, iterations: int, period: int, max_steps: int) -> int:
    """How many processes."""
    workers = (os.cpu_count() or 1) if processes is None else processes
    least = {"number_processes": (workers, 1), "iterations": (iterations, 1), "max_steps": (max_steps, 0)}
    for name, (value, bound) in least.items():
        if value < bound:
            raise ConfigError("out of range", where=name, expected=f"at least {bound}", got=value)
    if period == 0 or period < -1:
        raise ConfigError("out of range", where="data_collection_period", expected="-1, or at least 1", got=period)
    return workers


def _shown(fates: Iterable[Fate], total: int, display: bool) -> Iterable[Fate]:
    if not display:
        return fates
    from rich.progress import track

    return track(fates, description="runs", total=total)
