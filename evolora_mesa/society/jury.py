"""Ratings at work: what a judge likes enters what organelles are paid and what they learn from.

1. `Jury.hear`: ratings are taken up, each for the generations after the one it was made in. So what a jury knows in a
   generation follows from the file alone, and a run that is lived again hears the same.
2. `Jury.sit`: every few generations some of the answers are compared in pairs from the same cell, by the taste that the
   ratings speak of. Owners that stand above the others get a bonus out of the grant fund, as far as that goes; and the
   judge's share enters the reward that the judged answers are learned from. What cells pay stays as it is.

Without it nothing of this costs anything: no draw, no transfer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from evolora_mesa.config_society import JudgeConfig
from evolora_mesa.economy.ledger import QUANTA_PER_ENERGY
from evolora_mesa.errors import RunError
from evolora_mesa.society.ratings import Rating, read_ratings
from evolora_mesa.society.taste import LIKED, Taste, standings, traits_of
from evolora_mesa.tasks import read_answer
from evolora_mesa.workload import Grades, Workload

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Jury"]

_FOUNDING: Final = 0  # the generation of ratings that come from elsewhere


class _Heard(NamedTuple):
    """What is kept of a rating."""

    generation: int
    difference: list[float]
    won: float
    digest: str


class Jury:
    """What a world's judge is known to like, and its sittings.

    Args:
        settings: of the judge.

    Raises:
        RunError: the file of ratings that they name cannot be read or was changed.
    """

    def __init__(self, settings: JudgeConfig) -> None:
        self.settings = settings
        self._heard: list[_Heard] = []
        if settings.enabled and settings.source:
            self._heard = [_heard(rating, _FOUNDING) for rating in read_ratings(Path(settings.source))]

    @property
    def hears_the_run(self) -> bool:
        """Whether the ratings of the run itself count: the judge sits, and no other file is named."""
        return self.settings.enabled and not self.settings.source

    def hear(self, ratings: Sequence[Rating]) -> None:
        """Take up the ratings of the run: those known already, and more behind them.

        Raises:
            RunError: those known already are not at their beginning.
        """
        if not self.hears_the_run:
            return
        known = len(self._heard)
        if known and (len(ratings) < known or ratings[known - 1].digest != self._heard[-1].digest):
            raise RunError(
                "the ratings are not those that the world has heard",
                expected=f"{known} that it knows, and more behind them",
                got=len(ratings),
                do="Restore the file of ratings.",
            )
        self._heard += [_heard(rating, rating.generation) for rating in ratings[known:]]

    def taste(self, tick: int) -> tuple[Taste, int]:
        """What the judge is known to like in a generation, and from how many ratings."""
        counted = [one for one in self._heard if one.generation < tick]
        differences = np.array([one.difference for one in counted]).reshape(len(counted), len(LIKED))
        won = np.array([one.won for one in counted])
        return Taste.learned(self.settings.likes, differences, won), len(counted)

    # ------------------------------------------------------------------ sittings

    def sit(self, model: EcologyModel, workload: Workload, grades: Grades) -> Grades:
        """Judge some of the answers, if it is time, pay the bonus, and say what they are learned from."""
        settings = self.settings
        if not settings.enabled or model.tick % settings.every:
            return grades
        pairs = self._pairs(model, workload)
        if not len(pairs):
            return grades
        taste, ratings = self.taste(model.tick)
        texts = workload.answers.texts
        traits = np.array(
            [
                [traits_of(texts[row], model.tasks.grade(workload.tasks[row], texts[row]).correct) for row in pair]
                for pair in pairs.tolist()
            ]
        )  # [pairs, 2, liked]
        won = taste.odds(traits[:, 0] - traits[:, 1])
        bonus = self._pay(model, workload, pairs, won)
        swayed = grades.rewards.copy()
        for rows, share in ((pairs[:, 0], won), (pairs[:, 1], 1.0 - won)):
            swayed[rows] += settings.weight * (share - swayed[rows])
        model.tally.judged = pairs.size
        styles = Counter(read_answer(texts[row])[0] for row in pairs.ravel().tolist())
        facts = {"answers": pairs.size, "ratings": ratings, "likes": taste.told(), "bonus": round(bonus, 6)}
        model.events.append(("judged", None, {**facts, "styles": dict(sorted(styles.items()))}))
        return replace(grades, swayed=swayed)

    def _pairs(self, model: EcologyModel, workload: Workload) -> np.ndarray:
        """``[pairs, 2]`` rows of two owners in one cell, each row at most once; colonies' joint work is left out."""
        able = np.ones(len(workload.tasks), dtype=bool)
        for shift in model.colonies.shifts:
            able[shift.rows.ravel()] = False
        rng = model.streams.numpy("judge")
        rows = rng.permutation(np.flatnonzero(able))
        rows = rows[np.argsort(workload.cells[rows], kind="stable")]
        cells, owners = workload.cells[rows], workload.owners[rows]
        found, place = [], 0
        while place + 1 < len(rows):
            matched = cells[place] == cells[place + 1] and owners[place] != owners[place + 1]
            if matched:
                found.append((rows[place], rows[place + 1]))
            place += 2 if matched else 1
        wanted = max(round(self.settings.share * len(rows) / 2), 1)
        return rng.permutation(np.array(found, dtype=np.int64).reshape(-1, 2))[:wanted]

    def _pay(self, model: EcologyModel, workload: Workload, pairs: np.ndarray, won: np.ndarray) -> float:
        """Owners above the others get the bonus for each of their judged answers, by their standing; of a fund that
        cannot pay all, each gets the same share."""
        owners, numbers = np.unique(workload.owners[pairs], return_inverse=True)
        numbers = numbers.reshape(pairs.shape)
        standing = np.maximum(standings(numbers, won, len(owners)), 0.0)
        due = self.settings.bonus * standing * np.bincount(numbers.ravel(), minlength=len(owners))
        funded = model.ledger.balance(model.grant)
        if due.sum() > funded:
            due *= funded / due.sum()
        due = np.floor(due * QUANTA_PER_ENERGY) / QUANTA_PER_ENERGY  # rounding up could overdraw the fund
        organelles = model.organelles()
        accounts = np.array([organelles[place].account for place in owners.tolist()])
        paid = model.ledger.transfer(model.grant, accounts, due, "bonus")
        for place, amount in zip(owners.tolist(), paid.tolist(), strict=True):
            organelles[place].earned += amount
        return float(paid.sum())

    # ------------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """What was heard; plain JSON values."""
        return {"heard": [list(one) for one in self._heard]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self._heard = [_Heard(*one) for one in state["heard"]]


def _heard(rating: Rating, generation: int) -> _Heard:
    difference = traits_of(rating.a.text, rating.a.right) - traits_of(rating.b.text, rating.b.right)
    return _Heard(generation, difference.tolist(), rating.won, rating.digest)
