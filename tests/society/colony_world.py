"""Small worlds with colonies, and colonies that need not pass a trial first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from world_fixtures import enrich, tiny_world

from evolora_mesa.config_society import AnswerMode
from evolora_mesa.host import HostService
from evolora_mesa.model import EcologyModel
from evolora_mesa.organelle import Organelle
from evolora_mesa.society.charter import admit, propose
from evolora_mesa.society.colony import Audition, Colony
from evolora_mesa.society.colony_gate import Verdict
from evolora_mesa.society.recruiting import Proposal
from evolora_mesa.tasks import Task
from evolora_mesa.workload import Grades

QUIET = {
    "society.colonies.enabled": True,
    "society.colonies.episodes": 2,
    "society.colonies.probe_every": 0,
    "society.colonies.most": 1,
    "society.colonies.most_trials": 1,
    "society.colonies.rest": 1000,
    "society.colonies.window": 4,
    "reproduction.enabled": False,
    "reproduction.maturity": 0,
    "economy.ticket": 0.0,
}


def quiet_world(host: HostService, **settings: object) -> EcologyModel:
    """Nobody is born or dies; a colony that is founded here is the only one, and tries for nothing more."""
    model = tiny_world(host, **{**QUIET, **settings})
    for organelle in model.organelles():
        enrich(model, organelle, 50.0)
    return model


def founded(
    model: EcologyModel, places: Sequence[int] = (0, 1), *, mode: AnswerMode = "vote", cells: Sequence[int] = (0, 1)
) -> Colony:
    """A colony of the organelles at these places, without a trial."""
    members = [model.organelles()[place] for place in places]
    model.colonies.numbered += 1
    pair = members[0].unique_id, members[1].unique_id
    colony = propose(model, Proposal(pair, "cells", 0.2), model.colonies.numbered)
    colony.members = [member.unique_id for member in members]
    colony.mode, colony.cells = mode, list(cells)
    admit(model, colony)
    model.colonies.living.append(colony)
    return colony


def auditioning(model: EcologyModel, colony: Colony, audition: Audition) -> Audition:
    """Let a colony be on trial."""
    colony.audition = audition
    return audition


def grade_everything(monkeypatch: pytest.MonkeyPatch, right: bool) -> None:
    """From now on all answers are worth everything or nothing, joint ones too."""

    def judge(tasks: Sequence[Task], *_: object) -> Grades:
        return Grades(np.full(len(tasks), float(right)), np.full(len(tasks), right))

    for place in ("evolora_mesa.model.grade", "evolora_mesa.society.sitting.grade"):
        monkeypatch.setattr(place, judge)


def decide_by_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a trial passes after its first prompts, but for those that began in every fourth generation.

    The very first is one of those, so that a colony is refused whatever the world then does.
    """

    def decide(auditions: Sequence[Audition], *_: object) -> list[Verdict]:
        return [
            Verdict(audition.born % 4 != 1, "accepted") if audition.counts.total else Verdict(None, "low_power")
            for audition in auditions
        ]

    monkeypatch.setattr("evolora_mesa.society.council.decide", decide)


def members_of(model: EcologyModel, colony: Colony) -> list[Organelle]:
    return [organelle for organelle in model.organelles() if organelle.unique_id in colony.members]


def told(model: EcologyModel, kind: str) -> list[dict[str, Any]]:
    """Facts of this generation's events of one kind."""
    return [facts for name, _, facts in model.events if name == kind]


def joint_rows(model: EcologyModel) -> np.ndarray:
    """Rows of the last generation that were a colony's."""
    return np.concatenate([shift.rows.ravel() for shift in model.colonies.shifts])
