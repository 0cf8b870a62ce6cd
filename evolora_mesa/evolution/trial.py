"""A trial: a child and its parents answer the same fresh prompts until enough is known to decide.

Everything a trial knows is in counts of wins, ties and losses of the child, one prompt at a time; its tests are
e-processes on them, so it may be looked at after every prompt (see `eprocess`). A merge has two parents and must beat
the better one, so it must beat both: each test is held against every parent, and the weakest evidence counts.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, Final, Literal, NamedTuple, Self

import numpy as np

from evolora_mesa.config_evolution import GateConfig
from evolora_mesa.evolution.eprocess import confidence_sequence, e_bh, log_e_value, power
from evolora_mesa.refill import refill

__all__ = ["Decision", "Group", "Kind", "Reason", "Trial", "Verdict", "decide", "draw_cells"]

Kind = Literal["merge", "mutation"]
Verdict = Literal["accepted", "confined", "rejected", "deferred", "refused"]
Reason = Literal[
    "accepted",  # better, and nowhere worse
    "confined",  # better, but not shown to be harmless elsewhere: it stays in its parents' cells
    "ungated",  # the gate is switched off
    "low_power",  # not enough prompts yet
    "low_energy",  # the prompts, or the birth, cannot be paid
    "cooldown",  # the parent rests after its latest child
    "no_partner",
    "no_room",
    "screen_failed",  # the history already paid for says that it is not worth prompts
    "futile",  # shown to gain less than the least effect
    "inferior_on_parents",  # shown to lose more than the margin in a parent's own cells
    "panel_failed",  # shown to lose more than the margin one depth shallower
    "probation_over",  # neither shown nor refuted in time
    "child_died",
    "cannot_confine",  # better, but not shown to be harmless elsewhere, in a world where tasks go to anybody
    "no_place",  # a fixed roster, and both parents have left it
    "season",  # contracts have shifted: what was measured is paid no more
]


class Group(IntEnum):
    """Where prompts come from: the parents' own cells, one depth shallower, and the rest of the world."""

    FOCUS = 0
    SHALLOWER = 1
    PANEL = 2


class _Test(IntEnum):
    BETTER = 0  # on all parents' own cells together
    OWN = 1  # no worse than this parent in its own cells
    SHALLOWER = 2  # no worse one depth shallower
    PANEL = 3  # no worse in the rest of the world


_SHARES: Final = {Group.FOCUS: 2.0, Group.SHALLOWER: 1.0, Group.PANEL: 1.0}


@dataclass(eq=False)  # a trial is itself, whatever its counts are
class Trial:
    """One child before the gate.

    Attributes:
        child: organelle id.
        slot: of the child.
        kind, operator: how it came about.
        parents: ids of the organelles (or of the elites) it descends from.
        rivals: bank slots of the parents, which stay theirs until the trial ends.
        focus: by rival, its own flat cell numbers.
        shallower, panel: flat cell numbers of the other groups.
        account: ledger account that pays for prompts.
        born: generation.
        funders: ids of the organelles that paid for the child.
        counts: ``[rivals, tests, 3]`` wins, ties and losses of the child.
        prompts: by group, asked so far.
        energy: paid so far.
    """

    child: int
    slot: int
    kind: Kind
    operator: str
    parents: tuple[int, ...]
    rivals: tuple[int, ...]
    focus: tuple[np.ndarray, ...]
    shallower: np.ndarray
    panel: np.ndarray
    account: int
    born: int
    funders: tuple[int, ...] = ()
    counts: np.ndarray = field(init=False)
    prompts: np.ndarray = field(init=False)
    energy: float = 0.0

    def __post_init__(self) -> None:
        self.counts = np.zeros((len(self.rivals), len(_Test), 3), dtype=np.int64)
        self.prompts = np.zeros(len(Group), dtype=np.int64)

    def state_dict(self) -> dict[str, Any]:
        """Copies of all attributes; tuples as lists."""
        values = copy.deepcopy({part.name: getattr(self, part.name) for part in fields(self)})
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `state_dict`.

        Raises:
            RunError: the counts do not fit.
        """
        given: dict[str, Any] = {part.name: state[part.name] for part in fields(cls) if part.init}
        for name in ("parents", "rivals", "focus", "funders"):
            given[name] = tuple(given[name])
        trial = cls(**given)
        refill(trial.counts, state["counts"], "trial, counts")
        refill(trial.prompts, state["prompts"], "trial, prompts")
        return trial

    @property
    def cells(self) -> np.ndarray:
        """The parents' own cells together."""
        return np.unique(np.concatenate(self.focus))

    @property
    def uplift(self) -> float:
        """Gain over the better parent on the parents' own cells so far, in [-1, 1]; nan before the first prompt."""
        wins, ties, losses = self._counts(_Test.BETTER)
        total = wins + ties + losses
        return float(((wins - losses) / total).min()) if total.min() > 0 else math.nan

    def interval(self, alpha: float) -> tuple[float, float]:
        """Bounds of `uplift` that hold at any time: against the parent that is harder to beat."""
        low, high = confidence_sequence(*self._counts(_Test.BETTER), alpha=alpha)
        return float(np.min(low)), float(np.min(high))

    def log_evidence(self) -> float:
        """Logarithm of the e-value for being better than the better parent."""
        return float(np.min(log_e_value(*self._counts(_Test.BETTER))))

    def absorb(self, groups: np.ndarray, cells: np.ndarray, child: np.ndarray, rivals: np.ndarray) -> None:
        """Take in a batch of answers.

        Args:
            groups: ``[prompts]`` of `Group`.
            cells: ``[prompts]`` flat cell numbers.
            child: ``[prompts]`` bool success.
            rivals: ``[rivals, prompts]`` bool success.
        """
        self.prompts += np.bincount(groups, minlength=len(Group))
        outcome = 1 - (child.astype(int) - rivals.astype(int))  # 0 won, 1 tied, 2 lost
        for rival, results in enumerate(outcome):
            for test, rows in (
                (_Test.BETTER, groups == Group.FOCUS),
                (_Test.OWN, (groups == Group.FOCUS) & np.isin(cells, self.focus[rival])),
                (_Test.SHALLOWER, groups == Group.SHALLOWER),
                (_Test.PANEL, groups == Group.PANEL),
            ):
                self.counts[rival, test] += np.bincount(results[rows], minlength=3)

    def needs(self, concurrent: int, settings: GateConfig) -> list[Group]:
        """The groups that still have something to say; which ones they are depends on the past only."""
        enough = math.log(1 / settings.alpha)
        wanted = []
        better = self.log_evidence() >= enough + math.log(max(concurrent, 1))
        if not (better and self._no_worse(_Test.OWN, settings)):
            wanted.append(Group.FOCUS)
        if self.shallower.size and not (
            self._no_worse(_Test.SHALLOWER, settings) or self._exhausted(Group.SHALLOWER, settings)
        ):
            wanted.append(Group.SHALLOWER)
        if self.panel.size and not (
            self._no_worse(_Test.PANEL, settings)
            or self._worse(_Test.PANEL, settings)
            or self._exhausted(Group.PANEL, settings)
        ):
            wanted.append(Group.PANEL)
        return wanted

    def _exhausted(self, group: Group, settings: GateConfig) -> bool:
        """As many prompts of a group were asked as a trial may ask."""
        return bool(self.prompts[group] >= settings.most_pairs)

    def _counts(self, test: _Test) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        wins, ties, losses = self.counts[:, test].T
        return wins, ties, losses

    def _no_worse(self, test: _Test, settings: GateConfig) -> bool:
        """Shown to lose less than the margin to every parent."""
        shown = log_e_value(*self._counts(test), margin=settings.margin)
        return bool(np.min(shown) >= math.log(1 / settings.alpha))

    def _worse(self, test: _Test, settings: GateConfig) -> bool:
        """Shown to lose more than the margin to some parent."""
        wins, ties, losses = self._counts(test)
        return bool(np.max(log_e_value(losses, ties, wins, margin=-settings.margin)) >= math.log(1 / settings.alpha))

    def _futile(self, settings: GateConfig) -> bool:
        """Shown to gain less than the least effect over some parent."""
        wins, ties, losses = self._counts(_Test.BETTER)
        against = log_e_value(losses, ties, wins, margin=settings.least_effect)
        return bool(np.max(against) >= math.log(1 / settings.futility))


class Decision(NamedTuple):
    """What was decided about one trial in one generation; the record of it.

    ``uplift`` with its anytime-valid bounds is against the better parent on the parents' own cells; ``power`` is the
    chance that a child with the least effect would have been shown to be better with as many prompts.
    """

    trial: Trial
    verdict: Verdict
    reason: Reason
    uplift: float
    low: float
    high: float
    log_e: float
    power: float


def draw_cells(
    trial: Trial, window: int, groups: Sequence[Group], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Groups and flat cells of the next prompts, ``[window]`` each.

    Parents' own cells get twice the prompts of the other groups, and either parent's are as likely: a prompt is an
    independent draw, so what a test sees has the mean that it is about.
    """
    shares = np.array([_SHARES[group] for group in groups])
    drawn = np.sort(rng.choice(np.array(groups), size=window, p=shares / shares.sum()))
    cells = np.empty(window, dtype=np.int64)
    for place, group in enumerate(drawn.tolist()):
        if group == Group.FOCUS:
            choices = trial.focus[rng.integers(len(trial.focus))]
        else:
            choices = trial.shallower if group == Group.SHALLOWER else trial.panel
        cells[place] = choices[rng.integers(choices.size)]
    return drawn, cells


def decide(trials: Sequence[Trial], generation: int, settings: GateConfig) -> list[Decision]:
    """One decision per open trial. False discoveries are controlled over all of them together (e-BH)."""
    if not trials:
        return []
    rows = np.concatenate([trial.counts[:, _Test.BETTER] for trial in trials])  # [trials and rivals, 3]
    first = np.cumsum([0, *(len(trial.rivals) for trial in trials[:-1])])
    wins, ties, losses = rows.T
    evidence = np.minimum.reduceat(log_e_value(wins, ties, losses), first)
    bounds = confidence_sequence(wins, ties, losses, settings.alpha)
    low, high = (np.minimum.reduceat(bound, first).tolist() for bound in bounds)
    discordance = np.maximum.reduceat((wins + losses) / np.maximum(rows.sum(1), 1), first)
    chance = np.maximum(discordance, settings.least_effect).tolist()
    better = e_bh(evidence, settings.alpha).tolist()
    return [
        Decision(
            trial,
            *_decided(trial, better[place], generation, settings),
            trial.uplift,
            low[place],
            high[place],
            float(evidence[place]),
            power(int(trial.prompts[Group.FOCUS]), settings.least_effect, chance[place], settings.alpha),
        )
        for place, trial in enumerate(trials)
    ]


def _decided(trial: Trial, better: bool, generation: int, settings: GateConfig) -> tuple[Verdict, Reason]:
    over = trial._exhausted(Group.FOCUS, settings) or generation - trial.born >= settings.probation
    undecided = [group for group in trial.needs(1, settings) if group is not Group.FOCUS]
    if trial._worse(_Test.OWN, settings):
        return "rejected", "inferior_on_parents"
    if trial.shallower.size and trial._worse(_Test.SHALLOWER, settings):
        return "rejected", "panel_failed"
    shallower = not trial.shallower.size or trial._no_worse(_Test.SHALLOWER, settings)
    if better and shallower and trial._no_worse(_Test.OWN, settings):
        if not trial.panel.size or trial._no_worse(_Test.PANEL, settings):
            return "accepted", "accepted"
        if trial._worse(_Test.PANEL, settings):
            return "confined", "confined"
    if better and (over or not undecided) and trial._no_worse(_Test.OWN, settings):
        return "confined", "confined"  # what was not shown about other cells cannot hurt there
    if not better and trial._futile(settings):
        return "rejected", "futile"
    return ("rejected", "probation_over") if over else ("deferred", "low_power")
