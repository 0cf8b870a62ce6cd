"""Small worlds, and the few things that tests of whole worlds do to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch

from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.organelle import Organelle
from evolora_mesa.tasks import Task
from evolora_mesa.workload import Grades

PHASES = ("season", "forage", "work", "settle", "learn", "turn_over")
TINY = {
    "tasks.families": ["word.count", "math", "logic"],
    "tasks.depths": 2,
    "population.initial": 4,
    "population.minimum": 2,
    "population.maximum": 6,
    "population.episodes": 4,
}
LIVELY = {
    "economy.inflow": 0.5,
    "economy.ticket": 1.2,
    "economy.grace": 0,
    "economy.protected_age": 2,
    "population.maximum": 8,
    "reproduction.share": 0.002,
    "reproduction.maturity": 0,
    "reproduction.cooldown": 0,
    "gate.enabled": False,
    "gate.budget": 0.0,
}
NOBODY_CAN_PAY = {
    "economy.ticket": 1000.0,
    "economy.grace": 0,
    "economy.protected_age": 0,
    "reproduction.enabled": False,
}


# A small world that selects within thirty generations: young parents, short trials, no fear of death.
EAGER = {
    "tasks.families": ["word.count", "logic", "string.sort", "code.format"],
    "tasks.depths": 2,
    "population.initial": 8,
    "population.maximum": 16,
    "population.episodes": 8,
    "economy.inflow": 2.0,
    "reproduction.maturity": 6,
    "reproduction.cooldown": 2,
    "gate.most_trials": 3,
}


def eager_world(host: HostService, *, rng: int = 1, **settings: object) -> EcologyModel:
    return EcologyModel("ecology", host=host, rng=rng, **{**EAGER, **settings})


def tiny_world(host: HostService, *, rng: int | str = 1, **settings: object) -> EcologyModel:
    """Three families x two depths, four founders of at most six, four episodes each."""
    return EcologyModel("ecology", host=host, rng=rng, **{**TINY, **settings})


def lively_world(host: HostService, *, rng: int | str = 1, **settings: object) -> EcologyModel:
    """Births and deaths go on for ever: a patron of 1000 energy bears children and gives them 2 each, and
    there is far too little for all to live on.
    """
    model = tiny_world(host, rng=rng, **{**LIVELY, **settings})
    enrich(model, model.organelles()[0], 1000.0)
    return model


def breeding_world(host: HostService, **settings: object) -> EcologyModel:
    """A tiny world in which everyone may bear a child now, if it is rich enough."""
    ready = {"reproduction.maturity": 0, "reproduction.sociability": 1.0, "population.maximum": 12}
    return tiny_world(host, **{**ready, **settings})


def at_home(model: EcologyModel, organelle: Organelle, cell: int, episodes: float = 40.0, success: float = 0.9) -> None:
    """Give an organelle a past in one cell, by flat number."""
    model.history.episodes[organelle.slot, cell] = episodes
    model.history.wins[organelle.slot, cell] = success * episodes
    model.history.tokens[organelle.slot, cell] = 5 * episodes
    where = divmod(cell, model.grid.depths)
    model.beliefs.wins[organelle.slot][where] = success * episodes
    model.beliefs.losses[organelle.slot][where] = (1 - success) * episodes


def gates(model: EcologyModel) -> list[dict[str, object]]:
    """Rows of the table of decisions."""
    return model.datacollector.get_table_dataframe("gates").to_dict("records")


def live(model: EcologyModel, generations: int) -> EcologyModel:
    for _ in range(generations):
        model.step()
    return model


def adapters(model: EcologyModel) -> dict[str, torch.Tensor]:
    """Copies of all factors of the bank."""
    return {
        f"{factor}.{name}": tensor.clone()
        for factor, stack in (("a", model.bank.a), ("b", model.bank.b))
        for name, tensor in stack.items()
    }


def weight_change(model: EcologyModel, slot: int, site: str = "lm_head") -> torch.Tensor:
    """ΔW ``[d_out, d_in]`` of one slot."""
    return model.bank.scaling * model.bank.b[site][slot] @ model.bank.a[site][slot]


def teach(model: EcologyModel, organelle: Organelle) -> None:
    """Give an organelle a random adapter, so that its ΔW is not zero."""
    generator = torch.Generator().manual_seed(organelle.slot)
    for place, site in enumerate(model.bank.sites):
        rank = int(model.bank.ranks[organelle.slot, place])
        model.bank.b[site.name][organelle.slot, :, :rank] = 0.1 * torch.randn(site.d_out, rank, generator=generator)


def enrich(model: EcologyModel, organelle: Organelle, energy: float) -> None:
    model.ledger.transfer(model.sun, organelle.account, energy, "gift")


def send_all_to(model: EcologyModel, cell: int) -> None:
    """Make everyone want one cell, by flat number, and nothing else."""
    model.beliefs.bias[:] = 0.0
    model.beliefs.bias[(slice(None), *divmod(cell, model.grid.depths))] = 1000.0
    model.beliefs.exploration[:] = 0.0


def grade_all(monkeypatch: pytest.MonkeyPatch, judge: Callable[[Task], bool]) -> None:
    """From now on an answer is worth everything or nothing, whatever it says."""

    def judged(tasks: Sequence[Task], *_: object) -> Grades:
        right = np.array([judge(task) for task in tasks], dtype=bool)
        return Grades(right.astype(float), right)

    monkeypatch.setattr("evolora_mesa.model.grade", judged)


def history(model: EcologyModel) -> list[dict[str, object]]:
    """Every figure of every generation except the seconds; nan as None, so that equal means equal."""
    return [
        {name: None if value != value else value for name, value in row.items() if not str(name).endswith("_seconds")}
        for row in model.datacollector.get_model_vars_dataframe().to_dict("records")
    ]


def agents(model: EcologyModel) -> list[tuple[object, ...]]:
    """Who lives, where, and with what."""
    return [
        (o.unique_id, o.parents, o.lineage, o.slot, o.cell.coordinate, o.energy, o.born) for o in model.organelles()
    ]
