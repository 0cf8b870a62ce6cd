"""The council: what colonies have shown takes effect, and new colonies and trials begin."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from evolora_mesa.society.charter import (
    admit,
    bear_child,
    climb,
    end_audition,
    open_audition,
    part_with,
    propose,
    wind_up,
)
from evolora_mesa.society.colony import Audition, Colony, Counts
from evolora_mesa.society.colony_gate import decide
from evolora_mesa.society.funding import can_begin
from evolora_mesa.society.ladder import FEWEST_LESSONS
from evolora_mesa.society.recruiting import best_candidate, best_pair

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["judge_colonies"]

_EMPTY: Final = 1e-6  # energy: one quantum of the ledger


def judge_colonies(model: EcologyModel) -> None:
    """The dead leave, verdicts are carried out, what no longer holds ends, and what is next begins."""
    if not model.colonies.settings.enabled:
        return
    _mourn(model)
    if any(kind in ("season", "families_left") for kind, _, _ in model.events):
        _close_season(model)
    _carry_out(model)
    for colony in model.colonies.founded:
        if colony.expecting:
            bear_child(model, colony)
        _reconsider(model, colony)
    _begin(model)


def _end(model: EcologyModel, colony: Colony, reason: str) -> None:
    model.colonies.living.remove(colony)
    wind_up(model, colony, reason)


def _mourn(model: EcologyModel) -> None:
    """The dead leave; who is left alone has no colony."""
    colonies, alive = model.colonies, {organelle.unique_id for organelle in model.agents}
    colonies.probes.forget(alive)
    colonies.refused = {
        pair: until for pair, until in colonies.refused.items() if alive.issuperset(pair) and until > model.tick
    }
    for colony in list(colonies.living):
        dead = [member for member in colony.members if member not in alive]
        if dead and (colony.founded is None or len(colony.members) - len(dead) < 2):
            _end(model, colony, "member_died")
            continue
        for member in dead:
            part_with(model, colony, member, "died")
        audition = colony.audition
        if audition is not None and audition.candidate is not None and not _is_free(model, audition.candidate):
            end_audition(model, colony, "candidate_gone")


def _is_free(model: EcologyModel, candidate: int) -> bool:
    return any(organelle.unique_id == candidate for organelle in model.colonies.free(model))


def _close_season(model: EcologyModel) -> None:
    """Contracts have shifted, or families have left: what was shown was of another world."""
    for colony in list(model.colonies.living):
        if colony.founded is None:
            _end(model, colony, "season")
            continue
        colony.against = Counts()
        for past in (colony.without, colony.lessons, colony.retention):
            past.clear()
        if colony.audition is not None:
            end_audition(model, colony, "season")


def _carry_out(model: EcologyModel) -> None:
    colonies = model.colonies
    trying = [(colony, colony.audition) for colony in colonies.living if colony.audition is not None]
    verdicts = decide([audition for _, audition in trying], model.tick, model.config.gate, colonies.settings)
    for (colony, audition), verdict in zip(trying, verdicts, strict=True):
        founding = audition.purpose == "founding"
        if verdict.passed and founding:
            admit(model, colony)
        elif verdict.passed and audition.candidate is not None and not _is_free(model, audition.candidate):
            end_audition(model, colony, "candidate_gone")
        elif verdict.passed:
            climb(model, colony)
        elif verdict.passed is False and founding:
            one, other = colony.members
            colonies.refused[one, other] = model.tick + colonies.settings.rest
            _end(model, colony, verdict.reason)
        elif verdict.passed is False:
            end_audition(model, colony, verdict.reason)


def _reconsider(model: EcologyModel, colony: Colony) -> None:
    """A colony whose evidence has turned, or that cannot pay, ends; one that a member does not help lets it go."""
    gate = model.config.gate
    if colony.against.log_worse() >= math.log(1 / model.colonies.settings.doubt):
        _end(model, colony, "worse")
    elif model.ledger.balance(colony.pot) <= _EMPTY and colony.founded != model.tick:  # it has not worked yet
        _end(model, colony, "pot_empty")
    elif colony.audition is None and len(colony.members) > 2:
        idle = [
            member
            for member, counts in colony.without.items()
            if counts.log_worse(gate.least_effect) >= math.log(1 / gate.futility)
        ]
        if idle:
            part_with(model, colony, min(idle, key=lambda one: colony.without[one].uplift), "idle")


def _begin(model: EcologyModel) -> None:
    """Rich and rested colonies try for more; then those without a colony for one."""
    colonies = model.colonies
    for colony in colonies.founded:
        if colonies.has_room_for_trial and colony.audition is None and model.tick >= colony.rested:
            audition = _next_audition(model, colony)
            if audition is not None and can_begin(model, colony, audition):
                open_audition(model, colony, audition)
    free = colonies.free(model)
    if colonies.has_room_for_trial and len(colonies.living) < colonies.settings.most and len(free) > 1:
        proposal = best_pair(model, free, colonies.probes, colonies.refused)
        if proposal is not None:
            colonies.numbered += 1
            colonies.living.append(propose(model, proposal, colonies.numbered))


def _next_audition(model: EcologyModel, colony: Colony) -> Audition | None:
    """By turns the next rung and one more member, whichever there can be."""
    rung, bigger = _next_rung(model, colony), _one_more(model, colony)
    return (bigger or rung) if colony.tried in ("fused", "distilled") else (rung or bigger)


def _next_rung(model: EcologyModel, colony: Colony) -> Audition | None:
    """From an ensemble the fused one while there is little to teach; then by turns the distilled and the fused one."""
    if not model.colonies.settings.ladder or colony.rung == "distilled":
        return None
    taught = len(colony.lessons) >= FEWEST_LESSONS
    if colony.rung == "ensemble" and (not taught or colony.tried_rung == "distilled"):
        return Audition("fused", model.tick)
    return Audition("distilled", model.tick) if taught else None


def _one_more(model: EcologyModel, colony: Colony) -> Audition | None:
    full = len(colony.members) >= model.colonies.settings.size
    if colony.rung != "ensemble" or colony.mode == "handoff" or full:
        return None
    candidate = best_candidate(model, colony, model.colonies.free(model))
    return None if candidate is None else Audition("expansion", model.tick, candidate=candidate.unique_id)
