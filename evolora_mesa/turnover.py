"""Who leaves the world, who comes to stay, and who comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from evolora_mesa.evolution.trial import Trial
from evolora_mesa.nursery import Mate, enter, revive
from evolora_mesa.organelle import Organelle

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["bury", "dismiss", "doomed", "fill_empty_niches", "keep_elites", "poorest_parent", "take_place", "welcome"]

_DOUBT = 2.0  # failures that every success is held against: a lucky few make no elite


def doomed(model: EcologyModel) -> list[Organelle]:
    """The bankrupt; in a neutral world as many organelles at random; on a fixed roster nobody."""
    if model.config.population.roster == "fixed":
        return []
    bankrupt = [organelle for organelle in model.organelles() if organelle.bankrupt]
    if model.config.economy.deaths == "bankrupt" or not bankrupt:
        return bankrupt
    grown = [o for o in model.organelles() if o.age >= model.config.economy.protected_age]
    drawn = model.streams.numpy("deaths").choice(len(grown), size=len(bankrupt), replace=False)
    for organelle in bankrupt:
        organelle.unpaid_tickets = 0
    return [grown[place] for place in sorted(drawn.tolist())]


def bury(model: EcologyModel, dead: Sequence[Organelle], cause: str = "bankrupt") -> None:
    """Remove organelles from the world; their energy goes to the soil, and slots that no trial needs are free again."""
    for organelle in dead:
        model.ledger.close(organelle.account, model.soil, "death")
        model.phylogeny.died(organelle.unique_id, model.tick, cause)
        model.events.append(("death", organelle.unique_id, {"cause": cause, "age": organelle.age}))
        model.datacollector.add_table_row(
            "deaths",
            {
                "generation": model.tick,
                "unique_id": organelle.unique_id,
                "lineage": organelle.lineage,
                "age": organelle.age,
                "cause": cause,
            },
        )
        organelle.remove()
    slots = [organelle.slot for organelle in dead]
    kept = model.gatehouse.keep_slots(slots)
    if free := [slot for slot in slots if slot not in kept]:
        model.bank.free(free)
    model.tally.deaths += len(dead)


# ---------------------------------------------------------------- the ends of a trial


def welcome(model: EcologyModel, child: Organelle, trial: Trial, *, confined: bool) -> None:
    """A child has passed the gate: it is a citizen, and owns what is left of the trial's money."""
    child.on_trial = False
    model.ledger.close(trial.account, child.account, "evidence left")
    if confined:
        model.beliefs.confine(child.slot, trial.cells)
        model.tally.confined += 1
    if trial.kind == "merge":
        model.tally.merges += 1
    else:
        model.tally.promotions += 1
    model.phylogeny.accepted(child.unique_id, model.tick, "confined" if confined else "accepted")


def poorest_parent(model: EcologyModel, trial: Trial) -> Organelle | None:
    """Of the parents that live, the one with the least energy."""
    parents = [organelle for organelle in model.organelles() if organelle.unique_id in trial.parents]
    return min(parents, key=lambda parent: parent.energy, default=None)


def take_place(model: EcologyModel, trial: Trial, parent: Organelle) -> Organelle:
    """On a fixed roster: a child that has passed is born, into its parent's cell and with all that it owned."""
    upcoming = Organelle.upcoming_id(model)
    account = model.ledger.open("organelle")
    model.ledger.transfer(parent.account, account, parent.energy, "inheritance")
    mates = [
        Mate(slot, number, model.phylogeny[number].lineage, focus, None)
        for slot, number, focus in zip(trial.rivals, trial.parents, trial.focus, strict=True)
    ]
    child = Organelle(model, slot=trial.slot, account=account, cell=parent.cell, parents=mates)
    child.unique_id = trial.child  # the number that the trial was held under
    Organelle.set_upcoming_id(model, upcoming)
    enter(model, child, trial.operator)
    bury(model, [parent], "replaced")
    return child


def dismiss(model: EcologyModel, child: Organelle | None, trial: Trial) -> None:
    """A child has failed, or is dead already: what it and its trial still own goes back to those who paid and live."""
    funders = [organelle for organelle in model.organelles() if organelle.unique_id in trial.funders]
    left = model.ledger.close(trial.account, model.grant, "evidence left")
    if child is not None and funders:
        left += model.ledger.transfer(child.account, model.grant, child.energy, "evidence left")
    for place, funder in enumerate(funders):
        part = left / (len(funders) - place)  # the last takes what rounding leaves
        left -= model.ledger.transfer(
            model.grant, funder.account, min(part, model.ledger.balance(model.grant)), "refund"
        )
    if child is not None:
        bury(model, [child], "rejected")
    elif model.config.population.roster == "fixed":
        model.bank.free([trial.slot])


# ---------------------------------------------------------------- the archive


def keep_elites(model: EcologyModel) -> None:
    """Offer every citizen's weights to the archive, for every cell where it has worked enough to be known."""
    citizens = [organelle for organelle in model.organelles() if not organelle.on_trial]
    if model.archive is None or not citizens:
        return
    slots = np.array([organelle.slot for organelle in citizens])
    episodes, wins, tokens = (
        counts[slots] for counts in (model.history.episodes, model.history.wins, model.history.tokens)
    )
    who, cells = np.nonzero((episodes >= model.config.archive.evidence) & (wins > 0))
    done = episodes[who, cells]
    before = model.archive.occupied
    status = model.archive.offer(
        cells=cells,
        costs=tokens[who, cells] / done,
        objectives=wins[who, cells] / (done + _DOUBT),
        slots=slots[who],
        ids=np.array([organelle.unique_id for organelle in citizens])[who],
        lineages=np.array([organelle.lineage for organelle in citizens])[who],
        traits=model.traits.rows(slots[who]),
        generation=model.tick,
    )
    if status.any():
        model.events += [
            ("elite", elite.organelle, {"niche": elite.niche, "new": not before[elite.niche]})
            for elite in model.archive.elites()
            if elite.generation == model.tick
        ]


def fill_empty_niches(model: EcologyModel) -> None:
    """One elite comes back, into a family that nobody lives on, or into a world with too few organelles."""
    population, endowment = model.config.population, model.config.economy.endowment
    citizens = [organelle for organelle in model.organelles() if not organelle.on_trial]
    crowded = len(model.agents) >= population.maximum - model.config.gate.most_trials  # births come first
    if model.archive is None or not citizens or len(model.agents) >= population.maximum:
        return
    if population.roster == "fixed":
        return
    if crowded and len(citizens) >= population.minimum:
        return
    if model.ledger.balance(model.grant) < endowment:
        return
    slots = np.array([organelle.slot for organelle in citizens])
    work = model.history.episodes[slots].reshape(len(slots), *model.beliefs.shape).sum(2)  # [citizens, families]
    lived_on = np.bincount(work.argmax(1), minlength=work.shape[1])  # citizens by main family
    few = len(citizens) < population.minimum
    neighbours = {elite: int(lived_on[elite.cell // model.grid.depths]) for elite in model.archive.elites()}
    there = model.open[:, 0]
    wanted = [
        elite for elite, here in neighbours.items() if there[elite.cell // model.grid.depths] and (few or not here)
    ]
    if wanted:
        revive(model, min(wanted, key=lambda elite: (neighbours[elite], -elite.objective, elite.niche)))
