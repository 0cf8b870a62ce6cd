"""Mutation acts on ΔW: the same change gives the same children, however it is written as B·A."""

from __future__ import annotations

import pytest
import torch

from evolora_mesa.evolution.mutation import mutate
from evolora_mesa.host import AdapterBank
from evolora_mesa.host.sites import Site

SITES = (Site("narrow", 0, "down", 0, 24, 36, 24), Site("wide", -1, "head", 0, 50, 24, 50))
NAMES = [site.name for site in SITES]


def made_bank(ranks: tuple[int, ...], *, seed: int = 0, capacity: int = 0, max_rank: int = 8) -> AdapterBank:
    """Parents of the given ranks in slots 1, 2, ..., with random factors."""
    bank = AdapterBank(SITES, capacity=capacity or 2 * len(ranks) + 1, max_rank=max_rank)
    generator = torch.Generator().manual_seed(seed)
    for rank in ranks:
        [slot] = bank.allocate(1, rank, generator).tolist()
        for site in SITES:
            bank.b[site.name][slot, :, :rank] = torch.randn(site.d_out, rank, generator=generator)
    return bank


def children_of(
    bank: AdapterBank,
    parent: int,
    count: int,
    *,
    strength: float = 0.1,
    rank_change: float = 0.0,
    seed: int = 0,
) -> torch.Tensor:
    """Slots of ``count`` children born in one batch."""
    children = bank.allocate(count, 1, torch.Generator().manual_seed(99))
    mutate(
        bank,
        torch.full((count,), parent),
        children,
        strength=strength,
        rank_change=rank_change,
        generator=torch.Generator().manual_seed(seed),
    )
    return children


def child_of(bank: AdapterBank, parent: int, *, strength: float = 0.1, rank_change: float = 0.0, seed: int = 0) -> int:
    return int(children_of(bank, parent, 1, strength=strength, rank_change=rank_change, seed=seed))


def weight_change(bank: AdapterBank, slots: int | torch.Tensor, name: str) -> torch.Tensor:
    return bank.b[name][slots] @ bank.a[name][slots]


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative Frobenius distance."""
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize("seed", range(6))
def test_two_factorisations_of_one_change_have_the_same_child(seed: int) -> None:
    bank = made_bank((4, 4), seed=seed)
    generator = torch.Generator().manual_seed(seed + 50)
    for name in NAMES:
        gauge = torch.randn(4, 4, generator=generator) + 2 * torch.eye(4)
        bank.a[name][2, :4] = gauge @ bank.a[name][1, :4]
        bank.b[name][2, :, :4] = bank.b[name][1, :, :4] @ torch.linalg.inv(gauge)
    first, second = child_of(bank, 1), child_of(bank, 2)
    for name in NAMES:
        assert apart(weight_change(bank, 2, name), weight_change(bank, 1, name)) < 1e-4
        assert apart(weight_change(bank, second, name), weight_change(bank, first, name)) < 1e-4
        assert apart(weight_change(bank, first, name), weight_change(bank, 1, name)) > 0.02


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_no_strength_and_no_change_of_rank_is_a_copy(rank: int) -> None:
    bank = made_bank((rank,))
    child = child_of(bank, 1, strength=0.0)
    for name in NAMES:
        assert apart(weight_change(bank, child, name), weight_change(bank, 1, name)) < 1e-5
    assert bank.ranks[child].tolist() == [rank, rank]


@pytest.mark.parametrize("rank", [1, 2, 4, 8])
@pytest.mark.parametrize("strength", [0.03, 0.2])
def test_the_strength_is_the_relative_size_of_the_change_at_every_rank(rank: int, strength: float) -> None:
    bank = made_bank((rank,), capacity=402)
    children = children_of(bank, 1, 400, strength=strength)
    for name in NAMES:
        parent = weight_change(bank, 1, name)
        distance = (weight_change(bank, children, name) - parent).flatten(1).norm(dim=1) / parent.norm()
        assert float(distance.square().mean().sqrt()) == pytest.approx(strength, rel=0.15)


def test_padding_does_not_change_how_far_children_fall() -> None:
    def spread(max_rank: int) -> float:
        bank = made_bank((4,), capacity=302, max_rank=max_rank)
        children = children_of(bank, 1, 300)
        parent = weight_change(bank, 1, "wide")
        return float((weight_change(bank, children, "wide") - parent).square().sum().sqrt() / parent.norm())

    assert spread(4) == pytest.approx(spread(8), rel=0.1)


def test_mutation_stays_within_the_directions_of_the_parent() -> None:
    bank = made_bank((3,))
    child = child_of(bank, 1, strength=0.5)
    for name in NAMES:
        rows = torch.linalg.qr(bank.a[name][1, :3].T).Q
        columns = torch.linalg.qr(bank.b[name][1, :, :3]).Q
        change = weight_change(bank, child, name)
        assert apart(columns @ (columns.T @ change @ rows) @ rows.T, change) < 1e-5


def test_padded_components_stay_zero() -> None:
    bank = made_bank((2, 5))
    for parent, rank in ((1, 2), (2, 5)):
        child = child_of(bank, parent, strength=0.3)
        for name in NAMES:
            assert bank.a[name][child, :rank].any(1).all()
            assert not bank.a[name][child, rank:].any()
            assert not bank.b[name][child, :, rank:].any()


@pytest.mark.parametrize(("rank", "expected"), [(1, {1, 2}), (4, {3, 5}), (8, {7, 8})])
def test_the_rank_changes_by_one_within_its_bounds(rank: int, expected: set[int]) -> None:
    bank = made_bank((rank,), capacity=66)
    children = children_of(bank, 1, 64, rank_change=1.0)
    assert set(bank.ranks[children].flatten().tolist()) == expected
    for child in children.tolist():
        for place, name in enumerate(NAMES):
            own = int(bank.ranks[child, place])
            assert not bank.a[name][child, own:].any()
            assert not bank.b[name][child, :, own:].any()
            assert int(torch.linalg.matrix_rank(weight_change(bank, child, name), rtol=1e-4)) == min(rank, own)


def test_the_rank_changes_as_often_as_asked() -> None:
    bank = made_bank((4,), capacity=1002)
    children = children_of(bank, 1, 1000, rank_change=0.3, seed=6)
    changed = bank.ranks[children, 0] != 4
    assert float(changed.float().mean()) == pytest.approx(0.3, abs=0.05)
    grown = (bank.ranks[children, 0] == 5).sum() / changed.sum()
    assert float(grown) == pytest.approx(0.5, abs=0.1)


def test_one_rank_more_is_a_silent_component_that_can_be_learned() -> None:
    bank = made_bank((4,), capacity=66)
    children = children_of(bank, 1, 64, strength=0.0, rank_change=1.0)
    grown = [child for child in children.tolist() if bank.ranks[child, 0] == 5]
    assert grown
    for child in grown:
        for name in NAMES:
            assert apart(weight_change(bank, child, name), weight_change(bank, 1, name)) < 1e-5
            assert float(bank.b[name][child, :, 4].norm()) < 1e-5
            assert float(bank.a[name][child, 4].norm()) == pytest.approx(1.0, abs=1e-4)


def test_one_rank_less_loses_the_weakest_component() -> None:
    bank = made_bank((4,), capacity=66)
    children = children_of(bank, 1, 64, strength=0.0, rank_change=1.0)
    smaller = [child for child in children.tolist() if bank.ranks[child, 0] == 3]
    assert smaller
    for name in NAMES:
        u, s, vh = torch.linalg.svd(weight_change(bank, 1, name), full_matrices=False)
        best = u[:, :3] * s[:3] @ vh[:3]
        assert apart(weight_change(bank, smaller[0], name), best) < 1e-4


def test_a_silent_parent_has_a_silent_child_that_can_still_learn() -> None:
    bank = AdapterBank(SITES, capacity=5)
    bank.allocate(1, 4, torch.Generator().manual_seed(0))
    child = child_of(bank, 1, strength=0.5)
    for name in NAMES:
        assert not weight_change(bank, child, name).any()
        torch.testing.assert_close(bank.a[name][child, :4].norm(dim=1), torch.ones(4), atol=1e-4, rtol=0)


def test_a_site_that_a_parent_does_not_use_stays_silent() -> None:
    bank = made_bank((4,))
    bank.b["wide"][1] = 0.0
    child = child_of(bank, 1)
    assert not weight_change(bank, child, "wide").any()
    assert weight_change(bank, child, "narrow").any()


def test_a_batch_of_children_is_as_varied_as_children_one_by_one() -> None:
    bank = made_bank((4,), capacity=402)
    together = children_of(bank, 1, 200)
    alone = torch.tensor([child_of(bank, 1, seed=seed) for seed in range(200)])
    parent = weight_change(bank, 1, "wide")
    first, second = (weight_change(bank, slots, "wide") - parent for slots in (together, alone))
    size = first.square().sum((1, 2)).mean().sqrt() / second.square().sum((1, 2)).mean().sqrt()
    assert float(size) == pytest.approx(1.0, abs=0.1)
    for changes in (first, second):
        drift = changes.mean(0).norm() / changes.square().sum((1, 2)).mean().sqrt()
        assert float(drift) < 3 / 200**0.5  # the mean of independent children shrinks with the square root
    assert len({tuple(bank.b["wide"][slot].flatten()[:5].tolist()) for slot in together.tolist()}) == 200


def test_children_of_different_parents_in_one_batch_are_their_own_parents_children() -> None:
    bank = made_bank((4, 2, 8))
    parents, children = torch.tensor([3, 1, 2]), bank.allocate(3, 1, torch.Generator())
    mutate(bank, parents, children, strength=0.01, rank_change=0.0, generator=torch.Generator().manual_seed(0))
    for parent, child in zip(parents.tolist(), children.tolist(), strict=True):
        for name in NAMES:
            assert apart(weight_change(bank, child, name), weight_change(bank, parent, name)) < 0.05
    assert bank.ranks[children, 0].tolist() == [8, 4, 2]


def test_the_parent_is_left_as_it_was() -> None:
    bank = made_bank((4,))
    before = {name: (bank.a[name][1].clone(), bank.b[name][1].clone()) for name in NAMES}
    child_of(bank, 1, strength=0.5, rank_change=1.0)
    for name, (a, b) in before.items():
        assert torch.equal(bank.a[name][1], a)
        assert torch.equal(bank.b[name][1], b)
