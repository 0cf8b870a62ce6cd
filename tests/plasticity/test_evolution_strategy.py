"""Stand-ins work in the owners' place, and the owners follow those who earned more."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from plastic_world import no_answers, same_weights, snapshot, toy_bank

from evolora_mesa.config import PlasticityConfig
from evolora_mesa.host import AdapterBank
from evolora_mesa.plasticity import Experience, Learner, Work
from evolora_mesa.plasticity.evolution_strategy import EvolutionStrategy

PAIRS = 3


def new_rule(pairs: int = PAIRS, perturbation: float = 0.05, seed: int = 0) -> EvolutionStrategy:
    return EvolutionStrategy(pairs, perturbation, torch.Generator().manual_seed(seed))


def crowded_bank(rule: EvolutionStrategy, organelles: int = 3, rank: int = 2) -> AdapterBank:
    return toy_bank(organelles, rank, extra=2 * rule.pairs * organelles)


def test_rows_are_dealt_in_turn_over_stand_ins_of_their_own_owner() -> None:
    rule = new_rule()
    bank = crowded_bank(rule)
    owners = torch.tensor([3, 1, 3, 1, 1, 3, 1, 1, 1, 1, 3])
    answered_by = rule.stand_ins(bank, owners)
    assert not set(answered_by.tolist()) & {0, 1, 2, 3}
    for owner in (1, 3):
        mine = answered_by[owners == owner].tolist()
        assert len(set(mine)) == min(len(mine), 2 * PAIRS)
        loads = Counter(mine).values()
        assert max(loads) - min(loads) <= 1
        again = mine[2 * PAIRS :]
        assert again == mine[: len(again)], "the seventh row goes to the first stand-in again"
    assert not set(answered_by[owners == 1].tolist()) & set(answered_by[owners == 3].tolist())


def test_stand_ins_come_in_mirrored_pairs_round_an_owner_that_stays_as_it_is() -> None:
    rule = new_rule()
    bank = crowded_bank(rule)
    bank.b["layer"][1:4, :, :2] = 0.5
    before = snapshot(bank)
    owners = torch.tensor([1, 2, 3]).repeat_interleave(2 * PAIRS)
    answered_by = rule.stand_ins(bank, owners)
    assert same_weights(bank, before, [0, 1, 2, 3])
    for factor in (bank.a["layer"], bank.b["layer"]):
        away = (factor[answered_by] - factor[owners]).view(3, PAIRS, 2, -1)
        assert bool((away.abs().amax(-1) > 0).all())
        torch.testing.assert_close(away[:, :, 0], -away[:, :, 1], rtol=0, atol=1e-6)
        flat = away[:, :, 0].reshape(3 * PAIRS, -1)
        assert len({tuple(row) for row in flat.tolist()}) == 3 * PAIRS, "no two pairs are alike"


def test_perturbations_have_the_asked_size_and_spare_unused_ranks() -> None:
    rule = new_rule(pairs=100, perturbation=0.2)
    bank = toy_bank(1, 2, extra=2 * rule.pairs)
    answered_by = rule.stand_ins(bank, torch.ones(200, dtype=torch.long))
    a, b = bank.a["layer"], bank.b["layer"]
    assert float((b[answered_by] - b[1])[:, :, :2].std()) == pytest.approx(0.2, rel=0.1)
    assert float((a[answered_by] - a[1])[:, :2].std()) == pytest.approx(0.2 / 6**0.5, rel=0.1)
    assert not b[answered_by][:, :, 2:].any()
    assert not a[answered_by][:, 2:].any()
    assert bool((bank.ranks[answered_by] == 2).all())


def test_the_direction_points_to_the_member_that_earned_more() -> None:
    rule = new_rule(pairs=1)
    bank = crowded_bank(rule)
    owners = torch.tensor([1, 1, 2, 2])
    answered_by = rule.stand_ins(bank, owners)
    found = rule.gradients(bank, Experience(owners, answered_by, torch.tensor([1.0, -1.0, -1.0, 1.0]), no_answers(4)))
    assert found.slots.tolist() == [1, 2]
    for gradient, stack in ((found.a, bank.a), (found.b, bank.b)):
        winners = answered_by[[0, 3]]
        towards = stack["layer"][winners] - stack["layer"][[1, 2]]
        cosine = torch.nn.functional.cosine_similarity(gradient["layer"].flatten(1), towards.flatten(1))
        assert bool((cosine > 0.9999).all())


def test_a_tie_is_no_direction() -> None:
    rule = new_rule()
    bank = crowded_bank(rule)
    owners = torch.ones(12, dtype=torch.long)
    found = rule.gradients(bank, Experience(owners, rule.stand_ins(bank, owners), torch.ones(12), no_answers(12)))
    assert not found.a["layer"].any()
    assert not found.b["layer"].any()


def test_it_climbs_a_smooth_hill() -> None:
    settings = PlasticityConfig(
        rule="evolution_strategy", learning_rate=0.03, half_life=1000, perturbation=0.1, pairs=4
    )
    rule = new_rule(settings.pairs, settings.perturbation)
    bank = crowded_bank(rule)
    learner = Learner(settings, rule, bank, niches=1)
    summit = torch.randn(4, 5, 6, generator=torch.Generator().manual_seed(9)) * 0.5  # another one for every owner

    def height(slots: torch.Tensor, owners: torch.Tensor) -> np.ndarray:
        distance = (bank.b["layer"][slots] @ bank.a["layer"][slots] - summit[owners]).square().sum((1, 2))
        return torch.exp(-distance / 8).double().numpy()

    organelles = torch.tensor([1, 2, 3])
    start = height(organelles, organelles)
    owners = organelles.repeat_interleave(8)
    for _ in range(150):
        answered_by = learner.stand_ins(owners)
        learner.learn(
            Work(owners, answered_by, np.zeros(24, dtype=int), height(answered_by, owners), no_answers(24), 1.0)
        )
    end = height(organelles, organelles)
    assert bool((end > start + 0.15).all()), (start, end)
    assert not bank.b["layer"][1:4, :, 2:].any(), "unused ranks stay unused"


def test_scratch_slots_do_not_pile_up_over_generations_of_changing_size() -> None:
    rule = new_rule()
    bank = crowded_bank(rule, organelles=5)
    own = bank.used_slots()
    for generation in range(50):
        present = torch.tensor([1 + (generation + k) % 5 for k in range(1 + generation % 5)])
        owners = present.repeat_interleave(4)
        answered_by = rule.stand_ins(bank, owners)
        rule.gradients(bank, Experience(owners, answered_by, torch.ones(len(owners)), no_answers(len(owners))))
        assert len(bank.used_slots()) == len(own) + 2 * rule.pairs * len(present)
    assert set(own) <= set(bank.used_slots())
