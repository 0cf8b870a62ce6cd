"""A tiny world in which hints matter, and the few things that tests do to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from world_fixtures import send_all_to, tiny_world

from evolora_mesa.host import Answers, HostService, Request
from evolora_mesa.model import EcologyModel
from evolora_mesa.society.hint import Hint, Shelf
from evolora_mesa.society.readers import ALONE, WAYS, Readers

BOARD_ON = {"society.board.enabled": True}
CACHE_ON = {"society.knowledge.enabled": True}
SORT, LOGIC, COUNT = 0, 2, 4  # flat cells at depth 1; string.sort pays for quoted answers, logic for sentences
_FAMILIES = {"tasks.families": ["string.sort", "logic", "word.count"], "reproduction.enabled": False}


def hint_world(host: HostService, **settings: object) -> EcologyModel:
    """Four founders, all in string.sort:1; nobody is born and nobody dies."""
    model = tiny_world(host, **{**_FAMILIES, "economy.grace": 1000, **settings})
    send_all_to(model, SORT)
    return model


def plant(
    model: EcologyModel, cell: int, answer: str, *, shelf: Shelf | None = None, author: int | None = None
) -> Hint:
    hint = Hint("", answer, len(answer), 0, author)
    assert (shelf or model.hints.board).put(cell, hint, model.tick)
    return hint


def all_read(monkeypatch: pytest.MonkeyPatch, way: str = "board") -> None:
    """From now on everybody reads whatever it is offered there."""
    wanted = WAYS.index(way)

    def choose(_: Readers, *given: np.ndarray) -> np.ndarray:
        return np.where(np.isfinite(given[3][:, wanted]), wanted, ALONE)

    monkeypatch.setattr(Readers, "choose", choose)


def listen(monkeypatch: pytest.MonkeyPatch, host: HostService, texts: Sequence[str] | None = None) -> list[Any]:
    """Requests and answers of all host calls from now on; ``texts`` in turn take the place of what the host says."""
    calls: list[tuple[list[Request], Answers]] = []

    def listened(requests: Sequence[Request], *rest: object, **options: object) -> Answers:
        answers = HostService.answer(host, requests, *rest, **options)  # type: ignore[arg-type]
        if texts is not None:
            answers = replace(answers, texts=[texts[row % len(texts)] for row in range(len(requests))])
        calls.append((list(requests), answers))
        return answers

    monkeypatch.setattr(host, "answer", listened)
    return calls


def moved(model: EcologyModel) -> dict[str, list[tuple[int, int, int]]]:
    """Source, target and quanta of all transfers from now on, by reason."""
    book: dict[str, list[tuple[int, int, int]]] = {}

    def note(reason: str, source: np.ndarray, target: np.ndarray, quanta: np.ndarray) -> None:
        book.setdefault(reason, []).extend(zip(source.tolist(), target.tolist(), quanta.tolist(), strict=True))

    model.ledger.observer = note
    return book


def events(model: EcologyModel, kind: str) -> list[tuple[int | None, dict[str, Any]]]:
    return [(who, facts) for found, who, facts in model.events if found == kind]
