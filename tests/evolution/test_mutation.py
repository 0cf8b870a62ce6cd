"""Mutation acts on ΔW, and a child is a pure function of its parent, kind, strength and seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from family import NAMES, SITES, apart, change, made_bank, padding_is_zero, regauge, slots_for
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.errors import AdapterError, ConfigError
from evolora_mesa.evolution.mutation import LEAST_NORM, MUTATIONS, adapted, mutate
from evolora_mesa.host import AdapterBank
from evolora_mesa.host.sites import Site

NUDGES = ("svd", "gaussian", "rotation")  # kinds that strength 0 switches off
examples = settings(max_examples=20, deadline=None)


def children_of(
    bank: AdapterBank, parent: int, count: int, kind: str, *, strength: float = 0.1, first_seed: int = 0
) -> torch.Tensor:
    """Slots of ``count`` children born in one batch, with seeds of their own."""
    children = slots_for(bank, count)
    mutate(
        bank,
        torch.full((count,), parent),
        children,
        kinds=[kind] * count,
        strength=torch.full((count,), strength),
        seeds=range(first_seed, first_seed + count),
    )
    assert all(padding_is_zero(bank, child) for child in children.tolist())
    assert bool(bank.finite(children).all())
    return children


def child_of(bank: AdapterBank, parent: int, kind: str, *, strength: float = 0.1, seed: int = 0) -> int:
    return int(children_of(bank, parent, 1, kind, strength=strength, first_seed=seed))


def same(bank: AdapterBank, one: int, other: int) -> bool:
    """To the last bit."""
    return torch.equal(bank.ranks[one], bank.ranks[other]) and all(
        torch.equal(factor[name][one], factor[name][other]) for factor in (bank.a, bank.b) for name in NAMES
    )


# ---------------------------------------------------------------------- all kinds


@pytest.mark.parametrize("kind", MUTATIONS)
@pytest.mark.parametrize("seed", range(4))
def test_two_factorisations_of_one_change_have_the_same_child(kind: str, seed: int) -> None:
    bank = made_bank((4,), seed=seed, children=2)
    first = child_of(bank, 1, kind, seed=seed)
    regauge(bank, 1, seed + 50)
    second = child_of(bank, 1, kind, seed=seed)
    moved = False
    for name in NAMES:
        expected = change(bank, first, name)
        assert float((change(bank, second, name) - expected).norm()) < 1e-4 * float(change(bank, 1, name).norm())
        moved |= apart(expected, change(bank, 1, name)) > 0.001
    assert moved or kind == "rank"


def test_a_child_is_the_same_to_the_last_bit_in_whatever_batch_it_is_born() -> None:
    kinds = [*MUTATIONS] * 3
    count = len(kinds)
    bank = made_bank((4, 2, 8), children=2 * count)
    parents = torch.tensor([1 + number % 3 for number in range(count)])
    strength, seeds = torch.linspace(0.01, 0.3, count), [1000 + 7 * number for number in range(count)]
    together, alone = slots_for(bank, count), slots_for(bank, count)
    mutate(bank, parents, together, kinds=kinds, strength=strength, seeds=seeds)
    for row in reversed(range(count)):
        mutate(
            bank,
            parents[row : row + 1],
            alone[row : row + 1],
            kinds=kinds[row : row + 1],
            strength=strength[row : row + 1],
            seeds=seeds[row : row + 1],
        )
    for one, other in zip(together.tolist(), alone.tolist(), strict=True):
        assert same(bank, one, other)


@pytest.mark.parametrize("kind", MUTATIONS)
def test_other_seeds_make_other_children(kind: str) -> None:
    bank = made_bank((4,), children=12)
    children = children_of(bank, 1, 12, kind).tolist()
    distinct = {tuple(torch.cat([bank.b[name][child].flatten() for name in NAMES]).tolist()) for child in children}
    assert len(distinct) >= (2 if kind in ("rank", "toggle") else 12)


@pytest.mark.parametrize("kind", MUTATIONS)
def test_the_parent_is_left_as_it_was(kind: str) -> None:
    bank = made_bank((4,), children=1)
    before = bank.read(1)
    child_of(bank, 1, kind, strength=0.5)
    for name, factors in bank.read(1).items():
        assert all(torch.equal(*pair) for pair in zip(factors, before[name], strict=True))


@pytest.mark.parametrize("kind", NUDGES)
@examples
@given(st.integers(1, 8), st.integers(0, 1000))
def test_no_strength_is_a_copy(kind: str, rank: int, seed: int) -> None:
    bank = made_bank((rank,), seed=seed, children=1)
    child = child_of(bank, 1, kind, strength=0.0, seed=seed)
    for name in NAMES:
        assert apart(change(bank, child, name), change(bank, 1, name)) < 1e-5
    assert torch.equal(bank.ranks[child], bank.ranks[1])


# ---------------------------------------------------------------------- svd and rotation


@pytest.mark.parametrize("kind", ["svd", "rotation"])
@pytest.mark.parametrize("rank", [2, 4, 8])
def test_strength_is_the_relative_change_at_every_rank(kind: str, rank: int) -> None:
    bank = made_bank((rank,), children=200)
    children = children_of(bank, 1, 200, kind, strength=0.1)
    for name in NAMES:
        parent = change(bank, 1, name)
        size = (change(bank, children, name) - parent).square().sum((1, 2)).mean().sqrt() / parent.norm()
        assert float(size) == pytest.approx(0.1, rel=0.15)
    assert bool((bank.ranks[children] == rank).all())


@pytest.mark.parametrize("kind", ["svd", "rotation"])
def test_no_new_directions_are_used(kind: str) -> None:
    bank = made_bank((3,), children=1)
    child = child_of(bank, 1, kind, strength=0.5)
    for name in NAMES:
        u, _, vh = torch.linalg.svd(change(bank, 1, name), full_matrices=False)
        found = change(bank, child, name)
        assert apart(u[:, :3] @ (u[:, :3].T @ found @ vh[:3].T) @ vh[:3], found) < 1e-4


@examples
@given(st.integers(1, 8), st.floats(0.0, 1.0), st.integers(0, 1000))
def test_a_rotation_keeps_the_singular_values(rank: int, strength: float, seed: int) -> None:
    bank = made_bank((rank,), seed=seed, children=1)
    child = child_of(bank, 1, "rotation", strength=strength, seed=seed)
    for name in NAMES:
        found, own = (torch.linalg.svdvals(change(bank, slot, name)) for slot in (child, 1))
        torch.testing.assert_close(found, own, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("strength", [0.1, 1.0])
def test_a_single_direction_cannot_turn(strength: float) -> None:
    bank = made_bank((1,), children=1)
    child = child_of(bank, 1, "rotation", strength=strength)
    for name in NAMES:
        assert apart(change(bank, child, name), change(bank, 1, name)) < 1e-5


@pytest.mark.parametrize("kind", ["svd", "rotation", "rank"])
def test_a_silent_parent_has_a_silent_child_that_can_still_learn(kind: str) -> None:
    bank = made_bank((4,), children=1)
    for name in NAMES:
        bank.b[name][1] = 0.0
    child = child_of(bank, 1, kind, strength=0.5)
    for place, name in enumerate(NAMES):
        rank = int(bank.ranks[child, place])
        assert not change(bank, child, name).any()
        torch.testing.assert_close(bank.a[name][child, :rank].norm(dim=1), torch.ones(rank), atol=1e-4, rtol=0)


# ---------------------------------------------------------------------- gaussian


@pytest.mark.parametrize("scaling", [1.0, 2.0])
def test_gaussian_noise_reaches_a_silent_adapter(scaling: float) -> None:
    bank = made_bank((4,), children=20, scaling=scaling)
    for name in NAMES:
        bank.b[name][1] = 0.0
    children = children_of(bank, 1, 20, "gaussian", strength=0.1)
    torch.testing.assert_close(bank.norms(children), torch.full((20, 3), 0.1 * LEAST_NORM), rtol=1e-3, atol=0)
    ranks = {int(torch.linalg.matrix_rank(change(bank, child, "lm_head"), rtol=1e-3)) for child in children.tolist()}
    assert ranks == {1, 2, 3, 4}


def test_gaussian_noise_finds_new_directions_within_the_rank() -> None:
    bank = made_bank((4,), children=100)
    children = children_of(bank, 1, 100, "gaussian", strength=0.1)
    assert bool((bank.ranks[children] == 4).all())
    for name in NAMES:
        parent = change(bank, 1, name)
        u = torch.linalg.svd(parent, full_matrices=False)[0][:, :4]
        moved = change(bank, children, name) - parent
        assert float((moved - u @ (u.T @ moved)).norm() / moved.norm()) > 0.3
        size = float(moved.square().sum((1, 2)).mean().sqrt() / parent.norm())
        assert 0.02 < size < 0.1  # the cut takes a part
        assert float(moved.mean(0).norm() / moved.square().sum((1, 2)).mean().sqrt()) < 3 / 100**0.5


# ---------------------------------------------------------------------- rank


def test_the_rank_grows_or_shrinks_by_one_by_coin() -> None:
    bank = made_bank((4,), children=200)
    ranks = bank.ranks[children_of(bank, 1, 200, "rank")]
    assert bool((ranks == ranks[:, :1]).all()) and set(ranks[:, 0].tolist()) == {3, 5}
    assert float((ranks[:, 0] == 5).float().mean()) == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize(("rank", "expected"), [(1, 2), (8, 7)])
def test_at_a_bound_the_rank_turns_back(rank: int, expected: int) -> None:
    bank = made_bank((rank,), children=10)
    assert set(bank.ranks[children_of(bank, 1, 10, "rank")].flatten().tolist()) == {expected}


def test_one_rank_more_is_a_silent_component_with_a_random_direction() -> None:
    bank = made_bank((4,), children=40)
    grown = [child for child in children_of(bank, 1, 40, "rank").tolist() if bank.ranks[child, 0] == 5]
    for site in SITES:
        directions = torch.stack([bank.a[site.name][child, 4] for child in grown])
        for child in grown:
            assert apart(change(bank, child, site.name), change(bank, 1, site.name)) < 1e-5
            assert not bank.b[site.name][child, :, 4].any()
            kept = bank.a[site.name][child, :5]
            torch.testing.assert_close(kept @ kept.T, torch.eye(5), atol=1e-4, rtol=0)
        assert float(directions.abs().amax(1).median()) < 0.8  # spread over the inputs
        assert float((directions[0] @ directions[1:].T).abs().max()) < 0.95


def test_one_rank_less_loses_the_weakest_component() -> None:
    bank = made_bank((4,), children=20)
    smaller = [child for child in children_of(bank, 1, 20, "rank").tolist() if bank.ranks[child, 0] == 3]
    assert smaller
    for name in NAMES:
        u, s, vh = torch.linalg.svd(change(bank, 1, name), full_matrices=False)
        assert apart(change(bank, smaller[0], name), u[:, :3] * s[:3] @ vh[:3]) < 1e-4


# ---------------------------------------------------------------------- toggle


def test_toggle_silences_one_site_and_leaves_the_others() -> None:
    bank = made_bank((4,), children=60)
    silenced = []
    for child in children_of(bank, 1, 60, "toggle").tolist():
        off = [name for name in NAMES if not bank.b[name][child].any()]
        assert len(off) == 1
        silenced += off
        for name in NAMES:
            torch.testing.assert_close(bank.a[name][child, :4].norm(dim=1), torch.ones(4), atol=1e-4, rtol=0)
            if name not in off:
                assert apart(change(bank, child, name), change(bank, 1, name)) < 1e-5
    assert set(silenced) == set(NAMES)


def test_toggle_starts_a_silent_site_at_random_and_never_silences_the_last() -> None:
    bank = made_bank((4,), children=60)
    for name in NAMES[1:]:
        bank.b[name][1] = 0.0
    for child in children_of(bank, 1, 60, "toggle", strength=0.1).tolist():
        norms = bank.norms(torch.tensor([child]))[0]
        assert apart(change(bank, child, NAMES[0]), change(bank, 1, NAMES[0])) < 1e-5
        assert sorted(norms[1:].tolist()) == pytest.approx([0.0, 0.1 * LEAST_NORM], rel=1e-3)


def test_toggle_restarts_the_only_site_that_an_adapter_has() -> None:
    bank = made_bank((4,), children=5, sites=SITES[:1])
    for child in children_of(bank, 1, 5, "toggle", strength=0.1).tolist():
        assert bool(bank.norms(torch.tensor([child])).all())
        assert apart(change(bank, child, NAMES[0]), change(bank, 1, NAMES[0])) > 0.5


# ---------------------------------------------------------------------- doors


@pytest.mark.parametrize("kind", MUTATIONS)
@pytest.mark.parametrize("widths", [(64, 96), (33, 97), (128, 50), (7, 13)])
def test_bits_do_not_depend_on_the_batch_at_odd_widths(kind: str, widths: tuple[int, int]) -> None:
    d_in, d_out = widths
    sites = [Site(name, 0, "down", 0, d_out, d_in, d_out) for name in NAMES]
    bank = made_bank((3,), children=14, sites=sites, max_rank=5)
    together = children_of(bank, 1, 7, kind, first_seed=3)
    for row, child in enumerate(together.tolist()):
        assert same(bank, child, child_of(bank, 1, kind, seed=3 + row))


def test_settings_that_make_no_child_are_refused_before_anything_is_written() -> None:
    bank = made_bank((4,), children=1)
    child = slots_for(bank, 1)
    before = bank.read(int(child))
    one = torch.tensor([1])
    for options, message in (
        ({"kinds": ["flip"], "strength": torch.ones(1), "seeds": [0]}, "unknown mutation"),
        ({"kinds": ["svd"], "strength": -torch.ones(1), "seeds": [0]}, "no such mutation strength"),
        ({"kinds": ["svd"], "strength": torch.tensor([float("nan")]), "seeds": [0]}, "no such mutation strength"),
        ({"kinds": ["svd"], "strength": torch.ones(1), "seeds": []}, "a kind, a strength and a seed"),
    ):
        with pytest.raises(ConfigError, match=message) as caught:
            mutate(bank, one, child, **options)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)
    bank.b[NAMES[0]][1, 0, 0] = float("nan")
    with pytest.raises(AdapterError, match="a parent holds NaN"):
        mutate(bank, one, child, kinds=["svd"], strength=torch.ones(1), seeds=[0])
    for name, factors in bank.read(int(child)).items():
        assert all(torch.equal(*pair) for pair in zip(factors, before[name], strict=True))


# ---------------------------------------------------------------------- self-adaptation


def test_strengths_drift_in_neither_direction_and_stay_inside_their_bounds() -> None:
    rng = np.random.default_rng(0)
    strength = np.full(4000, 0.03)
    once = adapted(strength, rng, 1e-4, 1.0)
    assert np.log(once / strength).std() == pytest.approx(0.2, rel=0.05)
    assert abs(np.log(once / strength).mean()) < 0.02
    for _ in range(300):
        strength = adapted(strength, rng, 0.01, 0.1)
        assert strength.min() >= 0.01 and strength.max() <= 0.1
    # Reflection leaves the logarithm uniform: nothing heaps up at a bound.
    counts = np.histogram(np.log(strength), bins=4, range=(np.log(0.01), np.log(0.1)))[0]
    assert counts.min() > 800


def test_strengths_outside_their_bounds_come_in_and_bad_bounds_are_refused() -> None:
    rng = np.random.default_rng(0)
    assert adapted(np.array([0.0, 5.0]), rng, 0.2, 0.2).tolist() == [0.2, 0.2]
    for low, high in ((0.0, 1.0), (0.5, 0.1), (0.1, float("inf"))):
        with pytest.raises(ConfigError, match="no such bounds"):
            adapted(np.array([0.1]), rng, low, high)
