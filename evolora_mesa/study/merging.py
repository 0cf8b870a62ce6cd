"""Can one adapter hold two skills? Specialists of two families with different contracts, merged by every operator.

`merge_pairs` trains, merges and examines; nothing is trained after a merge. What is chosen is chosen on the `gate`
pool, what is reported is read on the `test` pool.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from evolora_mesa.config import PlasticityConfig, WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError
from evolora_mesa.evolution.crossover import isolate_sites, site_weights_from_uplift
from evolora_mesa.evolution.operators import breed
from evolora_mesa.host import BARE, AdapterBank, HostService
from evolora_mesa.streams import Streams
from evolora_mesa.study.deployment import Ground
from evolora_mesa.study.lanes import train_lanes
from evolora_mesa.study.merging_table import MergeRow, MergeTable
from evolora_mesa.study.panels import draw_panel, success_matrix
from evolora_mesa.tasks import Pool, Task

__all__ = ["RECIPES", "Recipe", "merge_pairs"]

PICKED: Final = "svd, weights picked"
NAIVE: Final = "naive: mean of A, mean of B"
_WEIGHTS: Final = (0.5, 0.7, 1.0)
_RATE, _HALF_LIFE, _ROWS = 0.01, 60.0, 16


@dataclass(frozen=True)
class Recipe:
    """One way to make a child.

    Attributes:
        operator: of `evolora_mesa.evolution.operators.OPERATORS`.
        weight: on either parent; `None` leaves it to the operator.
        rank: most components of the child; `None` leaves it to the operator.
    """

    operator: str
    weight: float | None = None
    rank: int | None = None

    @property
    def name(self) -> str:
        weight = "" if self.weight is None else f" {self.weight:g}"
        return f"{self.operator}{weight}" + ("" if self.rank is None else f", rank {self.rank}")


RECIPES: Final = (
    *(Recipe("svd", weight, rank) for rank in (4, 8) for weight in _WEIGHTS),
    Recipe("sum"),
    Recipe("average"),
    Recipe("concat"),
    Recipe("slerp"),
    Recipe("ties"),
    Recipe("ties", 0.7),
    Recipe("dare"),
    Recipe("dare", 0.7),
    Recipe("uniform"),
    Recipe("structured"),
    Recipe("rank_component"),
    Recipe("task_aware"),
)


def merge_pairs(
    service: HostService,
    config: WorldConfig | str = "ecology",
    *,
    seeds: Sequence[int],
    pairs: int = 8,
    episodes: int = 512,
    per_cell_gate: int = 10,
    per_cell_test: int = 20,
    on_progress: Callable[[MergeTable], None] | None = None,
) -> MergeTable:
    """Train one specialist per family under every seed, merge pairs of them, and examine the children.

    Args:
        config: whose tasks, contracts and adapters are used.
        pairs: of families with different styles, drawn by the seed; all there are when there are fewer.
        episodes: per specialist, at least one update's 16.
        per_cell_gate, per_cell_test: tasks per cell to choose on and to report on.
        on_progress: called after every seed with what there is.

    Raises:
        ConfigError: no seeds, no pairs, too few episodes, or no two families with different styles.
    """
    if episodes < _ROWS or pairs < 1 or not seeds:
        wanted = f"seeds, a pair, and at least {_ROWS} episodes"
        raise ConfigError("nothing to merge", expected=wanted, got=(list(seeds), pairs, episodes))
    world = load_config(config)
    rows: list[MergeRow] = []
    for seed in seeds:
        bench = _Bench(service, world, seed, pairs)
        bench.train(episodes)
        rows += bench.examine(per_cell_gate, per_cell_test)
        table = MergeTable(service.name, pairs, episodes, 2 * bench.ground.depths * per_cell_test, tuple(rows))
        if on_progress is not None:
            on_progress(table)
    return table


class _Bench:
    """The specialists of one seed, and their children.

    Attributes:
        couples: pairs of numbers of families.
        specialists: ``[families]`` bank slots.
    """

    def __init__(self, service: HostService, world: WorldConfig, seed: int, pairs: int) -> None:
        self.service, self.world, self.ground, self.streams = service, world, Ground.of(world), Streams(seed)
        contracts, families = self.ground.contracts, self.ground.families
        styles = [tuple(contracts.style(name, 1 + depth) for depth in range(self.ground.depths)) for name in families]
        differing = [
            (first, second)
            for first, second in itertools.combinations(range(len(families)), 2)
            if not any(one == other for one, other in zip(styles[first], styles[second], strict=True))
        ]
        if not differing:
            raise ConfigError("no conflict to merge", where="tasks.families", expected="two families of other styles")
        self.couples = self.streams.python("study.couples").sample(differing, min(pairs, len(differing)))
        self.generator = torch.Generator().manual_seed(self.streams.integer("weights"))
        count = len(self.couples)
        adapter = world.adapter
        self.bank: AdapterBank = service.new_bank(
            adapter.sites,
            capacity=1 + len(families) + count * (len(RECIPES) + 2 * len(_WEIGHTS) ** 2 + 2 + 2 * len(adapter.sites)),
            max_rank=adapter.max_rank,
            scaling=adapter.scaling,
        )
        self.specialists = self.bank.allocate(len(families), adapter.rank, self.generator)
        self.parents = self.specialists[torch.tensor(self.couples)]  # [n, 2]

    def train(self, episodes: int) -> None:
        """By reward, each in its family, at all depths."""
        ground = self.ground
        train_lanes(
            self.service,
            self.bank,
            self.specialists,
            [[(family, depth) for depth in range(1, ground.depths + 1)] for family in ground.families],
            ground.source,
            ground.contracts,
            PlasticityConfig(learning_rate=_RATE, half_life=_HALF_LIFE),
            episodes=episodes,
            rows=_ROWS,
            seed=self.streams.seed,
            temperature=self.world.host.temperature,
            max_new_tokens=ground.max_new_tokens,
        )

    def examine(self, per_cell_gate: int, per_cell_test: int) -> list[MergeRow]:
        """All children of all couples on the test pool."""
        gate = self._panel(Pool.GATE, per_cell_gate)
        test = self._panel(Pool.TEST, per_cell_test)
        litters: dict[str, torch.Tensor] = {}
        weights: dict[str, list[tuple[float, ...]]] = {}
        for rank in (4, 8):
            if rank <= self.bank.max_rank:
                name = f"{PICKED}, rank {rank}"
                litters[name], weights[name] = self._picked(rank, gate)
        for recipe in RECIPES:
            if (recipe.rank or 1) <= self.bank.max_rank:
                litters[recipe.name] = self._bred(recipe, gate)
        litters[NAIVE] = self._naive()
        rows = []
        names = list(litters)
        for number, (first, second) in enumerate(self.couples):
            slots = [*self.parents[number].tolist(), *(int(litters[name][number]) for name in names)]
            marks = self._accuracies(slots, (first, second), test)  # [2 + recipes, 2]
            for place, name in enumerate(names):
                rows.append(
                    MergeRow(
                        self.streams.seed,
                        name,
                        weights[name][number] if name in weights else (),
                        self.ground.families[first],
                        self.ground.families[second],
                        (float(marks[0, 0]), float(marks[1, 1])),
                        (float(marks[1, 0]), float(marks[0, 1])),
                        (float(marks[2 + place, 0]), float(marks[2 + place, 1])),
                    )
                )
        return sorted(rows, key=lambda row: names.index(row.recipe))

    # ------------------------------------------------------------------ children

    def _room(self, count: int) -> torch.Tensor:
        return self.bank.allocate(count, 1, self.generator)

    def _bred(self, recipe: Recipe, gate: list[list[Task]]) -> torch.Tensor:
        children, count = self._room(len(self.couples)), len(self.couples)
        breed(
            self.bank,
            self.parents,
            children,
            operator=recipe.operator,
            weights=None if recipe.weight is None else torch.full((count, 2), recipe.weight),
            rank=recipe.rank,
            generator=self.generator,
            site_weights=self._site_weights(gate) if recipe.operator == "task_aware" else None,
        )
        return children

    def _picked(self, rank: int, gate: list[list[Task]]) -> tuple[torch.Tensor, list[tuple[float, ...]]]:
        """Of all combinations of weights the one with the best weaker family, for every couple."""
        combinations = list(itertools.product(_WEIGHTS, repeat=2))
        litters = []
        for weights in combinations:
            litters.append(self._room(len(self.couples)))
            both = torch.tensor(weights).expand(len(self.couples), 2)
            breed(
                self.bank,
                self.parents,
                litters[-1],
                operator="svd",
                weights=both,
                rank=rank,
                generator=self.generator,
            )
        chosen = []
        for number, couple in enumerate(self.couples):
            home = self._accuracies(self.parents[number].tolist(), couple, gate).diagonal()
            marks = self._accuracies([int(children[number]) for children in litters], couple, gate)
            chosen.append(int((marks / np.maximum(home, 1e-9)).clip(max=1).min(1).argmax()))
        slots = torch.stack([litters[choice][number] for number, choice in enumerate(chosen)])
        return slots, [combinations[choice] for choice in chosen]

    def _site_weights(self, gate: list[list[Task]]) -> torch.Tensor:
        """``[n, 2, sites]`` from the gain of every site alone over the bare host, in both families together."""
        sites = len(self.bank.sites)
        scratch = self._room(self.parents.numel() * sites)
        isolate_sites(self.bank, self.parents.flatten(), scratch)
        by_couple = scratch.view(len(self.couples), 2 * sites)
        uplift = []
        for number, couple in enumerate(self.couples):
            marks = self._accuracies([BARE, *by_couple[number].tolist()], couple, gate).mean(1)
            uplift.append((marks[1:] - marks[0]).reshape(2, sites))
        self.bank.free(scratch)
        return site_weights_from_uplift(torch.tensor(np.array(uplift), dtype=torch.float32))

    def _naive(self) -> torch.Tensor:
        """The control: factors averaged one by one, as if A and B meant something alone."""
        children = self._room(len(self.couples))
        for site in self.bank.sites:
            self.bank.a[site.name][children] = self.bank.a[site.name][self.parents].mean(1)
            self.bank.b[site.name][children] = self.bank.b[site.name][self.parents].mean(1)
        self.bank.ranks[children] = self.bank.ranks[self.parents].amax(1)
        return children

    # ------------------------------------------------------------------ examination

    def _panel(self, pool: Pool, per_cell: int) -> list[list[Task]]:
        """Tasks by family."""
        rng = self.streams.python(f"merging.{pool.value}")
        panel = draw_panel(self.ground.source, pool, self.ground.depths, per_cell, rng)
        return [[task for task in panel if task.family == family] for family in self.ground.families]

    def _accuracies(self, slots: Sequence[int], couple: tuple[int, int], panel: list[list[Task]]) -> np.ndarray:
        """``[slots, 2]`` accuracy in the families of a couple."""
        tasks = [*panel[couple[0]], *panel[couple[1]]]
        success = success_matrix(
            self.service,
            self.bank,
            slots,
            tasks,
            self.ground.source,
            self.ground.contracts,
            max_new_tokens=self.ground.max_new_tokens,
        )
        return success.reshape(len(slots), 2, -1).mean(2)
