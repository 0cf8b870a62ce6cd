"""Small worlds whose organelles speak in their own ways, and colonies that need not pass a trial first."""

from __future__ import annotations

from collections.abc import Sequence

from world_fixtures import enrich, teach, tiny_world

from evolora_mesa.config_society import AnswerMode
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.charter import admit, propose
from evolora_mesa.society.colony import Colony
from evolora_mesa.society.recruiting import Proposal

COLONIES = {"society.colonies.enabled": True, "society.colonies.probe_every": 0, "economy.ticket": 0.0}
CELL = 3  # math, depth 2


def taught_world(host: HostService, **settings: object) -> EcologyModel:
    """Everybody speaks in its own way, and has worked in no cell."""
    model = tiny_world(host, **settings)
    for organelle in model.organelles():
        teach(model, organelle)
    for factors in model.bank.b.values():
        factors *= 40.0
    return model


def colony_of(model: EcologyModel, places: Sequence[int], mode: AnswerMode, cells: Sequence[int] = (CELL,)) -> Colony:
    """A founded colony, without a trial."""
    members = [model.organelles()[place] for place in places]
    for member in members:
        enrich(model, member, 50.0)
    model.colonies.numbered += 1
    pair = members[0].unique_id, members[1].unique_id
    colony = propose(model, Proposal(pair, "cells", 0.2), model.colonies.numbered)
    colony.members = [member.unique_id for member in members]
    colony.mode, colony.cells = mode, list(cells)
    admit(model, colony)
    model.colonies.living.append(colony)
    return colony
