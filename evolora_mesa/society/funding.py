"""What a colony can afford: the next prompts of a trial, being taught, and what it saves before it pays out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evolora_mesa.society.colony import Audition, Colony
from evolora_mesa.society.ladder import FEWEST_LESSONS, teaching_tokens

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["can_begin", "can_go_on", "ceiling"]

_ROUNDING: Final = 1e-6  # energy: one quantum of the ledger


def can_begin(model: EcologyModel, colony: Colony, audition: Audition) -> bool:
    """Whether the pot holds more than its reserve, and for distilling what being taught costs beside that."""
    due = _teaching(model, colony) if audition.purpose == "distilled" else 0.0
    return model.ledger.balance(colony.pot) > model.colonies.settings.reserve + due


def can_go_on(model: EcologyModel, colony: Colony) -> bool:
    """Whether the next prompts of the open trial can be paid for.

    The pot pays, a colony's out of what it holds above its reserve, with the help of the grant fund while the trial
    looks promising.
    """
    audition = colony.audition
    assert audition is not None
    settings, gate = model.colonies.settings, model.config.gate
    answer = gate.price * _cost_of_answer(model, colony)
    held_back = 0.0 if colony.founded is None else settings.reserve
    at_hand = max(model.ledger.balance(colony.pot) - held_back, 0.0)
    missing = 2 * len(colony.members) * settings.window * answer - at_hand
    if missing <= 0:
        return True
    hopeless = -(gate.least_effect if audition.adapter is None else gate.margin)
    if audition.counts.uplift <= hopeless or model.ledger.balance(model.grant) < missing + _ROUNDING:
        return False
    model.ledger.transfer(model.grant, colony.pot, missing + _ROUNDING, "grant")
    return True


def ceiling(model: EcologyModel, colony: Colony) -> float:
    """What the pot may hold; the rest is its members'. A colony that can be taught saves for it."""
    settings = model.colonies.settings
    learns = settings.ladder and colony.rung != "distilled" and len(colony.lessons) >= FEWEST_LESSONS
    return settings.reserve + max(settings.reserve, _teaching(model, colony) + _ROUNDING if learns else 0.0)


def _cost_of_answer(model: EcologyModel, colony: Colony) -> float:
    """Energy, mean over the colony's cells that were worked in, or over all; 0 at first."""
    costs = model.episode_cost.ravel()
    own = costs[colony.cells]
    known = own[own > 0] if (own > 0).any() else costs[costs > 0]
    return float(known.mean()) if known.size else 0.0


def _teaching(model: EcologyModel, colony: Colony) -> float:
    """Energy that its lessons cost."""
    tokens = teaching_tokens([*colony.lessons, *colony.retention], model.colonies.settings.epochs)
    return tokens * model.tariff.prompt_token
