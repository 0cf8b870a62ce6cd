"""Birth and death: bankrupt organelles return their energy to the soil, rich ones bear mutated copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from evolora_mesa.evolution.mutation import mutate
from evolora_mesa.organelle import Organelle

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["bear", "bury"]


def bury(model: EcologyModel, dead: Sequence[Organelle]) -> int:
    """Remove organelles from the world; their energy goes to the soil and their slots are free again."""
    for organelle in dead:
        model.ledger.close(organelle.account, model.soil, "death")
        model.datacollector.add_table_row(
            "deaths",
            {
                "generation": model.tick,
                "unique_id": organelle.unique_id,
                "lineage": organelle.lineage,
                "age": organelle.age,
            },
        )
        organelle.remove()
    if dead:
        model.bank.free([organelle.slot for organelle in dead])
    return len(dead)


def bear(model: EcologyModel, generator: torch.Generator) -> int:
    """Everyone above the threshold bears a child, the richest first, as long as the world has room.

    The parent pays the cost of a birth to the soil and gives the child a share of what is left.

    Returns:
        The number of births.
    """
    settings = model.config.reproduction
    room = model.config.population.maximum - len(model.agents)
    rich = [organelle for organelle in model.organelles() if organelle.energy >= settings.threshold]
    parents = sorted(rich, key=lambda organelle: (-organelle.energy, organelle.unique_id))[: max(room, 0)]
    if not parents:
        return 0
    parent_slots = torch.tensor([parent.slot for parent in parents])
    child_slots = model.bank.allocate(len(parents), 1, generator)
    mutate(
        model.bank,
        parent_slots,
        child_slots,
        strength=settings.strength,
        rank_change=settings.rank_change,
        generator=generator,
    )
    model.learner.inherit(parent_slots, child_slots)
    model.beliefs.inherit(parent_slots.numpy(), child_slots.numpy(), model.streams.numpy("birth"))
    for parent, slot in zip(parents, child_slots.tolist(), strict=True):
        model.ledger.transfer(parent.account, model.soil, settings.cost, "birth")
        account = model.ledger.open("organelle")
        given = model.ledger.transfer(parent.account, account, settings.share * parent.energy, "inheritance")
        child = Organelle(model, slot=slot, account=account, cell=parent.cell, parent=parent)
        model.datacollector.add_table_row(
            "births",
            {
                "generation": model.tick,
                "unique_id": child.unique_id,
                "parent_id": parent.unique_id,
                "lineage": child.lineage,
                "energy": given,
            },
        )
    return len(parents)
