"""What the studies of society share: a small ecology, one life for every arm and seed, tables of lives, and a command.

A study is a mapping of arms to settings, a row of figures for every life, and a page that holds the arms against one
another, paired by seed.
"""

from __future__ import annotations

import argparse
import csv
import io
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, fields
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np

from evolora_mesa.errors import ConfigError, EvoloraError
from evolora_mesa.model import EcologyModel
from evolora_mesa.study.baseline_table import save_texts, shown
from evolora_mesa.study.statistics import paired_difference, t_interval

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "SMALL",
    "Column",
    "Lived",
    "Study",
    "by_arm",
    "carry_out",
    "gain_of",
    "live",
    "lives_of",
    "mean_of",
    "rows_csv",
    "settings_of",
    "study_parser",
]

SMALL: Final[Mapping[str, object]] = {
    "tasks.families": ["word.count", "logic", "string.sort", "code.format"],
    "tasks.depths": 2,
    "population.initial": 8,
    "population.maximum": 16,
    "economy.inflow": 2.0,
    "reproduction.maturity": 6,
    "reproduction.cooldown": 2,
    "gate.most_trials": 3,
}
_NOT_TOLD: Final = ("jobs", "out")  # options that change no figure

Arms: TypeAlias = Mapping[str, Mapping[str, object]]
Study: TypeAlias = Callable[[argparse.Namespace, str], dict[str, str]]
"""Makes files of the options and of the command as it was given; the first of them is the page."""


class Row(Protocol):
    """Figures of one life."""

    @property
    def arm(self) -> str: ...


R = TypeVar("R", bound=Row)
T = TypeVar("T")


def settings_of(arms: Arms, arm: str) -> Mapping[str, object]:
    """What an arm sets.

    Raises:
        ConfigError: no such arm.
    """
    if arm not in arms:
        raise ConfigError("no such arm", where="arms", expected=", ".join(arms), got=arm)
    return arms[arm]


# ---------------------------------------------------------------- lives


class Lived(NamedTuple):
    """A life that is over.

    Attributes:
        figures: by model reporter, a value per generation, without the founding.
        cpu_ms: milliseconds of CPU per episode.
    """

    figures: Mapping[str, np.ndarray]
    cpu_ms: float

    def mean(self, name: str, first: int) -> float:
        """Of a figure from place ``first`` on; what has no value counts as 0, and so does a life that ended before."""
        values = np.nan_to_num(self.figures[name][first:])
        return float(values.mean()) if values.size else 0.0


def live(model: EcologyModel, generations: int, then: Callable[[], None] | None = None) -> Lived:
    """Let a world live.

    Args:
        then: called after every generation, at no cost to the life.
    """
    seconds = 0.0
    for _ in range(generations):
        if not model.running:
            break
        began = time.process_time()
        model.step()
        seconds += time.process_time() - began
        if then is not None:
            then()
    figures = {name: np.array(list(values)[1:]) for name, values in model.datacollector.model_vars.items()}
    return Lived(figures, 1000 * seconds / max(model.totals["episodes"], 1))


def lives_of(life: Callable[..., T], jobs: Sequence[tuple[object, ...]], processes: int = 1) -> list[T]:
    """``life(*job)`` of every job, told as they are done.

    Args:
        processes: jobs at a time.
    """
    if processes == 1:
        return [_told(life(*job)) for job in jobs]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        return [_told(found) for found in pool.map(life, *zip(*jobs, strict=True))]


def _told(found: T) -> T:
    print(found, file=sys.stderr, flush=True)
    return found


# ---------------------------------------------------------------- tables


class Column(NamedTuple):
    """A figure of a table: its name in the rows, the factor that it is shown with, and its decimals."""

    name: str
    factor: float = 100
    decimals: int = 1


def by_arm(rows: Sequence[R]) -> dict[str, list[R]]:
    """The lives of every arm, in the order of the seeds; arms in the order in which they come."""
    found: dict[str, list[R]] = {}
    for row in rows:
        found.setdefault(row.arm, []).append(row)
    return found


def mean_of(rows: Sequence[object], column: Column) -> str:
    """Mean over seeds with its 95 % t interval."""
    return shown(t_interval([getattr(row, column.name) for row in rows]), column.factor, column.decimals)


def gain_of(rows: Sequence[object], others: Sequence[object], column: Column) -> str:
    """Mean difference to other lives of the same seeds, with its 95 % t interval."""
    mine, theirs = ([getattr(row, column.name) for row in some] for some in (rows, others))
    return shown(paired_difference(mine, theirs), column.factor, column.decimals)


def rows_csv(rows: Sequence[DataclassInstance]) -> str:
    """A line per row, of at least one."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(rows[0])], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


# ---------------------------------------------------------------- the command


def study_parser(name: str, *, generations: int | None = None) -> argparse.ArgumentParser:
    """Options of the module ``name`` of this package that all studies have.

    Args:
        generations: by default; `None` where there are no lives.
    """
    parser = argparse.ArgumentParser(prog=f"python -m evolora_mesa.study.{name}")
    parser.add_argument("--seeds", type=int, default=5, help="number of seeds, 0, 1, 2, ...")
    if generations is not None:
        parser.add_argument("--generations", type=int, default=generations, help="of every life")
        parser.add_argument("--jobs", type=int, default=1, help="lives at a time")
    parser.add_argument("--out", type=Path, help="folder for the page, and for its figures as CSV")
    return parser


def carry_out(
    parser: argparse.ArgumentParser, study: Study, arguments: Sequence[str] | None, say: Callable[[str], None]
) -> int:
    """Make a study, write its files, and say its page; returns the exit code."""
    given = parser.parse_args(arguments)
    try:
        texts = study(given, _command(parser, given))
        if given.out is not None:
            save_texts(given.out, texts)
    except EvoloraError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    say(next(iter(texts.values())))
    return 0


def _command(parser: argparse.ArgumentParser, given: argparse.Namespace) -> str:
    """What makes the same figures again: all numbers, and of the words those that are not there by default."""
    words = []
    for name, value in vars(given).items():
        values: list[Any] = value if isinstance(value, list) else [value]
        by_default = value == parser.get_default(name) and not all(isinstance(one, int | float) for one in values)
        if name not in _NOT_TOLD and not by_default:
            words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return f"{parser.prog} {shlex.join(words)}"
