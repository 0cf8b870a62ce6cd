"""Weight changes as singular value decompositions, without ever forming them."""

from __future__ import annotations

import pytest
import torch
from family import NAMES, SITES, apart, change, made_bank, slots_for
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.errors import AdapterError
from evolora_mesa.evolution.lowrank import (
    Brood,
    Spectrum,
    aligned,
    check_family,
    compose,
    decompose,
    shape_groups,
    stack_factors,
    write_together,
)


def factors(m: int, d_in: int, d_out: int, rank: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(m, rank, d_in, generator=generator), torch.randn(m, d_out, rank, generator=generator)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(8, 40), st.integers(8, 40), st.integers(1, 8), st.integers(0, 10_000))
def test_the_decomposition_is_that_of_the_dense_matrix(m: int, d_in: int, d_out: int, rank: int, seed: int) -> None:
    a, b = factors(m, d_in, d_out, rank, seed)
    left, values, right = decompose(a, b)
    dense = b @ a
    assert apart(left * values[:, None, :] @ right, dense) < 1e-5
    torch.testing.assert_close(values, torch.linalg.svdvals(dense)[:, :rank], rtol=1e-3, atol=1e-3)
    for basis in (left.transpose(1, 2), right):
        torch.testing.assert_close(basis @ basis.transpose(1, 2), torch.eye(rank).expand(m, -1, -1), atol=1e-4, rtol=0)
    largest = left.gather(1, left.abs().argmax(1, keepdim=True))
    assert bool((largest > 0).all())


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(0, 8), st.integers(1, 8), st.integers(0, 10_000))
def test_what_is_kept_is_the_best_of_its_rank(rank: int, kept: int, max_rank: int, seed: int) -> None:
    a, b = factors(2, 20, 30, rank, seed)
    kept = min(kept, max_rank)
    small_a, small_b = compose(decompose(a, b), torch.tensor([kept, kept]), max_rank)
    assert small_a.shape == (2, max_rank, 20) and small_b.shape == (2, 30, max_rank)
    u, s, vh = torch.linalg.svd(b @ a, full_matrices=False)
    best = u[:, :, :kept] * s[:, None, :kept] @ vh[:, :kept]
    assert float((small_b @ small_a - best).norm()) < 1e-4 * float((b @ a).norm())
    assert not small_a[:, kept:].any() and not small_b[:, :, kept:].any()


def test_a_silent_change_has_unit_directions_to_learn_from() -> None:
    a, b = factors(3, 20, 30, 4, 0)
    composed_a, composed_b = compose(decompose(a, torch.zeros_like(b)), torch.full((3,), 4), 8)
    assert not composed_b.any()
    torch.testing.assert_close(composed_a[:, :4].norm(dim=2), torch.ones(3, 4))


def test_sites_of_equal_shape_are_grouped_and_stacked_in_order() -> None:
    bank = made_bank((4, 2))
    assert shape_groups(bank) == [[0, 1], [2]]
    a, b = stack_factors(bank, torch.tensor([[1, 2], [2, 1]]), [0, 1])
    assert len(a) == len(b) == 4
    for row, (pair, place) in enumerate([((1, 2), 0), ((1, 2), 1), ((2, 1), 0), ((2, 1), 1)]):
        site = SITES[place]
        both = sum(change(bank, slot, site.name) for slot in pair)
        assert apart((b @ a)[row, : site.d_out, : site.d_in], both) < 1e-5


@pytest.mark.parametrize("width", [33, 36, 64])
def test_a_decomposition_does_not_depend_on_its_batch(width: int) -> None:
    a, b = factors(9, width, width + 17, 5, 0)
    a, b = aligned(a, -1, -2), aligned(b, -2, -1)
    together = decompose(a, b)
    for row in range(9):
        for found, expected in zip(
            decompose(a[row : row + 1].clone(), b[row : row + 1].clone()), together, strict=True
        ):
            assert torch.equal(found[0], expected[row])


def test_a_brood_with_nan_writes_nothing_not_even_its_healthy_siblings() -> None:
    bank = made_bank((4,), children=2)
    children = slots_for(bank, 2)
    before = {name: (bank.a[name].clone(), bank.b[name].clone()) for name in NAMES}
    broods = []
    for number, child in enumerate(children):
        broods.append(Brood(bank, child[None]))
        for places in shape_groups(bank):
            left, values, right = decompose(*stack_factors(bank, torch.tensor([[1]]), places))
            values = values * (float("nan") if number else 1.0)
            broods[-1].add(places, Spectrum(left, values, right), torch.full((1, len(places)), 4))
    with pytest.raises(AdapterError, match="NaN or infinity"):
        write_together(*broods)
    for name, (a, b) in before.items():
        assert torch.equal(bank.a[name], a) and torch.equal(bank.b[name], b)
    write_together(broods[0])
    assert apart(change(bank, int(children[0]), NAMES[0]), change(bank, 1, NAMES[0])) < 1e-5


def test_families_that_do_not_fit_are_refused() -> None:
    bank = made_bank((4, 4), children=2)
    children = slots_for(bank, 1)
    for wrong in (torch.tensor([4]), torch.tensor([0]), torch.tensor([3, 3])):
        with pytest.raises(AdapterError, match=r"slots of their own|do not fit"):
            check_family(bank, torch.tensor([[1, 2]] * len(wrong)), wrong)
    with pytest.raises(AdapterError, match="do not fit"):
        check_family(bank, torch.tensor([1, 2]), children)
    bank.a[NAMES[1]][2, 0, 0] = float("inf")
    with pytest.raises(AdapterError, match=r"a parent holds NaN or infinity.*got \[2\]"):
        check_family(bank, torch.tensor([[1, 2]]), children)
