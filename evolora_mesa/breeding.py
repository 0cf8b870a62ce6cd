"""Conception: who reproduces in a generation, and with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evolora_mesa.evolution.history import main_families
from evolora_mesa.evolution.screen import complementarity
from evolora_mesa.evolution.selection import Standing
from evolora_mesa.evolution.trial import Reason
from evolora_mesa.nursery import Mate, bear
from evolora_mesa.organelle import Organelle

if TYPE_CHECKING:
    from evolora_mesa.model import EcologyModel

__all__ = ["conceive"]


def conceive(model: EcologyModel) -> None:
    """Whom the selection policy picks bears a child, as long as there is energy, room and a partner worth having.

    On a fixed roster children have two parents, for only in the place of one of them can they live.
    """
    settings, rng = model.config.reproduction, model.streams.numpy("breeding")
    fixed = model.config.population.roster == "fixed"
    if fixed and not settings.merging:
        return
    for parent in _chosen(model):
        if parent not in model.agents:
            continue  # without a gate, a merge may have taken its place just now
        if not parent.rested(settings.cooldown):
            model.gatehouse.refuse(model, parent, "cooldown")
        elif not model.gatehouse.room() or (not fixed and len(model.agents) >= model.config.population.maximum):
            model.gatehouse.refuse(model, parent, "no_room")
        elif parent.energy < model.tuner.floor * model.traits.thrift[parent.slot]:
            model.gatehouse.refuse(model, parent, "low_energy")
        elif settings.merging and (fixed or rng.random() < model.traits.sociability[parent.slot]):
            partner = _partner(model, parent, rng)
            if isinstance(partner, Mate):
                bear(model, (Mate.of(model, parent), partner))
            else:
                model.gatehouse.refuse(model, parent, partner)
        else:
            bear(model, (Mate.of(model, parent),))


def _chosen(model: EcologyModel) -> list[Organelle]:
    """The citizens that may reproduce in this generation, in the order of the policy."""
    settings = model.config.reproduction
    ready = [
        organelle for organelle in model.organelles() if not organelle.on_trial and organelle.age >= settings.maturity
    ]
    if not ready:
        return []
    slots = np.array([organelle.slot for organelle in ready])
    episodes = model.history.episodes[slots]
    standing = Standing(
        energy=np.array([organelle.energy for organelle in ready]),
        success=model.beliefs.success(slots).reshape(len(ready), -1),
        share=episodes / np.maximum(episodes.sum(1, keepdims=True), 1e-9),
        lineage=np.array([organelle.lineage for organelle in ready]),
    )
    chosen = model.selection.choose(standing, settings.births, model.streams.numpy("selection"))
    return [ready[place] for place in chosen.tolist()]


def _partner(model: EcologyModel, parent: Organelle, rng: np.random.Generator) -> Mate | Reason:
    """The partner that promises most, now and then from the archive; or why there is none.

    A pair promises what an ideal child would gain on both parents' cells over the better of them, estimated from the
    history that is already paid for; families whose merges have failed before are thought to get along less well.
    """
    own = model.history.focus(np.array([parent.slot]))[0]
    if not own.any():
        return "no_partner"
    fixed = model.config.population.roster == "fixed"
    if model.archive is not None and not fixed and rng.random() < model.config.archive.parents:
        elite = _elite(model, parent, own, rng)
        if elite is not None:
            return elite
    others = [
        other
        for other in model.organelles()
        if other is not parent
        and not other.on_trial
        and not model.gatehouse.has_tried(model, parent.unique_id, other.unique_id)
    ]
    slots = np.array([other.slot for other in others], dtype=np.int64)
    focus = model.history.focus(slots)  # [others, cells]
    strange = (focus & ~own).any(1)
    if not strange.any():
        return "no_partner"
    others = [other for other, wanted in zip(others, strange.tolist(), strict=True) if wanted]
    slots, focus = slots[strange], focus[strange]
    history = model.history
    promise = complementarity(
        history.episodes[[parent.slot]],
        history.wins[[parent.slot]],
        history.episodes[slots],
        history.wins[slots],
        0.5 * own / own.sum() + 0.5 * focus / focus.sum(1, keepdims=True),
        model.beliefs.success(np.array([parent.slot])).reshape(1, -1),
        model.beliefs.success(slots).reshape(len(slots), -1),
    )
    if model.config.gate.screen and promise.mean.max() < model.config.gate.least_effect:
        return "screen_failed"
    luck = rng.standard_normal(len(others)) * promise.standard_error  # so that it is not always the same pair
    home, *homes = main_families(np.vstack([own, focus]), model.grid.depths)
    get_along = np.array([model.gatehouse.compatibility(home, other) for other in homes])
    merit = get_along * (promise.mean + luck)
    merit += model.policies.liking(parent.slot, home, homes) * np.abs(merit)
    return Mate.of(model, others[int(merit.argmax())])


def _elite(model: EcologyModel, parent: Organelle, own: np.ndarray, rng: np.random.Generator) -> Mate | None:
    """An elite of a cell outside ``own [cells]``, the more likely the better it is; weights whose owner lives are had
    from the owner."""
    assert model.archive is not None
    alive = {organelle.unique_id for organelle in model.agents}
    elites = [
        elite
        for elite in model.archive.elites()
        if not own[elite.cell]
        and model.open.flat[elite.cell]
        and elite.organelle not in alive
        and not model.gatehouse.has_tried(model, parent.unique_id, elite.organelle)
    ]
    if not elites:
        return None
    merit = np.array([elite.objective for elite in elites])
    return Mate.of_elite(model, elites[int(rng.choice(len(elites), p=merit / merit.sum()))])
