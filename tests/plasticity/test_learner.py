"""A whole life on a tiny random host: reward rises under the rules that learn, and only there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from plastic_world import filled_bank, live, new_learner, no_answers, same_weights, snapshot

from evolora_mesa.config import PlasticityConfig
from evolora_mesa.host import HostService, Request
from evolora_mesa.plasticity import Work, make_rule
from evolora_mesa.plasticity.health import HealthReport

SITES = ["last.down_proj", "lm_head"]
RULES = ["three_factor", "reinforce", "hebbian", "evolution_strategy"]


def even_first(tokens: list[int]) -> float:
    """A reward that needs no task: the first token written has an even number."""
    return float(tokens[0] % 2 == 0)


def life(service: HostService, rule: str, updates: int = 25) -> list[float]:
    bank = service.new_bank(SITES, capacity=4)
    slots = bank.allocate(3, 4, torch.Generator().manual_seed(4))
    learner = new_learner(service, bank, rule=rule, learning_rate=0.03)
    learner.reset(slots)
    return live(service, bank, learner, slots, even_first, updates=updates, rows=16)


@pytest.mark.parametrize("rule", ["three_factor", "reinforce"])
def test_reward_rises_under_a_rule_that_learns(qwen: HostService, rule: str) -> None:
    history = life(qwen, rule)
    assert 0.2 < np.mean(history[:2]) < 0.8
    assert np.mean(history[-5:]) > 0.95


@pytest.mark.parametrize("rule", ["hebbian", "none"])
def test_reward_stays_where_it_was_under_the_controls(qwen: HostService, rule: str) -> None:
    history = life(qwen, rule)
    assert abs(np.mean(history[-10:]) - np.mean(life(qwen, "none"))) < 0.15


def test_without_a_rule_nothing_ever_changes(qwen: HostService) -> None:
    bank = filled_bank(qwen, SITES)
    before = snapshot(bank)
    learner = new_learner(qwen, bank, rule="none", decay=0.5, norm_bound=0.01)
    assert learner.trace() is None
    slots = torch.tensor([1, 2, 3])
    assert torch.equal(learner.stand_ins(slots), slots)
    live(qwen, bank, learner, slots, even_first, updates=5, rows=4)
    assert learner.learn(Work(slots, slots, np.zeros(3, dtype=int), np.ones(3), no_answers(3), 1.0)) == HealthReport(
        [], []
    )
    assert same_weights(bank, before)


@pytest.mark.parametrize("rule", RULES)
def test_unused_ranks_and_idle_slots_stay_exactly_as_they_are(qwen: HostService, rule: str) -> None:
    bank = filled_bank(qwen, SITES, ranks=(4, 2, 8, 3, *[1] * 18))
    bank.free(list(range(5, 23)))  # room for stand-ins
    before = snapshot(bank)
    learner = new_learner(qwen, bank, rule=rule, pairs=3)
    live(qwen, bank, learner, torch.tensor([1, 2, 4]), even_first, updates=20, rows=6)
    assert same_weights(bank, before, [0, 3])
    for slot, rank in ((1, 4), (2, 2), (4, 3)):
        assert not same_weights(bank, before, [slot])
        for site in bank.sites:
            assert not bank.a[site.name][slot, rank:].any()
            assert not bank.b[site.name][slot, :, rank:].any()


@pytest.mark.parametrize("rule", ["three_factor", "reinforce", "hebbian"])
def test_a_sick_adapter_is_quarantined_and_its_neighbours_never_notice(qwen: HostService, rule: str) -> None:
    def one_life(poison: bool) -> tuple[dict[str, torch.Tensor], list[HealthReport]]:
        bank = filled_bank(qwen, SITES)
        if poison:
            bank.b["lm_head"][2, 5, 1] = float("nan")
            bank.a["lm_head"][2, 0] = float("inf")
        learner = new_learner(qwen, bank, rule=rule)
        slots = torch.tensor([1, 2, 3]).repeat_interleave(5)
        reports = []
        for _ in range(3):
            # One token each: else the sick answers, which end at other times, change the batch and its rounding.
            answers = qwen.answer(requests_of(slots), bank, temperature=1.0, max_new_tokens=1, trace=learner.trace())
            rewards = np.arange(15) % 2 * 1.0
            work = Work(slots, slots, np.zeros(15, dtype=int), rewards, answers, 1.0)
            reports.append(learner.learn(work))
        assert bool(bank.finite(torch.tensor([1, 2, 3])).all())
        return snapshot(bank), reports

    sick, reports = one_life(poison=True)
    well, no_reports = one_life(poison=False)
    assert [report.quarantined for report in reports] == [[2], [], []], "it is well again after one update"
    assert no_reports == [HealthReport([], [])] * 3
    for name, stack in sick.items():
        assert torch.equal(stack[[0, 1, 3]], well[name][[0, 1, 3]])


def requests_of(slots: torch.Tensor) -> list[Request]:
    return [Request(slot, f"What is: {row}+1\nAnswer:", row) for row, slot in enumerate(slots.tolist())]


def test_a_child_learns_on_from_where_its_parent_stood(qwen: HostService) -> None:
    bank = filled_bank(qwen, SITES, ranks=(4, 4))
    learner = new_learner(qwen, bank, rule="three_factor", half_life=2)
    live(qwen, bank, learner, torch.tensor([1]), even_first, updates=20, rows=8)
    bank.copy([1], [2])
    learner.inherit(np.array([1]), 2, np.zeros(1, dtype=int))
    before = snapshot(bank)
    live(qwen, bank, learner, torch.tensor([2]), even_first, updates=1, rows=8, first_key=10_000)
    largest = max(float((stack - before[name]).abs().max()) for name, stack in snapshot(bank).items())
    assert 0 < largest <= 0.01 / (1 + 20 / 2) * 1.01, "Adam's first step is as long as the parent's rate"


def test_a_child_expects_what_its_parent_was_paid_and_a_founder_nothing(qwen: HostService) -> None:
    for inherits in (True, False):
        bank = filled_bank(qwen, SITES, ranks=(4, 4))
        learner = new_learner(qwen, bank, rule="three_factor")
        parent, newborn = torch.tensor([1]), torch.tensor([2])
        live(qwen, bank, learner, parent, lambda tokens: 1.0, updates=10, rows=8)
        if inherits:
            learner.inherit(parent.numpy(), 2, np.zeros(1, dtype=int))
        else:
            learner.reset(newborn)
        before = snapshot(bank)
        live(qwen, bank, learner, newborn, lambda tokens: 0.0, updates=1, rows=8)
        disappointed = not same_weights(bank, before, [2])
        assert disappointed == inherits


def test_the_same_seed_is_the_same_life(qwen: HostService) -> None:
    assert life(qwen, "three_factor", 6) == life(qwen, "three_factor", 6)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_found_by_its_name(qwen: HostService, rule: str) -> None:
    learner = new_learner(qwen, qwen.new_bank(SITES, capacity=2), rule=rule)
    assert type(learner.rule).__name__.lower() == rule.replace("_", "")
    assert (learner.trace() is not None) == (rule in ("three_factor", "hebbian"))


def test_no_rule_is_none(qwen: HostService) -> None:
    bank = qwen.new_bank(SITES, capacity=2)
    assert make_rule(PlasticityConfig(rule="none"), qwen, bank, torch.Generator()) is None
