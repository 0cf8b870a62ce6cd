"""Merging acts on ΔW: exact where there is room, best of its rank where there is not, whatever the factors."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from family import NAMES, apart, change, made_bank, padding_is_zero, regauge, seeded, slots_for
from hypothesis import given, settings
from hypothesis import strategies as st

from evolora_mesa.errors import AdapterError, ConfigError
from evolora_mesa.evolution.merging import MERGES, merge
from evolora_mesa.host import AdapterBank

PAIR = torch.tensor([[1, 2]])
ranks = st.integers(1, 8)
weights = st.floats(-2, 2, allow_nan=False).filter(lambda weight: abs(weight) > 0.05)
examples = settings(max_examples=15, deadline=None)


def merged(bank: AdapterBank, parents: torch.Tensor, operator: str, **options: Any) -> int:
    """Slot of the child of ``parents [1, k]``."""
    child = slots_for(bank, 1)
    merge(bank, parents, child, operator=operator, generator=options.pop("generator", None) or seeded(), **options)
    assert padding_is_zero(bank, int(child)) and bool(bank.finite(child).all())
    return int(child)


def best(matrix: torch.Tensor, rank: int) -> torch.Tensor:
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    return u[:, :rank] * s[:rank] @ vh[:rank]


@pytest.mark.parametrize("operator", [name for name in MERGES if name != "slerp"])
@examples
@given(ranks, st.integers(0, 1000))
def test_one_parent_with_weight_one_is_the_child(operator: str, rank: int, seed: int) -> None:
    bank = made_bank((rank,), seed=seed, children=1)
    child = merged(bank, torch.tensor([[1]]), operator, weights=torch.ones(1, 1), density=1.0)
    for name in NAMES:
        assert apart(change(bank, child, name), change(bank, 1, name)) < 1e-4
    assert bank.ranks[child].tolist() == [rank] * len(NAMES)


@pytest.mark.parametrize("operator", [name for name in MERGES if name != "dare"])
@examples
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 1000))
def test_the_order_of_the_parents_does_not_matter(operator: str, first: int, second: int, seed: int) -> None:
    bank = made_bank((first, second), seed=seed, children=2)
    one, other = merged(bank, PAIR, operator), merged(bank, PAIR.flip(1), operator)
    for name in NAMES:
        assert apart(change(bank, one, name), change(bank, other, name)) < 1e-3


@examples
@given(st.integers(1, 4), st.integers(1, 4), weights, weights, st.integers(0, 1000))
def test_concat_and_sum_are_exact_where_the_ranks_fit(first: int, second: int, w: float, v: float, seed: int) -> None:
    bank = made_bank((first, second), seed=seed, children=2)
    for operator in ("concat", "sum"):
        child = merged(bank, PAIR, operator, weights=torch.tensor([[w, v]]))
        for name in NAMES:
            assert apart(change(bank, child, name), w * change(bank, 1, name) + v * change(bank, 2, name)) < 1e-4
        assert bank.ranks[child].tolist() == [first + second] * len(NAMES)


@examples
@given(ranks, ranks, weights, weights, st.integers(1, 8), st.integers(0, 1000))
def test_svd_is_the_best_of_its_rank(first: int, second: int, w: float, v: float, rank: int, seed: int) -> None:
    bank = made_bank((first, second), seed=seed, children=2)
    for wanted in (rank, None):
        child = merged(bank, PAIR, "svd", weights=torch.tensor([[w, v]]), rank=wanted)
        for name in NAMES:
            dense = w * change(bank, 1, name) + v * change(bank, 2, name)
            expected = best(dense, wanted or max(first, second))
            assert float((change(bank, child, name) - expected).norm()) < 1e-3 * float(dense.norm())


@pytest.mark.parametrize("operator", MERGES)
@pytest.mark.parametrize("seed", range(4))
def test_two_factorisations_of_the_parents_have_the_same_child(operator: str, seed: int) -> None:
    bank = made_bank((4, 3), seed=seed, children=2)
    first = merged(bank, PAIR, operator)
    regauge(bank, 1, seed)
    regauge(bank, 2, seed + 50)
    second = merged(bank, PAIR, operator)
    for name in NAMES:
        assert apart(change(bank, second, name), change(bank, first, name)) < 1e-3
        assert apart(bank.b[name][second], bank.b[name][first]) < 1e-2  # the canonical factors too


def test_average_is_the_mean_whatever_the_size_of_the_weights() -> None:
    bank = made_bank((2, 3, 2), children=2)
    parents = torch.tensor([[1, 2, 3]])
    for child in (merged(bank, parents, "average"), merged(bank, parents, "average", weights=torch.full((1, 3), 7.0))):
        for name in NAMES:
            mean = sum(change(bank, slot, name) for slot in (1, 2, 3)) / 3
            assert apart(change(bank, child, name), mean) < 1e-4


def test_children_in_one_batch_are_those_of_their_own_parents_and_weights() -> None:
    bank = made_bank((4, 2, 3), children=3)
    parents, children = torch.tensor([[1, 2], [3, 1], [2, 2]]), slots_for(bank, 3)
    shares = torch.tensor([[1.0, 0.5], [0.2, -0.7], [1.0, 1.0]])
    merge(bank, parents, children, operator="sum", weights=shares, generator=seeded())
    for pair, share, child in zip(parents.tolist(), shares.tolist(), children.tolist(), strict=True):
        for name in NAMES:
            expected = share[0] * change(bank, pair[0], name) + share[1] * change(bank, pair[1], name)
            assert apart(change(bank, child, name), expected) < 1e-4
    assert bank.ranks[children, 0].tolist() == [6, 7, 4]


def test_slerp_turns_at_constant_speed_and_interpolates_the_norm() -> None:
    bank = made_bank((3, 3), children=1)
    child = merged(bank, PAIR, "slerp", weights=torch.tensor([[0.75, 0.25]]))
    for name in NAMES:
        one, other, found = (change(bank, slot, name).flatten() for slot in (1, 2, child))
        angle = math.acos(float(torch.cosine_similarity(one, other, 0)))
        assert math.acos(float(torch.cosine_similarity(one, found, 0))) == pytest.approx(angle / 4, rel=1e-2)
        assert float(found.norm()) == pytest.approx(0.75 * float(one.norm()) + 0.25 * float(other.norm()), rel=1e-3)


def test_slerp_with_a_silent_or_an_equal_parent_is_linear() -> None:
    bank = made_bank((3, 3), children=2)
    for name in NAMES:
        bank.b[name][2] = 0.0
    silent = merged(bank, PAIR, "slerp")
    bank.copy([1], [2])
    equal = merged(bank, PAIR, "slerp")
    for name in NAMES:
        assert apart(change(bank, silent, name), 0.5 * change(bank, 1, name)) < 1e-4
        assert apart(change(bank, equal, name), change(bank, 1, name)) < 1e-4


def test_dare_is_unbiased() -> None:
    draws = 1000
    bank = made_bank((2, 2), children=draws)
    children = slots_for(bank, draws)
    merge(bank, PAIR.expand(draws, 2), children, operator="dare", generator=seeded(), density=0.5)
    for name in NAMES:
        mean = (change(bank, 1, name) + change(bank, 2, name)) / 2
        drawn = change(bank, children, name)
        spread = float((drawn - mean).square().sum((1, 2)).mean().sqrt() / mean.norm())
        assert spread > 0.3
        assert apart(drawn.mean(0), mean) < 2 * spread / math.sqrt(draws)


def test_ties_keeps_two_parents_that_share_nothing_whole() -> None:
    bank = made_bank((2, 2), children=1)
    for name in NAMES:
        for slot, first in ((1, 0), (2, 10)):
            for factor in (bank.a[name][slot].transpose(0, 1), bank.b[name][slot]):
                block = factor[first : first + 10].clone()
                factor.zero_()
                factor[first : first + 10] = block
    child = merged(bank, PAIR, "ties")
    for name in NAMES:
        assert apart(change(bank, child, name), change(bank, 1, name) + change(bank, 2, name)) < 1e-4


def test_ties_lets_the_larger_win_where_signs_conflict() -> None:
    bank = made_bank((3,), children=2)
    opposed = slots_for(bank, 1)
    merge(bank, torch.tensor([[1]]), opposed, operator="sum", weights=torch.tensor([[-0.5]]), generator=seeded())
    child = merged(bank, torch.tensor([[1, int(opposed)]]), "ties", density=1.0)
    for name in NAMES:
        assert apart(change(bank, child, name), change(bank, 1, name)) < 1e-3


def test_ties_trims_the_small_coordinates() -> None:
    bank = made_bank((2,), children=2)
    for name in NAMES:
        u, _, vh = torch.linalg.svd(change(bank, 1, name), full_matrices=False)
        bank.a[name][1, :2], bank.b[name][1, :, :2] = vh[:2], u[:, :2] * torch.tensor([5.0, 1.0])
    child = merged(bank, torch.tensor([[1]]), "ties", density=0.25)  # one of two times two
    for name in NAMES:
        assert apart(change(bank, child, name), best(change(bank, 1, name), 1)) < 1e-3


def test_parents_that_cancel_have_a_silent_child_that_can_learn() -> None:
    bank = made_bank((3,), children=5)
    twins = torch.tensor([[1, 1]])
    for operator in ("sum", "svd", "concat", "ties", "dare"):
        child = merged(bank, twins, operator, weights=torch.tensor([[1.0, -1.0]]), density=1.0)
        for name in NAMES:
            assert float(change(bank, child, name).norm()) < 1e-4
            rank = int(bank.ranks[child, 0])
            torch.testing.assert_close(bank.a[name][child, :rank].norm(dim=1), torch.ones(rank), atol=1e-2, rtol=0)


def test_concat_without_room_names_the_ranks_and_writes_nothing() -> None:
    bank = made_bank((5, 4), children=1)
    child = slots_for(bank, 1)
    before = bank.read(int(child))
    with pytest.raises(AdapterError, match=r"do not fit.*at most 8, got \[5, 4\]") as caught:
        merge(bank, PAIR, child, operator="concat", generator=seeded())
    assert "\n" not in str(caught.value)
    for name, factors in bank.read(int(child)).items():
        assert all(torch.equal(*pair) for pair in zip(factors, before[name], strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"operator": "soup"}, "unknown merge operator"),
        ({"operator": "svd", "rank": 9}, "no such rank"),
        ({"operator": "svd", "rank": 0}, "no such rank"),
        ({"operator": "concat", "rank": 4}, "concat is exact"),
        ({"operator": "dare", "density": 0.0}, "no such density"),
        ({"operator": "sum", "weights": torch.ones(2, 1)}, "weights do not fit"),
        ({"operator": "sum", "weights": torch.tensor([[1.0, float("nan")]])}, "weights do not fit"),
        ({"operator": "average", "weights": torch.tensor([[1.0, -1.0]])}, "divides the weights"),
        ({"operator": "slerp", "weights": torch.tensor([[2.0, -1.0]])}, "divides the weights"),
    ],
)
def test_settings_that_make_no_child_are_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    bank = made_bank((2, 2), children=1)
    with pytest.raises(ConfigError, match=message) as caught:
        merge(bank, PAIR, slots_for(bank, 1), generator=seeded(), **options)
    assert "\n" not in str(caught.value)


def test_slerp_has_two_parents() -> None:
    bank = made_bank((2, 2, 2), children=1)
    with pytest.raises(ConfigError, match="2 parents"):
        merge(bank, torch.tensor([[1, 2, 3]]), slots_for(bank, 1), operator="slerp", generator=seeded())


def test_weights_beyond_all_bounds_never_become_nan() -> None:
    bank = made_bank((2, 2), children=1)
    child = slots_for(bank, 1)
    for operator in ("sum", "ties", "dare"):
        with pytest.raises(AdapterError, match="NaN or infinity"):
            merge(bank, PAIR, child, operator=operator, weights=torch.full((1, 2), 3e38), generator=seeded())
    assert bool(bank.finite(child).all())


@pytest.mark.parametrize(("ours", "theirs"), [("concat", "cat"), ("svd", "svd")])
def test_the_child_is_that_of_peft(ours: str, theirs: str) -> None:
    from peft import LoraConfig
    from peft.tuners.lora import LoraModel

    bank = made_bank((4, 4), children=1)
    sites = {site.name.replace(".", "_"): site for site in bank.sites}
    model = torch.nn.ModuleDict(
        {name: torch.nn.Linear(site.d_in, site.d_out, bias=False) for name, site in sites.items()}
    )
    config = LoraConfig(r=4, lora_alpha=4, target_modules=list(sites))
    tuned = LoraModel(model, {"first": config}, "first")
    tuned.peft_config["second"] = config
    tuned.inject_adapter(model, "second")
    for slot, adapter in ((1, "first"), (2, "second")):
        for name, site in sites.items():
            layer = tuned.model[name]
            layer.lora_A[adapter].weight.data = bank.a[site.name][slot, :4].clone()
            layer.lora_B[adapter].weight.data = bank.b[site.name][slot, :, :4].clone()
    tuned.add_weighted_adapter(["first", "second"], [0.7, 0.7], "both", combination_type=theirs)
    child = merged(bank, PAIR, ours, weights=torch.full((1, 2), 0.7))
    for name, site in sites.items():
        assert apart(change(bank, child, site.name), tuned.model[name].get_delta_weight("both").detach()) < 1e-3
