"""The life of a colony: its founding, its pot, who joins and leaves, how it climbs, bears children, and ends."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from evolora_mesa.nursery import Mate, bear
from evolora_mesa.organelle import Organelle
from evolora_mesa.society.colony import Audition, Colony
from evolora_mesa.society.colony_gate import slots_of
from evolora_mesa.society.ladder import distill, fuse_members, teaching_tokens
from evolora_mesa.society.recruiting import Proposal, focus_of

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = [
    "admit",
    "bear_child",
    "charge",
    "climb",
    "end_audition",
    "leave_cells",
    "open_audition",
    "part_with",
    "propose",
    "wind_up",
]

_MOST_FUNDED = 0.5  # share of the pot above its reserve that a child's trial gets


def announce(model: EcologyModel, kind: str, colony: Colony, **facts: Any) -> None:
    """Put on record what became of a colony; colonies have numbers of their own, so the event is nobody's."""
    model.events.append((kind, None, {"colony": colony.number, "members": list(colony.members), **facts}))


# ---------------------------------------------------------------- beginning and end


def propose(model: EcologyModel, proposal: Proposal, number: int) -> Colony:
    """Two organelles open a pot and audition for a colony."""
    settings = model.config.society.colonies
    mode = settings.modes[int(model.streams.numpy("colonies").integers(len(settings.modes)))]
    members = [organelle for organelle in model.organelles() if organelle.unique_id in proposal.members]
    colony = Colony(
        number=number,
        members=list(proposal.members),
        mode=mode,
        cells=np.flatnonzero(focus_of(model, members).any(0)).tolist(),
        pot=model.ledger.open("colony", str(number)),
        born=model.tick,
        audition=Audition("founding", model.tick),
    )
    for member in members:
        pay_in(model, colony, member)
    announce(
        model,
        "colony_proposed",
        colony,
        mode=mode,
        by=proposal.by,
        promise=round(proposal.promise, 4),
        cells=colony.cells,
    )
    return colony


def pay_in(model: EcologyModel, colony: Colony, member: Organelle) -> None:
    """What a member gives when it comes."""
    amount = model.config.society.colonies.entry * member.energy
    paid = model.ledger.transfer(member.account, colony.pot, amount, "colony", up_to=True)
    colony.paid_in[member.unique_id] = colony.paid_in.get(member.unique_id, 0.0) + paid


def admit(model: EcologyModel, colony: Colony) -> None:
    """The colony has passed."""
    audition = colony.audition
    assert audition is not None
    colony.founded = model.tick
    announce(model, "colony_founded", colony, mode=colony.mode, cells=colony.cells, **_evidence(audition))
    _rest(model, colony)


def wind_up(model: EcologyModel, colony: Colony, reason: str) -> None:
    """The end of a colony, or of a proposal: what is left of the pot goes to the members, by what they paid in."""
    founded = colony.founded is not None
    facts: dict[str, Any] = {"reason": reason, "age": model.tick - colony.born}
    if colony.audition is not None:
        facts |= {} if founded else _evidence(colony.audition)
        _drop_adapter(model, colony.audition)
    if colony.founded is not None:
        facts |= {"rung": colony.rung, "lived": model.tick - colony.founded, **_deeds(colony)}
    left = model.ledger.balance(colony.pot)
    announce(model, "colony_dissolved" if founded else "colony_refused", colony, pot=round(left, 6), **facts)
    heirs = [organelle for organelle in model.organelles() if organelle.unique_id in colony.members]
    _divide(model, colony, heirs, left)
    model.ledger.close(colony.pot, model.soil, "colony")
    if colony.adapter is not None:
        model.bank.free([colony.adapter])


def _divide(model: EcologyModel, colony: Colony, heirs: Sequence[Organelle], amount: float) -> None:
    """``amount`` from the pot to ``heirs``, pro rata by what they paid in; the last takes what rounding leaves."""
    shares = np.array([colony.paid_in.get(heir.unique_id, 0.0) for heir in heirs])
    shares = shares / shares.sum() if shares.sum() > 0 else np.full(len(heirs), 1 / max(len(heirs), 1))
    for heir, share in zip(heirs, shares.tolist(), strict=True):
        owned = model.ledger.balance(colony.pot)
        part = owned if heir is heirs[-1] and amount >= owned else min(share * amount, owned)
        model.ledger.transfer(colony.pot, heir.account, part, "colony share")


def leave_cells(model: EcologyModel, remaining: np.ndarray) -> None:
    """Colonies work in the ``remaining`` cells only; one that has none of them is over."""
    for colony in list(model.colonies.living):
        kept = [cell for cell in colony.cells if cell in remaining]
        if kept:
            colony.cells = kept
        else:
            model.colonies.living.remove(colony)
            wind_up(model, colony, "season")


def part_with(model: EcologyModel, colony: Colony, member: int, reason: str) -> None:
    """A member leaves, if it lives with its part of the pot, and the others go on."""
    announce(model, "colony_left", colony, member=member, reason=reason)
    leaver = [organelle for organelle in model.organelles() if organelle.unique_id == member]
    if leaver:
        entries = sum(colony.paid_in.get(one, 0.0) for one in colony.members)
        share = colony.paid_in.get(member, 0.0) / entries if entries > 0 else 1 / len(colony.members)
        model.ledger.transfer(
            colony.pot, leaver[0].account, share * model.ledger.balance(colony.pot), "colony share", up_to=True
        )
    colony.leave(member)
    colony.paid_in.pop(member, None)


# ---------------------------------------------------------------- auditions and rungs


def open_audition(model: EcologyModel, colony: Colony, audition: Audition) -> None:
    """Begin a trial for something more; a rung's adapter is made now, and the pot pays for teaching it."""
    if audition.purpose in ("fused", "distilled"):
        audition.adapter = int(model.bank.allocate(1, 1, model.weights_generator)[0])
        fuse_members(model, slots_of(model, colony.members), audition.adapter)
        colony.tried_rung = audition.purpose
    if audition.purpose == "distilled":
        assert audition.adapter is not None
        lessons = [*colony.lessons, *colony.retention]
        distill(model, lessons, audition.adapter)
        tokens = teaching_tokens(lessons, model.colonies.settings.epochs)
        charge(model, colony, tokens * model.tariff.prompt_token, "distilling")
    colony.audition, colony.tried = audition, audition.purpose


def charge(model: EcologyModel, colony: Colony, price: float, reason: str) -> float:
    """The pot pays as far as it can; what it paid."""
    return model.ledger.transfer(colony.pot, model.soil, price, reason, up_to=True)


def end_audition(model: EcologyModel, colony: Colony, reason: str) -> None:
    """A trial for something more ends without it."""
    audition = colony.audition
    assert audition is not None
    announce(model, "colony_tried", colony, purpose=audition.purpose, reason=reason, **_evidence(audition))
    _drop_adapter(model, audition)
    _rest(model, colony)


def _rest(model: EcologyModel, colony: Colony) -> None:
    colony.audition = None
    colony.rested = model.tick + model.config.society.colonies.rest


def climb(model: EcologyModel, colony: Colony) -> None:
    """A trial for something more has been passed: one member more, or a rung higher."""
    audition = colony.audition
    assert audition is not None
    if audition.purpose == "expansion":
        joining = next(o for o in model.organelles() if o.unique_id == audition.candidate)
        colony.members.append(joining.unique_id)
        colony.without.clear()
        pay_in(model, colony, joining)
        announce(model, "colony_joined", colony, member=joining.unique_id, **_evidence(audition))
    elif audition.purpose in ("fused", "distilled"):
        announce(model, "colony_climbed", colony, rung=audition.purpose, below=colony.rung, **_evidence(audition))
        if colony.adapter is not None:
            model.bank.free([colony.adapter])
        colony.adapter, colony.rung = audition.adapter, audition.purpose
        audition.adapter = None
        colony.expecting = True
        bear_child(model, colony)
    _rest(model, colony)


def bear_child(model: EcologyModel, colony: Colony) -> None:
    """The team reproduces, as soon as there is room: a child with the colony's one adapter, through the nursery and the
    gate as any other.

    The members pay as parents do, and half of what the pot holds above its reserve pays for the child's trial.
    """
    population, settings = model.config.population, model.config.society.colonies
    crowded = population.roster == "open" and len(model.agents) >= population.maximum
    if crowded or not model.config.reproduction.enabled or not model.gatehouse.room():
        return
    mates = [Mate.of(model, o) for o in model.organelles() if o.unique_id in colony.members]
    colony.expecting = False
    trial = bear(model, mates, adapter=colony.adapter, operator=colony.rung)
    surplus = max(model.ledger.balance(colony.pot) - settings.reserve, 0.0)
    if trial in model.gatehouse.trials:
        model.ledger.transfer(colony.pot, trial.account, _MOST_FUNDED * surplus, "evidence", up_to=True)
    announce(model, "colony_child", colony, child=trial.child, rung=colony.rung)


def _drop_adapter(model: EcologyModel, audition: Audition) -> None:
    if audition.adapter is not None:
        model.bank.free([audition.adapter])


# ---------------------------------------------------------------- facts


def _evidence(audition: Audition) -> dict[str, Any]:
    """What a trial has shown so far: success of its side and of the other one, and what both cost."""
    prompts = audition.counts.total
    return {
        "prompts": prompts,
        "right": audition.right[0],
        "rival_right": audition.right[1],
        "tokens": audition.tokens[0],
        "rival_tokens": audition.tokens[1],
        "uplift": round(audition.counts.uplift, 4) if prompts else None,
        "energy": round(audition.energy, 6),
    }


def _deeds(colony: Colony) -> dict[str, Any]:
    """What a colony has done at paid work, beside what its best member would have done with as many answers."""
    return {
        "tasks": colony.tasks,
        "right": colony.right,
        "rival_right": colony.rival_right,
        "tokens": colony.tokens,
        "rival_tokens": colony.rival_tokens,
    }
