"""Planted truths: children of which it is known whether they are better, to hold rules of acceptance against.

Specialists of the shipped host are trained, altered in known ways, and all answer one panel of `gate` prompts once. The
panel is then the world: a candidate's prompts are independent draws from it, so its true uplift is known exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal, NamedTuple

import numpy as np
import torch

from evolora_mesa.config import WorldConfig
from evolora_mesa.errors import RunError
from evolora_mesa.evolution.merging import merge
from evolora_mesa.evolution.mutation import mutate
from evolora_mesa.host import AdapterBank, HostService, Request
from evolora_mesa.streams import Streams
from evolora_mesa.study.deployment import Ground
from evolora_mesa.study.lanes import train_lanes
from evolora_mesa.study.panels import draw_panel, family_of
from evolora_mesa.tasks import Pool

__all__ = ["FULL", "QUICK", "Scale", "Truth", "plant", "tossed"]

Kind = Literal["null", "harmful", "good"]

_BASE: Final = 0.35  # success of the rival in tosses: that of the bare host on tasks it half knows
_GAIN: Final = 0.10
_ROWS: Final = 16  # episodes per update
_SILENT: Final = (0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)  # noise to try, relative to the adapter's norm
_LOUD: Final = (0.1, 0.2, 0.4, 0.7, 1.0, 1.5, 2.0, 4.0, 8.0, 16.0)
_MERGED_RANK: Final = 8


class Scale(NamedTuple):
    """How much host time the study takes; the number of candidates is another matter.

    Attributes:
        episodes: per specialist.
        per_cell: prompts of the panel per cell.
        merges: pairs of specialists.
    """

    episodes: int
    per_cell: int
    merges: int


QUICK: Final = Scale(episodes=256, per_cell=12, merges=12)
FULL: Final = Scale(episodes=512, per_cell=40, merges=36)

# Successes of n children [n, pairs] and of their rivals [n, rivals, pairs].
Draw = Callable[[int, int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Truth:
    """One kind of children.

    Attributes:
        name: for tables.
        kind: what a perfect rule would do: accept the ``good`` and nobody else.
        uplift: exact, over the better rival; mean over the children.
        draw: ``(candidates, pairs, generator)`` to successes.
    """

    name: str
    kind: Kind
    uplift: float
    draw: Draw


class _Sheet(NamedTuple):
    """All answers of one child and its rivals: right or not, ``[tasks]`` and ``[rivals, tasks]``."""

    child: np.ndarray
    rivals: np.ndarray

    @property
    def uplift(self) -> float:
        return float((self.child.mean() - self.rivals.mean(1)).min())

    @property
    def discordance(self) -> float:
        return float((self.child != self.rivals[0]).mean())


# ---------------------------------------------------------------------- tosses


def tossed(uplift: float, discordance: float) -> Truth:
    """Coin tosses: the rival is right with chance .35, and the two differ on ``discordance`` of the prompts."""
    wins, losses = (discordance + uplift) / 2, (discordance - uplift) / 2

    def draw(candidates: int, pairs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        toss = rng.random((candidates, pairs))  # both right, loss, win, both wrong, from the left
        return (toss < _BASE - losses) | ((toss >= _BASE) & (toss < _BASE + wins)), (toss < _BASE)[:, None]

    name = f"{'null' if uplift == 0 else f'{100 * uplift:+.0f} points'}, tossed, discordance {discordance:g}"
    return Truth(name, "good" if uplift > 0 else "harmful" if uplift < 0 else "null", uplift, draw)


# ---------------------------------------------------------------------- answers of the host


def plant(
    service: HostService,
    config: WorldConfig,
    *,
    scale: Scale = FULL,
    seed: int = 0,
    on_progress: Callable[[str], None] = lambda message: None,
) -> list[Truth]:
    """Train specialists, alter them, let them answer, and add tosses.

    Args:
        config: whose tasks, contracts, adapters and learning rule are used.
        on_progress: told what begins.

    Raises:
        RunError: specialists so odd that a truth could not be planted.
    """
    school = _School(service, config, scale, seed)
    on_progress(f"training {len(school.families)} specialists, {scale.episodes} episodes each")
    school.train()
    on_progress("letting them answer twice")
    twice = school.twice()
    on_progress("looking for noise that changes nothing, and for noise that harms")
    silent, harmful = school.noisy()
    on_progress(f"merging {scale.merges} pairs")
    good = school.merged()
    varied = [sheet for sheet in twice if sheet.discordance > 1.2 * _GAIN]
    for name, sheets in (("exchangeable", varied), ("silent", silent), ("harmful", harmful), ("merged", good)):
        if not sheets:
            raise RunError(f"no {name} children could be planted", where="gates", do="Choose another --seed.")
    return [
        Truth("null, answered twice", "null", 0.0, _from(twice, swapped=True)),
        Truth("null, silent noise", "null", 0.0, _from(silent)),
        *(tossed(0.0, discordance) for discordance in (0.05, 0.2, 0.6)),
        Truth("harmful noise", "harmful", _mean_uplift(harmful), _from(harmful)),
        *(tossed(_GAIN, discordance) for discordance in (0.2, 0.4)),
        Truth(f"{100 * _GAIN:+.0f} points, answers", "good", _GAIN, _from(varied, swapped=True, gain=_GAIN)),
        Truth("merge of two specialists", "good", _mean_uplift(good), _from(good)),
    ]


def _mean_uplift(sheets: Sequence[_Sheet]) -> float:
    return float(np.mean([sheet.uplift for sheet in sheets]))


def _from(sheets: Sequence[_Sheet], *, swapped: bool = False, gain: float = 0.0) -> Draw:
    """Children drawn from ``sheets``, each with independent prompts of its sheet.

    Args:
        swapped: the roles are dealt by a fair coin at every prompt, so that neither is better.
        gain: after that, losses become wins at random until this uplift is reached exactly.
    """

    def draw(candidates: int, pairs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        chosen = rng.integers(len(sheets), size=candidates)
        child = np.empty((candidates, pairs), dtype=bool)
        rivals = np.empty((candidates, len(sheets[0].rivals), pairs), dtype=bool)
        for number, sheet in enumerate(sheets):
            rows = np.flatnonzero(chosen == number)
            tasks = rng.integers(len(sheet.child), size=(len(rows), pairs))
            child[rows], rivals[rows] = sheet.child[tasks], sheet.rivals[:, tasks].swapaxes(0, 1)
            if swapped:
                _swap(child, rivals, rows, rng)
            if gain:
                lost = rivals[rows, 0] & ~child[rows]
                turned = lost & (rng.random(lost.shape) < gain / sheet.discordance)
                child[rows], rivals[rows, 0] = child[rows] | turned, rivals[rows, 0] & ~turned
        return child, rivals

    return draw


def _swap(child: np.ndarray, rivals: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> None:
    ours, theirs = child[rows], rivals[rows, 0]
    coin = rng.random(ours.shape) < 0.5
    child[rows], rivals[rows, 0] = np.where(coin, theirs, ours), np.where(coin, ours, theirs)


class _School:
    """The specialists, one per family, in one bank; a specialist's number is its family's."""

    def __init__(self, service: HostService, world: WorldConfig, scale: Scale, seed: int) -> None:
        self._service, self._world, self._scale, self._streams = service, world, scale, Streams(seed)
        self._ground = Ground.of(world)
        self.families = self._ground.families
        adapter, count = world.adapter, len(self.families)
        altered = max(count * (len(_SILENT) + len(_LOUD)), count * (count - 1) // 2)
        self._bank: AdapterBank = service.new_bank(
            adapter.sites, capacity=1 + count + altered, max_rank=adapter.max_rank, scaling=adapter.scaling
        )
        generator = torch.Generator().manual_seed(self._streams.integer("weights"))
        self._slots = self._bank.allocate(count, adapter.rank, generator)
        panel = self._streams.python("gates.panel")
        self._panel = draw_panel(self._ground.source, Pool.GATE, self._ground.depths, scale.per_cell, panel)
        self._family_of = family_of(self._panel, self.families)

    def train(self) -> None:
        ground = self._ground
        train_lanes(
            self._service,
            self._bank,
            self._slots,
            [[(family, depth) for depth in range(1, ground.depths + 1)] for family in self.families],
            ground.source,
            ground.contracts,
            self._world.plasticity,
            episodes=self._scale.episodes,
            rows=_ROWS,
            seed=self._streams.seed,
            temperature=self._world.host.temperature,
            max_new_tokens=ground.max_new_tokens,
        )

    def twice(self) -> list[_Sheet]:
        """Every specialist against itself at home: what is answered differs by the luck of sampling alone."""
        home = [self._tasks(number) for number in range(len(self.families))]
        first, second = (self._answers(self._slots, home, 1.0, name) for name in ("first", "second"))
        return [_Sheet(one, other[None]) for one, other in zip(first, second, strict=True)]

    def noisy(self) -> tuple[list[_Sheet], list[_Sheet]]:
        """Per specialist the strongest noise that changes no success at home, and the weakest that costs 10 points."""
        strengths = (*_SILENT, *_LOUD)
        numbers = [number for number in range(len(self.families)) for _ in strengths]
        children = self._bank.allocate(len(numbers), 1, torch.Generator())
        mutate(
            self._bank,
            self._slots[numbers],
            children,
            kinds=["gaussian"] * len(numbers),
            strength=torch.tensor(strengths * len(self.families)),
            seeds=[self._streams.integer(f"noise.{row}") for row in range(len(numbers))],
        )
        right = self._answers(children, [self._tasks(number) for number in numbers])
        parents = self._answers(self._slots, [self._tasks(number) for number in range(len(self.families))])
        self._bank.free(children)
        silent, harmful = [], []
        for number, parent in enumerate(parents):
            start = number * len(strengths)
            sheets = [_Sheet(child, parent[None]) for child in right[start : start + len(strengths)]]
            silent += [sheet for sheet in sheets[: len(_SILENT)] if sheet.discordance == 0][:1]
            harmful += [sheet for sheet in sheets[len(_SILENT) :] if sheet.uplift <= -_GAIN][:1]
        return silent, harmful

    def merged(self) -> list[_Sheet]:
        """Merges that gain 10 points or more over the better parent on both parents' families together."""
        pairs = list(combinations(range(len(self.families)), 2))
        chosen = self._streams.numpy("gates.merges").permutation(len(pairs))[: self._scale.merges]
        pairs = [pairs[place] for place in sorted(chosen.tolist())]
        children = self._bank.allocate(len(pairs), 1, torch.Generator())
        parents = self._slots[torch.tensor(pairs)]
        merge(
            self._bank,
            parents,
            children,
            operator="svd",
            weights=torch.full((len(pairs), 2), 0.7),
            rank=_MERGED_RANK,
            generator=torch.Generator(),
        )
        tasks = [self._tasks(*pair) for pair in pairs]
        child, first, second = (self._answers(slots, tasks) for slots in (children, *parents.T))
        self._bank.free(children)
        sheets = [_Sheet(mine, np.stack(theirs)) for mine, *theirs in zip(child, first, second, strict=True)]
        return [sheet for sheet in sheets if sheet.uplift >= _GAIN]

    def _tasks(self, *numbers: int) -> np.ndarray:
        """Places in the panel of the tasks of some families."""
        return np.flatnonzero(np.isin(self._family_of, numbers))

    def _answers(
        self, slots: torch.Tensor, tasks: Sequence[np.ndarray], temperature: float = 0.0, name: str = "greedy"
    ) -> list[np.ndarray]:
        """By slot, whether its tasks were answered right and in the paid style."""
        ground, key = self._ground, self._streams.integer(f"gates.{name}") >> 1  # room to count up from it
        asked = [self._panel[place] for places in tasks for place in places]
        owners = [slot for slot, places in zip(slots.tolist(), tasks, strict=True) for _ in places]
        answers = self._service.answer(
            [Request(slot, task.prompt, key + row) for row, (slot, task) in enumerate(zip(owners, asked, strict=True))],
            self._bank,
            temperature=temperature,
            max_new_tokens=ground.max_new_tokens,
        )
        success = np.array(
            [
                ground.contracts.reward(task, ground.source.grade(task, text)).success
                for task, text in zip(asked, answers.texts, strict=True)
            ],
            dtype=bool,
        )
        return np.split(success, np.cumsum([len(places) for places in tasks])[:-1])
