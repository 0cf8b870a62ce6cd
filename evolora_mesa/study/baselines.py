"""The ecology held against what a skeptic would try first: nothing, one adapter, and labels.

All arms of a seed answer the same locked panel, with the same number of training episodes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from evolora_mesa.config import MOST_MEMORY, PlasticityConfig, WorldConfig
from evolora_mesa.configfile import load_config
from evolora_mesa.errors import ConfigError
from evolora_mesa.host import BARE, AdapterBank, HostService
from evolora_mesa.model import EcologyModel, host_for
from evolora_mesa.streams import Streams
from evolora_mesa.study.baseline_table import ArmRow, BaselineTable
from evolora_mesa.study.deployment import Ground, deploy, draw_panels
from evolora_mesa.study.lanes import Spent, fine_tune_lanes, train_lanes
from evolora_mesa.study.worth import mean_roi

__all__ = ["ARMS", "DEFAULT_ARMS", "BaselineTable", "run_baselines", "train_one"]

ARMS: Final = {
    "frozen": "the bare host",
    "one_adapter": "one adapter that learns by three_factor in all cells, beside the bare host",
    "supervised": "one adapter fine-tuned on as many right answers in the paid style, beside the bare host",
    "ecology": "the population of the config, beside the bare host",
    "random_host": "the ecology on a host with random weights: a negative control",
}
DEFAULT_ARMS: Final = ("frozen", "one_adapter", "supervised", "ecology")

# The best of five settings (rows 32 to 128, rates .01 and .02, half-lives 60 to 200) on the gate pool.
# Without roll-back, which guards an organelle in its niche: one adapter on everything has none.
_ONE_ADAPTER: Final = PlasticityConfig(rule="three_factor", learning_rate=0.01, half_life=120.0, rollback_drop=1.0)
_ONE_ADAPTER_ROWS: Final = 32
# The best of four settings on the gate pool.
_SUPERVISED_ROWS, _SUPERVISED_RATE, _SUPERVISED_HALF_LIFE = 64, 0.02, 60.0

Progress = Callable[[ArmRow], None]


@dataclass(frozen=True)
class _Trained:
    """An arm ready to be deployed: the candidates are slots of the bank."""

    service: HostService
    bank: AdapterBank | None
    candidates: list[int]
    spent: Spent
    seconds: float
    mean_roi: float | None = None


def run_baselines(
    service: HostService,
    config: WorldConfig | str = "ecology",
    *,
    seeds: Sequence[int],
    episodes: int = 8192,
    arms: Sequence[str] = DEFAULT_ARMS,
    per_cell_select: int = 8,
    per_cell_test: int = 20,
    on_progress: Progress | None = None,
) -> BaselineTable:
    """Train and deploy every arm under every seed.

    The ecology lives until it has had ``episodes``, what its children and their parents answer at the gate
    included; it finishes its last generation, and the other arms of the seed get as many, rounded up to whole
    updates. The bare host is a candidate of every arm, so that a single adapter may also leave a family to it; what
    the adapter does alone is its ``best_single``.

    Args:
        service: host of all arms but ``random_host``.
        config: the world of the ecology; its tasks and contracts are everybody's.
        seeds: each seeds all arms and panels of its own.
        arms: of `ARMS`.
        per_cell_select, per_cell_test: tasks per cell in the panels.
        on_progress: called with every finished row.

    Raises:
        ConfigError: an unknown arm or seed, something twice, no episodes, or contracts that shift.
    """
    world = load_config(config)
    _check(arms, seeds, episodes)
    changes = {"seasons.shift_every": world.seasons.shift_every, "seasons.schedule": len(world.seasons.schedule)}
    for where, some in changes.items():
        if some:
            raise ConfigError(
                "the other arms know one season only",
                where=where,
                expected="0",
                got=some,
                do="Measure a moving world with evolora_mesa.study.worth.",
            )
    ground = Ground.of(world)
    random_service = _random_host(world) if "random_host" in arms else None
    rows: dict[tuple[int, str], ArmRow] = {}
    for seed in seeds:
        budget = episodes
        for arm in sorted(arms, key=lambda arm: arm != "ecology"):  # first: the others get what it took
            if arm == "random_host":
                assert random_service is not None
                trained = _ecology(random_service, world, seed, episodes)
            else:
                trained = _train(arm, service, world, ground, seed, budget)
            if arm == "ecology":
                budget = max(budget, trained.spent.episodes)
            panels = draw_panels(
                ground, seed, per_cell_select=per_cell_select, per_cell_test=per_cell_test
            )  # only now, and equal for all arms: no training can have seen them
            found = deploy(trained.service, trained.bank, trained.candidates, ground, panels)
            rows[seed, arm] = ArmRow(
                arm=arm,
                seed=seed,
                routed=found.accuracy,
                best_single=found.best_single,
                mean_roi=trained.mean_roi,
                episodes=trained.spent.episodes,
                training_tokens=trained.spent.tokens,
                selection_tokens=found.selection_tokens,
                training_seconds=trained.seconds,
                selection_seconds=found.selection_seconds,
                candidates=len(trained.candidates),
                by_family=found.by_family,
            )
            if on_progress is not None:
                on_progress(rows[seed, arm])
    return BaselineTable(
        config=world.name,
        host=service.name,
        episodes=episodes,
        select_tasks=len(panels.select),
        test_tasks=len(panels.test),
        arms=tuple(arms),
        seeds=tuple(seeds),
        rows=tuple(rows[seed, arm] for seed in seeds for arm in arms),
    )


def _grow(model: EcologyModel, episodes: int) -> Spent:
    """Let a world live until it has had ``episodes``, answers to gate prompts included, or everyone is dead."""
    spent = Spent(0, 0)
    while spent.episodes < episodes and model.running:
        model.step()
        tally = model.tally
        spent = Spent(
            spent.episodes + tally.episodes + tally.gate_rows,
            spent.tokens + tally.prompt_tokens + tally.generated_tokens + tally.gate_tokens,
        )
    return spent


def _train(arm: str, service: HostService, world: WorldConfig, ground: Ground, seed: int, episodes: int) -> _Trained:
    match arm:
        case "frozen":
            return _Trained(service, None, [BARE], Spent(0, 0), 0.0)
        case "ecology":
            return _ecology(service, world, seed, episodes)
    return _one_adapter(arm, service, world, ground, seed, episodes)


def _ecology(service: HostService, world: WorldConfig, seed: int, episodes: int) -> _Trained:
    began = time.process_time()
    model = EcologyModel(world, rng=seed, host=service, **{"record.memory": MOST_MEMORY})
    spent = _grow(model, episodes)
    seconds = time.process_time() - began
    candidates = [BARE, *(organelle.slot for organelle in model.organelles())]
    return _Trained(service, model.bank, candidates, spent, seconds, mean_roi(model))


def _one_adapter(
    arm: str, service: HostService, world: WorldConfig, ground: Ground, seed: int, episodes: int
) -> _Trained:
    """One adapter on all cells, by reward or by labels."""
    began = time.process_time()
    adapter = world.adapter
    bank = service.new_bank(adapter.sites, capacity=2, max_rank=adapter.max_rank, scaling=adapter.scaling)
    generator = torch.Generator().manual_seed(Streams(seed).integer("weights"))
    slots = bank.allocate(1, adapter.rank, generator)
    spent = train_one(arm, service, bank, slots, ground, world, seed, episodes)
    return _Trained(service, bank, [BARE, *slots.tolist()], spent, time.process_time() - began)


def train_one(
    arm: str,
    service: HostService,
    bank: AdapterBank,
    slots: torch.Tensor,
    ground: Ground,
    world: WorldConfig,
    seed: int,
    episodes: int,
) -> Spent:
    """Train the adapter ``slots [1]`` on all cells, in place, for whole updates.

    Args:
        arm: ``one_adapter``, by reward, or ``supervised``, by right answers in the paid style.
    """
    lanes = [[(family, depth) for family in ground.families for depth in range(1, ground.depths + 1)]]
    rows = _ONE_ADAPTER_ROWS if arm == "one_adapter" else _SUPERVISED_ROWS
    whole_updates = -(-episodes // rows) * rows
    if arm == "one_adapter":
        return train_lanes(
            service,
            bank,
            slots,
            lanes,
            ground.source,
            ground.contracts,
            _ONE_ADAPTER,
            episodes=whole_updates,
            rows=rows,
            seed=seed,
            temperature=world.host.temperature,
            max_new_tokens=world.host.max_new_tokens,
        )
    return fine_tune_lanes(
        service,
        bank,
        slots,
        lanes,
        ground.source,
        ground.contracts,
        episodes=whole_updates,
        rows=rows,
        seed=seed,
        learning_rate=_SUPERVISED_RATE,
        half_life=_SUPERVISED_HALF_LIFE,
    )


def _random_host(world: WorldConfig) -> HostService:
    return host_for(load_config(world, {"host.random_weights": True}))


def _check(arms: Sequence[str], seeds: Sequence[int], episodes: int) -> None:
    unknown = [arm for arm in arms if arm not in ARMS]
    if unknown or not arms:
        raise ConfigError(
            "unknown arm" if unknown else "no arm",
            where="arms",
            expected=", ".join(ARMS),
            got=unknown[0] if unknown else [],
        )
    for name, values in (("arms", arms), ("seeds", seeds)):
        if len(set(values)) < len(values):
            raise ConfigError("the same thing twice", where=name, expected="each once", got=list(values))
    if not seeds or min(seeds) < 0:
        raise ConfigError("no such seeds", where="seeds", expected="one or more of 0, 1, 2, ...", got=list(seeds))
    if episodes < 1:
        raise ConfigError("nothing to learn from", where="episodes", expected="at least 1", got=episodes)
