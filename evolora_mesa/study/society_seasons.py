"""How fast is a shift of the contracts made up for? A population, one adapter and labels, with equally many episodes.

``python -m evolora_mesa.study.society_seasons --out docs/results/society``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from evolora_mesa.config import PlasticityConfig, WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.host import BARE, AdapterBank, HostService
from evolora_mesa.hosting import host_for
from evolora_mesa.model import EcologyModel
from evolora_mesa.streams import Streams
from evolora_mesa.study.arms import carry_out, lives_of, rows_csv, study_parser
from evolora_mesa.study.baseline_table import markdown_table, shown
from evolora_mesa.study.baselines import train_one
from evolora_mesa.study.deployment import Ground
from evolora_mesa.study.lanes import train_lanes
from evolora_mesa.study.panels import answer_panel, draw_panel, family_of
from evolora_mesa.study.routing import choose_routes
from evolora_mesa.study.statistics import paired_difference, t_interval
from evolora_mesa.tasks import Pool, Task

__all__ = ["ARMS", "SeasonRow", "recovery", "seasons_page"]

ARMS: Final[Mapping[str, str]] = {
    "bare host": "nothing is learned",
    "reselected": "the population as it was, each family's tasks to the one that is best on the new episodes",
    "lives on": "the population lives on for half of the episodes; the other half choose among it",
    "one adapter": "one adapter that has learned by reward in all cells, and goes on at a fresh learning rate",
    "supervised": "one adapter fine-tuned on right answers in the paid style, then on those in the new one",
    "fresh specialists": "control: a new adapter for every family, by reward",
    "fresh adapter": "control: one new adapter for all cells, by reward",
}
_LATER: Final = 1_000_003  # added to the seed of what is learned after the shift: no prompt is met in the same order
_SPECIALIST_ROWS: Final = 8
_SPECIALIST: Final = PlasticityConfig(rollback_drop=1.0)


@dataclass(frozen=True)
class SeasonRow:
    """One arm of one seed on the test panel.

    Attributes:
        budget: episodes allowed after the shift; before it where that is negative.
        episodes: that were had.
        accuracy: by the contracts in force.
    """

    arm: str
    seed: int
    budget: int
    episodes: int
    accuracy: float


BEFORE: Final = -1  # in place of a budget: at the end of the first season, by its contracts


class _Season:
    """What is answered and paid for in a season, and the panels of a seed to measure it with."""

    def __init__(self, service: HostService, ground: Ground, seed: int, per_cell: int) -> None:
        self.service, self.ground, self.seed = service, ground, seed
        rng = Streams(seed).python("seasons.test")
        self.test = draw_panel(ground.source, Pool.TEST, ground.depths, per_cell, rng)

    def accuracy(self, bank: AdapterBank | None, routes: Sequence[int]) -> float:
        """On the test panel, with the tasks of each family going to the slot in ``routes [families]``."""
        slots = np.asarray(routes)[family_of(self.test, self.ground.families)]
        return float(self._answer(bank, slots.tolist(), self.test).mean())

    def everywhere(self, bank: AdapterBank | None, slot: int) -> float:
        """On the test panel, all by one slot."""
        return self.accuracy(bank, [slot] * len(self.ground.families))

    def reselect(self, bank: AdapterBank, candidates: Sequence[int], episodes: int) -> tuple[list[int], int]:
        """The best slot for each family on at most so many answers, and how many it took; without any, the first."""
        each = episodes // (len(candidates) * len(self.ground.families))
        if not each:
            return [candidates[0]] * len(self.ground.families), 0
        rng, depths = Streams(self.seed).python("seasons.select"), self.ground.depths
        panel = [
            self.ground.source.draw(Pool.SELECT, family, 1 + turn % depths, rng)
            for family in self.ground.families
            for turn in range(each)
        ]
        slots = np.repeat(candidates, len(panel)).tolist()
        success = self._answer(bank, slots, panel * len(candidates)).reshape(len(candidates), -1)
        routes = choose_routes(success, family_of(panel, self.ground.families), len(self.ground.families))
        return [candidates[route] for route in routes.tolist()], success.size

    def _answer(self, bank: AdapterBank | None, slots: Sequence[int], tasks: Sequence[Task]) -> np.ndarray:
        ground = self.ground
        marks = answer_panel(
            self.service, bank, slots, tasks, ground.source, ground.contracts, max_new_tokens=ground.max_new_tokens
        )
        return marks.success


def recovery(
    service: HostService, world: WorldConfig, seed: int, generations: int, budgets: Sequence[int], per_cell: int
) -> Iterator[SeasonRow]:
    """All arms of a seed: ``generations`` under the first contracts, then a shift.

    Args:
        world: its own seasons are replaced.
        budgets: episodes after the shift, ascending.
        per_cell: tasks per cell of the test panel.
    """
    seasons = {"shift_every": 0, "schedule": [{"at": generations + 1, "shift": "contracts"}]}
    config = load_config(world, {"seasons": seasons, "seed": seed})
    first, second = (_Season(service, Ground.of(config, at), seed, per_cell) for at in (generations, generations + 1))
    yield SeasonRow("bare host", seed, BEFORE, 0, first.everywhere(None, BARE))
    yield SeasonRow("bare host", seed, 0, 0, second.everywhere(None, BARE))
    lived = _Lived(service, config, seed, generations)
    yield from lived.arms(first, second, budgets)
    for arm in ("one adapter", "supervised"):
        yield from _one_goes_on(arm, service, config, seed, lived.episodes, (first, second), budgets)
    for budget in budgets:
        yield _specialists(service, config, second, seed, budget)
        bank, slots = _fresh(service, config, seed + _LATER, 1)
        spent = train_one("one_adapter", service, bank, slots, second.ground, config, seed + _LATER, budget)
        yield SeasonRow("fresh adapter", seed, budget, spent.episodes, second.everywhere(bank, int(slots[0])))


class _Lived:
    """A population that has lived through its first season.

    Attributes:
        episodes: that it had, answers at the gate included.
    """

    def __init__(self, service: HostService, config: WorldConfig, seed: int, generations: int) -> None:
        self.seed, self.model = seed, EcologyModel(config, host=service)
        self.episodes = sum(self._generation() for _ in range(generations))

    def _generation(self) -> int:
        self.model.step()
        return self.model.tally.episodes + self.model.tally.gate_rows

    def _candidates(self) -> list[int]:
        return [BARE, *(organelle.slot for organelle in self.model.organelles())]

    def arms(self, first: _Season, second: _Season, budgets: Sequence[int]) -> Iterator[SeasonRow]:
        """The population before the shift, reselected after it, and living on."""
        bank, candidates = self.model.bank, self._candidates()
        routes, _ = first.reselect(bank, candidates, max(budgets))
        yield SeasonRow("reselected", self.seed, BEFORE, self.episodes, first.accuracy(bank, routes))
        yield SeasonRow("reselected", self.seed, 0, 0, second.accuracy(bank, routes))
        for budget in budgets:
            routes, asked = second.reselect(bank, candidates, budget)
            yield SeasonRow("reselected", self.seed, budget, asked, second.accuracy(bank, routes))
        lived = 0
        for budget in budgets:
            while lived < budget // 2 and self.model.running:
                lived += self._generation()
            routes, asked = second.reselect(bank, self._candidates(), budget - lived)
            yield SeasonRow("lives on", self.seed, budget, lived + asked, second.accuracy(bank, routes))


def _one_goes_on(
    arm: str,
    service: HostService,
    config: WorldConfig,
    seed: int,
    episodes: int,
    seasons: tuple[_Season, _Season],
    budgets: Sequence[int],
) -> Iterator[SeasonRow]:
    """One adapter with as many episodes as the population had, that goes on from there with a fresh learning rate."""
    first, second = seasons
    name = arm.replace(" ", "_")
    bank, slots = _fresh(service, config, seed, 1)
    slot = int(slots[0])
    spent = train_one(name, service, bank, slots, first.ground, config, seed, episodes)
    yield SeasonRow(arm, seed, BEFORE, spent.episodes, first.everywhere(bank, slot))
    yield SeasonRow(arm, seed, 0, 0, second.everywhere(bank, slot))
    learned = bank.state_dict()
    for budget in budgets:
        bank.load_state_dict(learned)
        spent = train_one(name, service, bank, slots, second.ground, config, seed + _LATER, budget)
        yield SeasonRow(arm, seed, budget, spent.episodes, second.everywhere(bank, slot))


def _specialists(service: HostService, config: WorldConfig, season: _Season, seed: int, budget: int) -> SeasonRow:
    """As many episodes for a new adapter per family, which is told its family: the most that routing could know."""
    ground = season.ground
    bank, slots = _fresh(service, config, seed + _LATER, len(ground.families))
    lanes = [[(family, depth) for depth in range(1, ground.depths + 1)] for family in ground.families]
    each = budget // len(lanes) // _SPECIALIST_ROWS * _SPECIALIST_ROWS
    spent = train_lanes(
        service,
        bank,
        slots,
        lanes,
        ground.source,
        ground.contracts,
        _SPECIALIST,
        episodes=each,
        rows=_SPECIALIST_ROWS,
        seed=seed + _LATER,
        temperature=config.host.temperature,
        max_new_tokens=config.host.max_new_tokens,
    )
    return SeasonRow("fresh specialists", seed, budget, spent.episodes, season.accuracy(bank, slots.tolist()))


def _fresh(service: HostService, config: WorldConfig, seed: int, count: int) -> tuple[AdapterBank, torch.Tensor]:
    """Adapters that have learned nothing."""
    adapter = config.adapter
    bank = service.new_bank(adapter.sites, capacity=1 + count, max_rank=adapter.max_rank, scaling=adapter.scaling)
    return bank, bank.allocate(count, adapter.rank, torch.Generator().manual_seed(Streams(seed).integer("weights")))


# ---------------------------------------------------------------- telling


def seasons_page(rows: Sequence[SeasonRow], generations: int, command: str) -> str:
    """Accuracy of every arm by episodes after the shift, and its lead over the population that is reselected."""
    budgets = sorted({row.budget for row in rows})
    value = {(row.arm, row.budget, row.seed): row.accuracy for row in rows}
    seeds = sorted({row.seed for row in rows})
    table = [
        [arm, *(_cell([value[key] for seed in seeds if (key := (arm, budget, seed)) in value]) for budget in budgets)]
        for arm in ARMS
    ]
    later = [budget for budget in budgets if budget > 0]
    leads = []
    for arm in ARMS:
        if arm in ("bare host", "reselected"):
            continue
        told = [
            shown(
                paired_difference(
                    [value["reselected", budget, seed] for seed in seeds], [value[arm, budget, seed] for seed in seeds]
                ),
                100,
                1,
            )
            for budget in later
        ]
        leads.append([arm, *told])
    headings = ["arm", *("before" if budget == BEFORE else f"{budget} episodes" for budget in budgets)]
    return "\n".join(
        [
            "# A contract shift on `petri`",
            "",
            f"Made by `{command}`.",
            "",
            f"`ecology` lives for {generations} generations; then its families exchange the styles that they pay for."
            " One adapter and labels got as many episodes before. Accuracy % (right, and in the style that is paid) on"
            f" the `test` pool, mean [95 % t interval over {len(seeds)} seeds], by the old contracts in the column"
            " `before`, else by the new ones, after so many episodes under them, those for choosing routes included.",
            "",
            *(f"- `{arm}`: {what}." for arm, what in ARMS.items()),
            "",
            *markdown_table(headings, table),
            "",
            "Lead of `reselected`, in points, paired by seed:",
            "",
            *markdown_table(["over", *(f"{budget} episodes" for budget in later)], leads),
            "",
        ]
    )


def _cell(values: Sequence[float]) -> str:
    return shown(t_interval(values), 100, 1) if values else "—"


def main(arguments: Sequence[str] | None = None, say: Callable[[str], None] = print) -> int:
    """The command; returns the exit code."""
    parser = study_parser("society_seasons", generations=40)
    parser.add_argument("--budgets", type=int, nargs="+", default=[768, 3072], help="episodes after the shift")
    parser.add_argument("--per-cell", type=int, default=10, help="tasks per cell on the test panel")

    def study(given: argparse.Namespace, command: str) -> dict[str, str]:
        jobs = [(seed, given.generations, sorted(given.budgets), given.per_cell) for seed in range(given.seeds)]
        rows = [row for found in lives_of(_recovered, jobs, given.jobs) for row in found]
        return {"seasons.md": seasons_page(rows, given.generations, command), "seasons.csv": rows_csv(rows)}

    return carry_out(parser, study, arguments, say)


def _recovered(seed: int, generations: int, budgets: Sequence[int], per_cell: int) -> list[SeasonRow]:
    world = load_config("ecology")
    return list(recovery(host_for(world), world, seed, generations, budgets, per_cell))


if __name__ == "__main__":
    raise SystemExit(main())
