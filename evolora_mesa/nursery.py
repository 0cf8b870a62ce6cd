"""Birth: a child's weights, traits, beliefs, energy and trial; and elites that come back from the archive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from evolora_mesa.evolution.archive import Elite
from evolora_mesa.evolution.guards import birth_prices
from evolora_mesa.evolution.lineage import genome_hash
from evolora_mesa.evolution.mutation import mutate
from evolora_mesa.evolution.operators import breed
from evolora_mesa.evolution.trial import Trial
from evolora_mesa.organelle import Organelle

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["Mate", "bear", "enter", "revive"]

_WEIGHTED = ("sum", "svd", "ties")
_ELITE_EVIDENCE = 10.0  # episodes that an elite's success in its own cell is believed with


class Mate(NamedTuple):
    """A parent to be.

    Attributes:
        slot: bank slot of its weights.
        unique_id, lineage: of the organelle, or of the one that the elite was.
        focus: its flat cell numbers.
        organelle: `None` for an elite of the archive, which pays nothing.
    """

    slot: int
    unique_id: int
    lineage: int
    focus: np.ndarray
    organelle: Organelle | None

    @classmethod
    def of(cls, model: EcologyModel, organelle: Organelle) -> Mate:
        """A living organelle."""
        focus = np.flatnonzero(model.history.focus(np.array([organelle.slot]))[0])
        if not focus.size:  # it has not worked yet
            family, depth = organelle.cell.coordinate
            focus = np.array([family * model.grid.depths + depth])
        return cls(organelle.slot, organelle.unique_id, organelle.lineage, focus, organelle)

    @classmethod
    def of_elite(cls, model: EcologyModel, elite: Elite) -> Mate:
        """An elite of the archive: its weights go into a slot of their own until the trial ends."""
        slot = model.gatehouse.borrow_slot(model)
        _install(model, elite, slot)
        return cls(slot, elite.organelle, elite.lineage, np.array([elite.cell]), None)


def bear(
    model: EcologyModel, mates: Sequence[Mate], *, adapter: int | None = None, operator: str | None = None
) -> Trial:
    """A child of one or two mates, on trial unless the gate is off. The first mate is an organelle.

    On a fixed roster it is no more than a number and an adapter until it has passed: there is no room for it to live.

    Args:
        adapter: bank slot of weights that the child gets, in place of bred ones; then there may be more mates.
        operator: name of what made them.
    """
    slot = int(model.bank.allocate(1, 1, model.weights_generator)[0])
    if adapter is not None and operator is not None:
        model.bank.copy([adapter], [slot])
    else:
        operator = _make_weights(model, mates, slot)
    _inherit(model, mates, slot)
    model.tally.conceived += 1
    if model.config.population.roster == "fixed":
        trial = _trial(model, mates, Organelle.reserve_id(model), slot, operator)
        _fund(model, mates, trial, None)
    else:
        account = model.ledger.open("organelle")
        first = mates[0].organelle
        assert first is not None
        child = Organelle(model, slot=slot, account=account, cell=first.cell, parents=mates)
        child.on_trial = True
        trial = _trial(model, mates, child.unique_id, slot, operator)
        _fund(model, mates, trial, account)
        enter(model, child, operator)
    model.gatehouse.admit(model, trial)
    return trial


def revive(model: EcologyModel, elite: Elite) -> Organelle:
    """An elite of the archive comes back as a citizen, endowed from the grant fund."""
    slot = int(model.bank.allocate(1, 1, model.weights_generator)[0])
    _install(model, elite, slot)
    account = model.ledger.open("organelle")
    model.ledger.transfer(model.grant, account, model.config.economy.endowment, "endowment")
    mate = Mate(slot, elite.organelle, elite.lineage, np.array([elite.cell]), None)
    organelle = Organelle(model, slot=slot, account=account, cell=model.grid.cell(elite.cell), parents=(mate,))
    model.tally.revivals += 1
    enter(model, organelle, "elite")
    model.phylogeny.accepted(organelle.unique_id, model.tick, "revival")
    return organelle


# ---------------------------------------------------------------- weights and traits


def _make_weights(model: EcologyModel, mates: Sequence[Mate], slot: int) -> str:
    """Write the child's adapter; the operator's name."""
    settings, rng = model.config.reproduction, model.streams.numpy("breeding")
    parents, child = torch.tensor([[mate.slot for mate in mates]]), torch.tensor([slot])
    if len(mates) > 1:
        operator = settings.operator
        breed(
            model.bank,
            parents,
            child,
            operator=operator,
            weights=torch.full((1, 2), settings.weight) if operator in _WEIGHTED else None,
            generator=model.weights_generator,
            site_weights=model.gatehouse.weigh_sites(model, mates) if operator == "task_aware" else None,
        )
        return operator
    kind = settings.mutations[int(rng.integers(len(settings.mutations)))]
    strength = min(float(model.traits.strength[mates[0].slot]) * model.relief.factor, settings.strength_high)
    mutate(
        model.bank,
        parents[:, 0],
        child,
        kinds=[kind],
        strength=torch.tensor([strength]),
        seeds=[int(rng.integers(2**63))],
    )
    return kind


def _inherit(model: EcologyModel, mates: Sequence[Mate], slot: int) -> None:
    """Traits, expectations and beliefs; of two parents each is believed about the cells it knows better."""
    parents, child = np.array([mate.slot for mate in mates]), np.array([slot])
    rng = model.streams.numpy("birth")
    model.history.reset(child)
    model.traits.inherit(parents[None, :], child, rng)
    knows = model.history.episodes[parents].reshape(len(mates), *model.beliefs.shape)
    teacher = knows.argmax(0)  # [families, depths], place among the mates
    model.beliefs.inherit(parents, slot, teacher, rng)
    model.learner.inherit(parents, slot, knows.sum(2).argmax(0))


def _install(model: EcologyModel, elite: Elite, slot: int) -> None:
    """Put an elite into an allocated slot: its weights and traits, and what it was good at."""
    assert model.archive is not None
    where = np.array([slot])
    model.archive.put_into(np.array([elite.niche]), torch.tensor([slot]))
    model.traits.write(where, elite.traits[None, :])
    model.history.reset(where)
    model.learner.reset(torch.tensor([slot]))
    model.beliefs.recall(slot, divmod(elite.cell, model.grid.depths), elite.objective, _ELITE_EVIDENCE)


# ---------------------------------------------------------------- energy and records


def _trial(model: EcologyModel, mates: Sequence[Mate], child: int, slot: int, operator: str) -> Trial:
    """The trial of a child: its parents' own cells, the cells one depth shallower, and all others."""
    cells = np.unique(np.concatenate([mate.focus for mate in mates]))
    shallower = np.setdiff1d(cells[cells % model.grid.depths > 0] - 1, cells)
    return Trial(
        child=child,
        slot=slot,
        kind="merge" if len(mates) > 1 else "mutation",
        operator=operator,
        parents=tuple(mate.unique_id for mate in mates),
        rivals=tuple(mate.slot for mate in mates),
        funders=tuple(mate.unique_id for mate in mates if mate.organelle is not None),
        focus=tuple(mate.focus for mate in mates),
        shallower=shallower,
        panel=np.setdiff1d(np.flatnonzero(model.open), np.union1d(cells, shallower)),
        account=model.ledger.open("trial", str(child)),
        born=model.tick,
    )


def _fund(model: EcologyModel, mates: Sequence[Mate], trial: Trial, account: int | None) -> None:
    """Every living parent pays its part of the birth, of the child's start in life and of its prompts.

    Args:
        account: the child's; `None` while it has no life to start.
    """
    settings, cap = model.config.reproduction, model.config.diversity
    citizens = [organelle for organelle in model.organelles() if not organelle.on_trial]
    prices = birth_prices(settings.cost, np.array([o.lineage for o in citizens]), cap.lineage_cap, cap.lineage_strength)
    price_of = dict(zip((o.unique_id for o in citizens), prices.tolist(), strict=True))
    funders = [mate.organelle for mate in mates if mate.organelle is not None]
    for funder in funders:
        funder.last_child = model.tick
        ledger, part = model.ledger, 1 / len(funders)
        ledger.transfer(funder.account, model.soil, min(part * price_of[funder.unique_id], funder.energy), "birth")
        owned = part * funder.energy
        if account is not None:
            ledger.transfer(funder.account, account, settings.share * owned, "inheritance")
        budget = float(model.traits.budget[funder.slot]) * owned
        ledger.transfer(funder.account, trial.account, min(budget, funder.energy), "evidence")
    stipend = min(model.config.gate.stipend, model.ledger.balance(model.grant))
    model.ledger.transfer(model.grant, trial.account, stipend, "stipend")


def enter(model: EcologyModel, organelle: Organelle, operator: str) -> None:
    """Put a birth on record."""
    if operator != "elite":
        model.tally.births += 1
    slots = np.array([organelle.slot])
    genome = genome_hash(model.bank, slots.tolist(), model.traits.rows(slots))[0]
    model.phylogeny.born(
        organelle.unique_id, organelle.parents, model.tick, operator, genome, organelle.lineage, "birth"
    )
    facts = {
        "parents": list(organelle.parents),
        "lineage": organelle.lineage,
        "operator": operator,
        "genome": genome,
        "slot": organelle.slot,
        "cell": list(organelle.cell.coordinate),
    }
    model.events.append(("revived" if operator == "elite" else "birth", organelle.unique_id, facts))
    model.datacollector.add_table_row(
        "births",
        {
            "generation": model.tick,
            "unique_id": organelle.unique_id,
            "parents": " ".join(map(str, organelle.parents)),
            "lineage": organelle.lineage,
            "operator": operator,
            "energy": organelle.energy,
            "genome": genome,
        },
    )
