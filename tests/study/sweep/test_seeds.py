"""Seeds: the same for all cells, distinct, and more of them begin with the same ones."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from evolora_mesa.study.sweep.seeds import seeds_of


@given(st.integers(0, 2**63 - 1), st.integers(1, 30), st.integers(0, 30))
def test_more_seeds_do_not_change_the_earlier_ones(root: int, few: int, more: int) -> None:
    seeds = seeds_of(root, few + more)
    assert len(set(seeds)) == few + more
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert seeds[:few] == seeds_of(root, few)


def test_they_are_those_of_the_children_that_numpy_spawns() -> None:
    children = np.random.SeedSequence(7).spawn(5)
    assert seeds_of(7, 5) == tuple(int(child.generate_state(1)[0]) for child in children)


def test_a_seed_that_comes_again_is_left_out(monkeypatch) -> None:
    class Repeating:
        def __init__(self, root: int, spawn_key: tuple[int]) -> None:
            self.word = spawn_key[0] // 3

        def generate_state(self, words: int) -> np.ndarray:
            return np.full(words, self.word, dtype=np.uint32)

    monkeypatch.setattr(np.random, "SeedSequence", Repeating)
    assert seeds_of(0, 4) == (0, 1, 2, 3)


def test_another_root_has_other_seeds() -> None:
    assert not set(seeds_of(0, 100)) & set(seeds_of(1, 100))
