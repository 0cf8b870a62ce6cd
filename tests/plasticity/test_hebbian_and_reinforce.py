"""The other rules against their textbook forms, and every rule against itself without a crowd."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from plastic_world import (
    RANKS,
    assert_same_gradients,
    experience_of,
    filled_bank,
    some_advantages,
    some_requests,
)

from evolora_mesa.host import AdapterBank, HostService
from evolora_mesa.plasticity import Experience, Gradients, Rule, sequence_gradients, teacher_forcing
from evolora_mesa.plasticity.hebbian import Hebbian
from evolora_mesa.plasticity.reinforce import Reinforce
from evolora_mesa.plasticity.three_factor import ThreeFactor

SITES = ["all.q_proj", "all.v_proj", "last.down_proj", "lm_head"]


def test_hebbian_is_reward_times_post_times_pre(qwen: HostService) -> None:
    bank, rule = filled_bank(qwen, SITES), Hebbian()
    experience = experience_of(qwen, bank, rule, some_requests(18), some_advantages(18))
    trace = experience.answers.trace
    found = rule.gradients(bank, experience)
    assert found.a == {}
    for site in bank.sites:
        expected = torch.zeros(len(RANKS), site.d_out, bank.max_rank)
        for token, row in enumerate(trace.rows.tolist()):
            slot = int(experience.slots[row])
            share = experience.advantages[row] / (experience.slots == slot).sum()
            pre = bank.a[site.name][slot] @ trace.inputs[site.layer, site.group][token]
            post = trace.outputs[site.layer, site.group][token, site.offset : site.offset + site.d_out]
            expected[slot - 1] += share * torch.outer(post, pre)
        torch.testing.assert_close(found.b[site.name], expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def merged_gradients(folder: Path, bank: AdapterBank, experience: Experience) -> Gradients:
    """Row by row through the model of transformers, with ``W + scaling B A`` in place of the weights."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    frozen = {name: weight.detach() for name, weight in model.named_parameters(remove_duplicate=False)}
    a = {site.name: bank.a[site.name].clone().requires_grad_() for site in bank.sites}
    b = {site.name: bank.b[site.name].clone().requires_grad_() for site in bank.sites}
    answers = experience.answers
    for row, slot in enumerate(experience.slots.tolist()):
        weights = {
            f"{name}.weight": frozen[f"{name}.weight"] + bank.scaling * b[name][slot] @ a[name][slot] for name in a
        }
        tokens = [*answers.prompts[row], *answers.tokens[row]]
        logits = torch.func.functional_call(
            model, {**frozen, **weights}, (torch.tensor([tokens[:-1]]),), tie_weights=False
        ).logits[0]
        likely = (logits / experience.temperature).log_softmax(-1)
        start = len(answers.prompts[row]) - 1
        written = torch.tensor(answers.tokens[row])
        chosen = likely[start:].gather(1, written[:, None]).sum()
        share = experience.advantages[row] / (experience.slots == slot).sum()
        (share * chosen).backward()
    present = torch.unique(experience.slots)
    return Gradients(
        present,
        {name: leaf.grad[present] for name, leaf in a.items()},
        {name: leaf.grad[present] for name, leaf in b.items()},
    )


def test_reinforce_is_backpropagation_through_merged_weights_row_by_row(qwen: HostService, qwen_folder: Path) -> None:
    bank, rule = filled_bank(qwen, SITES, scaling=0.7), Reinforce(qwen.host)
    experience = experience_of(qwen, bank, rule, some_requests(18), some_advantages(18))
    assert_same_gradients(rule.gradients(bank, experience), merged_gradients(qwen_folder, bank, experience))


@pytest.mark.parametrize("name", ["three_factor", "reinforce", "hebbian"])
def test_a_crowd_learns_what_each_would_learn_alone(qwen: HostService, name: str) -> None:
    bank = filled_bank(qwen, ["last.down_proj", "lm_head"])
    rule: Rule = {
        "three_factor": ThreeFactor(qwen.host, bank),
        "reinforce": Reinforce(qwen.host),
        "hebbian": Hebbian(),
    }[name]
    requests, advantages = some_requests(40), some_advantages(40)
    together = rule.gradients(bank, experience_of(qwen, bank, rule, requests, advantages))
    for place, slot in enumerate((1, 2, 3)):
        mine = [row for row, request in enumerate(requests) if request.slot == slot]
        alone = rule.gradients(bank, experience_of(qwen, bank, rule, [requests[row] for row in mine], advantages[mine]))
        here = slice(place, place + 1)
        share = Gradients(
            together.slots[here],
            {site: gradient[here] for site, gradient in together.a.items()},
            {site: gradient[here] for site, gradient in together.b.items()},
        )
        assert_same_gradients(share, alone)


# ------------------------------------------------------------------ gradients of given answers


def answered(service: HostService, rows: int) -> tuple[torch.Tensor, list[list[int]], list[list[int]]]:
    """Owners, prompts and right answers."""
    requests = some_requests(rows)
    prompts = service.codec.encode([request.prompt for request in requests])
    sums = [str(sum(map(int, request.prompt[len("What is: ") : -len("\nAnswer:")].split("+")))) for request in requests]
    return (
        torch.tensor([r.slot for r in requests]),
        prompts,
        [service.codec.encode_answer(f" {s}") for s in sums],
    )


def test_given_answers_are_averaged_over_an_owners_rows(qwen: HostService) -> None:
    bank = filled_bank(qwen, ["last.down_proj", "lm_head"])
    slots, prompts, answers = answered(qwen, 9)
    once = sequence_gradients(qwen.host, bank, slots, prompts, answers, torch.ones(9))
    thrice = sequence_gradients(qwen.host, bank, slots.repeat(3), prompts * 3, answers * 3, torch.ones(27))
    assert_same_gradients(thrice, once)


def test_gradients_come_padded_to_the_banks_rank(qwen: HostService) -> None:
    bank = filled_bank(qwen, ["last.down_proj", "lm_head"], ranks=(2, 3))
    slots, prompts, answers = answered(qwen, 9)
    slots = slots.clamp(max=2)
    found = sequence_gradients(qwen.host, bank, slots, prompts, answers, torch.ones(9))
    for site in bank.sites:
        assert found.a[site.name].shape == (2, 8, site.d_in)
        assert found.b[site.name].shape == (2, site.d_out, 8)
        for place, rank in enumerate((2, 3)):
            assert found.b[site.name][place, :, :rank].any(0).all()
            assert not found.a[site.name][place, rank:].any()
            assert not found.b[site.name][place, :, rank:].any()


def test_rows_are_backpropagated_in_any_number_of_chunks(qwen: HostService, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = filled_bank(qwen, ["all-linear", "lm_head"])
    slots, prompts, answers = answered(qwen, 40)
    arguments = (qwen.host, bank, slots, prompts, answers, some_advantages(40))
    whole = sequence_gradients(*arguments)
    monkeypatch.setattr(teacher_forcing, "_ROWS_AT_ONCE", 7)
    assert_same_gradients(sequence_gradients(*arguments), whole)


def test_right_answers_grow_likelier_along_their_gradient(qwen: HostService) -> None:
    bank = filled_bank(qwen, ["last.down_proj", "lm_head"], ranks=(4,))
    slots, prompts, answers = answered(qwen, 9)
    slots = torch.ones_like(slots)

    def likelihood() -> float:
        adapters = bank.fused(torch.tensor([1])).bind(torch.tensor([0]))
        total = 0.0
        with torch.no_grad():
            for prompt, answer in zip(prompts, answers, strict=True):
                logits = qwen.host.forward(torch.tensor([[*prompt, *answer[:-1]]]), adapters)[0, len(prompt) - 1 :]
                total += float(logits.log_softmax(-1).gather(1, torch.tensor(answer)[:, None]).sum())
        return total

    before = likelihood()
    found = sequence_gradients(qwen.host, bank, slots, prompts, answers, torch.ones(9))
    for site in bank.sites:
        bank.b[site.name][1] += 0.001 * found.b[site.name][0]
    assert likelihood() > before
