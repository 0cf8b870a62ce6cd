"""One optimiser for everybody is as good as one for each."""

from __future__ import annotations

import pytest
import torch
from plastic_world import same_weights, snapshot, toy_bank

from evolora_mesa.host import AdapterBank
from evolora_mesa.plasticity import Gradients
from evolora_mesa.plasticity.optimizer import SlotOptimizer


def pull(bank: AdapterBank, slots: list[int], seed: int) -> Gradients:
    """Random gradients of very different size for the used ranks."""
    generator = torch.Generator().manual_seed(seed)
    size = 10.0 ** -torch.arange(len(slots))[:, None, None]
    a = torch.randn(len(slots), *bank.a["layer"].shape[1:], generator=generator) * size
    b = torch.randn(len(slots), *bank.b["layer"].shape[1:], generator=generator) * size
    used = torch.arange(bank.max_rank) < bank.ranks[slots, :1]
    return Gradients(torch.tensor(slots), {"layer": a * used[:, :, None]}, {"layer": b * used[:, None, :]})


def steady(bank: AdapterBank, slots: list[int], size: float = 0.01) -> Gradients:
    """The same small gradient for every weight of B."""
    return Gradients(torch.tensor(slots), {}, {"layer": torch.full((len(slots), *bank.b["layer"].shape[1:]), size)})


def test_it_is_torchs_adam_for_every_slot_however_often_each_worked() -> None:
    bank = toy_bank(3)
    mine = SlotOptimizer(bank, learning_rate=0.02, half_life=0.0, beta1=0.8, beta2=0.95)
    leaves = {slot: [bank.a["layer"][slot].clone(), bank.b["layer"][slot].clone()] for slot in (1, 2, 3)}
    theirs = {
        slot: torch.optim.Adam(both, lr=0.02, betas=(0.8, 0.95), eps=1e-8, maximize=True)
        for slot, both in leaves.items()
    }
    for step in range(25):
        workers = [slot for slot in (1, 2, 3) if step % slot == 0]
        gradients = pull(bank, workers, step)
        mine.step(gradients)
        for place, slot in enumerate(workers):
            leaves[slot][0].grad, leaves[slot][1].grad = (
                gradients.a["layer"][place],
                gradients.b["layer"][place],
            )
            theirs[slot].step()
    assert mine.updates.tolist() == [0, 25, 13, 9]
    for slot, (a, b) in leaves.items():
        torch.testing.assert_close(bank.a["layer"][slot], a, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(bank.b["layer"][slot], b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_only_those_who_worked_move(kind: str) -> None:
    bank = toy_bank(3)
    before = snapshot(bank)
    SlotOptimizer(bank, kind=kind).step(pull(bank, [2], 0))
    assert same_weights(bank, before, [0, 1, 3])
    assert not same_weights(bank, before, [2])


def test_the_rate_has_halved_after_its_half_life_slot_by_slot() -> None:
    bank = toy_bank(2)
    optimizer = SlotOptimizer(bank, kind="sgd", learning_rate=1.0, half_life=4.0)
    for step in range(9):
        before = snapshot(bank)["b.layer"]
        optimizer.step(steady(bank, [1, 2] if step >= 4 else [1]))
        moved = bank.b["layer"] - before
        assert float(moved[1].mean()) == pytest.approx(0.01 / (1 + step / 4), rel=1e-3)
        if step >= 4:
            assert float(moved[2].mean()) == pytest.approx(0.01 / (1 + (step - 4) / 4), rel=1e-3)


def test_plain_ascent_shortens_long_gradients_and_leaves_short_ones() -> None:
    bank = toy_bank(2)
    optimizer = SlotOptimizer(bank, kind="sgd", learning_rate=1.0, half_life=0.0, clip=2.0)
    gradients = pull(bank, [1, 2], 0)
    for place, norm in enumerate((50.0, 0.5)):
        gradients.b["layer"][place] *= norm / gradients.b["layer"][place].norm()
    before = snapshot(bank)["b.layer"]
    optimizer.step(gradients)
    moved = bank.b["layer"] - before
    torch.testing.assert_close(moved[1], gradients.b["layer"][0] * (2.0 / 50.0))
    torch.testing.assert_close(moved[2], gradients.b["layer"][1])


def test_a_founder_starts_as_if_the_slot_had_never_learned() -> None:
    bank, fresh = toy_bank(2), toy_bank(2)
    optimizer = SlotOptimizer(bank)
    for step in range(5):
        optimizer.step(pull(bank, [1, 2], step))
    optimizer.reset(torch.tensor([1]))
    for factor in ("a", "b"):
        getattr(bank, factor)["layer"][1] = getattr(fresh, factor)["layer"][1]
    optimizer.step(pull(bank, [1], 99))
    SlotOptimizer(fresh).step(pull(fresh, [1], 99))
    assert torch.equal(bank.a["layer"][1], fresh.a["layer"][1])
    assert torch.equal(bank.b["layer"][1], fresh.b["layer"][1])
    assert optimizer.updates.tolist() == [0, 1, 5]


def test_a_child_goes_on_at_its_parents_rate_without_its_momentum() -> None:
    bank = toy_bank(3)
    optimizer = SlotOptimizer(bank, learning_rate=0.01, half_life=3.0, beta1=0.9, beta2=0.9)
    for _ in range(6):
        optimizer.step(steady(bank, [1]))
    optimizer.inherit(torch.tensor([1]), torch.tensor([3]))
    assert optimizer.updates.tolist() == [0, 6, 0, 6]
    before = snapshot(bank)["b.layer"]
    optimizer.step(steady(bank, [3], -0.01))
    moved = bank.b["layer"] - before
    assert bool((moved[3] < 0).all()), "the parent's momentum would carry it on upwards"
    assert not moved[[0, 1, 2]].any()
    assert float(moved[3].abs().max()) <= 0.01 / 3, "six updates halve a rate of half-life 3 twice over"


@pytest.mark.parametrize("kind", ["adam", "sgd"])
def test_unused_ranks_stay_exactly_zero(kind: str) -> None:
    bank = toy_bank(3, rank=2)
    optimizer = SlotOptimizer(bank, kind=kind)
    for step in range(20):
        optimizer.step(pull(bank, [1, 2, 3], step))
    assert not bank.a["layer"][:, 2:].any()
    assert not bank.b["layer"][:, :, 2:].any()
    assert not bank.a["layer"][0].any()


def test_weights_in_bfloat16_move_like_those_in_float32() -> None:
    wide = toy_bank(1)
    narrow = AdapterBank(wide.sites, capacity=2, max_rank=4, dtype=torch.bfloat16)
    narrow.allocate(1, 2, torch.Generator().manual_seed(3))
    optimizers = [SlotOptimizer(bank, half_life=0.0) for bank in (wide, narrow)]
    for step in range(20):
        for optimizer in optimizers:
            optimizer.step(pull(wide, [1], step))
    assert narrow.b["layer"].dtype == torch.bfloat16
    torch.testing.assert_close(narrow.b["layer"].float(), wide.b["layer"], rtol=0.05, atol=0.005)
