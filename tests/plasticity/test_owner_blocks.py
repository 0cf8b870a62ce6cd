"""Laying tokens into blocks by owner changes where they stand, never what they sum to."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.plasticity.blocks import OwnerBlocks


@st.composite
def crowds(draw: st.DrawFn) -> tuple[torch.Tensor, int]:
    """Tokens of up to six owners, some of whom may have none, and none of whom may fill a block evenly."""
    sizes = draw(st.lists(st.integers(0, 70), min_size=1, max_size=6).filter(any))
    owners = [owner for owner, size in enumerate(sizes) for _ in range(size)]
    order = torch.randperm(len(owners), generator=torch.Generator().manual_seed(draw(st.integers(0, 999))))
    return torch.tensor(owners)[order], len(sizes)


def whole_numbers(rows: int, width: int, seed: int) -> torch.Tensor:
    """Sums of small whole numbers are exact in any order."""
    return torch.randint(-4, 5, (rows, width), generator=torch.Generator().manual_seed(seed)).float()


@settings(max_examples=60, deadline=None)
@given(crowds(), st.integers(1, 5))
def test_gather_undoes_lay(crowd: tuple[torch.Tensor, int], width: int) -> None:
    owners, count = crowd
    blocks, x = OwnerBlocks(owners, count), whole_numbers(len(owners), width, 0)
    assert torch.equal(blocks.gather(blocks.lay(x)), x)


@settings(max_examples=60, deadline=None)
@given(crowds())
def test_a_block_has_one_owner_and_every_token_stands_once(crowd: tuple[torch.Tensor, int]) -> None:
    owners, count = crowd
    blocks = OwnerBlocks(owners, count)
    laid = blocks.lay(torch.stack([owners.float() + 1, torch.ones(len(owners))], 1))
    assert torch.equal(laid[..., 0], laid[..., 1] * (blocks.owners + 1)[:, None])
    assert int(laid[..., 1].sum()) == len(owners)


@settings(max_examples=60, deadline=None)
@given(crowds(), st.integers(1, 5), st.integers(1, 5))
def test_outer_sum_is_a_sum_of_outer_products_per_owner(crowd: tuple[torch.Tensor, int], m: int, n: int) -> None:
    owners, count = crowd
    left, right = whole_numbers(len(owners), m, 1), whole_numbers(len(owners), n, 2)
    blocks = OwnerBlocks(owners, count)
    expected = torch.stack(
        [torch.einsum("tm,tn->mn", left[owners == owner], right[owners == owner]) for owner in range(count)]
    )
    assert torch.equal(blocks.outer_sum(blocks.lay(left), blocks.lay(right)), expected)
