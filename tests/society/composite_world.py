"""Small worlds with composite tasks, and organelles that answer what they are asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hint_world import events
from world_fixtures import tiny_world

from evolora_mesa.host import Answers, HostService, Request
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.job import Job
from evolora_mesa.tasks import ANSWER_CUE, SHIPPED, Pool
from evolora_mesa.tasks.composite import draw_composite

ON = {"society.orchestrator.enabled": True, "society.orchestrator.every": 1, "society.orchestrator.composites": 6}
WORLD = {
    "tasks.families": ["word.count", "math", "sequence", "logic"],
    "reproduction.enabled": False,
    "economy.grace": 1000,
    "economy.price_low": 1.0,  # also where nobody is right, so that everybody bids
    "society.orchestrator.congestion": 0.001,
}
GIVEN = {"society.orchestrator.decomposition": "given"}


def team_world(host: HostService, **settings: object) -> EcologyModel:
    """Four founders, four families of which three are steps; nobody is born or dies."""
    return tiny_world(host, **{**ON, **WORLD, **settings})


def solved(prompt: str) -> str:
    """What is right, of the families in `WORLD` but logic."""
    wording, question = prompt.removesuffix(ANSWER_CUE).split(": ", 1)
    family = next((name for name in WORLD["tasks.families"] if f"{wording}:" in SHIPPED[name].templates), None)  # type: ignore[attr-defined]
    numbers = [int(number) for number in re.findall(r"[+-]?\d+", question)]
    if family == "word.count":
        return str(len(question.split()))
    if family == "math" and len(numbers) > 1 and "*" not in question:
        return str(sum(numbers))
    if family == "sequence" and len(numbers) > 1:
        return str(2 * numbers[-1] - numbers[-2])
    return "0"


def answering(monkeypatch: pytest.MonkeyPatch, host: HostService, *, wrong: Sequence[str] = ()) -> list[list[Request]]:
    """From now on everybody answers composites right, but prompts that begin with one of ``wrong`` without sense."""
    calls: list[list[Request]] = []

    def answer(requests: Sequence[Request], *rest: object, **options: object) -> Answers:
        calls.append(list(requests))
        answers = HostService.answer(host, requests, *rest, **options)  # type: ignore[arg-type]
        texts = [
            "nothing" if request.prompt.startswith(tuple(wrong)) else solved(request.prompt) for request in requests
        ]
        return replace(answers, texts=texts)

    monkeypatch.setattr(host, "answer", answer)
    return calls


def composites(model: EcologyModel) -> list[dict[str, Any]]:
    """This generation's, as they are on record."""
    return [facts for _, facts in events(model, "composite")]


def planned(model: EcologyModel, *chain: str, count: int = 1) -> list[Job]:
    """Composites of one chain, as if this generation had drawn them."""
    model.grid.layer("price")[:] = 1.0
    rng = model.streams.python("test")
    drawn = [draw_composite(model.tasks, [chain], 2, Pool.LIVE, rng) for _ in range(count)]
    model.orchestrator.jobs = model.orchestrator._matched(model, model.organelles(), drawn)
    return model.orchestrator.jobs
