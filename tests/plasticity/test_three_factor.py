"""The default rule is local, and at the output exactly the policy gradient."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from plastic_world import (
    assert_same_gradients,
    cosines,
    experience_of,
    filled_bank,
    some_advantages,
    some_requests,
)

from evolora_mesa.errors import ConfigError
from evolora_mesa.host import AdapterBank, HostService
from evolora_mesa.plasticity import Experience, Gradients, sequence_gradients
from evolora_mesa.plasticity.three_factor import ThreeFactor

ROWS = 45
EXACT_SITES = (["lm_head"], ["last.down_proj"], ["last.down_proj", "lm_head"])


def both(
    service: HostService, sites: list[str], *, scaling: float = 1.0, temperature: float = 0.8
) -> tuple[Gradients, Gradients, AdapterBank]:
    """What the rule says and what backpropagation says about the same sampled answers."""
    bank = filled_bank(service, sites, scaling=scaling)
    rule = ThreeFactor(service.host, bank)
    experience = experience_of(service, bank, rule, some_requests(ROWS), some_advantages(ROWS), temperature=temperature)
    return rule.gradients(bank, experience), backpropagated(service, bank, experience), bank


def backpropagated(service: HostService, bank: AdapterBank, experience: Experience) -> Gradients:
    return sequence_gradients(
        service.host,
        bank,
        experience.slots,
        experience.answers.prompts,
        experience.answers.tokens,
        experience.advantages,
        temperature=experience.temperature,
    )


@pytest.mark.parametrize("sites", EXACT_SITES, ids="+".join)
@pytest.mark.parametrize("kind", ["qwen", "gemma"])
def test_at_the_output_it_is_the_policy_gradient(kind: str, sites: list[str], request: pytest.FixtureRequest) -> None:
    found, true, _ = both(request.getfixturevalue(kind), sites)
    assert_same_gradients(found, true)


@pytest.mark.parametrize(("scaling", "temperature"), [(0.5, 1.0), (2.0, 1.3)])
def test_scaling_and_temperature_enter_the_gradient(qwen: HostService, scaling: float, temperature: float) -> None:
    found, true, _ = both(qwen, ["last.down_proj", "lm_head"], scaling=scaling, temperature=temperature)
    assert_same_gradients(found, true)


@pytest.mark.parametrize("kind", ["qwen", "gemma"])
def test_rows_decoded_in_several_chunks_give_the_same_gradient(kind: str, request: pytest.FixtureRequest) -> None:
    whole: HostService = request.getfixturevalue(kind)
    chunked = HostService(whole.host, whole.codec, whole.available_sites, max_rows=7)
    found, true, _ = both(chunked, ["last.down_proj", "lm_head"])
    assert_same_gradients(found, true)
    assert_same_gradients(found, both(whole, ["last.down_proj", "lm_head"])[0])


def test_a_vocabulary_too_large_for_the_memory_is_worked_through_in_parts(
    qwen: HostService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 150,000 tokens, one distribution per generated token would not fit; none is kept in the trace."""
    sites = ["last.down_proj", "lm_head"]
    whole, _, _ = both(qwen, sites)
    parts: list[int] = []
    add = ThreeFactor._add

    def counted(self: ThreeFactor, total, bank, trace, *rest) -> None:
        parts.append(trace.tokens.numel())
        assert trace.probabilities is None
        add(self, total, bank, trace, *rest)

    monkeypatch.setattr(ThreeFactor, "_add", counted)
    monkeypatch.setattr("evolora_mesa.plasticity.three_factor._SURPRISE_NUMBERS", 1)
    found, true, _ = both(qwen, sites)
    assert len(parts) > 2 and max(parts) == 64
    assert_same_gradients(found, whole)
    assert_same_gradients(found, true)


def test_at_earlier_sites_it_is_a_biased_guess_in_the_right_direction(qwen: HostService) -> None:
    found, true, bank = both(qwen, ["last.o_proj", "all.down_proj"])
    for site in bank.sites:
        cosine = cosines(found.b[site.name], true.b[site.name])
        if site.name.startswith("model.layers.2.mlp"):
            assert bool((cosine > 0.9999).all())
        else:
            assert bool((cosine > 0).all()), (site.name, cosine)
            assert bool((cosine < 0.99).all()), (site.name, cosine)


def test_unused_ranks_get_no_gradient(qwen: HostService) -> None:
    found, _, bank = both(qwen, ["last.down_proj", "lm_head"])
    for slot in found.slots.tolist():
        for place, site in enumerate(bank.sites):
            rank = int(bank.ranks[slot, place])
            assert not found.a[site.name][slot - 1, rank:].any()
            assert not found.b[site.name][slot - 1, :, rank:].any()


def test_rows_without_surprise_teach_nothing(qwen: HostService) -> None:
    bank = filled_bank(qwen, ["last.down_proj", "lm_head"])
    rule = ThreeFactor(qwen.host, bank)
    found = rule.gradients(bank, experience_of(qwen, bank, rule, some_requests(12), torch.zeros(12)))
    assert not any(gradient.any() for gradient in (*found.a.values(), *found.b.values()))


def test_a_site_that_the_surprise_does_not_reach_is_refused_in_one_line(qwen: HostService) -> None:
    with pytest.raises(ConfigError) as refusal:
        ThreeFactor(qwen.host, qwen.new_bank(["all.q_proj", "lm_head"], capacity=2))
    message = str(refusal.value)
    assert "\n" not in message
    assert "model.layers.0.self_attn.q_proj" in message
    assert "adapter.sites" in message
    assert "reinforce" in message


def test_on_a_host_that_only_transformers_can_run_it_reaches_the_head(qwen_folder: Path) -> None:
    generic = HostService.load(qwen_folder, device="cpu", tuned=False, route="generic")
    found, true, _ = both(generic, ["lm_head"])
    assert_same_gradients(found, true)
    with pytest.raises(ConfigError, match="lm_head on this host"):
        ThreeFactor(generic.host, generic.new_bank(["last.down_proj"], capacity=2))


def test_a_host_in_bfloat16_learns_in_nearly_the_same_direction(qwen: HostService, qwen_folder: Path) -> None:
    sites = ["last.down_proj", "lm_head"]
    narrow = HostService.load(qwen_folder, device="cpu", dtype="bfloat16", tuned=False)
    bank = filled_bank(narrow, sites)
    rule = ThreeFactor(narrow.host, bank)
    experience = experience_of(narrow, bank, rule, some_requests(ROWS), some_advantages(ROWS))
    wide = filled_bank(qwen, sites)
    true = backpropagated(qwen, wide, experience)
    found = rule.gradients(bank, experience)
    for site in bank.sites:
        assert bool((cosines(found.b[site.name], true.b[site.name]) > 0.99).all())
