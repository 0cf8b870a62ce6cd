"""Duels for a judge: two of a world answer the same prompt, as they do when they live."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from evolora_mesa.errors import RunError
from evolora_mesa.host import BARE, Request
from evolora_mesa.organelle import Organelle
from evolora_mesa.society.judge import Contender, Duel
from evolora_mesa.tasks import Pool, Task

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["draw_duels"]

_AGAINST_HOST: Final = 0.25  # share of the duels in which one of the two is the bare host
_ROUNDS: Final = 8  # in which duels are drawn anew whose answers were the same
_KEYS: Final = 2**62


class _Bout(NamedTuple):
    """Who is asked what; `None` is the bare host."""

    task: Task
    contenders: tuple[Organelle | None, Organelle | None]


def draw_duels(model: EcologyModel, count: int, rng: random.Random, cell: int | None = None) -> list[Duel]:
    """Duels on fresh live prompts between two organelles, or one and the bare host; fewer where too many answer alike.

    Args:
        cell: flat number; by default each duel is in the cell of the first of the two.

    Raises:
        RunError: nobody is alive.
    """
    organelles = model.organelles()
    if not organelles:
        raise RunError("nobody is alive whose answers could be rated")
    duels: list[Duel] = []
    for _ in range(_ROUNDS):
        missing = count - len(duels)
        if missing <= 0:
            break
        duels += _fought(model, [_bout(model, organelles, rng, cell) for _ in range(missing)], rng)
    return duels


def _bout(model: EcologyModel, organelles: list[Organelle], rng: random.Random, cell: int | None) -> _Bout:
    one, *others = rng.sample(organelles, min(2, len(organelles)))
    other = None if not others or rng.random() < _AGAINST_HOST else others[0]
    shape = (len(model.grid.families), model.grid.depths)
    where = int(np.ravel_multi_index(one.cell.coordinate, shape)) if cell is None else cell
    task = model.draw_task(Pool.LIVE, where, rng)
    return _Bout(task, (one, other) if rng.random() < 0.5 else (other, one))


def _fought(model: EcologyModel, bouts: list[_Bout], rng: random.Random) -> list[Duel]:
    """Those in which the two answers differ; all are given in one host call."""
    requests = [
        Request(BARE if asked is None else asked.slot, bout.task.prompt, rng.randrange(_KEYS))
        for bout in bouts
        for asked in bout.contenders
    ]
    settings = model.config.host
    answers = model.host.answer(
        requests, model.bank, temperature=settings.temperature, max_new_tokens=settings.max_new_tokens
    )
    pairs = zip(answers.texts[::2], answers.texts[1::2], strict=True)
    return [
        _duel(model, bout, texts)
        for bout, texts in zip(bouts, pairs, strict=True)
        if texts[0].strip() != texts[1].strip()
    ]


def _duel(model: EcologyModel, bout: _Bout, texts: tuple[str, str]) -> Duel:
    a, b = (
        Contender(
            organelle=None if asked is None else asked.unique_id,
            text=text,
            right=model.tasks.grade(bout.task, text).correct,
        )
        for asked, text in zip(bout.contenders, texts, strict=True)
    )
    return Duel(family=bout.task.family, depth=bout.task.depth, prompt=bout.task.prompt, a=a, b=b)
