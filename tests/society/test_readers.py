"""Readers: they find out whether hints pay, each for itself, net of what hints cost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evolora_mesa.errors import RunError
from evolora_mesa.society.readers import ALONE, WAYS, Readers

BOARD = WAYS.index("board")


def organelle(unique_id: int, slot: int, parents: tuple[int, ...] = ()) -> Any:
    return SimpleNamespace(unique_id=unique_id, slot=slot, parents=parents)


def choices(readers: Readers, slot: int = 1, *, income: float = 1.0, cost: float = 0.0, family: int = 0) -> np.ndarray:
    rows = 400
    costs = np.full((rows, len(WAYS)), np.inf)
    costs[:, ALONE], costs[:, BOARD] = 0.0, cost
    slots, families = np.full(rows, slot), np.full(rows, family)
    return readers.choose(slots, families, np.full(rows, income), costs, np.random.default_rng(0))


def taught(reward: float, way: int = BOARD) -> Readers:
    readers = Readers(4, 2, 0.9)
    rows = 40
    for used, paid in ((way, reward), (ALONE, 0.3)):
        readers.learn(np.full(rows, 1), np.zeros(rows, dtype=int), np.full(rows, used), np.full(rows, paid))
    return readers


def test_who_knows_nothing_tries_both() -> None:
    assert 0.35 < (choices(Readers(4, 2, 0.9)) == BOARD).mean() < 0.65


def test_who_was_paid_for_reading_reads() -> None:
    assert (choices(taught(0.9)) == BOARD).mean() > 0.99


def test_who_was_paid_less_with_a_hint_answers_alone() -> None:
    assert (choices(taught(0.0)) == ALONE).mean() > 0.99


def test_a_hint_that_costs_more_than_it_brings_is_not_read() -> None:
    assert (choices(taught(0.9), cost=1.0) == ALONE).all()
    assert (choices(taught(0.9), income=0.01, cost=0.1) == ALONE).all()


def test_what_is_not_offered_is_not_read() -> None:
    assert set(choices(taught(0.9, WAYS.index("knowledge")))) <= {ALONE, BOARD}


def test_what_pays_in_one_family_says_nothing_of_another_nor_of_another_reader() -> None:
    readers = taught(0.9)
    assert 0.35 < (choices(readers, family=1) == BOARD).mean() < 0.65
    assert 0.35 < (choices(readers, slot=2) == BOARD).mean() < 0.65


def test_old_evidence_fades() -> None:
    readers = Readers(4, 1, 0.5)
    one = (np.array([1]), np.array([0]), np.array([BOARD]))
    for reward in (1.0, 0.0, 0.0):
        readers.learn(*one, np.array([reward]))
    assert readers.paid[1, BOARD, 0] == 0.25 and readers.unpaid[1, BOARD, 0] == 1.5


def test_a_child_believes_half_as_firmly_and_a_stranger_nothing() -> None:
    readers = taught(0.9)
    readers.welcome([organelle(11, 1)])  # whose evidence nobody's was
    assert not readers.paid.any()
    readers.paid[1] = 8.0
    readers.welcome([organelle(11, 1), organelle(12, 2, (99, 11)), organelle(13, 3)])
    assert (readers.paid[2] == 4.0).all() and not readers.paid[3].any()
    readers.welcome([organelle(14, 1, (12,)), organelle(12, 2, (99, 11))])  # a slot that changed hands
    assert (readers.paid[1] == 2.0).all() and (readers.paid[2] == 4.0).all()


def test_readers_come_back_from_their_state_and_refuse_another() -> None:
    readers, again = taught(0.9), Readers(4, 2, 0.9)
    again.load_state_dict(readers.state_dict())
    assert (again.paid == readers.paid).all() and (again.unpaid == readers.unpaid).all()
    with pytest.raises(RunError, match="readers, paid"):
        Readers(5, 2, 0.9).load_state_dict(readers.state_dict())
