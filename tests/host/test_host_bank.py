"""The adapter bank: any history of births, copies and deaths keeps slots apart and padding zero."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from small_hosts import ALL_SITES, DEFAULT_SITES, PROMPTS, filled_bank

from evolora_mesa.errors import AdapterError
from evolora_mesa.host import BARE, AdapterBank, HostService, Request, Site

SITES = (Site("model.layers.0.mlp.down_proj", 0, "down", 0, 5, 3, 5), Site("lm_head", -1, "head", 0, 7, 5, 7))
CAPACITY, MAX_RANK = 5, 3


def small_bank(scaling: float = 1.0) -> AdapterBank:
    return AdapterBank(SITES, capacity=CAPACITY, max_rank=MAX_RANK, scaling=scaling)


def random_adapter(seed: int, ranks: tuple[int, int]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    return {
        site.name: (
            torch.randn(rank, site.d_in, generator=generator),
            torch.randn(site.d_out, rank, generator=generator),
        )
        for site, rank in zip(SITES, ranks, strict=True)
    }


class BankHistory(RuleBasedStateMachine):
    """A bank beside a plain dictionary of what every slot should hold."""

    @initialize(seed=st.integers(0, 100))
    def begin(self, seed: int) -> None:
        self.bank = small_bank()
        self.generator = torch.Generator().manual_seed(seed)
        self.held: dict[int, dict[str, tuple[torch.Tensor, torch.Tensor]]] = {}

    def one(self, pick: int) -> int:
        return sorted(self.held)[pick % len(self.held)]

    @rule(count=st.integers(1, CAPACITY), rank=st.integers(1, MAX_RANK))
    def allocate(self, count: int, rank: int) -> None:
        if count > CAPACITY - 1 - len(self.held):
            with pytest.raises(AdapterError, match="full"):
                self.bank.allocate(count, rank, self.generator)
            return
        slots = self.bank.allocate(count, rank, self.generator).tolist()
        assert len(set(slots)) == count
        assert not set(slots) & {BARE, *self.held}
        for slot in slots:
            self.held[slot] = self.bank.read(slot)
            for a, b in self.held[slot].values():
                assert a.shape[0] == b.shape[1] == rank
                assert bool(a.any())
                assert not bool(b.any())

    @precondition(lambda self: self.held)
    @rule(pick=st.integers(0, 9))
    def free(self, pick: int) -> None:
        slot = self.one(pick)
        self.bank.free([slot])
        del self.held[slot]
        with pytest.raises(AdapterError, match="not allocated"):
            self.bank.free([slot])

    @precondition(lambda self: self.held)
    @rule(source=st.integers(0, 9), heir=st.integers(0, 9))
    def copy(self, source: int, heir: int) -> None:
        self.bank.copy([self.one(source)], [self.one(heir)])
        self.held[self.one(heir)] = self.held[self.one(source)]

    @precondition(lambda self: self.held)
    @rule(pick=st.integers(0, 9), seed=st.integers(0, 1000), ranks=st.tuples(*[st.integers(1, MAX_RANK)] * 2))
    def write(self, pick: int, seed: int, ranks: tuple[int, int]) -> None:
        adapter = random_adapter(seed, ranks)
        self.bank.write(self.one(pick), adapter)
        self.held[self.one(pick)] = adapter

    @invariant()
    def every_slot_holds_what_was_put_there(self) -> None:
        if not hasattr(self, "bank"):
            return
        assert self.bank.used_slots() == sorted(self.held)
        for slot in range(CAPACITY):
            for place, site in enumerate(SITES):
                a, b = self.held.get(slot, {}).get(site.name, (torch.zeros(0, site.d_in), torch.zeros(site.d_out, 0)))
                rank = len(a)
                assert int(self.bank.ranks[slot, place]) == rank
                assert torch.equal(self.bank.a[site.name][slot, :rank], a)
                assert torch.equal(self.bank.b[site.name][slot, :, :rank], b)
                assert not bool(self.bank.a[site.name][slot, rank:].any())
                assert not bool(self.bank.b[site.name][slot, :, rank:].any())

    @invariant()
    def the_bare_host_stays_bare(self) -> None:
        if hasattr(self, "bank"):
            assert float(self.bank.norms(torch.tensor([BARE])).sum()) == 0.0
            assert not any(bool(weights[BARE].any()) for weights in (*self.bank.a.values(), *self.bank.b.values()))


BankHistory.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
test_any_history_keeps_slots_apart_and_padding_zero = BankHistory.TestCase


def test_a_fresh_adapter_draws_a_with_variance_one_over_inputs_and_changes_nothing(
    service: HostService,
) -> None:
    bank = service.new_bank(ALL_SITES, capacity=101)
    bank.allocate(100, 8, torch.Generator().manual_seed(0))
    for site in bank.sites:
        assert float(bank.a[site.name][1:].std()) == pytest.approx(1 / math.sqrt(site.d_in), rel=0.02)
    assert float(bank.norms(torch.arange(101)).sum()) == 0.0
    answers = service.answer([Request(slot, PROMPTS[1]) for slot in (0, 1, 100)], bank, max_new_tokens=8)
    assert answers.tokens[0] == answers.tokens[1] == answers.tokens[2]


def test_equal_generators_draw_equal_adapters() -> None:
    one, two = small_bank(), small_bank()
    for bank in (one, two):
        bank.allocate(2, 2, torch.Generator().manual_seed(7))
    assert all(torch.equal(one.a[site.name], two.a[site.name]) for site in SITES)
    assert not torch.equal(one.a["lm_head"][1], one.a["lm_head"][2])


@pytest.mark.parametrize("rank", [0, -1, MAX_RANK + 1])
def test_a_rank_out_of_range_is_refused(rank: int) -> None:
    bank = small_bank()
    with pytest.raises(AdapterError, match="rank"):
        bank.allocate(1, rank, torch.Generator())
    assert bank.used_slots() == []


def test_a_bank_without_sites_is_refused() -> None:
    with pytest.raises(AdapterError, match="needs a site"):
        AdapterBank([], capacity=2)


def spoilt(change: str) -> dict[str, Any]:
    adapter: dict[str, Any] = random_adapter(0, (2, 2))
    a, b = adapter["lm_head"]
    match change:
        case "unknown site":
            adapter["model.layers.0.mlp.up_proj"] = (a, b)
        case "narrow A":
            adapter["lm_head"] = (a[:, :-1], b)
        case "short B":
            adapter["lm_head"] = (a, b[:-1])
        case "two ranks":
            adapter["lm_head"] = (a, b[:, :1])
        case "no rank":
            adapter["lm_head"] = (a[:0], b[:, :0])
        case "rank above the bank's":
            adapter["lm_head"] = (torch.zeros(MAX_RANK + 1, 5), torch.zeros(7, MAX_RANK + 1))
        case "vector":
            adapter["lm_head"] = (a[0], b)
        case "NaN":
            adapter["lm_head"] = (a, b * float("nan"))
        case "infinity":
            adapter["lm_head"] = (a / 0.0, b)
    return adapter


@pytest.mark.parametrize(
    "change",
    [
        "unknown site",
        "narrow A",
        "short B",
        "two ranks",
        "no rank",
        "rank above the bank's",
        "vector",
        "NaN",
        "infinity",
    ],
)
def test_an_adapter_that_does_not_fit_is_refused_and_nothing_is_written(change: str) -> None:
    bank = small_bank()
    bank.allocate(1, 2, torch.Generator().manual_seed(0))
    before = bank.read(1)
    with pytest.raises(AdapterError) as caught:
        bank.write(1, spoilt(change))
    assert "\n" not in str(caught.value)
    for name, (a, b) in bank.read(1).items():
        assert torch.equal(a, before[name][0])
        assert torch.equal(b, before[name][1])


def test_the_bare_slot_and_free_slots_cannot_be_written() -> None:
    bank = small_bank()
    source = int(bank.allocate(1, 2, torch.Generator())[0])
    for slot in (BARE, 3):
        with pytest.raises(AdapterError, match="not allocated"):
            bank.write(slot, random_adapter(0, (1, 1)))
        with pytest.raises(AdapterError, match="not allocated"):
            bank.copy([source], [slot])
        with pytest.raises(AdapterError, match="not allocated"):
            bank.free([slot])


def test_norms_and_sizes_are_those_of_the_full_matrices() -> None:
    bank = small_bank(scaling=-2.5)
    bank.allocate(2, 3, torch.Generator().manual_seed(0))
    bank.write(1, random_adapter(4, (3, 2)))
    bank.write(2, {"lm_head": random_adapter(5, (1, 1))["lm_head"]})
    for slot in (1, 2):
        for place, (a, b) in enumerate(bank.read(slot).values()):
            assert float(bank.norms(torch.tensor([slot]))[0, place]) == pytest.approx(
                float((2.5 * b @ a).norm()), rel=1e-5
            )
    assert bank.parameter_counts(torch.tensor([BARE, 1, 2])).tolist() == [0, 3 * (3 + 5) + 2 * (5 + 7), 5 + 7]


def test_an_adapter_that_is_not_finite_is_found() -> None:
    bank = small_bank()
    bank.allocate(3, 2, torch.Generator())
    bank.a["lm_head"][1, 0, 0] = float("nan")
    bank.b["lm_head"][3, 0, 0] = float("inf")
    assert bank.finite(torch.tensor([0, 1, 2, 3])).tolist() == [True, False, True, False]


def test_padding_changes_no_answer_and_no_gradient(service: HostService) -> None:
    """A rank-2 adapter beside one of rank 8 runs at rank 8, and must learn what it learns alone at rank 2."""
    adapter = filled_bank(service, ALL_SITES, ranks=(2,), max_rank=2).read(1)
    tight = service.new_bank(ALL_SITES, capacity=2, max_rank=2)
    padded = filled_bank(service, ALL_SITES, ranks=(2, 8))
    tight.allocate(1, 2, torch.Generator())
    tight.write(1, adapter)
    padded.write(1, adapter)
    ids = torch.tensor(service.codec.encode([PROMPTS[1]]))
    results = []
    for bank, slots in ((tight, torch.tensor([1])), (padded, torch.tensor([1, 2]))):
        for weights in (*bank.a.values(), *bank.b.values()):
            weights.requires_grad_(True)
        bound = bank.fused(slots).bind(torch.arange(len(slots)))
        logits = service.host.forward(ids.expand(len(slots), -1), bound)
        logits[0].log_softmax(-1)[:, 7].sum().backward()
        results.append((bank, logits[0].detach()))
    assert (results[0][1] - results[1][1]).abs().max() <= 1e-5
    for name in tight.a:
        grad_a, grad_b = padded.a[name].grad[1], padded.b[name].grad[1]
        for wanted, found in ((tight.a[name].grad[1], grad_a[:2]), (tight.b[name].grad[1], grad_b[:, :2])):
            assert bool(wanted.any())
            assert (wanted - found).norm() <= 1e-5 * wanted.norm()
        assert not bool(grad_a[2:].any())
        assert not bool(grad_b[:, 2:].any())
        assert not bool(padded.b[name].grad[2].any())  # the neighbour's answer was not in the sum


def test_a_bank_for_default_sites_is_shaped_as_the_host(service: HostService) -> None:
    bank = service.new_bank(DEFAULT_SITES, capacity=3)
    arch = service.host.arch
    assert bank.a["model.layers.2.mlp.down_proj"].shape == (3, 8, arch.intermediate_size)
    assert bank.b["lm_head"].shape == (3, arch.vocab_size, 8)
