"""Sampling draws from the softmax, each row from a stream that depends on its key and the step alone."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2
from small_hosts import PROMPTS, naive_logits

from evolora_mesa.host import HostService, Request, sampling
from evolora_mesa.host.sampling import choose_tokens, uniforms

KEYS = st.integers(-(2**63), 2**63 - 1)
_GAMMA, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1


def splitmix(key: int, step: int) -> float:
    """SplitMix64 in Python's unbounded integers."""
    z = (key + (step + 1) * _GAMMA) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((z ^ (z >> 31)) >> 11) * 2.0**-53


@given(st.lists(KEYS, min_size=1, max_size=8), st.integers(0, 10_000))
def test_numbers_are_those_of_splitmix_whatever_stands_beside_them(keys: list[int], step: int) -> None:
    found = uniforms(torch.tensor(keys), step).tolist()
    assert found == [splitmix(key, step) for key in keys]
    assert all(0.0 <= number < 1.0 for number in found)


def chi_square(counts: torch.Tensor, expected: torch.Tensor) -> tuple[float, float]:
    """The statistic, and the value that chance exceeds once in a million runs."""
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return statistic, float(chi2.ppf(1 - 1e-6, counts.numel() - 1))


@pytest.mark.parametrize("stride", [1, 2, 7919, 1 << 32])
def test_numbers_are_even_over_keys_steps_and_neighbours(stride: int) -> None:
    keys = torch.arange(4000) * stride
    draws = torch.stack([uniforms(keys, step) for step in range(10)])  # [steps, keys]
    statistic, limit = chi_square(torch.histc(draws.float(), 50, 0, 1), torch.full((50,), draws.numel() / 50))
    assert statistic < limit
    for one, two in ((draws[:-1], draws[1:]), (draws[:, :-1], draws[:, 1:])):  # next step, next key
        cells = (one * 8).long() * 8 + (two * 8).long()
        counts = torch.bincount(cells.flatten(), minlength=64).float()
        statistic, limit = chi_square(counts, torch.full((64,), cells.numel() / 64))
        assert statistic < limit


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_sampled_frequencies_are_those_of_the_softmax(temperature: float) -> None:
    logits = torch.tensor([2.0, 0.0, 1.0, float("-inf"), -1.0, 0.5])
    rows = 20_000
    choice = choose_tokens(logits.expand(rows, -1), temperature, torch.arange(rows), 3)
    wanted = (logits / temperature).softmax(-1)
    counts = torch.bincount(choice.tokens, minlength=6).float()
    assert counts[3] == 0
    possible = wanted > 0
    statistic, limit = chi_square(counts[possible], wanted[possible] * rows)
    assert statistic < limit
    assert torch.allclose(choice.probabilities[0], wanted)
    assert torch.allclose(choice.log_probability, wanted[choice.tokens].log(), atol=1e-5)


def test_a_number_that_rounds_to_one_chooses_no_impossible_token(monkeypatch: pytest.MonkeyPatch) -> None:
    number = 1 - 2.0**-26
    assert float(torch.tensor(number)) == 1.0
    monkeypatch.setattr(sampling, "uniforms", lambda keys, step: torch.full(keys.shape, number, dtype=torch.float64))
    impossible = torch.full((64, 3), float("-inf"))
    logits = torch.cat([torch.randn(64, 9, generator=torch.Generator().manual_seed(0)), impossible], 1)
    choice = choose_tokens(logits, 1.0, torch.zeros(64, dtype=torch.long), 0)
    assert set(choice.tokens.tolist()) == {8}


def test_first_tokens_of_a_host_follow_its_own_distribution(service: HostService) -> None:
    rows = 4000
    requests = [Request(0, PROMPTS[1], key=31 * row) for row in range(rows)]
    answers = service.answer(requests, temperature=1.0, max_new_tokens=1)
    wanted = naive_logits(service, answers.prompts[0])[-1].softmax(-1)
    counts = torch.bincount(torch.tensor(answers.tokens).flatten(), minlength=wanted.numel()).float()
    common = wanted * rows >= 5
    counts = torch.cat([counts[common], counts[~common].sum()[None]])
    expected = torch.cat([wanted[common], wanted[~common].sum()[None]]) * rows
    statistic, limit = chi_square(counts[expected > 0], expected[expected > 0])
    assert statistic < limit


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=20), KEYS, st.integers(0, 99))
def test_greedy_takes_the_largest_and_sampling_takes_a_possible_token(scores: list[float], key: int, step: int) -> None:
    logits = torch.tensor([scores])
    assert int(choose_tokens(logits, 0.0, torch.tensor([key]), step).tokens) == int(logits.argmax())
    sampled = choose_tokens(logits, 1.0, torch.tensor([key]), step)
    assert 0 <= int(sampled.tokens) < len(scores)
    assert float(sampled.probabilities[0, sampled.tokens]) > 0
