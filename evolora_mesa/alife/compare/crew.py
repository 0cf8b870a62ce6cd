"""All runs of a comparison, spread over processes. What is measured rests in files, so that nothing is done twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

from evolora_mesa.alife.compare.columns import EVOLORA, Column, matched, models_of
from evolora_mesa.alife.compare.outcome import Outcome
from evolora_mesa.record.report.writing import write
from evolora_mesa.study.sweep.code_version import code_version
from evolora_mesa.study.sweep.job import OURS

__all__ = ["USUAL", "Comparison", "compare"]

USUAL: Final = (20, 35)  # agents and births of a short run of Evolora, when none is compared
_MEASURED, _RUNS = "measured", "runs"

Tree = dict[str, Any]


@dataclass(frozen=True)
class Comparison:
    """Everything that was measured.

    Attributes:
        columns: that were asked for.
        outcomes: of every run.
        validations: by model, `Validation` as a tree.
        population, births: to which the matched runs were fitted; from_evolora: its runs said so.
        shadows: of each run.
    """

    columns: tuple[Column, ...]
    seeds: int
    shadows: int
    outcomes: tuple[Outcome, ...]
    validations: dict[str, Tree]
    population: int
    births: int
    from_evolora: bool

    def runs(self, column: Column, size: str) -> list[Outcome]:
        """Runs of a column at a size, by seed; Evolora has one size, which is beside both."""
        size = "full" if column.model == EVOLORA else size
        mine = [one for one in self.outcomes if (one.column, one.size) == (column.name, size)]
        return sorted(mine, key=lambda one: one.seed)

    def valid(self, column: Column) -> bool:
        """The column may be printed: its model's targets hold in this version. Evolora has no published ones."""
        return column.model == EVOLORA or bool(self.validations[column.model]["passed"])


def compare(
    columns: Sequence[Column],
    seeds: int,
    folder: Path,
    *,
    workers: int,
    shadows: int = 20,
    tell: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Run what is not there yet: Evolora first, for the matched runs of the classics need its size.

    Args:
        seeds: runs of each column and size, with seeds 0, 1, …
        folder: of the comparison; results of this version of the code that lie there are taken as they are.
        tell: called with a line whenever something is done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RUNS).mkdir(exist_ok=True)
    code = code_version(OURS)
    ours = [column for column in columns if column.model == EVOLORA]
    classic = [column for column in columns if column.model != EVOLORA]
    with _Crew(folder, code, workers, tell) as crew:
        first = [crew.run(column, seed, shadows) for column in ours for seed in range(_runs_of(column, seeds))]
        checks = {model: crew.validation(model) for model in models_of(columns)}
        full = [crew.run(column, seed, shadows) for column in classic for seed in range(seeds)]
        done = crew.wait(first)
        population, births = _size_of([one for one in done if one.column == ours[0].name] if ours else [])
        small = [
            crew.run(matched(column, population, births), seed, shadows) for column in classic for seed in range(seeds)
        ]
        outcomes = [*done, *crew.wait(full), *crew.wait(small)]
        validations = {model: json.loads(future.result()) for model, future in checks.items()}
    known = bool(ours) and any(not one.error for one in done)
    return Comparison(tuple(columns), seeds, shadows, tuple(outcomes), validations, population, births, known)


def _runs_of(column: Column, seeds: int) -> int:
    return len(column.settings["runs"]) if "runs" in column.settings else seeds


def _size_of(done: Sequence[Outcome]) -> tuple[int, int]:
    """Median agents and births of Evolora's runs."""
    known = [one for one in done if not one.error]
    if not known:
        return USUAL
    return max(round(median(one.population for one in known)), 4), max(round(median(one.births for one in known)), 1)


class _Crew:
    """Workers in processes of their own; an answer that is in the folder already needs none.

    Args:
        code: version of the code; answers of another one do not count.
    """

    def __init__(self, folder: Path, code: str, workers: int, tell: Callable[[str], None]) -> None:
        self.folder, self.code, self.tell = folder, code, tell
        (folder / _MEASURED).mkdir(exist_ok=True)
        context = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(workers, context, initializer=_one_thread)

    def __enter__(self) -> _Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        self.pool.shutdown(wait=True, cancel_futures=kind is not None)

    def run(self, column: Column, seed: int, shadows: int) -> Future[str]:
        task = {"column": asdict(column), "seed": seed, "shadows": shadows}
        label = f"{column.name}, {column.size}, seed {seed}"
        return self._ask(label, task, _run, str(self.folder / _RUNS))

    def validation(self, model: str) -> Future[str]:
        return self._ask(f"targets of {model}", {"validate": model}, _validate)

    def wait(self, futures: Sequence[Future[str]]) -> list[Outcome]:
        return [Outcome(**json.loads(future.result())) for future in futures]

    def _ask(self, label: str, task: Tree, work: Callable[..., str], *more: str) -> Future[str]:
        text = json.dumps(task, sort_keys=True)
        path = self.folder / _MEASURED / f"{hashlib.sha256(f'{self.code} {text}'.encode()).hexdigest()[:16]}.json"
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(path.read_text(encoding="utf-8"))
            ready: Future[str] = Future()
            ready.set_result(json.dumps(known["answer"]))
            return ready
        future = self.pool.submit(work, text, *more)
        future.add_done_callback(partial(self._keep, path, label))
        return future

    def _keep(self, path: Path, label: str, future: Future[str]) -> None:
        """Write an answer down as soon as it is there, whoever waits for what."""
        if future.cancelled() or future.exception() is not None:
            return
        answer = json.loads(future.result())
        write(path, json.dumps({"task": label, "code": self.code, "answer": answer}), new=False)
        self.tell(f"{label}: {answer.get('error') or 'done'}")


# ---------------------------------------------------------------- in a worker


def _one_thread() -> None:
    """Workers share the machine; numpy and torch read this when they are first imported."""
    os.environ["OMP_NUM_THREADS"] = "1"


def _run(text: str, folder: str) -> str:
    from evolora_mesa.alife.compare.work import run_column

    task = json.loads(text)
    outcome = run_column(Column(**task["column"]), task["seed"], shadows=task["shadows"], folder=Path(folder))
    return outcome.as_json()


def _validate(text: str) -> str:
    from evolora_mesa.alife.validation import validate

    return json.dumps(validate(json.loads(text)["validate"], quick=True).as_tree())
